/* 32-bit sums to codes by single floating-point steps, with AVX-512, and with read noise where that is drawn. Included by
   files that define CIM_TARGET, INLINE, APART and CIM_TILE.

   Up to four tiles of a group are taken at once, each operation on all of them after the other: one alone would wait for
   its own results. */

#include "noise_avx512.h"

#include "crossbar_vector512.h"

/* Lanes of tile `tile` (counted over the layer) that the plane fills. */
CIM_TARGET static inline __mmask16 lanes_of(const cim_plane *plane, ptrdiff_t tile)
{
    const ptrdiff_t from = plane->first_output - tile * CIM_TILE, to = from + plane->outputs;
    const uint32_t above = to >= CIM_TILE ? 0xFFFFu : to <= 0 ? 0 : (1u << to) - 1;
    const uint32_t below = from <= 0 ? 0 : from >= CIM_TILE ? 0xFFFFu : (1u << from) - 1;
    return (__mmask16)(above & ~below);
}

/* Factors of the outputs of tile `tile`, counted over the layer. */
static inline const int32_t *factors_of(const cim_row_set *set, const cim_plane *plane, ptrdiff_t tile)
{
    return set->factors + plane->factors + (tile - plane->first_output / CIM_TILE) * CIM_TILE;
}

/* A step's factor is a power of two or its negative. */
INLINE __m512i shifted_in(__m512i total, __m512i code, int32_t factor)
{
    const uint32_t magnitude = (uint32_t)(factor < 0 ? -factor : factor);
    code = _mm512_sll_epi32(code, _mm_cvtsi32_si128(__builtin_ctz(magnitude)));
    return factor < 0 ? _mm512_sub_epi32(total, code) : _mm512_add_epi32(total, code);
}

INLINE void add_to(int32_t *sums, __mmask16 lanes, __m512i total, __m512i factors)
{
    const __m512i product = _mm512_mullo_epi32(total, factors);
    const __m512i before = _mm512_maskz_loadu_epi32(lanes, sums);
    _mm512_mask_storeu_epi32(sums, lanes, _mm512_add_epi32(before, product));
}

INLINE __m512i rounded(__m512 value, int rounding)
{
    const __m512 half = _mm512_set1_ps(0.5f);
    switch (rounding) {
    case CIM_HALF_EVEN: return _mm512_cvtps_epi32(value);
    case CIM_HALF_UP: return _mm512_cvt_roundps_epi32(_mm512_add_ps(value, half), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    case CIM_HALF_AWAY: {
        const __m512 sign = _mm512_and_ps(value, _mm512_set1_ps(-0.0f));
        return _mm512_cvttps_epi32(_mm512_add_ps(value, _mm512_or_ps(half, sign)));
    }
    default: return _mm512_cvt_roundps_epi32(value, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    }
}

/* What values meet on their way to codes, in units of the cells' fixed point: the scale is a power of two, so every
   rounding stays the same. */
typedef struct {
    __m512 low, high, zero, inverse;
} rounding_steps;

INLINE rounding_steps rounding_steps_of(const cim_adc *adc)
{
    const float unit = 1.0f / adc->scale;
    return (rounding_steps){_mm512_set1_ps(adc->clip_low * unit), _mm512_set1_ps(adc->clip_high * unit),
                            _mm512_set1_ps(adc->zero * unit), _mm512_set1_ps(adc->inverse * adc->scale)};
}

INLINE void rounded_codes(const rounding_steps *steps, __m512 *values, const int count, const int rounding,
                          __m512i *codes)
{
    UNROLL for (int index = 0; index < count; index++)
        values[index] = _mm512_min_ps(_mm512_max_ps(values[index], steps->low), steps->high);
    UNROLL for (int index = 0; index < count; index++)
        values[index] = _mm512_mul_ps(_mm512_sub_ps(values[index], steps->zero), steps->inverse);
    UNROLL for (int index = 0; index < count; index++)
        codes[index] = rounded(values[index], rounding);
}

/* Tiles `from` to `from + tiles` of a group, all of which the plane reaches. */
INLINE void round_tiles(const cim_row_set *set, const cim_plane *plane, const int32_t *squares, uint64_t first_vector,
                        ptrdiff_t vectors, ptrdiff_t group, ptrdiff_t from, const int tiles, const int rounding,
                        const int noisy, const int32_t *scratch, int32_t *sums, ptrdiff_t stride)
{
    const cim_adc *adc = &set->adc;
    const ptrdiff_t first_tile = group * 4 + from;
    const rounding_steps steps = rounding_steps_of(adc);
    const float unit = 1.0f / adc->scale;
    scratch += from * CIM_TILE, sums += first_tile * CIM_TILE;
    for (ptrdiff_t vector = 0; vector < vectors; vector++, sums += stride) {
        const uint64_t index = first_vector + (uint64_t)vector;
        __m512i total[4];
        UNROLL for (int tile = 0; tile < tiles; tile++)
            total[tile] = _mm512_setzero_si512();
        for (int32_t step = 0; step < set->steps; step++, scratch += CIM_GROUP) {
            const int32_t factor = set->step[step].factor;
            __m512 value[4];
            UNROLL for (int tile = 0; tile < tiles; tile++)
                value[tile] = _mm512_cvtepi32_ps(_mm512_loadu_si512(scratch + tile * CIM_TILE));
            if (noisy) {
                const uint32_t last = (uint32_t)plane->number * 256 + (uint32_t)step + ((uint32_t)(index >> 32) << 24);
                const float square = (float)squares[vector * set->steps + step];
                const float deviation = adc->noise * _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(square)));
                const __m512 scale = _mm512_set1_ps(deviation * unit);
                __m512i words[4];
                __m512 normal[4];
                cim_philox16_avx512((uint32_t)group * 16, (uint32_t)index, adc->row_set, last, adc->key, words);
                cim_normal_avx512(words + (tiles == 4 ? 0 : from), tiles, normal);
                UNROLL for (int tile = 0; tile < tiles; tile++)
                    value[tile] = _mm512_add_ps(value[tile], _mm512_mul_ps(scale, normal[tile]));
            }
            __m512i code[4];
            rounded_codes(&steps, value, tiles, rounding, code);
            UNROLL for (int tile = 0; tile < tiles; tile++)
                total[tile] = shifted_in(total[tile], code[tile], factor);
        }
        UNROLL for (int tile = 0; tile < tiles; tile++)
            add_to(sums + tile * CIM_TILE, lanes_of(plane, first_tile + tile), total[tile],
                   _mm512_loadu_si512(factors_of(set, plane, first_tile + tile)));
    }
}

