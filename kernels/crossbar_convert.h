/* Conversion of 32-bit sums with AVX-512, 16 outputs at a time or more. Included by files that define CIM_TARGET, INLINE, APART
   and CIM_TILE, and whose sums are int32. */

#include "crossbar_round.h"

#include "crossbar_short.h"

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
    __m512i total = each_doubles ? _mm512_setzero_si512() : first; /* doubled each time, or as it is */
    for (ptrdiff_t index = steps - 1; index >= 0; index--) {
        const __m512i lows = _mm512_loadu_si512(low + index * width), highs = _mm512_loadu_si512(high + index * width);
        __m512i code = is_signed ? _mm512_packs_epi32(lows, highs) : _mm512_packus_epi32(lows, highs);
        code = _mm512_add_epi16(code, start);
        codes_of(adc, &code, 1, is_signed);
        total = each_doubles ? _mm512_add_epi16(_mm512_add_epi16(total, total), code)
                             : with_step(total, code, step[index].factor);
    }
    if (each_doubles)
        total = with_step(first, total, step[0].factor);
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

CIM_TARGET static void convert(const cim_row_set *set, const cim_plane *plane, const int32_t *squares,
                               uint64_t first_vector, ptrdiff_t vectors, ptrdiff_t group, const int32_t *scratch,
                               int32_t *sums, ptrdiff_t stride)
{
    if (set->adc.scale_factor) {
        pair_function *const convert_tiles = pair_functions[set->signs == 2][cim_each_doubles(set->step, set->steps)];
        for (int tile = 0; tile < 4; tile += 2) {
            const tile_target low = target_of(set, plane, group * 4 + tile, sums);
            const tile_target high = target_of(set, plane, group * 4 + tile + 1, sums);
            if (low.lanes | high.lanes)
                convert_tiles(set, low, high, vectors, scratch + tile * CIM_TILE, stride);
        }
        return;
    }
    if (set->adc.conversion == CIM_ROUND) {
        round_group(set, plane, squares, first_vector, vectors, group, scratch, sums, stride);
        return;
    }
    for (int tile = 0; tile < 4; tile++)
        if (lanes_of(plane, group * 4 + tile))
            convert_shift(set, plane, vectors, group * 4 + tile, tile * CIM_TILE, scratch, sums, stride);
}
