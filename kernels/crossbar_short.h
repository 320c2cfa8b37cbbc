/* Conversion of 16-bit sums, for the kernels whose sums fit: see `cim_adc`. Included by files that define INLINE. */

/* What sums start at. */
INLINE __m512i start_of(const cim_adc *adc)
{
    return _mm512_set1_epi16((int16_t)(adc->starts ? adc->scale_offset : 0));
}

/* Some sums to codes, in place: one operation on all of them after the other, so that no decision is taken twice. */
INLINE void codes_of(const cim_adc *adc, __m512i *sums, const int count, const int is_signed)
{
    const __m512i factor = _mm512_set1_epi16((int16_t)adc->scale_factor);
    if (!adc->starts) {
        const __m512i low = _mm512_set1_epi16((int16_t)adc->sum_low), high = _mm512_set1_epi16((int16_t)adc->sum_high);
        const __m512i offset = _mm512_set1_epi16((int16_t)adc->scale_offset);
        const __m128i shift = _mm_cvtsi32_si128(adc->scale_shift), tie_shift = _mm_cvtsi32_si128(adc->tie_shift);
        if (is_signed)
            UNROLL for (int index = 0; index < count; index++)
                sums[index] =
                    _mm512_sub_epi16(_mm512_min_epi16(_mm512_max_epi16(sums[index], low), high), low);
        else
            UNROLL for (int index = 0; index < count; index++)
                sums[index] = _mm512_min_epu16(sums[index], high);
        if (adc->tie_mask)
            UNROLL for (int index = 0; index < count; index++) {
                const __m512i bit = _mm512_and_si512(_mm512_srl_epi16(sums[index], tie_shift), _mm512_set1_epi16(1));
                sums[index] = _mm512_add_epi16(_mm512_sll_epi16(sums[index], shift), _mm512_add_epi16(offset, bit));
            }
        else
            UNROLL for (int index = 0; index < count; index++)
                sums[index] = _mm512_add_epi16(_mm512_sll_epi16(sums[index], shift), offset);
    }
    UNROLL for (int index = 0; index < count; index++)
        sums[index] = _mm512_mulhi_epu16(sums[index], factor);
}

/* `total` and a step's code, shifted as its factor says: a power of two, or its negative. */
INLINE __m512i with_step(__m512i total, __m512i code, int32_t factor)
{
    const uint32_t magnitude = (uint32_t)(factor < 0 ? -factor : factor);
    code = _mm512_sll_epi16(code, _mm_cvtsi32_si128(__builtin_ctz(magnitude)));
    return factor < 0 ? _mm512_sub_epi16(total, code) : _mm512_add_epi16(total, code);
}

/* `total` and all steps' codes. */
INLINE __m512i with_steps(__m512i total, const __m512i *codes, const cim_step *step, const int steps,
                          const int each_doubles)
{
    if (!each_doubles) {
        UNROLL for (int index = 0; index < steps; index++)
            total = with_step(total, codes[index], step[index].factor);
        return total;
    }
    __m512i added = codes[steps - 1];
    UNROLL for (int index = steps - 2; index >= 0; index--)
        added = _mm512_add_epi16(_mm512_add_epi16(added, added), codes[index]);
    return _mm512_add_epi16(total, added);
}

/* Whether each step counts twice as much as the one before it, the first one once. */
static inline int doubles(const cim_step *step, int steps)
{
    for (int index = 0; index < steps; index++)
        if (step[index].factor != 1 << index)
            return 0;
    return 1;
}

INLINE __m512i widened(const cim_adc *adc, __m512i total, int part)
{
    const __m256i half = part ? _mm512_extracti64x4_epi64(total, 1) : _mm512_castsi512_si256(total);
    return adc->total_signed ? _mm512_cvtepi16_epi32(half) : _mm512_cvtepu16_epi32(half);
}
