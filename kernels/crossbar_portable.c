/* Plain C: the sums of any machine, and what the others are checked against. WORDS only. */

#include "crossbar.h"

#define CIM_TARGET
#define CIM_LINES 1
#define CIM_TILE CIM_WORDS_TILE
#define CIM_TILES 2
#define CIM_DRAWN(name) name##_portable

#include "crossbar_digits.h"
#include "crossbar_plain.h"

static void add_lines(const cim_row_set *set, const uint8_t *cells, ptrdiff_t tile_bytes, int tiles,
                      const uint8_t *lines, ptrdiff_t line_bytes, int32_t *sums)
{
    const int16_t *digits = (const int16_t *)lines;
    (void)set;
    for (int tile = 0; tile < tiles; tile++) {
        const int16_t *held = (const int16_t *)(cells + tile * tile_bytes);
        int32_t acc[CIM_TILE] = {0};
        for (ptrdiff_t pair = 0; pair < line_bytes / 4; pair++, held += 2 * CIM_TILE) {
            const int32_t even = digits[2 * pair], odd = digits[2 * pair + 1];
            for (int output = 0; output < CIM_TILE; output++)
                acc[output] += even * held[2 * output] + odd * held[2 * output + 1];
        }
        for (int output = 0; output < CIM_TILE; output++)
            sums[tile * CIM_TILE + output] = acc[output];
    }
}

#include "crossbar_loop.h"

static int multiply_rows(const cim_row_set *set, const cim_inputs *in, int32_t *sums, ptrdiff_t stride)
{
    return multiply_planes(set, in, sums, stride);
}

CIM_EACH_JOB(cim_multiply_portable, multiply_rows)
