/* Sums by table look-up, LANES vectors side by side, inputs applied one bit at a time.

   ROWS rows of one column at a time: their cells make a table of bytes, what each pattern of so many input bits sums
   to, and one permutation of bytes looks it up for all vectors. A table holds one or two bits of the cells; as many
   look-ups as fit a byte are added up there, then 16 bits hold the sum, and the ADC is one multiplication.

   To be included behind `crossbar_vector*.h` by a file that defines, besides what `crossbar_indices.h` needs,

   CIM_MULTIPLY     the name of the function
   PATTERNS(bits)   patterns that so many bits of ROWS cells take
   table_of         the table of one of `groups` of rows, by way of `counts`
   looked_up        its bytes at the lower bits of indices
   make_counts      `counts`, of COUNT_BYTES */

#include <stdlib.h>

#define LANE_VECTOR(lane) ((lane) % (LANES / 2) * 2 + (lane) / (LANES / 2)) /* even ones, then odd ones */

#include "crossbar_indices.h"
#include "crossbar_short.h"
#include "crossbar_turned_back.h"

typedef struct {
    cim_vector both[STEPS]; /* 16-bit sums of even vectors, and those of odd ones times 256 */
    cim_vector odd[STEPS];
} step_sums;

/* Add to the sums, or take from them, what the cells' next one or two bits make. */
INLINE void look_up(step_sums *sums, const uint8_t *patterns, ptrdiff_t groups, const int bits, const int sign,
                    const uint8_t *indices, const int steps, const uint8_t *counts)
{
    const ptrdiff_t most = 255 / (ROWS * (bits == 2 ? 3 : 1)); /* look-ups that a byte holds */
    for (ptrdiff_t group = 0; group < groups;) {
        const ptrdiff_t end = group + most < groups ? group + most : groups;
        cim_vector acc[STEPS];
        UNROLL for (int step = 0; step < steps; step++)
            acc[step] = V_WHOLE(setzero)();
        for (; group < end; group++) {
            const cim_vector table = table_of(counts, patterns, group, groups, bits);
            const uint8_t *index = indices + group * STEPS * LANES;
            UNROLL for (int step = 0; step < steps; step++)
                acc[step] = with_bytes(acc[step], looked_up(table, load_vector(index + step * LANES)));
        }
        UNROLL for (int step = 0; step < steps; step++) {
            const cim_vector odd = V(srli_epi16)(acc[step], 8);
            sums->both[step] = sign ? V(sub_epi16)(sums->both[step], acc[step])
                                    : V(add_epi16)(sums->both[step], acc[step]);
            sums->odd[step] = sign ? V(sub_epi16)(sums->odd[step], odd) : V(add_epi16)(sums->odd[step], odd);
        }
    }
}

/* Codes of one plane's column, steps shifted and added: 16 bits hold them, as the caller warrants. */
INLINE void column_codes(const cim_row_set *set, const uint8_t *patterns, const int bits, const int signs,
                         const uint8_t *indices, const cim_step *step, const int steps, const uint8_t *counts,
                         cim_vector *even, cim_vector *odd)
{
    const ptrdiff_t groups = (set->rows + ROWS - 1) / ROWS;
    step_sums sums;
    UNROLL for (int index = 0; index < steps; index++)
        sums.both[index] = sums.odd[index] = V_WHOLE(setzero)();
    const int passes = (bits + 1) / 2;
    for (int pass = passes - 1; pass >= 0; pass--) { /* most significant bits first */
        const int own = bits - 2 * pass < 2 ? bits - 2 * pass : 2;
        if (pass != passes - 1)
            UNROLL for (int index = 0; index < steps; index++) {
                sums.both[index] = V(slli_epi16)(sums.both[index], 2);
                sums.odd[index] = V(slli_epi16)(sums.odd[index], 2);
            }
        for (int sign = 0; sign < signs; sign++)
            look_up(&sums, patterns + (sign * PATTERNS(bits) + PATTERNS(2) * pass) * groups, groups, own, sign, indices,
                    steps, counts);
    }
    const cim_vector start = start_of(&set->adc);
    UNROLL for (int index = 0; index < steps; index++) {
        sums.both[index] = V(sub_epi16)(sums.both[index], V(slli_epi16)(sums.odd[index], 8));
        sums.both[index] = V(add_epi16)(sums.both[index], start);
        sums.odd[index] = V(add_epi16)(sums.odd[index], start);
    }
    codes_of(&set->adc, sums.both, steps, signs == 2);
    codes_of(&set->adc, sums.odd, steps, signs == 2);
    const int each_doubles = doubles(step, steps);
    *even = with_steps(*even, sums.both, step, steps, each_doubles);
    *odd = with_steps(*odd, sums.odd, step, steps, each_doubles);
}

#define COLUMN(BITS, SIGNS, COUNT)                                                                                     \
    APART void column_##BITS##_##SIGNS##_##COUNT(const cim_row_set *set, const uint8_t *patterns,                      \
                                                 const uint8_t *indices, const cim_step *step, const uint8_t *counts,  \
                                                 cim_vector *even, cim_vector *odd)                                    \
    {                                                                                                                  \
        column_codes(set, patterns, BITS, SIGNS, indices, step, COUNT, counts, even, odd);                             \
    }
