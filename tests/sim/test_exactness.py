"""The kernels equal the definition bit for bit: numbered random products, by every way through the kernels.

`pytest tests/sim --cases 10000` tries more of them than the usual run.
"""

import numpy as np
import pytest

from cimspec.sim import Engine, mvm
from cimspec.spec.chip import (
    AdcConversion,
    AdcLevels,
    AdcStep,
    Encoding,
    Rounding,
    SignedInputs,
    Subtraction,
)
from cimspec.spec.device import Device
from tests.sim.cases import Case, case
from tests.sim.variants import KINDS, draw_variants, running

CASES_A_TEST = 50


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "numbers" in metafunc.fixturenames:
        count = metafunc.config.getoption("--cases")
        starts = range(0, count, CASES_A_TEST)
        numbers = [range(start, min(count, start + CASES_A_TEST)) for start in starts]
        metafunc.parametrize("numbers", numbers, ids=[f"{part.start}-{part.stop - 1}" for part in numbers])


def test_kernels_equal_the_definition(numbers: range):
    for number in numbers:
        check(case(number))


def check(product: Case) -> None:
    expected = product.expected()
    rng = np.random.default_rng(product.number)
    layer, inputs = product.layer(), product.vectors()
    found = {
        "mvm": mvm(product.chip, product.weights, product.inputs, **product.options),
        "numpy": layer.products(inputs, engine=Engine.REFERENCE),
    }
    for variant in draw_variants(rng, 3):
        found[str(variant)] = variant.products(layer, product.vectors(scattered=bool(rng.integers(2))))
    (variant,) = draw_variants(rng, 1)
    found[f"in blocks, {variant}"] = variant.products(product.layer(in_blocks=True), inputs)
    for name, products in found.items():
        assert products.dtype == expected.dtype, (product.number, name)
        assert np.array_equal(products, expected), (product.number, name)


def test_the_cases_reach_every_form_and_numpy():
    taken = {}
    for instructions, form in KINDS:
        with running(instructions, form) as forms:
            for product in map(case, range(60)):
                product.layer().products(product.vectors())
        taken[instructions, form] = forms
    assert all(form in forms for (_, form), forms in taken.items())


def test_the_cases_hold_every_option():
    chips = [product.chip for product in map(case, range(300))]
    for options, kind in (
        ([chip.crossbar.encoding for chip in chips], Encoding),
        ([chip.adc.code_rounding for chip in chips], Rounding),
        ([chip.adc.step for chip in chips], AdcStep),
        ([chip.adc.levels for chip in chips], AdcLevels),
        ([chip.adc.conversion for chip in chips], AdcConversion),
        ([chip.adc.subtraction for chip in chips], Subtraction),
        ([chip.dac.signed for chip in chips], SignedInputs),
    ):
        assert set(options) == set(kind)
    assert {chip.crossbar.cell_bits for chip in chips} == set(range(1, 9))
    assert {chip.adc.bits for chip in chips} == set(range(1, 17))
    assert {chip.dac.bits for chip in chips} == set(range(1, 9))
    assert {chip.crossbar.complements for chip in chips} == {False, True}
    devices = [chip.device for chip in chips]
    for name, usual in Device().model_dump().items():
        if name not in ("drift_start_ns", "activity"):
            assert any(getattr(device, name) != usual for device in devices), name
