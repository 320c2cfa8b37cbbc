/* Conversion of 32-bit sums with AVX-512, 16 outputs at a time. Included by files that define CIM_TARGET, INLINE, APART
   and CIM_TILE, and whose sums are int32. */

#include "noise_avx512.h"

#include "crossbar_vector512.h"

#include "crossbar_short.h"

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

INLINE void convert_shift(const cim_row_set *set, const cim_plane *plane, ptrdiff_t vectors, ptrdiff_t tile, int lane,
                          const int32_t *scratch, int32_t *sums, ptrdiff_t stride)
{
    const cim_adc *adc = &set->adc;
    const __mmask16 lanes = lanes_of(plane, tile);
    const __m512i half = _mm512_set1_epi32(adc->half), lowest = _mm512_set1_epi32(adc->lowest);
    const __m512i highest = _mm512_set1_epi32(adc->highest);
    const __m128i shift = _mm_cvtsi32_si128(adc->shift);
    const __m512i factors = _mm512_loadu_si512(factors_of(set, plane, tile));
    const int is_sum = adc->conversion == CIM_SUM;
    for (ptrdiff_t vector = 0; vector < vectors; vector++) {
        __m512i total = _mm512_setzero_si512();
        for (int32_t step = 0; step < set->steps; step++) {
            __m512i code = _mm512_loadu_si512(scratch + (vector * set->steps + step) * CIM_GROUP + lane);
            if (!is_sum) {
                code = _mm512_sra_epi32(_mm512_add_epi32(code, half), shift);
                code = _mm512_min_epi32(_mm512_max_epi32(code, lowest), highest);
            }
            total = shifted_in(total, code, set->step[step].factor);
        }
        add_to(sums + vector * stride + tile * CIM_TILE, lanes, total, factors);
    }
}

/* Where codes of one vector and tile go. */
typedef struct {
    int32_t *sums;
    __mmask16 lanes;
    __m512i factors;
} tile_target;

INLINE tile_target target_of(const cim_row_set *set, const cim_plane *plane, ptrdiff_t tile, int32_t *sums)
{
    const __mmask16 lanes = lanes_of(plane, tile);
    const __m512i factors = _mm512_maskz_loadu_epi32(lanes, factors_of(set, plane, tile));
    return (tile_target){sums + tile * CIM_TILE, lanes, factors};
}

/* One vector's sums of two tiles that fit 16 bits to codes: lanes of 128 bits hold four of each, and so stay in order.
   From one step's sums to the next one's are `width`. */
INLINE void convert_two(const cim_adc *adc, const cim_step *step, int32_t steps, const int is_signed,
                        const int each_doubles, const int32_t *low, const int32_t *high, ptrdiff_t width,
                        const tile_target *to_low, const tile_target *to_high)
{
    const __m512i start = start_of(adc), first = _mm512_set1_epi16((int16_t)adc->total_offset);
    __m512i total = each_doubles ? _mm512_setzero_si512() : first;
    for (ptrdiff_t index = steps - 1; index >= 0; index--) {
        const __m512i lows = _mm512_loadu_si512(low + index * width), highs = _mm512_loadu_si512(high + index * width);
        __m512i code = is_signed ? _mm512_packs_epi32(lows, highs) : _mm512_packus_epi32(lows, highs);
        code = _mm512_add_epi16(code, start);
        codes_of(adc, &code, 1, is_signed);
        total = each_doubles ? _mm512_add_epi16(_mm512_add_epi16(total, total), code)
                             : with_step(total, code, step[index].factor);
    }
    if (each_doubles)
        total = _mm512_add_epi16(total, first);
    const __m512i upper = adc->total_signed ? _mm512_srai_epi16(total, 15) : _mm512_setzero_si512();
    add_to(to_low->sums, to_low->lanes, _mm512_unpacklo_epi16(total, upper), to_low->factors);
    add_to(to_high->sums, to_high->lanes, _mm512_unpackhi_epi16(total, upper), to_high->factors);
}

#define CONVERT_PAIR(NAME, SIGNED, DOUBLES)                                                                            \
    APART void NAME(const cim_row_set *set, tile_target low, tile_target high, ptrdiff_t vectors,                      \
                    const int32_t *scratch, ptrdiff_t stride)                                                          \
    {                                                                                                                  \
        const cim_adc adc = set->adc; /* no store can change it */                                                     \
        for (ptrdiff_t vector = 0; vector < vectors; vector++) {                                                       \
            convert_two(&adc, set->step, set->steps, SIGNED, DOUBLES, scratch, scratch + CIM_TILE, CIM_GROUP, &low,    \
                        &high);                                                                                        \
            scratch += set->steps * CIM_GROUP, low.sums += stride, high.sums += stride;                                \
        }                                                                                                              \
    }

CONVERT_PAIR(pair_unsigned, 0, 0)
CONVERT_PAIR(pair_unsigned_doubling, 0, 1)
CONVERT_PAIR(pair_signed, 1, 0)
CONVERT_PAIR(pair_signed_doubling, 1, 1)

typedef void pair_function(const cim_row_set *, tile_target, tile_target, ptrdiff_t, const int32_t *, ptrdiff_t);
static pair_function *const pair_functions[2][2] = {
    {pair_unsigned, pair_unsigned_doubling},
    {pair_signed, pair_signed_doubling},
};

