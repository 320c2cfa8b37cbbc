/* Conversion of 32-bit sums with AVX2 where floats are rounded and no noise is drawn, 16 outputs at a time. Included ahead
   of `crossbar_plain.h`, which leaves these to it, by files that define CIM_TARGET, INLINE, APART and CIM_TILE. */

INLINE __m256i rounded256(__m256 value, int rounding)
{
    const __m256 half = _mm256_set1_ps(0.5f);
    switch (rounding) {
    case CIM_HALF_EVEN: return _mm256_cvtps_epi32(value);
    case CIM_HALF_UP: return _mm256_cvtps_epi32(_mm256_floor_ps(_mm256_add_ps(value, half)));
    case CIM_HALF_AWAY: {
        const __m256 sign = _mm256_and_ps(value, _mm256_set1_ps(-0.0f));
        return _mm256_cvttps_epi32(_mm256_add_ps(value, _mm256_or_ps(half, sign)));
    }
    default: return _mm256_cvtps_epi32(_mm256_floor_ps(value));
    }
}

/* Codes of one tile, whose sums begin at `scratch`, to its outputs `from` to `to`; `sums` and `factors` are the tile's. */
INLINE void round_tile(const cim_row_set *set, const int32_t *factors, ptrdiff_t from, ptrdiff_t to, ptrdiff_t vectors,
                       const int rounding, const int32_t *scratch, int32_t *sums, ptrdiff_t stride)
{
    const cim_adc adc = set->adc; /* no store can change it */
    /* In units of the cells' fixed point: the scale is a power of two, so every rounding stays the same. */
    const float unit = 1.0f / adc.scale;
    const __m256 zero = _mm256_set1_ps(adc.zero * unit), inverse = _mm256_set1_ps(adc.inverse * adc.scale);
    const __m256 low = _mm256_set1_ps(adc.clip_low * unit), high = _mm256_set1_ps(adc.clip_high * unit);
    for (ptrdiff_t vector = 0; vector < vectors; vector++, sums += stride) {
        __m256i total[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        for (int32_t step = 0; step < set->steps; step++, scratch += CIM_GROUP) {
            const int32_t factor = set->step[step].factor;
            const __m128i shift = _mm_cvtsi32_si128(__builtin_ctz((uint32_t)(factor < 0 ? -factor : factor)));
            UNROLL for (int half = 0; half < 2; half++) {
                const __m256i sum = _mm256_loadu_si256((const __m256i *)scratch + half);
                const __m256 clipped = _mm256_min_ps(_mm256_max_ps(_mm256_cvtepi32_ps(sum), low), high);
                const __m256 value = _mm256_mul_ps(_mm256_sub_ps(clipped, zero), inverse);
                const __m256i code = _mm256_sll_epi32(rounded256(value, rounding), shift);
                total[half] = factor < 0 ? _mm256_sub_epi32(total[half], code) : _mm256_add_epi32(total[half], code);
            }
        }
        int32_t own[CIM_TILE];
        _mm256_storeu_si256((__m256i *)own, total[0]);
        _mm256_storeu_si256((__m256i *)own + 1, total[1]);
        for (ptrdiff_t output = from; output < to; output++)
            sums[output] += factors[output] * own[output];
    }
}

#define ROUND_TILE(NAME, ROUNDING)                                                                                     \
    APART void NAME(const cim_row_set *set, const int32_t *factors, ptrdiff_t from, ptrdiff_t to, ptrdiff_t vectors,   \
                    const int32_t *scratch, int32_t *sums, ptrdiff_t stride)                                           \
    {                                                                                                                  \
        round_tile(set, factors, from, to, vectors, ROUNDING, scratch, sums, stride);                                  \
    }
ROUND_TILE(round_tile_even, CIM_HALF_EVEN)
ROUND_TILE(round_tile_otherwise, set->adc.rounding)

/* What `convert` of crossbar_plain.h does: outputs `from` to `to` of the layer, all of one group. */
CIM_TARGET static void convert_round256(const cim_row_set *set, const int32_t *factors, ptrdiff_t vectors,
                                        ptrdiff_t from, ptrdiff_t to, const int32_t *scratch, int32_t *sums,
                                        ptrdiff_t stride)
{
    for (ptrdiff_t tile = from / CIM_TILE * CIM_TILE; tile < to; tile += CIM_TILE) {
        const ptrdiff_t own_from = from > tile ? from - tile : 0, own_to = to - tile < CIM_TILE ? to - tile : CIM_TILE;
        (set->adc.rounding == CIM_HALF_EVEN ? round_tile_even : round_tile_otherwise)(
            set, factors + tile, own_from, own_to, vectors, scratch + tile % CIM_GROUP, sums + tile, stride);
    }
}

#define CIM_CONVERT_ROUND convert_round256
