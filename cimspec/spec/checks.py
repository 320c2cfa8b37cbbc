"""Rules between fields: chip, model and search -> diagnostics at the values that contradict each other.

Parts that could not be bound are None, and rules about them are left out.
"""

from bisect import bisect_right
from collections.abc import Mapping
from itertools import islice

from cimspec.diag import Label, respelled
from cimspec.spec.blocks import Binding
from cimspec.spec.chip import (
    LARGEST_EXACT_SUM,
    WIDEST_INPUT,
    AdcCalibration,
    AdcLevels,
    AdcRange,
    Chip,
    Encoding,
    Subtraction,
)
from cimspec.spec.chip_checks import check_surroundings
from cimspec.spec.device import Device
from cimspec.spec.fields import entries
from cimspec.spec.model_file import OnnxModelSpec
from cimspec.spec.search import SearchSpec
from cimspec.spec.values import one_of
from cimspec.spec.workload import ModelSpec

DEVICE_EXCLUDES = (
    ("table", "on_off_ratio", "the table says what an empty cell conducts"),
    ("table", "program_sigma", "the table says how far each level strays"),
    ("table", "on_resistance_ohm", "the table says what a full cell conducts"),
)
DEVICE_NEEDS = (
    ("wire_resistance_ohm", ("on_resistance_ohm", "table"), "what a wire loses depends on what cells conduct"),
    ("drift_nu", ("drift_time_ns",), "drift grows with time"),
    ("drift_nu_sigma", ("drift_time_ns",), "drift grows with time"),
)
MAX_SHOWN = 20  # names in a note; a network may have thousands
HOPELESS_BITS = 12  # an ADC that is shorter than needed by more than this is a mistake, not a design


def check(
    chip: Chip | None,
    model: ModelSpec | OnnxModelSpec | None,
    search: SearchSpec | None,
    has_data: bool,
    binding: Binding,
) -> None:
    """All rules; those about layers of a model in a file of its own are for who reads that."""
    if chip:
        check_active_rows(chip, binding)
        check_subtraction(chip, binding)
        check_unit_column(chip, binding)
        check_calibration(chip, binding)
        check_levels(chip, binding)
        if chip.active_rows <= chip.crossbar.rows and chip.adc.codes > 1:
            check_adc_bits(chip, binding)
        check_device(chip, binding)
        check_surroundings(chip, binding)
    if search and not has_data:
        span = binding.spans["search",]
        label = 'add `data digits = builtin("digits")` to the file'
        binding.diagnostics.error("CIM403", "a search needs data to measure accuracy on", span, label=label)
    if search and isinstance(model, ModelSpec):
        check_keep(search, {layer.name: layer.products for layer in model.layers}, binding)


def labels(binding: Binding, path: tuple[str, str], text: str) -> list[Label]:
    """A label at a field of the chip, if it is written."""
    span = binding.spans.get(("chip", *path))
    return [Label(span, text)] if span else []


def check_active_rows(chip: Chip, binding: Binding) -> None:
    """Only rows that exist can be read at once."""
    rows, active_rows = chip.crossbar.rows, chip.active_rows
    if active_rows > rows:
        span = binding.spans["chip", "crossbar", "active_rows"]
        message = f"`active_rows` is {active_rows}, but the crossbar has {rows} rows"
        related = labels(binding, ("crossbar", "rows"), "the rows there are")
        binding.diagnostics.error("CIM302", message, span, label=f"write {rows} or less", related=related)


def check_subtraction(chip: Chip, binding: Binding) -> None:
    """Columns can be subtracted before the ADC only where they come in pairs."""
    if chip.adc.subtraction is not Subtraction.BEFORE_ADC:
        return
    encoding, columns = chip.crossbar.encoding, chip.crossbar.columns
    if encoding is not Encoding.DIFFERENTIAL_COLUMNS:
        notes = ["with `differential_rows` the sums are subtracted on the column itself, always"]
        binding.diagnostics.error(
            "CIM303",
            f"with `encoding = {encoding}` there are no columns to subtract before the ADC",
            binding.spans["chip", "adc", "subtraction"],
            label="remove this field, or set `encoding = differential_columns`",
            related=labels(binding, ("crossbar", "encoding"), "set here"),
            notes=notes if encoding is Encoding.DIFFERENTIAL_ROWS else (),
        )
    elif columns % 2:
        binding.diagnostics.error(
            "CIM304",
            f"columns are subtracted in pairs, but there are {columns}",
            binding.spans["chip", "crossbar", "columns"],
            label=f"write {columns + 1} or {columns - 1}" if columns > 1 else "write 2",
            related=labels(binding, ("adc", "subtraction"), "this pairs them"),
        )


