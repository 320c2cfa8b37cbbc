/* A bit of the inputs of a table's rows, for LANES vectors side by side, as indices of bytes. To be included behind
   `crossbar_vector*.h` by a file that defines LANES, ROWS of a table, and STEPS of a batch. */

#include "crossbar_turned.h"

/* Bits of a table's rows side by side: [batches of steps][groups][STEPS][LANES] bytes, for steps that cut `part`. */
CIM_TARGET static void make_indices(const cim_row_set *set, const uint8_t *bytes, cim_part part, int upper,
                                    uint8_t *indices)
{
    const ptrdiff_t groups = (set->rows + ROWS - 1) / ROWS;
    const cim_vector one = V(set1_epi8)(1);
    for (int32_t step = 0; step < set->steps; step++) {
        if (set->step[step].part != (int32_t)part || set->step[step].shift / 8 != upper)
            continue;
        const __m128i shift = _mm_cvtsi32_si128(set->step[step].shift % 8);
        uint8_t *own = indices + (step / STEPS * groups * STEPS + step % STEPS) * LANES;
        for (ptrdiff_t group = 0; group < groups; group++) {
            cim_vector index = V_WHOLE(setzero)();
            for (int row = ROWS - 1; row >= 0; row--) {
                const ptrdiff_t at = group * ROWS + row;
                cim_vector bit = V_WHOLE(setzero)();
                if (at < set->rows && set->step[step].mask)
                    bit = V_WHOLE(and)(V(srl_epi16)(load_vector(bytes + at * LANES), shift), one);
                index = V_WHOLE(or)(V(add_epi8)(index, index), bit);
            }
            store_vector(own + group * STEPS * LANES, index);
        }
    }
}

/* The same for all steps of up to LANES vectors from `first` on. `turned` and `bytes` are room for [rows][LANES]. */
CIM_TARGET static void make_all_indices(const cim_row_set *set, const cim_inputs *in, ptrdiff_t first, int16_t *turned,
                                        uint8_t *bytes, uint8_t *indices)
{
    turn_codes(set, in, first, turned);
    for (int kind = 0; kind < 6; kind++) {
        const cim_part part = (cim_part)(kind / 2);
        int32_t used = 0;
        for (int32_t step = 0; step < set->steps; step++)
            used |= set->step[step].part == (int32_t)part && set->step[step].shift / 8 == kind % 2;
        if (!used)
            continue;
        cut_codes(turned, set->rows, part, kind % 2, bytes);
        make_indices(set, bytes, part, kind % 2, indices);
    }
}