typedef void round_function(const cim_row_set *, const cim_plane *, const int32_t *, uint64_t, ptrdiff_t, ptrdiff_t,
                            ptrdiff_t, const int32_t *, int32_t *, ptrdiff_t);

#define ROUND_TILES(NAME, TILES, ROUNDING, NOISY)                                                                      \
    APART void NAME##_##TILES(const cim_row_set *set, const cim_plane *plane, const int32_t *squares,                  \
                              uint64_t first_vector, ptrdiff_t vectors, ptrdiff_t group, ptrdiff_t from,               \
                              const int32_t *scratch, int32_t *sums, ptrdiff_t stride)                                 \
    {                                                                                                                  \
        round_tiles(set, plane, squares, first_vector, vectors, group, from, TILES, ROUNDING, NOISY, scratch, sums,    \
                    stride);                                                                                           \
    }
#define ROUND(NAME, ROUNDING, NOISY)                                                                                   \
    ROUND_TILES(NAME, 1, ROUNDING, NOISY)                                                                              \
    ROUND_TILES(NAME, 2, ROUNDING, NOISY)                                                                              \
    ROUND_TILES(NAME, 3, ROUNDING, NOISY)                                                                              \
    ROUND_TILES(NAME, 4, ROUNDING, NOISY)                                                                              \
    static round_function *const NAME[4] = {NAME##_1, NAME##_2, NAME##_3, NAME##_4};
ROUND(half_even, CIM_HALF_EVEN, 0)
ROUND(half_even_noisy, CIM_HALF_EVEN, 1)
ROUND(half_up, CIM_HALF_UP, 0)
ROUND(half_up_noisy, CIM_HALF_UP, 1)
ROUND(otherwise, set->adc.rounding, 0)
ROUND(otherwise_noisy, set->adc.rounding, 1)

/* One group of a plane: `squares` are those of each line's digits, NULL where no noise is drawn. */
CIM_TARGET static void round_group(const cim_row_set *set, const cim_plane *plane, const int32_t *squares,
                                   uint64_t first_vector, ptrdiff_t vectors, ptrdiff_t group, const int32_t *scratch,
                                   int32_t *sums, ptrdiff_t stride)
{
    static round_function *const *const functions[3][2] = {
        {half_even, half_even_noisy}, {half_up, half_up_noisy}, {otherwise, otherwise_noisy}};
    const int rounding = set->adc.rounding == CIM_HALF_EVEN ? 0 : set->adc.rounding == CIM_HALF_UP ? 1 : 2;
    const ptrdiff_t begin = plane->first_output - group * CIM_GROUP, end = begin + plane->outputs;
    const ptrdiff_t from = begin > 0 ? begin / CIM_TILE : 0;
    const ptrdiff_t to = end < CIM_GROUP ? (end + CIM_TILE - 1) / CIM_TILE : CIM_GROUP / CIM_TILE;
    functions[rounding][squares != NULL][to - from - 1](set, plane, squares, first_vector, vectors, group, from, scratch,
                                                        sums, stride);
}
