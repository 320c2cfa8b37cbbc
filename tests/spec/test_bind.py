"""What a file means: values, names, imports, extends, spans and the digest."""

import pytest

from cimspec.diag import CimError
from cimspec.spec import AdcRange, Encoding, Method
from tests.spec.conftest import CHIP, MODEL, SEARCH


def codes(error: pytest.ExceptionInfo[CimError]) -> list[str]:
    return [found.code for found in error.value.diagnostics]


def test_values_are_converted_exactly(loaded):
    spec = loaded(CHIP + MODEL + SEARCH).spec
    assert spec.name == "main"
    assert (spec.chip.crossbar.write_latency_ns, spec.chip.crossbar.read_latency_ns) == (56000.0, 1400.0)
    assert spec.chip.crossbar.cell_bits == 2
    assert spec.search
    assert spec.search.weight_bits == (2, 3, 4, 5, 6, 7, 8)
    assert spec.search.activation_bits == (2, 4, 8)
    assert spec.search.require.accuracy_loss_pp == 0.1
    assert [(keep.layer, keep.weight_bits, keep.activation_bits) for keep in spec.search.keep] == [("c1", 8, 8)]
    assert spec.search.methods == (Method.RL, Method.EVOLUTION, Method.RANDOM)
    assert spec.data
    assert spec.data.source.dataset == "digits"


def test_names_and_inputs_are_spelled_out(loaded):
    model = """
    model net {
      input 1 x 8 x 8
      conv2d { channels = 8; kernel = 3; padding = 1 }
      relu relu5
      conv2d side from relu5 { channels = 8; kernel = 1 }
      relu
      add from side, relu5_2
      linear { features = 10 }
    }
    """
    layers = loaded(CHIP + model).spec.model.layers
    assert [(layer.name, layer.inputs) for layer in layers] == [
        ("input", ()),
        ("conv2d2", ("input",)),
        ("relu5", ("conv2d2",)),
        ("side", ("relu5",)),
        ("relu5_2", ("side",)),  # the fifth statement; `relu5` is taken
        ("add6", ("side", "relu5_2")),
        ("linear7", ("add6",)),
    ]


def test_extends_replaces_field_by_field(loaded):
    main = 'import "base.cim"\nchip small extends base { crossbar { rows = 32 }; adc { range = calibrated } }'
    chip = loaded(main, base=CHIP + MODEL).spec.chip
    assert (chip.name, chip.crossbar.rows, chip.crossbar.columns) == ("small", 32, 64)
    assert (chip.adc.bits, chip.adc.range) == (8, AdcRange.CALIBRATED)


def test_extends_through_several_steps_and_for_models(loaded):
    text = CHIP + MODEL.replace("net", "first")
    main = """
    import "one.cim"
    chip two extends one { crossbars = 3 }
    model second extends first { linear f1 { features = 4 }; relu last }
    """
    files = {"zero": text, "one": 'import "zero.cim"\nchip one extends base { adc { bits = 9 } }'}
    spec = loaded(main, **files).spec
    assert (spec.chip.name, spec.chip.crossbars, spec.chip.adc.bits) == ("two", 3, 9)
    assert [layer.name for layer in spec.model.layers] == ["input", "c1", "relu3", "f1", "last"]
    assert spec.model.layers[3].op.features == 4


def test_what_is_in_force_is_the_files_own_else_the_only_imported(loaded):
    main = 'import "lossy.cim"\nmodel own { input 4; linear { features = 2 } }'
    lossy = 'import "base.cim"\nchip lossy extends base { adc { bits = 6 } }'
    spec = loaded(main, lossy=lossy, base=CHIP + MODEL).spec
    assert (spec.chip.name, spec.model.name) == ("lossy", "own")


def test_a_file_imported_twice_is_one_file(loaded):
    spec = loaded('import "a.cim"\nimport "b.cim"', a='import "c.cim"', b='import "c.cim"', c=CHIP + MODEL).spec
    assert spec.chip.name == "base"


def test_spans_point_at_what_was_written(loaded):
    result = loaded(CHIP + MODEL + SEARCH)
    assert result.spans["chip", "adc", "bits"].text == "8"
    assert result.spans["chip", "adc"].text == "adc"
    assert result.spans["model", "layers", 1].text == "conv2d c1"
    assert result.spans["model", "layers", 1, "kernel"].text == "3"
    assert result.spans["search", "keep", 0].text == "keep c1 at 8 bit, 8 bit"
    assert result.spans["data",].text == 'data digits = builtin("digits")'
    assert result.spans["data", "source", "dataset"].text == '"digits"'
    default = result.span("chip", "adc", "percentile")
    assert default
    assert default.text == "adc"
    assert result.span("training", "epochs") is None


def test_the_digest_is_of_the_meaning(loaded):
    first = loaded(CHIP + MODEL).spec.digest
    assert first == loaded("# note\n" + MODEL + CHIP.replace("56 us", "56000ns").replace("; ", "\n")).spec.digest
    assert first == loaded('import "base.cim"', base=CHIP + MODEL).spec.digest
    assert first != loaded(CHIP.replace("rows = 64", "rows = 32") + MODEL).spec.digest
    assert len(first) == 64


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(loaded):
    text = CHIP + MODEL
    assert loaded("\ufeff" + text.replace("\n", "\r\n")).spec.digest == loaded(text).spec.digest


def test_one_run_shows_all_errors(loaded):
    with pytest.raises(CimError) as caught:
        loaded(CHIP.replace("rows = 64", "rows = 0").replace("bits = 8", "bit = 8") + MODEL.replace("relu", "rel"))
    assert codes(caught) == ["CIM208", "CIM203", "CIM202"]
    places = [(found.span.line, found.span.column) for found in caught.value.diagnostics if found.span]
    assert places == [(4, 12), (8, 9), (14, 3)]


def test_encodings_and_active_rows(loaded):
    chip = CHIP.replace("differential_columns", "offset\n active_rows = 16")
    spec = loaded(chip + MODEL).spec
    assert spec.chip.crossbar.encoding is Encoding.OFFSET
    assert spec.chip.active_rows == 16
