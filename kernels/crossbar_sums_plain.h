/* Looked-up sums where no noise is drawn: vectors stay side by side to the end. Included by `crossbar_sums.c`. */

typedef enum { ROUND_EVEN, ROUND_UP, ROUND_OTHERWISE, INTEGER } codes_by;

/* Sums to codes, in place: one operation on all of them after the other, as one alone would wait for its own results. */
INLINE void codes_of_sums(const cim_adc *adc, __m512i *sums, const int width, const codes_by how)
{
    if (how == INTEGER) {
        if (adc->conversion == CIM_SUM)
            return;
        const __m512i half = _mm512_set1_epi32(adc->half), lowest = _mm512_set1_epi32(adc->lowest);
        const __m512i highest = _mm512_set1_epi32(adc->highest);
        const __m128i shift = _mm_cvtsi32_si128(adc->shift);
        UNROLL for (int index = 0; index < width; index++)
            sums[index] = _mm512_sra_epi32(_mm512_add_epi32(sums[index], half), shift);
        UNROLL for (int index = 0; index < width; index++)
            sums[index] = _mm512_min_epi32(_mm512_max_epi32(sums[index], lowest), highest);
        return;
    }
    const rounding_steps steps = rounding_steps_of(adc);
    const int rounding = how == ROUND_EVEN ? CIM_HALF_EVEN : how == ROUND_UP ? CIM_HALF_UP : adc->rounding;
    __m512 values[STEPS];
    UNROLL for (int index = 0; index < width; index++)
        values[index] = _mm512_cvtepi32_ps(sums[index]);
    rounded_codes(&steps, values, width, rounding, sums);
}

/* Codes of some steps, shifted and added. */
INLINE __m512i added_steps(const __m512i *codes, const cim_step *step, const int steps, const int each_doubles)
{
    __m512i added = _mm512_setzero_si512();
    if (!each_doubles) {
        UNROLL for (int index = 0; index < steps; index++)
            added = shifted_in(added, codes[index], step[index].factor);
        return added;
    }
    __m512i doubled = codes[steps - 1];
    UNROLL for (int index = steps - 2; index >= 0; index--)
        doubled = _mm512_add_epi32(_mm512_add_epi32(doubled, doubled), codes[index]);
    return shifted_in(added, doubled, step[0].factor);
}

/* What all planes add to one output, in some steps of some blocks of vectors. `tables`: of its plane 0. */
INLINE void add_output(const cim_row_set *set, ptrdiff_t output, const work *own, const __m512i *tables,
                       const __m512i *indices, const cim_step *step, const int steps, const int together,
                       const codes_by how, int32_t *block)
{
    const cim_adc adc = set->adc; /* no store can change it */
    const int each_doubles = cim_each_doubles(step, steps);
    __m512i total[BLOCKS];
    UNROLL for (int index = 0; index < together; index++)
        total[index] = _mm512_load_si512(block + index * BLOCK);
    for (int32_t number = 0; number < set->planes; number++, tables += CIM_INTEGERS * 2 * own->groups) {
        const cim_plane *plane = &set->plane[number];
        if (output < plane->first_output || output >= plane->first_output + plane->outputs)
            continue;
        __m512i sums[STEPS];
        look_up(tables, indices, own->groups, steps * together, sums);
        codes_of_sums(&adc, sums, steps * together, how);
        const __m512i factor = _mm512_set1_epi32(factors_of(set, plane, output / CIM_TILE)[output % CIM_TILE]);
        UNROLL for (int index = 0; index < together; index++) {
            const __m512i codes = added_steps(sums + index * steps, step, steps, each_doubles);
            total[index] = _mm512_add_epi32(total[index], _mm512_mullo_epi32(codes, factor));
        }
    }
    UNROLL for (int index = 0; index < together; index++)
        _mm512_store_si512(block + index * BLOCK, total[index]);
}

typedef void output_function(const cim_row_set *, ptrdiff_t, const work *, const __m512i *, const __m512i *,
                             const cim_step *, int32_t *);