def check_unit_column(chip: Chip, binding: Binding) -> None:
    """A unit column is what an offset is taken off with; complements are completed by it."""
    crossbar = chip.crossbar
    for name, is_set in (("unit_column", crossbar.unit_column), ("complement", crossbar.complement)):
        if is_set and crossbar.encoding is not Encoding.OFFSET:
            binding.diagnostics.error(
                "CIM305",
                f"with `encoding = {crossbar.encoding}` there is no unit column",
                binding.spans["chip", "crossbar", name],
                label="remove this field, or set `encoding = offset`",
                related=labels(binding, ("crossbar", "encoding"), "set here"),
            )
    if crossbar.complement and crossbar.encoding is Encoding.OFFSET and not crossbar.unit_column:
        binding.diagnostics.error(
            "CIM306",
            "columns that are stored complemented need a unit column",
            binding.spans["chip", "crossbar", "complement"],
            label="remove this field, or set `unit_column = true`",
            related=labels(binding, ("crossbar", "unit_column"), "set here"),
        )


def check_calibration(chip: Chip, binding: Binding) -> None:
    """How a range is calibrated matters where it is."""
    adc = chip.adc
    for name in ("calibration", "percentile"):
        span = binding.spans.get(("chip", "adc", name))
        if span is None:
            continue
        if adc.range is not AdcRange.CALIBRATED:
            message, label, cause = f"with `range = {adc.range}`", "set `range = calibrated`", "range"
        elif name == "percentile" and adc.calibration is not AdcCalibration.PERCENTILE:
            message, label = f"with `calibration = {adc.calibration}`", "set `calibration = percentile`"
            cause = "calibration"
        else:
            continue
        message = f"{message} the field `{name}` has no effect"
        related = labels(binding, ("adc", cause), "set here")
        binding.diagnostics.warning("CIM307", message, span, label=f"remove this field, or {label}", related=related)


def check_levels(chip: Chip, binding: Binding) -> None:
    """Sign-magnitude levels are for sums of both signs, and more than one."""
    adc = chip.adc
    if adc.levels is not AdcLevels.SIGN_MAGNITUDE:
        return
    if adc.codes < 2:
        message = "a sign-magnitude ADC of 1 bit has one level, zero"
        binding.diagnostics.error("CIM309", message, binding.spans["chip", "adc", "bits"], label="write 2 or more")
    elif not (chip.converts_differences or chip.converts_products):
        binding.diagnostics.warning(
            "CIM308",
            "`levels = sign_magnitude` gives a code away: column sums are never negative",
            binding.spans["chip", "adc", "levels"],
            label="remove this field",
        )


def check_adc_bits(chip: Chip, binding: Binding) -> None:
    """An ADC that cannot tell all column sums apart loses accuracy."""
    adc = chip.adc
    largest = chip.largest_sum(chip.active_rows, widest_input(chip))
    if chip.converts_products and largest > LARGEST_EXACT_SUM:
        check_exact_sums(chip, largest, binding)
        return
    needed = bits_for_sums(largest, chip.converts_differences, adc.levels)
    if adc.bits >= needed:
        return
    summed = "the product of 8-bit inputs" if chip.converts_products else "a column sum"
    message = f"{summed} needs {needed} bits, `adc.bits` is {adc.bits}"
    span = binding.spans["chip", "adc", "bits"]
    notes = ["`cimspec run` measures what that costs in accuracy"]
    if adc.range is AdcRange.CALIBRATED:
        notes = ["`range = calibrated` gives the codes to the sums that occur; `cimspec run` measures the loss"]
    # Chips that convert whole products are built to be many bits short: what occurs is far below the largest.
    if needed - adc.bits > HOPELESS_BITS and not chip.converts_products:
        label = f"more than {HOPELESS_BITS} bits short"
        binding.diagnostics.error("CIM301", message, span, label=label, help=adc_help(chip, needed))
    else:
        label = "sums that differ by little get the same code"
        binding.diagnostics.warning("CIM301", message, span, label=label, notes=notes, help=adc_help(chip, needed))


def check_exact_sums(chip: Chip, largest: int, binding: Binding) -> None:
    """Report that whole products are larger than what is computed exactly."""
    binding.diagnostics.error(
        "CIM310",
        f"the product of 8-bit inputs sums to {largest:,}; beyond {LARGEST_EXACT_SUM:,} sums are not exact",
        binding.spans["chip", "adc", "conversion"],
        label="set `conversion = per_step`",
        help=f"set `active_rows = {most_rows(chip, LARGEST_EXACT_SUM)}`, or store fewer bits in a cell",
    )


