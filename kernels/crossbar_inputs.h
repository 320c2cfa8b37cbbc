/* Inputs cut into steps and packed, a line for each step of each vector. To be included by a file that defines

   CIM_TARGET    attribute of functions
   pack_digits   one step of codes, int16 [rows, padded to 32 by zeros], to one packed line, all of it */

#include <stdlib.h>
#include <string.h>

#include "crossbar_windows.h"

typedef struct {
    uint8_t *held;
    uint8_t *lines;   /* on a cache line; [vectors][steps], and zeros for those behind that are read along */
    int32_t *squares; /* what each line's digits' squares add up to; NULL where no noise is drawn */
} cim_packed;

CIM_TARGET static inline void part_of(const int16_t *codes, int16_t *part, ptrdiff_t rows, int32_t which)
{
    if (which == CIM_POSITIVE_PART)
        for (ptrdiff_t row = 0; row < rows; row++)
            part[row] = codes[row] > 0 ? codes[row] : 0;
    else if (which == CIM_NEGATIVE_PART)
        for (ptrdiff_t row = 0; row < rows; row++)
            part[row] = codes[row] < 0 ? (int16_t)-codes[row] : 0;
    else
        memcpy(part, codes, (size_t)rows * sizeof *codes);
}

CIM_TARGET static inline int32_t sum_of(const int16_t *codes, ptrdiff_t rows)
{
    int32_t sum = 0;
    for (ptrdiff_t row = 0; row < rows; row++)
        sum += codes[row];
    return sum;
}

CIM_TARGET static inline int32_t sum_of_squares(const int16_t *part, ptrdiff_t rows, int32_t shift, int32_t mask)
{
    int32_t sum = 0;
    for (ptrdiff_t row = 0; row < rows; row++) {
        int32_t digit = mask == -1 ? part[row] : (part[row] >> shift) & mask;
        sum += digit * digit;
    }
    return sum;
}

/* All lines of all vectors, and, where noise is drawn, what each line's digits' squares add up to. */
CIM_TARGET static void pack_inputs(const cim_row_set *set, const cim_inputs *in, cim_run *runs, int16_t *codes,
                                   int16_t *part, uint8_t *lines, int32_t *squares)
{
    const ptrdiff_t line_bytes = cim_line_bytes(set->format, set->rows);
    const ptrdiff_t count = find_runs(in->offsets, set->rows, runs);
    const int is_in_place = count == 1 && set->rows % 32 == 0; /* no zeros behind the rows are needed */
    int32_t last = 0;
    for (int32_t row = 0; row < set->rows; row++)
        last = in->offsets[row] > last ? in->offsets[row] : last;
    for (ptrdiff_t vector = 0; vector < in->vectors; vector++) {
        const int16_t *window = in->codes + in->origins[vector], *own = codes;
        if (is_in_place)
            own = window + runs[0].offset;
        else if (count == 1)
            memcpy(codes, window + runs[0].offset, (size_t)set->rows * sizeof *codes);
        else
            copy_window(window, runs, count, in->origins[vector] + last + 4 <= in->codes_count, codes);
        if (in->input_sums)
            in->input_sums[vector] += sum_of(own, set->rows);
        for (int32_t index = 0; index < set->steps; index++) {
            const cim_step *step = &set->step[index];
            const int16_t *digits = own;
            if (step->part != CIM_TWOS_COMPLEMENT) {
                part_of(own, part, set->rows, step->part);
                digits = part;
            }
            pack_digits(set, step, digits, lines + (vector * set->steps + index) * line_bytes);
            if (squares)
                squares[vector * set->steps + index] = sum_of_squares(digits, set->rows, step->shift, step->mask);
        }
    }
}

/* Inputs packed, with zeros for `behind` more lines. Returns 0, or 1 where memory is lacking; to be released either way. */
CIM_TARGET static int pack(const cim_row_set *set, const cim_inputs *in, size_t behind, cim_packed *packed)
{
    const size_t lines = (size_t)in->vectors * (size_t)set->steps;
    const size_t padded_rows = ((size_t)set->rows + 31) / 32 * 32;
    const int noisy = set->adc.conversion == CIM_ROUND && set->adc.noise > 0;
    const size_t line_bytes = (size_t)cim_line_bytes(set->format, set->rows);
    packed->held = lines + behind < (SIZE_MAX - 64) / line_bytes ? malloc((lines + behind) * line_bytes + 64) : NULL;
    packed->squares = noisy ? malloc(lines * sizeof *packed->squares) : NULL;
    int16_t *codes = calloc(padded_rows + 4, sizeof *codes);
    int16_t *part = calloc(padded_rows, sizeof *part);
    cim_run *runs = malloc((size_t)set->rows * sizeof *runs);
    const int lacking = !packed->held || (noisy && !packed->squares) || !codes || !part || !runs;
    if (!lacking) {
        packed->lines = packed->held + 64 - (uintptr_t)packed->held % 64;
        memset(packed->lines + lines * line_bytes, 0, behind * line_bytes);
        pack_inputs(set, in, runs, codes, part, packed->lines, packed->squares);
    }
    free(codes);
    free(part);
    free(runs);
    return lacking;
}

static void release(cim_packed *packed)
{
    free(packed->held);
    free(packed->squares);
}