#define OUTPUT(HOW, STEPS_, TOGETHER)                                                                                  \
    APART void HOW##_##STEPS_##_##TOGETHER(const cim_row_set *set, ptrdiff_t output, const work *own,                  \
                                           const __m512i *tables, const __m512i *indices, const cim_step *step,        \
                                           int32_t *block)                                                             \
    {                                                                                                                  \
        add_output(set, output, own, tables, indices, step, STEPS_, TOGETHER, HOW, block);                             \
    }
#define OUTPUTS(HOW)                                                                                                   \
    OUTPUT(HOW, 1, 1) OUTPUT(HOW, 2, 1) OUTPUT(HOW, 3, 1) OUTPUT(HOW, 4, 1)                                            \
    OUTPUT(HOW, 5, 1) OUTPUT(HOW, 6, 1) OUTPUT(HOW, 7, 1) OUTPUT(HOW, 8, 1)                                            \
    OUTPUT(HOW, 3, 2) OUTPUT(HOW, 4, 2) OUTPUT(HOW, 1, 4) OUTPUT(HOW, 2, 4)
OUTPUTS(ROUND_EVEN)
OUTPUTS(ROUND_UP)
OUTPUTS(ROUND_OTHERWISE)
OUTPUTS(INTEGER)

/* By blocks together (1, 2 or 4), then by steps. */
#define ROW_OF(HOW)                                                                                                    \
    {                                                                                                                  \
        {HOW##_1_1, HOW##_2_1, HOW##_3_1, HOW##_4_1, HOW##_5_1, HOW##_6_1, HOW##_7_1, HOW##_8_1},                      \
            {NULL, NULL, HOW##_3_2, HOW##_4_2}, {HOW##_1_4, HOW##_2_4},                                                \
    }
static output_function *const output_functions[4][3][STEPS] = {
    ROW_OF(ROUND_EVEN),
    ROW_OF(ROUND_UP),
    ROW_OF(ROUND_OTHERWISE),
    ROW_OF(INTEGER),
};

static codes_by how_codes_are_made(const cim_adc *adc)
{
    if (adc->conversion != CIM_ROUND)
        return INTEGER;
    return adc->rounding == CIM_HALF_EVEN ? ROUND_EVEN : adc->rounding == CIM_HALF_UP ? ROUND_UP : ROUND_OTHERWISE;
}

/* Sums of LANES vectors from `vector` on, or of those that are there, for up to CIM_INTEGERS outputs from `first` on. */
static void add_outputs(const cim_row_set *set, const cim_inputs *in, const work *own, ptrdiff_t vector, ptrdiff_t first,
                        ptrdiff_t outputs)
{
    output_function *const *functions = output_functions[how_codes_are_made(&set->adc)][own->together / 2];
    const __m512i *indices = own->indices + vector / BLOCK * set->steps * own->groups;
    for (ptrdiff_t block = 0; block < BLOCKS && vector + block * BLOCK < in->vectors; block += own->together)
        for (int32_t step = 0; step < set->steps; step += STEPS) {
            const int32_t steps = steps_of_batch(set, step);
            for (ptrdiff_t index = 0; index < outputs; index++)
                functions[steps - 1](set, first + index, own, own->tables + index * 2 * own->groups, indices,
                                     set->step + step, own->room + index * LANES + block * BLOCK);
            indices += steps * own->together * own->groups;
        }
}

CIM_TARGET static void multiply_plain(const cim_row_set *set, const cim_inputs *in, const work *own, int32_t *sums,
                                      ptrdiff_t stride)
{
    const ptrdiff_t all = cim_outputs(set);
    for (ptrdiff_t first = 0; first < all; first += CIM_INTEGERS) {
        const ptrdiff_t outputs = all - first < CIM_INTEGERS ? all - first : CIM_INTEGERS;
        for (int32_t plane = 0; plane < set->planes; plane++)
            make_plane_tables(set, &set->plane[plane], first, first + CIM_INTEGERS, own->groups,
                              own->tables + plane * CIM_INTEGERS * 2 * own->groups);
        for (ptrdiff_t vector = 0; vector < in->vectors; vector += LANES) {
            memset(own->room, 0, CIM_INTEGERS * LANES * sizeof *own->room);
            add_outputs(set, in, own, vector, first, outputs);
            turn_back(own->room, LANES, outputs, in->vectors - vector < LANES ? in->vectors - vector : LANES,
                      sums + vector * stride + first, stride);
        }
    }
}
