/* Inputs of some vectors, LANES of them, side by side. To be included behind `crossbar_vector*.h`. */

#include <string.h>

#define FEW_RUNS 12 /* of neighbouring windows, so that copying each is faster than one code at a time */

typedef struct {
    ptrdiff_t first, vectors;
} vector_run;

/* Runs of vectors whose windows begin one code after the one before. */
static inline ptrdiff_t find_vector_runs(const int64_t *origins, ptrdiff_t vectors, vector_run *runs)
{
    ptrdiff_t count = 0;
    for (ptrdiff_t from = 0, to; from < vectors; from = to) {
        for (to = from + 1; to < vectors && origins[to] == origins[to - 1] + 1;)
            to++;
        runs[count++] = (vector_run){from, to - from};
    }
    return count;
}

/* Whether eight rows read eight neighbouring codes. */
static inline int is_run_of_eight(const int32_t *offsets)
{
    int is_run = 1;
    for (int row = 1; row < 8; row++)
        is_run &= offsets[row] == offsets[0] + row;
    return is_run;
}

/* The transpose of eight codes of each of eight vectors: LANES apart in `own`. */
INLINE void turn_eight(const int16_t *codes, const int64_t *origins, int16_t *own)
{
    __m128i lines[8], pairs[8], quads[8];
    UNROLL for (int vector = 0; vector < 8; vector++)
        lines[vector] = _mm_loadu_si128((const __m128i *)(codes + origins[vector]));
    UNROLL for (int index = 0; index < 4; index++) {
        pairs[2 * index] = _mm_unpacklo_epi16(lines[2 * index], lines[2 * index + 1]);
        pairs[2 * index + 1] = _mm_unpackhi_epi16(lines[2 * index], lines[2 * index + 1]);
    }
    UNROLL for (int index = 0; index < 8; index += 4) /* codes 0 and 1, 2 and 3, ... of four vectors */
        UNROLL for (int half = 0; half < 2; half++) {
            quads[index + 2 * half] = _mm_unpacklo_epi32(pairs[index + half], pairs[index + 2 + half]);
            quads[index + 2 * half + 1] = _mm_unpackhi_epi32(pairs[index + half], pairs[index + 2 + half]);
        }
    UNROLL for (int index = 0; index < 4; index++) {
        const __m128i even = _mm_unpacklo_epi64(quads[index], quads[index + 4]);
        const __m128i odd = _mm_unpackhi_epi64(quads[index], quads[index + 4]);
        _mm_storeu_si128((__m128i *)(own + 2 * index * LANES), even);
        _mm_storeu_si128((__m128i *)(own + (2 * index + 1) * LANES), odd);
    }
}

/* Codes of up to LANES vectors, side by side: [rows][LANES]. Adds each vector's to `input_sums`, if they are asked for. */
CIM_TARGET static void turn_codes(const cim_row_set *set, const cim_inputs *in, ptrdiff_t first, int16_t *turned)
{
    const ptrdiff_t vectors = in->vectors - first < LANES ? in->vectors - first : LANES;
    const int64_t *origins = in->origins + first;
    vector_run runs[LANES];
    const ptrdiff_t count = find_vector_runs(origins, vectors, runs);
    for (ptrdiff_t row = 0; row < set->rows; row++) {
        const int16_t *codes = in->codes + in->offsets[row];
        int16_t *own = turned + row * LANES;
        if (count < FEW_RUNS) {
            for (ptrdiff_t run = 0; run < count; run++)
                copy_words(own + runs[run].first, codes + origins[runs[run].first], runs[run].vectors);
        } else if (row + 8 <= set->rows && is_run_of_eight(in->offsets + row)) {
            ptrdiff_t vector = 0;
            for (; vector + 8 <= vectors; vector += 8)
                turn_eight(codes, origins + vector, own + vector);
            for (; vector < vectors; vector++)
                for (int next = 0; next < 8; next++)
                    own[next * LANES + vector] = codes[origins[vector] + next];
            row += 7;
        } else {
            for (ptrdiff_t vector = 0; vector < vectors; vector++)
                own[vector] = codes[origins[vector]];
        }
    }
    int32_t sums[LANES] = {0};
    for (ptrdiff_t at = 0; in->input_sums && at < set->rows * LANES; at += LANES)
        for (ptrdiff_t vector = 0; vector < LANES; vector++)
            sums[vector] += turned[at + vector];
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
