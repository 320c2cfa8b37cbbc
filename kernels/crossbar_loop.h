/* The loop over planes, outputs and vectors, the same for every instruction set. To be included by a file that defines

   CIM_TARGET            attribute of functions
   CIM_LINES             lines that `add_lines` takes at once
   CIM_TILE, CIM_TILES   outputs of a tile; tiles that `add_lines` takes at once, at most
   cim_sum               integer that holds a sum
   pack_digits           see crossbar_inputs.h
   add_lines             sums of CIM_LINES lines of inputs with some tiles of cells
   convert               sums of some vectors and one group of outputs to codes, added to the outputs

   CIM_AT_ONCE           (or not) a function that multiplies all planes in another way, where it can

   and, through this file, its own `cim_multiply`. */

#include "crossbar_inputs.h"

#ifndef CIM_AT_ONCE
#define CIM_AT_ONCE(...) 0
#endif
#define LINES_AT_ONCE 64 /* or so; sums of so many lines and 64 outputs stay in the first-level cache */
#define TILES_OF_GROUP (CIM_GROUP / CIM_TILE)

/* Vectors whose lines are summed together: their lines fill whole calls of `add_lines`. */
static inline ptrdiff_t vectors_at_once(int32_t steps)
{
    ptrdiff_t unit = CIM_LINES, shared = steps;
    while (unit % 2 == 0 && shared % 2 == 0)
        unit /= 2, shared /= 2;
    const ptrdiff_t units = LINES_AT_ONCE / steps / unit;
    return units > 1 ? units * unit : unit;
}

CIM_TARGET static void multiply_group(
    const cim_row_set *set, const cim_plane *plane, const cim_inputs *in, const uint8_t *lines, const int32_t *squares,
    ptrdiff_t group, cim_sum *scratch, int32_t *sums, ptrdiff_t sums_stride)
{
    const ptrdiff_t line_bytes = cim_line_bytes(set->format, set->rows);
    const ptrdiff_t tile_bytes = cim_tile_bytes(set->format, set->rows, set->cell_bits, set->signs);
    const ptrdiff_t base = plane->first_output / CIM_TILE; /* of the plane's first tile */
    const ptrdiff_t end = (plane->first_output + plane->outputs + CIM_TILE - 1) / CIM_TILE;
    const ptrdiff_t first = group * TILES_OF_GROUP > base ? group * TILES_OF_GROUP : base;
    const ptrdiff_t last = (group + 1) * TILES_OF_GROUP < end ? (group + 1) * TILES_OF_GROUP : end;
    const uint8_t *cells = set->cells + plane->cells;
    const ptrdiff_t at_once = vectors_at_once(set->steps);
    for (ptrdiff_t vector = 0; vector < in->vectors; vector += at_once) {
        const ptrdiff_t rest = in->vectors - vector;
        const ptrdiff_t vectors = rest < at_once ? rest : at_once;
        const uint8_t *block = lines + vector * set->steps * line_bytes;
        for (ptrdiff_t tile = first; tile < last; tile += CIM_TILES) {
            const uint8_t *own = cells + (tile - base) * tile_bytes;
            const int tiles = last - tile < CIM_TILES ? (int)(last - tile) : CIM_TILES;
            for (ptrdiff_t line = 0; line < vectors * set->steps; line += CIM_LINES)
                add_lines(set, own, tile_bytes, tiles, block + line * line_bytes, line_bytes,
                          scratch + line * CIM_GROUP + (tile - group * TILES_OF_GROUP) * CIM_TILE);
        }
        convert(set, plane, squares ? squares + vector * set->steps : NULL, in->first_vector + (uint64_t)vector,
                vectors, group, scratch, sums + vector * sums_stride, sums_stride);
    }
}

static int multiply_planes(const cim_row_set *set, const cim_inputs *in, int32_t *sums, ptrdiff_t sums_stride)
{
    const size_t scratch_lines = (size_t)(vectors_at_once(set->steps) * set->steps) + CIM_LINES;
    uint8_t *held = malloc(scratch_lines * CIM_GROUP * sizeof(cim_sum) + 64);
    cim_sum *scratch = (cim_sum *)(held + 64 - (uintptr_t)held % 64); /* whole cache lines */
    cim_packed packed;
    /* Calls take CIM_LINES lines, also where fewer are left. */
    const int lacking = pack(set, in, CIM_LINES, &packed) || !held;
    if (!lacking) {
        const int32_t planes = CIM_AT_ONCE(set, in, packed.lines, sums, sums_stride) ? 0 : set->planes;
        for (int32_t index = 0; index < planes; index++) {
            const cim_plane *plane = &set->plane[index];
            const ptrdiff_t first = plane->first_output / CIM_GROUP;
            const ptrdiff_t end = (plane->first_output + plane->outputs + CIM_GROUP - 1) / CIM_GROUP;
            for (ptrdiff_t group = first; group < end; group++)
                multiply_group(set, plane, in, packed.lines, packed.squares, group, scratch, sums, sums_stride);
        }
    }
    release(&packed);
    free(held);
    return lacking;
}
