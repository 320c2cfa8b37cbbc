/* Conversion in plain C, for the instruction sets that do without intrinsics there. Included ahead of
   `crossbar_loop.h` by a file that defines CIM_TARGET and CIM_DRAWN(name), which has the names of noise.h, and (or not)
   CIM_CONVERT_ROUND, which rounds floats without noise. */

#include <math.h>
#include <string.h>

typedef int32_t cim_sum;

CIM_TARGET static inline int32_t rounded(float value, int32_t rounding)
{
    switch (rounding) {
    case CIM_HALF_EVEN: return (int32_t)rintf(value);
    case CIM_HALF_UP: return (int32_t)floorf(value + 0.5f);
    case CIM_HALF_AWAY: return (int32_t)(value + copysignf(0.5f, value));
    default: return (int32_t)floorf(value);
    }
}

/* Loops of one kind each, so that compilers make them wide. */
#define EACH(CODE)                                                                                                     \
    for (ptrdiff_t output = 0; output < outputs; output++)                                                             \
        codes[output] = CODE;

CIM_TARGET static inline float clipped(const cim_adc *adc, int32_t sum, float noise)
{
    const float value = (float)sum * adc->scale + noise;
    return value < adc->clip_low ? adc->clip_low : value > adc->clip_high ? adc->clip_high : value;
}

CIM_TARGET static inline int32_t shifted(const cim_adc *adc, int32_t sum)
{
    const int32_t code = (sum + adc->half) >> adc->shift;
    return code < adc->lowest ? adc->lowest : code > adc->highest ? adc->highest : code;
}

/* Codes of some sums, which become those of one step; `adc` is the caller's own, so that no store can change it. */
CIM_TARGET static void codes_of(const cim_adc adc, const int32_t *restrict sums, const float *restrict noise,
                                ptrdiff_t outputs, int32_t *restrict codes)
{
#define ROUNDED(ROUNDING) EACH(rounded((clipped(&adc, sums[output], noise[output]) - adc.zero) * adc.inverse, ROUNDING))
    if (adc.conversion == CIM_SUM)
        EACH(sums[output])
    else if (adc.conversion == CIM_SHIFT)
        EACH(shifted(&adc, sums[output]))
    else if (adc.rounding == CIM_HALF_EVEN)
        ROUNDED(CIM_HALF_EVEN)
    else if (adc.rounding == CIM_HALF_UP)
        ROUNDED(CIM_HALF_UP)
    else if (adc.rounding == CIM_HALF_AWAY)
        ROUNDED(CIM_HALF_AWAY)
    else
        ROUNDED(CIM_DOWN)
}

CIM_TARGET static void convert(const cim_row_set *set, const cim_plane *plane, const int32_t *squares,
                               uint64_t first_vector, ptrdiff_t vectors, ptrdiff_t group, const cim_sum *scratch,
                               int32_t *sums, ptrdiff_t stride)
{
    const ptrdiff_t start = group * CIM_GROUP, end = plane->first_output + plane->outputs;
    const ptrdiff_t from = plane->first_output > start ? plane->first_output : start;
    const ptrdiff_t to = end < start + CIM_GROUP ? end : start + CIM_GROUP;
    const int32_t *factors = set->factors + plane->factors - plane->first_output / CIM_TILE * CIM_TILE;
#ifdef CIM_CONVERT_ROUND
    if (set->adc.conversion == CIM_ROUND && !squares) {
        CIM_CONVERT_ROUND(set, factors, vectors, from, to, scratch, sums, stride);
        return;
    }
#endif
    CIM_DRAWN(cim_source) source;
    if (squares)
        CIM_DRAWN(cim_prepare)(&source, set->adc.key);
    float noise[CIM_GROUP] = {0};
    for (ptrdiff_t vector = 0; vector < vectors; vector++) {
        int32_t total[CIM_GROUP];
        memset(total, 0, (size_t)(to - from) * sizeof *total);
        for (int32_t step = 0; step < set->steps; step++) {
            const ptrdiff_t line = vector * set->steps + step;
            if (squares) {
                const uint64_t index = first_vector + (uint64_t)vector;
                const uint32_t last = (uint32_t)plane->number * 256 + (uint32_t)step + ((uint32_t)(index >> 32) << 24);
                const float deviation = set->adc.noise * sqrtf((float)squares[line]);
                CIM_DRAWN(cim_normals64)(&source, (uint32_t)group * CIM_GROUP_COUNTERS, (uint32_t)index,
                                         set->adc.row_set, last, to - start, noise);
                for (int output = 0; output < CIM_GROUP; output++)
                    noise[output] = deviation * noise[output];
            }
            int32_t codes[CIM_GROUP];
            codes_of(set->adc, scratch + line * CIM_GROUP + from - start, noise + from - start, to - from, codes);
            for (ptrdiff_t output = 0; output < to - from; output++)
                total[output] += set->step[step].factor * codes[output];
        }
        for (ptrdiff_t output = from; output < to; output++)
            sums[vector * stride + output] += factors[output] * total[output - from];
    }
}
