/* AVX-512 with VBMI: sums by table look-up, 64 vectors side by side.

   Six rows of one column at a time: their cells make a table of 64 bytes, what each pattern of six input bits sums to,
   and one byte permutation looks it up for 64 vectors. A table holds one or two bits of the cells (at most 18 a look-up,
   so 14 look-ups fit a byte); bytes are then added to 16-bit sums, where the ADC is one multiplication. Inputs are
   applied one bit at a time. */

#include "crossbar.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

#define CIM_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")))
#define INLINE CIM_TARGET static inline __attribute__((always_inline))
#define APART CIM_TARGET static __attribute__((noinline))

#define LANES 64         /* vectors side by side */
#define ROWS 6           /* of a table */
#define STEPS 8          /* steps summed at once */
#define OUTPUTS 16       /* outputs whose sums are turned round together */

#define FEW_RUNS 12      /* of neighbouring windows, so that copying each is faster than one code at a time */

#include "crossbar_short.h"
#include "crossbar_transpose.h"

int cim_has_tables(void) { return cim_has_avx512() && __builtin_cpu_supports("avx512vbmi"); }

/* counts[64 * p + i]: how many bits p and i share; then, another 64 * 64 bytes, twice as many. */
static void count_shared_bits(uint8_t *counts)
{
    for (int pattern = 0; pattern < 64; pattern++)
        for (int index = 0; index < 64; index++) {
            const int lowest = pattern & -pattern; /* one bit, and a pattern that was before this one */
            const int before = pattern ? counts[64 * (pattern ^ lowest) + index] : 0;
            counts[64 * pattern + index] = (uint8_t)(before + ((lowest & index) != 0));
            counts[64 * (64 + pattern) + index] = (uint8_t)(2 * counts[64 * pattern + index]);
        }
}

typedef struct {
    __m512i both[STEPS]; /* 16-bit sums of even vectors, and those of odd ones times 256 */
    __m512i odd[STEPS];
} step_sums;

/* Add to the sums, or take from them, what the cells' next one or two bits make. */
INLINE void look_up(step_sums *sums, const uint8_t *patterns, ptrdiff_t groups, const int bits, const int sign,
                    const uint8_t *indices, const int steps, const uint8_t *counts)
{
    const ptrdiff_t most = bits == 2 ? 14 : 42;
    for (ptrdiff_t group = 0; group < groups;) {
        const ptrdiff_t end = group + most < groups ? group + most : groups;
        __m512i acc[STEPS];
        UNROLL for (int step = 0; step < steps; step++)
            acc[step] = _mm512_setzero_si512();
        for (; group < end; group++) {
            __m512i table = _mm512_load_si512(counts + 64 * patterns[group]);
            if (bits == 2)
                table = _mm512_add_epi8(table, _mm512_load_si512(counts + 64 * (64 + patterns[groups + group])));
            const uint8_t *index = indices + group * STEPS * LANES;
            UNROLL for (int step = 0; step < steps; step++)
                acc[step] = _mm512_add_epi8(
                    acc[step], _mm512_permutexvar_epi8(_mm512_load_si512(index + step * LANES), table));
        }
        UNROLL for (int step = 0; step < steps; step++) {
            const __m512i odd = _mm512_srli_epi16(acc[step], 8);
            sums->both[step] = sign ? _mm512_sub_epi16(sums->both[step], acc[step])
                                    : _mm512_add_epi16(sums->both[step], acc[step]);
            sums->odd[step] = sign ? _mm512_sub_epi16(sums->odd[step], odd) : _mm512_add_epi16(sums->odd[step], odd);
        }
    }
}

/* Codes of one plane's column, steps shifted and added: 16 bits hold them, as the caller warrants. */
INLINE void column_codes(const cim_row_set *set, const uint8_t *patterns, const int bits, const int signs,
                         const uint8_t *indices, const cim_step *step, const int steps, const uint8_t *counts,
                         __m512i *even, __m512i *odd)
{
    const ptrdiff_t groups = (set->rows + ROWS - 1) / ROWS;
    step_sums sums;
    UNROLL for (int index = 0; index < steps; index++)
        sums.both[index] = sums.odd[index] = _mm512_setzero_si512();
    const int passes = (bits + 1) / 2;
    for (int pass = passes - 1; pass >= 0; pass--) { /* most significant bits first */
        const int own = bits - 2 * pass < 2 ? bits - 2 * pass : 2;
        if (pass != passes - 1)
            UNROLL for (int index = 0; index < steps; index++) {
                sums.both[index] = _mm512_slli_epi16(sums.both[index], 2);
                sums.odd[index] = _mm512_slli_epi16(sums.odd[index], 2);
            }
        for (int sign = 0; sign < signs; sign++)
            look_up(&sums, patterns + (sign * bits + 2 * pass) * groups, groups, own, sign, indices, steps, counts);
    }
    const __m512i start = start_of(&set->adc);
    UNROLL for (int index = 0; index < steps; index++) {
        sums.both[index] = _mm512_sub_epi16(sums.both[index], _mm512_slli_epi16(sums.odd[index], 8));
        sums.both[index] = _mm512_add_epi16(sums.both[index], start);
        sums.odd[index] = _mm512_add_epi16(sums.odd[index], start);
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
                                                 __m512i *even, __m512i *odd)                                          \
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
                             __m512i *, __m512i *);
