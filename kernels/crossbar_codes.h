/* Planes of sums -> planes of codes -> integers: the ADC by additions. To be included by crossbar_adders.h. */

/* Planes of a sum that was scaled, and shifts of terms: crossbar.pyx lets no more pass. */
#define MOST_SCALED 40
#define MOST_SHIFT 22

/* `(sum << term.shift) + term.constant + sum + carry`, or less the sum and 1: `width` planes to `wide` ones. The sum has
   room for so many planes, and for `term.shift` ahead of them. */
INLINE void scale(cim_vector *sum, int width, int has_sign, const cim_term *term, cim_vector carry, int wide,
                  cim_vector *to)
{
    const cim_vector above = has_sign ? load_vector(sum + width - 1) : V_WHOLE(setzero)();
    const cim_vector turned = filled(term->is_minus);
    cim_vector *raised = sum - term->shift;
    for (int plane = 0; plane < term->shift; plane++)
        store_vector(raised + plane, filled(term->constant >> plane));
    for (int plane = width; plane < wide; plane++)
        store_vector(sum + plane, above);
    for (int plane = 0; plane < wide; plane++) {
        const cim_vector shifted = load_vector(raised + plane), own = V_WHOLE(xor)(load_vector(sum + plane), turned);
        store_vector(to + plane, sum_of(shifted, own, carry));
        carry = carry_of(shifted, own, carry);
    }
}

/* Lanes above `bound`, or below it if `is_below`; where sums have a sign, the last plane tells it. */
INLINE cim_vector beyond(const cim_vector *codes, int width, int has_sign, int32_t bound, int is_below)
{
    cim_vector found = V_WHOLE(setzero)();
    for (int plane = 0; plane < width; plane++) { /* the most significant difference decides */
        const int is_turned = is_below != (has_sign && plane == width - 1);
        const cim_vector own = is_turned ? V_WHOLE(xor)(codes[plane], filled(1)) : codes[plane];
        found = carry_of(own, found, filled(is_turned ? bound >> plane : ~(bound >> plane)));
    }
    return found;
}

INLINE void clip(cim_vector *codes, int width, int has_sign, int32_t bound, int is_below)
{
    const cim_vector lanes = beyond(codes, width, has_sign, bound, is_below);
    for (int plane = 0; plane < width; plane++)
        codes[plane] = chosen(lanes, filled(bound >> plane), codes[plane]);
}

/* Add one field of some codes, `quads` times four planes, to [LANES] integers: see LANE_VECTOR. `bits` of it count. */
INLINE void add_any_field(const cim_vector *codes, const int quads, const int has_sign, int first_bit,
                          const int is_masked, int32_t bits, int32_t factor, int32_t *to)
{
    const cim_vector mask = V(set1_epi8)((char)bits);
    const __m128i shift = _mm_cvtsi32_si128(first_bit);
    cim_vector total[4];
    UNROLL for (int part = 0; part < 4; part++)
        total[part] = V_WHOLE(setzero)();
    for (int quad = quads - 1; quad >= 0; quad--) {
        cim_vector own[4];
        UNROLL for (int plane = 0; plane < 4; plane++) {
            own[plane] = load_vector(codes + 4 * quad + plane);
            if (is_masked)
                own[plane] = V_WHOLE(and)(V(srl_epi16)(own[plane], shift), mask);
        }
        const cim_vector low = V(unpacklo_epi8)(own[0], own[1]), low2 = V(unpacklo_epi8)(own[2], own[3]);
        const cim_vector high = V(unpackhi_epi8)(own[0], own[1]), high2 = V(unpackhi_epi8)(own[2], own[3]);
        const cim_vector bytes[4] = {V(unpacklo_epi16)(low, low2), V(unpackhi_epi16)(low, low2),
                                     V(unpacklo_epi16)(high, high2), V(unpackhi_epi16)(high, high2)};
        const int is_sign = has_sign && quad == quads - 1;
        const cim_vector weights = V(set1_epi32)(is_sign ? (int32_t)0xF8040201u : 0x08040201); /* -8, 4, 2, 1 */
        UNROLL for (int part = 0; part < 4; part++)
            total[part] = add_weighted(V(slli_epi32)(total[part], 4), bytes[part], weights);
    }
    const cim_vector factors = V(set1_epi32)(factor);
    UNROLL for (int part = 0; part < 4; part++) {
        const cim_vector product = V(mullo_epi32)(total[part], factors);
        store_vector(to + part * CIM_INTEGERS, V(add_epi32)(load_vector(to + part * CIM_INTEGERS), product));
    }
}

APART void add_field(const cim_vector *codes, int quads, int has_sign, int first_bit, int32_t bits, int32_t factor,
                     int32_t *to)
{
    if (quads == 2 && bits == 0xFF && !has_sign) /* most often, and fast */
        add_any_field(codes, 2, 0, 0, 0, 0xFF, factor, to);
    else if (quads == 2 && !has_sign)
        add_any_field(codes, 2, 0, first_bit, 1, bits, factor, to);
    else
        add_any_field(codes, quads, has_sign, first_bit, 1, bits, factor, to);
}
