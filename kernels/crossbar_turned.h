/* Inputs of some vectors, LANES of them, side by side. To be included behind `crossbar_vector*.h`. */

#include <string.h>

#define FEW_RUNS 12 /* of neighbouring windows, so that copying each is faster than one code at a time */

/* One code of each vector, those of neighbouring windows together. */
static inline void copy_runs(const int16_t *codes, const int64_t *origins, ptrdiff_t vectors, int16_t *own)
{
    for (ptrdiff_t from = 0, to; from < vectors; from = to) {
        for (to = from + 1; to < vectors && origins[to] == origins[to - 1] + 1;)
            to++;
        memcpy(own + from, codes + origins[from], (size_t)(to - from) * sizeof *own);
    }
}

/* Codes of up to LANES vectors, side by side: [rows][LANES]. Adds each vector's to `input_sums`, if they are asked for. */
CIM_TARGET static void turn_codes(const cim_row_set *set, const cim_inputs *in, ptrdiff_t first, int16_t *turned)
{
    const ptrdiff_t vectors = in->vectors - first < LANES ? in->vectors - first : LANES;
    const int64_t *origins = in->origins + first;
    int neighbours = 0; /* vectors whose windows begin one code after the one before */
    for (ptrdiff_t vector = 1; vector < vectors; vector++)
        neighbours += origins[vector] == origins[vector - 1] + 1;
    int32_t sums[LANES] = {0};
    for (ptrdiff_t row = 0; row < set->rows; row++) {
        const int16_t *codes = in->codes + in->offsets[row];
        int16_t *own = turned + row * LANES;
        if (neighbours + FEW_RUNS > vectors)
            copy_runs(codes, origins, vectors, own);
        else
            for (ptrdiff_t vector = 0; vector < vectors; vector++)
                own[vector] = codes[origins[vector]];
        for (ptrdiff_t vector = 0; vector < LANES; vector++)
            sums[vector] += own[vector];
    }
    if (in->input_sums)
        for (ptrdiff_t vector = 0; vector < vectors; vector++)
            in->input_sums[first + vector] += sums[vector];
}

/* A part of some codes. */
INLINE cim_vector part_of_codes(cim_vector codes, const cim_part part)
{
    if (part == CIM_NEGATIVE_PART)
        codes = V(sub_epi16)(V_WHOLE(setzero)(), codes);
    return part == CIM_TWOS_COMPLEMENT ? codes : V(max_epi16)(codes, V_WHOLE(setzero)());
}

/* A part of codes, its lower eight bits or the upper: [rows][LANES] bytes. */
CIM_TARGET static inline void cut_codes(const int16_t *turned, ptrdiff_t rows, cim_part part, int upper, uint8_t *bytes)
{
    const __m128i shift = _mm_cvtsi32_si128(8 * upper);
    for (ptrdiff_t at = 0; at < rows * LANES; at += 2 * CIM_INTEGERS) {
        const cim_vector codes = part_of_codes(load_vector(turned + at), part);
        const cim_half narrow = lower_bytes(V(srl_epi16)(codes, shift));
        memcpy(bytes + at, &narrow, sizeof narrow);
    }
}
