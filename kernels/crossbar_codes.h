/* Planes of sums -> planes of codes -> integers: the ADC by additions. To be included by crossbar_adders.h. */

/* Planes of a sum that was scaled, and shifts of terms: crossbar.pyx lets no more pass. */
#define MOST_SCALED 40
#define MOST_SHIFT 22

/* `a + b + carry` of one plane: the carry to the next one. */
INLINE cim_vector add_plane(cim_vector a, cim_vector b, cim_vector carry, cim_vector *to)
{
    store_vector(to, sum_of(a, b, carry));
    return carry_of(a, b, carry);
}

/* `(sum << term.shift) + term.constant + sum + carry`, or less the sum and 1: `width` planes to `wide` ones, of which
   those below `first` are not needed. */
INLINE void scale(const cim_vector *sum, int width, int has_sign, const cim_term *term, cim_vector carry, int wide,
                  int first, cim_vector *to)
{
    const cim_vector turned = filled(term->is_minus), above = has_sign ? load_vector(sum + width - 1) : V_WHOLE(setzero)();
    const cim_vector own_above = V_WHOLE(xor)(above, turned);
    const cim_vector *raised = sum - term->shift;
    const int constants = term->shift < width ? term->shift : width, dropped = first < constants ? first : constants;
    int plane = 0;
    for (; plane < dropped; plane++)
        carry = carry_of(filled(term->constant >> plane), V_WHOLE(xor)(load_vector(sum + plane), turned), carry);
    for (; plane < constants; plane++)
        carry = add_plane(filled(term->constant >> plane), V_WHOLE(xor)(load_vector(sum + plane), turned), carry, to + plane);
    for (; plane < width; plane++)
        carry = add_plane(load_vector(raised + plane), V_WHOLE(xor)(load_vector(sum + plane), turned), carry, to + plane);
    for (; plane < term->shift; plane++)
        carry = add_plane(filled(term->constant >> plane), own_above, carry, to + plane);
    for (; plane < width + term->shift && plane < wide; plane++)
        carry = add_plane(load_vector(raised + plane), own_above, carry, to + plane);
    for (; plane < wide; plane++)
        carry = add_plane(above, own_above, carry, to + plane);
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

/* Four planes to bytes: all planes' bits of a vector, one byte behind the other. See LANE_VECTOR. */
INLINE void bytes_of(const cim_vector planes[4], cim_vector bytes[4])
{
    const cim_vector low = V(unpacklo_epi8)(planes[0], planes[1]), low2 = V(unpacklo_epi8)(planes[2], planes[3]);
    const cim_vector high = V(unpackhi_epi8)(planes[0], planes[1]), high2 = V(unpackhi_epi8)(planes[2], planes[3]);
    bytes[0] = V(unpacklo_epi16)(low, low2), bytes[1] = V(unpackhi_epi16)(low, low2);
    bytes[2] = V(unpacklo_epi16)(high, high2), bytes[3] = V(unpackhi_epi16)(high, high2);
}

/* What planes of a quad count: 1, 2, 4, and 8 or, the sign, -8. */
INLINE cim_vector weights_of(int is_sign) { return V(set1_epi32)(is_sign ? (int32_t)0xF8040201u : 0x08040201); }

INLINE void add_totals(const cim_vector total[4], int32_t factor, int32_t *to)
{
    const cim_vector factors = V(set1_epi32)(factor);
    UNROLL for (int part = 0; part < 4; part++) {
        const cim_vector product = V(mullo_epi32)(total[part], factors);
        store_vector(to + part * CIM_INTEGERS, V(add_epi32)(load_vector(to + part * CIM_INTEGERS), product));
    }
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
        cim_vector own[4], bytes[4];
        UNROLL for (int plane = 0; plane < 4; plane++) {
            own[plane] = load_vector(codes + 4 * quad + plane);
            if (is_masked)
                own[plane] = V_WHOLE(and)(V(srl_epi16)(own[plane], shift), mask);
        }
        bytes_of(own, bytes);
        const cim_vector weights = weights_of(has_sign && quad == quads - 1);
        UNROLL for (int part = 0; part < 4; part++)
            total[part] = add_weighted(V(slli_epi32)(total[part], 4), bytes[part], weights);
    }
    add_totals(total, factor, to);
}

APART void add_field(const cim_vector *codes, int quads, int has_sign, int first_bit, int32_t bits, int32_t factor,
                     int32_t *to)
{
    if (quads == 2 && bits == 0xFF && !has_sign) /* most often, and fast */
        add_any_field(codes, 2, 0, 0, 0, 0xFF, factor, to);
    else
        add_any_field(codes, quads, has_sign, first_bit, 1, bits, factor, to);
}

/* Add both fields of codes whose bytes have two, to [2][LANES] integers. */
APART void add_two_fields(const cim_vector *codes, int quads, int has_sign, int32_t bits, int32_t factor, int32_t *to)
{
    const cim_vector low_bits = V(set1_epi8)((char)bits), high_bits = V(set1_epi8)((char)(bits << 4));
    cim_vector low[4], high[4]; /* the upper field's are 16 times as large */
    UNROLL for (int part = 0; part < 4; part++)
        low[part] = high[part] = V_WHOLE(setzero)();
    for (int quad = quads - 1; quad >= 0; quad--) {
        cim_vector own[4], bytes[4];
        UNROLL for (int plane = 0; plane < 4; plane++)
            own[plane] = load_vector(codes + 4 * quad + plane);
        bytes_of(own, bytes);
        const cim_vector weights = weights_of(has_sign && quad == quads - 1);
        UNROLL for (int part = 0; part < 4; part++) {
            low[part] = add_weighted(V(slli_epi32)(low[part], 4), V_WHOLE(and)(bytes[part], low_bits), weights);
            high[part] = add_weighted(V(slli_epi32)(high[part], 4), V_WHOLE(and)(bytes[part], high_bits), weights);
        }
    }
    UNROLL for (int part = 0; part < 4; part++)
        high[part] = V(srai_epi32)(high[part], 4);
    add_totals(low, factor, to);
    add_totals(high, factor, to + LANES);
}