#define ROW_OF(BITS, SIGNS)                                                                                            \
    {column_##BITS##_##SIGNS##_1, column_##BITS##_##SIGNS##_2, column_##BITS##_##SIGNS##_3,                            \
     column_##BITS##_##SIGNS##_4, column_##BITS##_##SIGNS##_5, column_##BITS##_##SIGNS##_6,                            \
     column_##BITS##_##SIGNS##_7, column_##BITS##_##SIGNS##_8}
static column_function *const column_functions[2][4][STEPS] = {
    {ROW_OF(1, 1), ROW_OF(2, 1), ROW_OF(3, 1), ROW_OF(4, 1)},
    {ROW_OF(1, 2), ROW_OF(2, 2), ROW_OF(3, 2), ROW_OF(4, 2)},
};

/* One code of each vector, those of neighbouring windows together. */
static inline void copy_runs(const int16_t *codes, const int64_t *origins, ptrdiff_t vectors, int16_t *own)
{
    for (ptrdiff_t from = 0, to; from < vectors; from = to) {
        for (to = from + 1; to < vectors && origins[to] == origins[to - 1] + 1;)
            to++;
        memcpy(own + from, codes + origins[from], (size_t)(to - from) * sizeof *own);
    }
}

/* Codes of up to 64 vectors, side by side: [rows][64]. Adds each vector's to `input_sums`, where they are asked for. */
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

/* A part of codes, its lower eight bits or the upper: [rows][64] bytes. */
CIM_TARGET static void cut_codes(const int16_t *turned, ptrdiff_t rows, cim_part part, int upper, uint8_t *bytes)
{
    const __m512i zero = _mm512_setzero_si512();
    const __m128i shift = _mm_cvtsi32_si128(8 * upper);
    for (ptrdiff_t at = 0; at < rows * LANES; at += 32) {
        __m512i codes = _mm512_load_si512(turned + at);
        if (part == CIM_NEGATIVE_PART)
            codes = _mm512_sub_epi16(zero, codes);
        if (part != CIM_TWOS_COMPLEMENT)
            codes = _mm512_max_epi16(codes, zero);
        _mm256_store_si256((__m256i *)(bytes + at), _mm512_cvtepi16_epi8(_mm512_srl_epi16(codes, shift)));
    }
}

/* Bits of six rows side by side: [batches of steps][groups][8 steps][64 vectors] bytes, for steps that cut `part`. */
CIM_TARGET static void make_indices(const cim_row_set *set, const uint8_t *bytes, cim_part part, int upper,
                                    uint8_t *indices)
{
    const ptrdiff_t groups = (set->rows + ROWS - 1) / ROWS;
    const __m512i one = _mm512_set1_epi8(1);
    for (int32_t step = 0; step < set->steps; step++) {
        if (set->step[step].part != (int32_t)part || set->step[step].shift / 8 != upper)
            continue;
        const __m128i shift = _mm_cvtsi32_si128(set->step[step].shift % 8);
        uint8_t *own = indices + (step / STEPS * groups * STEPS + step % STEPS) * LANES;
        for (ptrdiff_t group = 0; group < groups; group++) {
            __m512i index = _mm512_setzero_si512();
            for (int row = ROWS - 1; row >= 0; row--) {
                const ptrdiff_t at = group * ROWS + row;
                __m512i bit = _mm512_setzero_si512();
                if (at < set->rows && set->step[step].mask)
                    bit = _mm512_and_si512(_mm512_srl_epi16(_mm512_load_si512(bytes + at * LANES), shift), one);
                index = _mm512_or_si512(_mm512_add_epi8(index, index), bit);
            }
            _mm512_store_si512(own + group * STEPS * LANES, index);
        }
    }
}

/* Add 16 outputs of 64 vectors, even and odd ones apart, to `sums`. */
CIM_TARGET static void turn_back(const int32_t *block, ptrdiff_t outputs, ptrdiff_t vectors, int32_t *sums,
                                 ptrdiff_t stride)
{
    const __mmask16 lanes = (__mmask16)((1u << outputs) - 1);
    for (ptrdiff_t lane = 0; lane < LANES; lane += 16) {
        __m512i own[16];
        UNROLL for (int output = 0; output < 16; output++)
            own[output] = _mm512_load_si512(block + output * LANES + lane);
        transpose(own);
        for (ptrdiff_t index = 0; index < 16; index++) {
            const ptrdiff_t vector = (lane + index) % (LANES / 2) * 2 + (lane + index) / (LANES / 2);
            int32_t *at = sums + vector * stride;
            if (vector < vectors)
                _mm512_mask_storeu_epi32(
                    at, lanes, _mm512_add_epi32(_mm512_maskz_loadu_epi32(lanes, at), own[index]));
        }
    }
}

/* What all planes add to one output of 64 vectors. */
CIM_TARGET static void output_sums(const cim_row_set *set, int32_t output, const uint8_t *indices,
                                   const uint8_t *counts, int32_t *sums)
{
    const ptrdiff_t groups = (set->rows + ROWS - 1) / ROWS;
    const ptrdiff_t column_bytes = cim_column_bytes(set->rows, set->cell_bits, set->signs);
    __m512i total[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    for (int32_t index = 0; index < set->planes; index++) {
        const cim_plane *plane = &set->plane[index];
        const int32_t column = output - plane->first_output;
        if (column < 0 || column >= plane->outputs)
            continue;
        const uint8_t *patterns = set->cells + plane->cells + column * column_bytes;
        const __m512i factor = _mm512_set1_epi32(set->factors[plane->factors + column]);
        __m512i codes[2];
        codes[0] = codes[1] = _mm512_set1_epi16((int16_t)set->adc.total_offset);
        for (int32_t step = 0; step < set->steps; step += STEPS) {
            const int32_t steps = set->steps - step < STEPS ? set->steps - step : STEPS;
            column_functions[set->signs - 1][set->cell_bits - 1][steps - 1](
                set, patterns, indices + step * groups * LANES, set->step + step, counts, &codes[0], &codes[1]);
        }
        for (int part = 0; part < 4; part++) {
            const __m512i wide = widened(&set->adc, codes[part / 2], part % 2);
            total[part] = _mm512_add_epi32(total[part], _mm512_mullo_epi32(wide, factor));
        }
    }
    for (int part = 0; part < 4; part++)
        _mm512_store_si512(sums + part * 16, total[part]);
}

int cim_multiply_tables(const cim_row_set *set, const cim_inputs *in, int32_t *sums, ptrdiff_t stride)
{
    const size_t groups = ((size_t)set->rows + ROWS - 1) / ROWS;
    const size_t batches = ((size_t)set->steps + STEPS - 1) / STEPS;
    const size_t values = (size_t)set->rows * LANES, index_bytes = batches * groups * STEPS * LANES;
    const size_t block_bytes = OUTPUTS * LANES * sizeof(int32_t), count_bytes = 2 * 64 * 64;
    uint8_t *held = malloc(3 * values + index_bytes + block_bytes + count_bytes + 64);
    if (!held)
        return 1;
    uint8_t *counts = held + 64 - (uintptr_t)held % 64;
    uint8_t *indices = counts + count_bytes, *bytes = indices + index_bytes;
    int16_t *turned = (int16_t *)(bytes + values);
    int32_t *block = (int32_t *)(turned + values);
    count_shared_bits(counts);
    memset(turned, 0, values * sizeof *turned); /* lanes without a vector stay defined */
    memset(indices, 0, index_bytes);
    memset(block, 0, block_bytes);
    int32_t outputs = 0;
    for (int32_t index = 0; index < set->planes; index++)
        if (set->plane[index].first_output + set->plane[index].outputs > outputs)
            outputs = set->plane[index].first_output + set->plane[index].outputs;
    for (ptrdiff_t vector = 0; vector < in->vectors; vector += LANES) {
        const ptrdiff_t vectors = in->vectors - vector < LANES ? in->vectors - vector : LANES;
        turn_codes(set, in, vector, turned);
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
        for (int32_t output = 0; output < outputs; output += OUTPUTS) {
            const int32_t own = outputs - output < OUTPUTS ? outputs - output : OUTPUTS;
            for (int32_t index = 0; index < own; index++)
                output_sums(set, output + index, indices, counts, block + index * LANES);
            turn_back(block, own, vectors, sums + vector * stride + output, stride);
        }
    }
    free(held);
    return 0;
}

#else

int cim_has_tables(void) { return 0; }

int cim_multiply_tables(const cim_row_set *set, const cim_inputs *in, int32_t *sums, ptrdiff_t stride)
{
    return cim_multiply_portable(set, in, sums, stride);
}

#endif