INLINE void convert_round(const cim_row_set *set, const cim_plane *plane, const int32_t *squares, uint64_t first_vector,
                          ptrdiff_t vectors, ptrdiff_t group, const int rounding, const int noisy,
                          const int32_t *scratch, int32_t *sums, ptrdiff_t stride)
{
    const cim_adc *adc = &set->adc;
    /* In units of the cells' fixed point: the scale is a power of two, so every rounding stays the same. */
    const float unit = 1.0f / adc->scale;
    const __m512 zero = _mm512_set1_ps(adc->zero * unit), inverse = _mm512_set1_ps(adc->inverse * adc->scale);
    const __m512 low = _mm512_set1_ps(adc->clip_low * unit), high = _mm512_set1_ps(adc->clip_high * unit);
    __mmask16 lanes[4];
    for (int tile = 0; tile < 4; tile++)
        lanes[tile] = lanes_of(plane, group * 4 + tile);
    for (ptrdiff_t vector = 0; vector < vectors; vector++) {
        const uint64_t index = first_vector + (uint64_t)vector;
        __m512i total[4];
        for (int tile = 0; tile < 4; tile++)
            total[tile] = _mm512_setzero_si512();
        for (int32_t step = 0; step < set->steps; step++) {
            const ptrdiff_t line = vector * set->steps + step;
            __m512 normal[4];
            if (noisy) {
                const uint32_t last = (uint32_t)plane->number * 256 + (uint32_t)step + ((uint32_t)(index >> 32) << 24);
                const float deviation = adc->noise * _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss((float)squares[line])));
                cim_normals64_avx512((uint32_t)group * 16, (uint32_t)index, adc->row_set, last, adc->key, normal);
                for (int tile = 0; tile < 4; tile++)
                    normal[tile] = _mm512_mul_ps(_mm512_set1_ps(deviation * unit), normal[tile]);
            }
            for (int tile = 0; tile < 4; tile++) {
                if (!lanes[tile])
                    continue;
                const __m512i sum = _mm512_loadu_si512(scratch + line * CIM_GROUP + tile * CIM_TILE);
                __m512 value = _mm512_cvtepi32_ps(sum);
                if (noisy)
                    value = _mm512_add_ps(value, normal[tile]);
                value = _mm512_min_ps(_mm512_max_ps(value, low), high);
                value = _mm512_mul_ps(_mm512_sub_ps(value, zero), inverse);
                total[tile] = shifted_in(total[tile], rounded(value, rounding), set->step[step].factor);
            }
        }
        for (int tile = 0; tile < 4; tile++)
            if (lanes[tile])
                add_to(sums + vector * stride + (group * 4 + tile) * CIM_TILE, lanes[tile], total[tile],
                       _mm512_loadu_si512(factors_of(set, plane, group * 4 + tile)));
    }
}

#define CONVERT_ROUND(NAME, ROUNDING, NOISY)                                                                           \
    APART void NAME(const cim_row_set *set, const cim_plane *plane, const int32_t *squares, uint64_t first_vector,     \
                    ptrdiff_t vectors, ptrdiff_t group, const int32_t *scratch, int32_t *sums, ptrdiff_t stride)       \
    {                                                                                                                  \
        convert_round(set, plane, squares, first_vector, vectors, group, ROUNDING, NOISY, scratch, sums, stride);      \
    }

CONVERT_ROUND(round_half_even, CIM_HALF_EVEN, 0)
CONVERT_ROUND(round_half_even_noisy, CIM_HALF_EVEN, 1)
CONVERT_ROUND(round_otherwise, set->adc.rounding, 0)
CONVERT_ROUND(round_otherwise_noisy, set->adc.rounding, 1)

CIM_TARGET static void convert(const cim_row_set *set, const cim_plane *plane, const int32_t *squares,
                               uint64_t first_vector, ptrdiff_t vectors, ptrdiff_t group, const int32_t *scratch,
                               int32_t *sums, ptrdiff_t stride)
{
    if (set->adc.scale_factor) {
        pair_function *const convert_tiles = pair_functions[set->signs == 2][doubles(set->step, set->steps)];
        for (int tile = 0; tile < 4; tile += 2) {
            const tile_target low = target_of(set, plane, group * 4 + tile, sums);
            const tile_target high = target_of(set, plane, group * 4 + tile + 1, sums);
            if (low.lanes | high.lanes)
                convert_tiles(set, low, high, vectors, scratch + tile * CIM_TILE, stride);
        }
        return;
    }
    if (set->adc.conversion == CIM_ROUND) {
        const int even = set->adc.rounding == CIM_HALF_EVEN;
        (squares ? (even ? round_half_even_noisy : round_otherwise_noisy)
                 : (even ? round_half_even : round_otherwise))(
            set, plane, squares, first_vector, vectors, group, scratch, sums, stride);
        return;
    }
    for (int tile = 0; tile < 4; tile++)
        if (lanes_of(plane, group * 4 + tile))
            convert_shift(set, plane, vectors, group * 4 + tile, tile * CIM_TILE, scratch, sums, stride);
}
