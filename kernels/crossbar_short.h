/* Conversion of 16-bit sums, for the kernels whose sums fit: see `cim_adc`. Included behind `crossbar_vector*.h`. */

/* What sums start at. */
INLINE cim_vector start_of(const cim_adc *adc)
{
    return V(set1_epi16)((int16_t)(adc->starts ? adc->scale_offset : 0));
}

/* Some sums to codes, in place: one operation on all of them after the other, so that no decision is taken twice. */
INLINE void codes_of(const cim_adc *adc, cim_vector *sums, const int count, const int is_signed)
{
    const cim_vector factor = V(set1_epi16)((int16_t)adc->scale_factor);
    if (!adc->starts) {
        const cim_vector low = V(set1_epi16)((int16_t)adc->sum_low), high = V(set1_epi16)((int16_t)adc->sum_high);
        const cim_vector offset = V(set1_epi16)((int16_t)adc->scale_offset);
        const __m128i shift = _mm_cvtsi32_si128(adc->scale_shift), tie_shift = _mm_cvtsi32_si128(adc->tie_shift);
        if (is_signed)
            UNROLL for (int index = 0; index < count; index++)
                sums[index] =
                    V(sub_epi16)(V(min_epi16)(V(max_epi16)(sums[index], low), high), low);
        else
            UNROLL for (int index = 0; index < count; index++)
                sums[index] = V(min_epu16)(sums[index], high);
        if (adc->tie_mask)
            UNROLL for (int index = 0; index < count; index++) {
                const cim_vector bit = V_WHOLE(and)(V(srl_epi16)(sums[index], tie_shift), V(set1_epi16)(1));
                sums[index] = V(add_epi16)(V(sll_epi16)(sums[index], shift), V(add_epi16)(offset, bit));
            }
        else
            UNROLL for (int index = 0; index < count; index++)
                sums[index] = V(add_epi16)(V(sll_epi16)(sums[index], shift), offset);
    }
    UNROLL for (int index = 0; index < count; index++)
        sums[index] = V(mulhi_epu16)(sums[index], factor);
}

/* `total` and a step's code, shifted as its factor says: a power of two, or its negative. */
INLINE cim_vector with_step(cim_vector total, cim_vector code, int32_t factor)
{
    const uint32_t magnitude = (uint32_t)(factor < 0 ? -factor : factor);
    code = V(sll_epi16)(code, _mm_cvtsi32_si128(__builtin_ctz(magnitude)));
    return factor < 0 ? V(sub_epi16)(total, code) : V(add_epi16)(total, code);
}

/* `total` and all steps' codes. */
INLINE cim_vector with_steps(cim_vector total, const cim_vector *codes, const cim_step *step, const int steps,
                             const int each_doubles)
{
    if (!each_doubles) {
        UNROLL for (int index = 0; index < steps; index++)
            total = with_step(total, codes[index], step[index].factor);
        return total;
    }
    cim_vector added = codes[steps - 1];
    UNROLL for (int index = steps - 2; index >= 0; index--)
        added = V(add_epi16)(V(add_epi16)(added, added), codes[index]);
    return with_step(total, added, step[0].factor);
}

INLINE cim_vector widened(const cim_adc *adc, cim_vector total, int part)
{
    const cim_half half = half_of(total, part);
    return adc->total_signed ? V(cvtepi16_epi32)(half) : V(cvtepu16_epi32)(half);
}
