/* Conversion of 16-bit sums, for the kernels whose sums fit: see `cim_adc`. Included by files that define INLINE. */

/* What sums start at. */
INLINE __m512i start_of(const cim_adc *adc)
{
    return _mm512_set1_epi16((int16_t)(adc->starts ? adc->scale_offset : 0));
}

INLINE __m512i code_of(const cim_adc *adc, __m512i sum, const int is_signed)
{
    const __m512i factor = _mm512_set1_epi16((int16_t)adc->scale_factor);
    if (adc->starts)
        return _mm512_mulhi_epu16(sum, factor);
    if (is_signed) {
        sum = _mm512_max_epi16(sum, _mm512_set1_epi16((int16_t)adc->sum_low));
        sum = _mm512_min_epi16(sum, _mm512_set1_epi16((int16_t)adc->sum_high));
        sum = _mm512_sub_epi16(sum, _mm512_set1_epi16((int16_t)adc->sum_low));
    } else {
        sum = _mm512_min_epu16(sum, _mm512_set1_epi16((int16_t)adc->sum_high));
    }
    __m512i offset = _mm512_set1_epi16((int16_t)adc->scale_offset);
    if (adc->tie_mask) {
        const __m512i bit = _mm512_srl_epi16(sum, _mm_cvtsi32_si128(adc->tie_shift));
        offset = _mm512_add_epi16(offset, _mm512_and_si512(bit, _mm512_set1_epi16(1)));
    }
    if (adc->scale_shift)
        sum = _mm512_sll_epi16(sum, _mm_cvtsi32_si128(adc->scale_shift));
    sum = _mm512_add_epi16(sum, offset);
    return _mm512_mulhi_epu16(sum, factor);
}

/* `total` and a step's code, shifted as its factor says: a power of two, or its negative. */
INLINE __m512i with_step(__m512i total, __m512i code, int32_t factor)
{
    const uint32_t magnitude = (uint32_t)(factor < 0 ? -factor : factor);
    code = _mm512_sll_epi16(code, _mm_cvtsi32_si128(__builtin_ctz(magnitude)));
    return factor < 0 ? _mm512_sub_epi16(total, code) : _mm512_add_epi16(total, code);
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