def check_device(chip: Chip, binding: Binding) -> None:
    """A device says each thing once, and all that it needs."""
    device, error = chip.device, binding.diagnostics.error
    written = {name: binding.spans.get(("chip", "device", name)) for name in Device.model_fields}
    spans = {name: span for name, span in written.items() if span}
    for first, second, words in DEVICE_EXCLUDES:
        if first in spans and second in spans:
            message = f"`{device_key(second)}` cannot stand beside `{device_key(first)}`: {words}"
            error("CIM311", message, spans[second], label="remove this one", related=[Label(spans[first], "or this")])
    for name, others, words in DEVICE_NEEDS:
        if name in spans and not any(other in spans for other in others):
            wanted = f"`{device_key(others[0])}`"
            error("CIM312", f"`{device_key(name)}` needs {wanted}: {words}", spans[name], label=f"add {wanted}")
    if device.stuck_on + device.stuck_off > 1:
        message = f"{device.stuck_on:.12g} of the cells are stuck on and {device.stuck_off:.12g} off, more than all"
        related = labels(binding, ("device", "stuck_on"), "with these") if "stuck_off" in spans else []
        at = spans.get("stuck_off", spans.get("stuck_on"))
        error("CIM313", message, at, label="make both at most 1 together", related=related)
    if device.drift_time_ns is not None and device.drift_time_ns < device.drift_start_ns:
        message = "`drift_time` is before `drift_start`: nothing has drifted then"
        related = labels(binding, ("device", "drift_start_ns"), "drift starts here")
        error("CIM313", message, spans["drift_time_ns"], label="write a later time", related=related)
    if device.table and len(device.table.mean_siemens) != 1 << chip.crossbar.cell_bits:
        message = (
            f"the table has {len(device.table.mean_siemens)} levels, "
            f"a cell of {chip.crossbar.cell_bits} bit holds {1 << chip.crossbar.cell_bits}"
        )
        related = labels(binding, ("crossbar", "cell_bits"), "set here")
        error("CIM314", message, spans["table"], label="measure each level, or set `crossbar.cell`", related=related)


def device_key(name: str) -> str:
    """A field of `device` as it is written."""
    return next(entry.key for entry in entries(Device) if entry.name == name)


def adc_help(chip: Chip, needed: int) -> str:
    """The edits after which no sum is lost: only those that the fields allow."""
    most_bits = 16
    edits = [f"`adc.bits = {needed}`"] if needed <= most_bits else []
    rows = fitting_rows(chip)
    edits += [f"`active_rows = {rows}`"] if rows else []
    fewer = "convert each step" if chip.converts_products else "apply fewer input bits at once"
    return f"set {' or '.join(edits)}" if edits else f"store fewer bits in a cell, or {fewer}"


def fitting_rows(chip: Chip) -> int:
    """The most rows whose sums the ADC can tell apart; 0 if it cannot even those of one row."""
    levels = chip.adc.codes - 1
    return most_rows(chip, levels // 2 if chip.converts_differences else levels)


def most_rows(chip: Chip, largest: int) -> int:
    """The most rows whose sums do not exceed `largest`."""
    rows = range(chip.crossbar.rows + 1)
    return bisect_right(rows, largest, key=lambda count: chip.largest_sum(count, widest_input(chip))) - 1


def widest_input(chip: Chip) -> int:
    """The largest input of what is converted at once: a step, or all of an activation."""
    return WIDEST_INPUT if chip.converts_products else chip.largest_digit


def bits_for_sums(largest: int, is_signed: bool, levels: AdcLevels = AdcLevels.FULL) -> int:
    """Bits of an ADC that gives every sum from 0, or from -largest, to `largest` a code of its own."""
    steps = 2 * largest if is_signed else largest
    return (steps + (levels is AdcLevels.SIGN_MAGNITUDE)).bit_length()


def check_keep(search: SearchSpec, products: Mapping[str, tuple[str, ...]], binding: Binding) -> None:
    """`keep` names layers that have bits; `products` are the names that have some, by layer."""
    crossbar_layers = {name: None for names in products.values() for name in names}
    shown, more = ", ".join(islice(crossbar_layers, MAX_SHOWN)), len(crossbar_layers) - MAX_SHOWN
    notes = [f"layers on crossbars: {shown}" + (f" and {more} more" if more > 0 else "")]
    for index, keep in enumerate(search.keep):
        if keep.layer in crossbar_layers:
            continue
        span = binding.spans.get(("search", "keep", index, "layer"))
        meant = binding.diagnostics.did_you_mean(keep.layer, crossbar_layers)
        is_known = keep.layer in products
        if parts := products.get(keep.layer):
            message, label = f"layer `{keep.layer}` has bits for each of its parts", f"name {one_of(list(parts))}"
        elif keep.layer in products:
            message, label = f"layer `{keep.layer}` has no bits to keep", "name a layer that runs on crossbars"
        else:
            message = f"there is no layer `{keep.layer}`"
            label = f"did you mean `{meant}`?" if meant else "name a layer that runs on crossbars"
        layer = binding.spans.get(("model", "layers", list(products).index(keep.layer))) if is_known else None
        related = [Label(layer, "this is the layer")] if layer else []
        fixes = respelled(span, keep.layer, meant) if span and not is_known else ()
        binding.diagnostics.error("CIM607", message, span, label=label, related=related, notes=notes, fixes=fixes)
