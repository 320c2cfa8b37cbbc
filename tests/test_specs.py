"""The shipped specs load, and the paper's networks have the layers that its policies are for."""

from math import prod
from pathlib import Path

import pytest

from cimspec.diag import CimError
from cimspec.graph import build_graph
from cimspec.graph.layer import Conv2d, Linear
from cimspec.spec import Device, Metric, ModelSpec, Objective, WeightMode, load

SPECS = Path(__file__).parents[1] / "specs"
CHIPS_ONLY = [SPECS / "paper" / "chip.cim"]
WITH_A_SHORT_ADC = [SPECS / "lossy.cim", SPECS / "noisy.cim"]
WHOLE = sorted(set(SPECS.rglob("*.cim")) - set(CHIPS_ONLY))


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_it_loads(path):
    codes = [warning.code for warning in load(path).warnings]
    assert codes == (["CIM301"] if path in WITH_A_SHORT_ADC else [])


@pytest.mark.parametrize("path", CHIPS_ONLY, ids=lambda path: path.stem)
def test_a_chip_alone_lacks_only_the_model(path):
    with pytest.raises(CimError) as caught:
        load(path)
    assert [found.code for found in caught.value.diagnostics] == ["CIM217"]


def test_lossy_differs_from_quickstart_in_the_adc_alone():
    lossy, quickstart = (load(SPECS / f"{name}.cim").spec for name in ("lossy", "quickstart"))
    assert (lossy.model, lossy.search, lossy.data) == (quickstart.model, quickstart.search, quickstart.data)
    assert lossy.chip.crossbar == quickstart.chip.crossbar
    assert lossy.chip.adc != quickstart.chip.adc


@pytest.mark.parametrize("name", ["attention", "mobile"])
def test_the_small_networks_differ_from_tiny_in_model_and_training_alone(name):
    spec, tiny = (load(SPECS / f"{each}.cim").spec for each in (name, "tiny"))
    assert (spec.chip, spec.data, spec.search) == (tiny.chip, tiny.data, tiny.search)
    assert spec.model.name == name


def test_resident_is_the_quickstart_on_another_chip():
    resident, quickstart = (load(SPECS / f"{name}.cim").spec for name in ("resident", "quickstart"))
    assert (resident.model, resident.data, resident.training) == (
        quickstart.model,
        quickstart.data,
        quickstart.training,
    )
    assert (resident.chip.crossbar, resident.chip.adc) == (quickstart.chip.crossbar, quickstart.chip.adc)
    assert resident.chip.weights is WeightMode.RESIDENT
    assert resident.search.minimize == Objective.of(Metric.INTERVAL)


def test_noisy_is_lossy_with_other_cells():
    noisy, lossy = (load(SPECS / f"{name}.cim").spec for name in ("noisy", "lossy"))
    assert (noisy.model, noisy.search, noisy.data) == (lossy.model, lossy.search, lossy.data)
    assert (noisy.chip.crossbar, noisy.chip.adc) == (lossy.chip.crossbar, lossy.chip.adc)
    assert noisy.chip.device == Device(program_sigma=0.05)


def matmuls(model: ModelSpec) -> list[tuple[int, int, int]]:
    """(inputs, outputs, invocations) of each crossbar layer, in execution order."""
    found = []
    for layer in build_graph(model).crossbar_layers:
        match layer.op:
            case Conv2d() as op:
                found.append((op.in_channels * op.window.area, op.out_channels, prod(layer.shape[1:])))
            case Linear() as op:
                found.append((op.in_features, op.out_features, 1))
    return found


# The layers of the policies published with arXiv 2601.21737.
VGG16 = [
    *((27, 64, 50176), (576, 64, 50176)),
    *((576, 128, 12544), (1152, 128, 12544)),
    *((1152, 256, 3136), (2304, 256, 3136), (2304, 256, 3136)),
    *((2304, 512, 784), (4608, 512, 784), (4608, 512, 784)),
    *((4608, 512, 196), (4608, 512, 196), (4608, 512, 196)),
    *((25088, 4096, 1), (4096, 4096, 1), (4096, 1000, 1)),
]
RESNET18 = [
    (147, 64, 12544),
    *((576, 64, 3136),) * 4,
    *((64, 128, 784), (576, 128, 784), *((1152, 128, 784),) * 3),
    *((128, 256, 196), (1152, 256, 196), *((2304, 256, 196),) * 3),
    *((256, 512, 49), (2304, 512, 49), *((4608, 512, 49),) * 3),
    (512, 1000, 1),
]


@pytest.mark.parametrize(("name", "layers"), [("vgg16", VGG16), ("resnet18", RESNET18)])
def test_the_papers_networks_have_the_published_layers(name, layers):
    assert matmuls(load(SPECS / "paper" / f"{name}.cim").spec.model) == layers