#define COLUMNS(BITS, SIGNS)                                                                                           \
    COLUMN(BITS, SIGNS, 1) COLUMN(BITS, SIGNS, 2) COLUMN(BITS, SIGNS, 3) COLUMN(BITS, SIGNS, 4)                        \
    COLUMN(BITS, SIGNS, 5) COLUMN(BITS, SIGNS, 6) COLUMN(BITS, SIGNS, 7) COLUMN(BITS, SIGNS, 8)
COLUMNS(1, 1)
COLUMNS(2, 1)
COLUMNS(3, 1)
COLUMNS(4, 1)
COLUMNS(1, 2)
COLUMNS(2, 2)
COLUMNS(3, 2)
COLUMNS(4, 2)

typedef void column_function(const cim_row_set *, const uint8_t *, const uint8_t *, const cim_step *, const uint8_t *,
                             cim_vector *, cim_vector *);
#define ROW_OF(BITS, SIGNS)                                                                                            \
    {column_##BITS##_##SIGNS##_1, column_##BITS##_##SIGNS##_2, column_##BITS##_##SIGNS##_3,                            \
     column_##BITS##_##SIGNS##_4, column_##BITS##_##SIGNS##_5, column_##BITS##_##SIGNS##_6,                            \
     column_##BITS##_##SIGNS##_7, column_##BITS##_##SIGNS##_8}
static column_function *const column_functions[2][4][STEPS] = {
    {ROW_OF(1, 1), ROW_OF(2, 1), ROW_OF(3, 1), ROW_OF(4, 1)},
    {ROW_OF(1, 2), ROW_OF(2, 2), ROW_OF(3, 2), ROW_OF(4, 2)},
};

/* What all planes add to one output of LANES vectors. */
CIM_TARGET static void output_sums(const cim_row_set *set, int32_t output, const uint8_t *indices,
                                   const uint8_t *counts, int32_t *sums)
{
    const ptrdiff_t groups = (set->rows + ROWS - 1) / ROWS;
    const ptrdiff_t column_bytes = cim_column_bytes(set->format, set->rows, set->cell_bits, set->signs);
    cim_vector total[4] = {V_WHOLE(setzero)(), V_WHOLE(setzero)(), V_WHOLE(setzero)(), V_WHOLE(setzero)()};
    for (int32_t index = 0; index < set->planes; index++) {
        const cim_plane *plane = &set->plane[index];
        const int32_t column = output - plane->first_output;
        if (column < 0 || column >= plane->outputs)
            continue;
        const uint8_t *patterns = set->cells + plane->cells + column * column_bytes;
        const cim_vector factor = V(set1_epi32)(set->factors[plane->factors + column]);
        cim_vector codes[2];
        codes[0] = codes[1] = V(set1_epi16)((int16_t)set->adc.total_offset);
        for (int32_t step = 0; step < set->steps; step += STEPS) {
            const int32_t steps = set->steps - step < STEPS ? set->steps - step : STEPS;
            column_functions[set->signs - 1][set->cell_bits - 1][steps - 1](
                set, patterns, indices + step * groups * LANES, set->step + step, counts, &codes[0], &codes[1]);
        }
        for (int part = 0; part < 4; part++) {
            const cim_vector wide = widened(&set->adc, codes[part / 2], part % 2);
            total[part] = V(add_epi32)(total[part], V(mullo_epi32)(wide, factor));
        }
    }
    for (int part = 0; part < 4; part++)
        store_vector(sums + part * CIM_INTEGERS, total[part]);
}

int CIM_MULTIPLY(const cim_row_set *set, const cim_inputs *in, int32_t *sums, ptrdiff_t stride)
{
    const size_t groups = ((size_t)set->rows + ROWS - 1) / ROWS;
    const size_t batches = ((size_t)set->steps + STEPS - 1) / STEPS;
    const size_t values = (size_t)set->rows * LANES, index_bytes = batches * groups * STEPS * LANES;
    const size_t block_bytes = CIM_INTEGERS * LANES * sizeof(int32_t), count_bytes = COUNT_BYTES;
    uint8_t *held = malloc(3 * values + index_bytes + block_bytes + count_bytes + 64);
    if (!held)
        return 1;
    uint8_t *counts = held + 64 - (uintptr_t)held % 64;
    uint8_t *indices = counts + count_bytes, *bytes = indices + index_bytes;
    int16_t *turned = (int16_t *)(bytes + values);
    int32_t *block = (int32_t *)(turned + values);
    make_counts(counts);
    memset(turned, 0, values * sizeof *turned); /* lanes without a vector stay defined */
    memset(indices, 0, index_bytes);
    memset(block, 0, block_bytes);
    const int32_t outputs = cim_outputs(set);
    for (ptrdiff_t vector = 0; vector < in->vectors; vector += LANES) {
        const ptrdiff_t vectors = in->vectors - vector < LANES ? in->vectors - vector : LANES;
        make_all_indices(set, in, vector, turned, bytes, indices);
        for (int32_t output = 0; output < outputs; output += CIM_INTEGERS) {
            const int32_t own = outputs - output < CIM_INTEGERS ? outputs - output : CIM_INTEGERS;
            for (int32_t index = 0; index < own; index++)
                output_sums(set, output + index, indices, counts, block + index * LANES);
            turn_back(block, LANES, own, vectors, sums + vector * stride + output, stride);
        }
    }
    free(held);
    return 0;
}
