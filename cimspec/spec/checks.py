"""Rules between fields: chip, model and search -> diagnostics at the values that contradict each other.

Parts that could not be bound are None, and rules about them are left out.
"""

from cimspec.diag import did_you_mean
from cimspec.spec.blocks import Binding
from cimspec.spec.chip import AdcRange, Chip, Encoding, Subtraction
from cimspec.spec.search import SearchSpec
from cimspec.spec.workload import Conv2dSpec, LinearSpec, ModelSpec

HOPELESS_BITS = 12  # an ADC that is shorter than needed by more than this is a mistake, not a design


def check(
    chip: Chip | None, model: ModelSpec | None, search: SearchSpec | None, has_data: bool, binding: Binding
) -> None:
    """All rules."""
    if chip:
        check_active_rows(chip, binding)
        check_subtraction(chip, binding)
        if chip.active_rows <= chip.crossbar.rows:
            check_adc_bits(chip, binding)
    if search and not has_data:
        span = binding.spans["search",]
        label = 'add `data digits = builtin("digits")` to the file'
        binding.diagnostics.error("CIM403", "a search needs data to measure accuracy on", span, label=label)
    if search and model:
        check_keep(search, model, binding)


def check_active_rows(chip: Chip, binding: Binding) -> None:
    """Only rows that exist can be read at once."""
    rows, active_rows = chip.crossbar.rows, chip.active_rows
    if active_rows > rows:
        span = binding.spans["chip", "crossbar", "active_rows"]
        message = f"`active_rows` is {active_rows}, but the crossbar has {rows} rows"
        binding.diagnostics.error("CIM302", message, span, label=f"write {rows} or less")


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
            notes=notes if encoding is Encoding.DIFFERENTIAL_ROWS else (),
        )
    elif columns % 2:
        binding.diagnostics.error(
            "CIM304",
            f"columns are subtracted in pairs, but there are {columns}",
            binding.spans["chip", "crossbar", "columns"],
            label=f"write {columns + 1} or {columns - 1}" if columns > 1 else "write 2",
        )


def check_adc_bits(chip: Chip, binding: Binding) -> None:
    """An ADC that cannot tell all column sums apart loses accuracy."""
    adc = chip.adc
    needed = bits_for_sums(chip.largest_column_sum, chip.converts_differences)
    if adc.bits >= needed:
        return
    message = f"a column sum needs {needed} bits, `adc.bits` is {adc.bits}"
    span = binding.spans["chip", "adc", "bits"]
    notes = ["`cimspec run` measures what that costs in accuracy"]
    if adc.range is AdcRange.CALIBRATED:
        notes = ["`range = calibrated` gives the codes to the sums that occur; `cimspec run` measures the loss"]
    if needed - adc.bits > HOPELESS_BITS:
        label = f"more than {HOPELESS_BITS} bits short"
        binding.diagnostics.error("CIM301", message, span, label=label, help=adc_help(chip, needed))
    else:
        label = "sums that differ by little get the same code"
        binding.diagnostics.warning("CIM301", message, span, label=label, notes=notes, help=adc_help(chip, needed))


def adc_help(chip: Chip, needed: int) -> str:
    """The edits after which no sum is lost: only those that the fields allow."""
    most_bits = 16
    edits = [f"`adc.bits = {needed}`"] if needed <= most_bits else []
    rows = fitting_rows(chip)
    edits += [f"`active_rows = {rows}`"] if rows else []
    return f"set {' or '.join(edits)}" if edits else "store fewer bits in a cell, or apply fewer input bits at once"


def fitting_rows(chip: Chip) -> int:
    """The most rows whose sums the ADC can tell apart; 0 if it cannot even those of one row."""
    codes = (1 << chip.adc.bits) - 1
    levels = codes // 2 if chip.converts_differences else codes
    return min(levels // chip.largest_row_sum, chip.crossbar.rows)


def bits_for_sums(largest: int, is_signed: bool) -> int:
    """Bits of an ADC that gives every sum from 0, or from -largest, to `largest` a code of its own."""
    return (2 * largest if is_signed else largest).bit_length()


def check_keep(search: SearchSpec, model: ModelSpec, binding: Binding) -> None:
    """`keep` names layers that have bits."""
    kinds = {layer.name: layer.op for layer in model.layers}
    crossbar_layers = [name for name, op in kinds.items() if isinstance(op, Conv2dSpec | LinearSpec)]
    for index, keep in enumerate(search.keep):
        if keep.layer in crossbar_layers:
            continue
        span = binding.spans["search", "keep", index, "layer"]
        meant = did_you_mean(keep.layer, crossbar_layers)
        if keep.layer in kinds:
            message, label = f"layer `{keep.layer}` has no weights to keep", "name a conv2d or linear layer"
        else:
            message = f"there is no layer `{keep.layer}`"
            label = f"did you mean `{meant}`?" if meant else "name a conv2d or linear layer"
        binding.diagnostics.error(
            "CIM607", message, span, label=label, notes=[f"layers with weights: {', '.join(crossbar_layers)}"]
        )
