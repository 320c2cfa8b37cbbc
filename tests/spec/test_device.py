"""The `device` block: units, extending, the table file, and what counts as ideal."""

import pytest

from cimspec.diag import CimError
from cimspec.spec import Chip, Device
from tests.spec.conftest import CHIP, MODEL

TABLE = "level,mean,sigma\n0,1e-6,1e-7\n1,4e-6,1e-7\n2,7e-6,2e-7\n3,9e-6,2e-7\n"


def codes(caught) -> list[str]:
    return [found.code for found in caught.value.diagnostics]


def test_a_chip_without_a_device_is_ideal(loaded):
    device = loaded(CHIP + MODEL).spec.chip.device
    assert device == Device()
    assert device.is_ideal
    assert device.cells_are_exact


def test_shares_times_and_resistances(loaded):
    text = """
    chip b extends base {
      device {
        on_off_ratio = 20; program_sigma = 5 %; program_sigma_relative = 0.02; read_sigma = 0.5 %
        drift_nu = 0.05; drift_nu_sigma = 0.01; drift_time = 86400 s; stuck_on = 0.1 %; stuck_off = 1 %
        wire_resistance = 2.5 ohm; on_resistance = 10 kohm; activity = 25 %
      }
    }
    """
    device = loaded('import "base.cim"\n' + text + MODEL, base=CHIP).spec.chip.device
    assert device == Device(
        on_off_ratio=20.0,
        program_sigma=0.05,
        program_sigma_relative=0.02,
        read_sigma=0.005,
        drift_nu=0.05,
        drift_nu_sigma=0.01,
        drift_time_ns=86400e9,
        stuck_on=0.001,
        stuck_off=0.01,
        wire_resistance_ohm=2.5,
        on_resistance_ohm=10_000.0,
        activity=0.25,
    )


def test_extending_a_device_keeps_the_other_fields(loaded):
    base = CHIP.replace("adc { bits = 8 }", "adc { bits = 8 }; device { stuck_on = 1 %; read_sigma = 1 % }")
    text = 'import "base.cim"\nchip b extends base { device { read_sigma = 2 % } }' + MODEL
    device = loaded(text, "chip.device.program_sigma=3 %", base=base).spec.chip.device
    assert (device.stuck_on, device.read_sigma, device.program_sigma) == (0.01, 0.02, 0.03)


@pytest.mark.parametrize(
    ("change", "cells_are_exact"),
    [
        ({"on_off_ratio": 10.0}, False),
        ({"program_sigma": 0.01}, False),
        ({"program_sigma_relative": 0.01}, False),
        ({"read_sigma": 0.01}, True),
        ({"stuck_off": 0.01}, False),
        ({"wire_resistance_ohm": 1.0, "on_resistance_ohm": 1e4}, False),
        ({"drift_nu": 0.1, "drift_time_ns": 1e12}, False),
    ],
)
def test_anything_that_has_an_effect_is_not_ideal(change, cells_are_exact):
    device = Device(**change)
    assert not device.is_ideal
    assert device.cells_are_exact is cells_are_exact


@pytest.mark.parametrize(
    "change",
    [{"drift_nu": 0.1, "drift_time_ns": 1e9}, {"drift_time_ns": 1e12}, {"on_resistance_ohm": 1e4}, {"activity": 1.0}],
)
def test_what_has_no_effect_leaves_it_ideal(change):
    assert Device(**change).is_ideal


def with_table(tmp_path, loaded, table: str = TABLE, *overrides: str):
    (tmp_path / "cells.csv").write_text(table, encoding="utf-8")
    chip = CHIP.replace("adc { bits = 8 }", 'adc { bits = 8 }; device { table = "cells.csv" }')
    return loaded(chip + MODEL, *overrides)


def test_a_table_is_read(tmp_path, loaded):
    spec = with_table(tmp_path, loaded).spec
    assert spec.chip.device.table is not None
    assert spec.chip.device.table.mean_siemens == (1e-6, 4e-6, 7e-6, 9e-6)
    assert spec.chip.device.table.sigma_siemens == (1e-7, 1e-7, 2e-7, 2e-7)
    assert Chip.model_validate_json(spec.chip.model_dump_json()) == spec.chip


def test_the_digest_follows_the_content_of_the_table(tmp_path, loaded):
    digest = with_table(tmp_path, loaded).spec.digest
    spaced = "# measured\n" + TABLE.replace(",", " , ").replace("\n", "  # and so on\r\n")
    assert with_table(tmp_path, loaded, spaced).spec.digest == digest
    assert with_table(tmp_path, loaded, TABLE.replace("9e-6", "8e-6")).spec.digest != digest


def test_a_table_lies_beside_the_file_that_names_it(tmp_path, loaded):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "cells.csv").write_text(TABLE)
    (tmp_path / "parts" / "base.cim").write_text(CHIP.replace("adc {", 'device { table = "cells.csv" }; adc {'))
    assert loaded('import "parts/base.cim"' + MODEL).spec.chip.device.table is not None


@pytest.mark.parametrize("target", ["../cells.csv", "link.csv", "/etc/passwd"])
def test_a_table_stays_below_the_folder_of_the_spec(tmp_path, loaded, target):
    (tmp_path.parent / "cells.csv").write_text(TABLE)
    (tmp_path / "link.csv").symlink_to(tmp_path.parent / "cells.csv")
    with pytest.raises(CimError) as caught:
        loaded(CHIP.replace("adc {", f'device {{ table = "{target}" }}; adc {{') + MODEL)
    assert codes(caught) == ["CIM115"]


def test_the_command_line_may_name_any_table(tmp_path, loaded):
    path = tmp_path.parent / "elsewhere.csv"
    path.write_text(TABLE)
    assert loaded(CHIP + MODEL, f'chip.device.table="{path}"').spec.chip.device.table is not None


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "level,mean\n0,1\n", "level,mean,sigma\n", "level,mean,sigma\n0,1,0\n"]
)
def test_a_table_of_too_little(tmp_path, loaded, text):
    with pytest.raises(CimError) as caught:
        with_table(tmp_path, loaded, text)
    assert codes(caught) == ["CIM315"]


@pytest.mark.parametrize("row", ["0,nan,1", "0,inf,1", "0,1,-1", "0.5,1,1", "0,1,1,1", "0,1e9,1", "0;1;1", ""])
def test_every_wrong_line_is_reported_at_its_place(tmp_path, loaded, row):
    with pytest.raises(CimError) as caught:
        with_table(tmp_path, loaded, f"level,mean,sigma\n\n{row or 'x'}\n1,2,3\n")
    (found,) = caught.value.diagnostics
    assert (found.code, found.span.source.name, found.span.line) == ("CIM315", "cells.csv", 3)


def test_a_table_for_other_cells(tmp_path, loaded):
    with pytest.raises(CimError) as caught:
        with_table(tmp_path, loaded, TABLE, "chip.crossbar.cell=1 bit")
    assert codes(caught) == ["CIM314"]
