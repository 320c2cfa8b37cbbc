"""Cells packed for AMX: what its matrix unit is documented to do with them is the product. Runs on any machine."""

import numpy as np
import pytest

from cimspec.sim.packing import Extent, Form, fastest_form, pack_planes
from cimspec.sim.planes import Plane

TILE_ROWS, TILE_OUTPUTS = 64, 16


def tile_products(lines: np.ndarray, tiles: np.ndarray) -> np.ndarray:
    """`[lines, outputs]` of lines `[lines, chunks * 64]` and tiles `[chunks, 16, 16, 4]`.

    As TDPBUSD and TDPBUUD do: in each of a tile's 16 rows lie 16 outputs' next four bytes (Intel's Software Developer's
    Manual, volume 2).
    """
    quads = lines.reshape(len(lines), -1, 16, 4).astype(np.int64)
    return np.einsum("lcqb,cqob->lo", quads, tiles.astype(np.int64))


@pytest.mark.parametrize("first_output", [0, 5, 16, 30])
@pytest.mark.parametrize(("rows", "outputs"), [(1, 1), (63, 17), (64, 16), (65, 40), (200, 3)])
@pytest.mark.parametrize(("lowest", "highest"), [(0, 1), (0, 255), (-128, 127), (-32768, 32767), (0, 4095)])
def test_tiles_multiply_to_the_product(rows, outputs, first_output, lowest, highest):
    rng = np.random.default_rng(rows * outputs + first_output + highest)
    cells = rng.integers(lowest, highest, (rows, outputs), endpoint=True).astype(np.int16)
    digits = rng.integers(0, 255, (5, rows), endpoint=True)
    extent = Extent(lowest, highest, 255, False, TILE_ROWS)
    form = fastest_form("amx", extent, 1, is_short=False)
    assert form is (Form.AMX_BYTES if extent.has_byte_cells else Form.AMX_WORDS)
    packed = pack_planes(form, [Plane(cells, np.ones(outputs, np.int64), first_output, 0)], extent)

    chunks = -(-rows // TILE_ROWS)
    lines = np.zeros((len(digits), chunks * TILE_ROWS), np.uint8)
    lines[:, :rows] = digits
    parts = packed.cells.reshape(-1, 1 if form is Form.AMX_BYTES else 2, chunks, 16, TILE_OUTPUTS, 4)
    found = []
    for tile in parts:
        if form is Form.AMX_WORDS:
            upper, lower = tile_products(lines, tile[0].view(np.int8)), tile_products(lines, tile[1])
            found.append(256 * upper + lower)
        else:
            found.append(tile_products(lines, tile[0].view(np.int8 if lowest < 0 or highest < 128 else np.uint8)))
    before = first_output % TILE_OUTPUTS
    assert np.array_equal(np.hstack(found)[:, before : before + outputs], digits @ cells)


@pytest.mark.parametrize("extent", [Extent(0, 3, 255, True, 64), Extent(-7, 7, 256, False, 64)])
def test_what_tiles_do_not_hold_is_left_to_words(extent):
    assert fastest_form("amx", extent, 64, is_short=False) is Form.WORDS


@pytest.mark.parametrize(("rows", "fills"), [(1, False), (42, False), (43, True), (64, True), (65, False), (86, True)])
def test_tiles_that_would_be_half_empty_are_not_used(rows, fills):
    form = fastest_form("amx", Extent(-128, 127, 1, False, rows), 64, is_short=False)
    assert (form is Form.AMX_BYTES) == fills
