/* Conversion in plain C, for the instruction sets that do without intrinsics there. Included ahead of
   `crossbar_loop.h` by a file that defines CIM_TARGET. */

#include <math.h>

#include "crossbar_digits.h"

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

CIM_TARGET static inline int32_t code_of(const cim_adc *adc, int32_t sum, float noise)
{
    if (adc->conversion == CIM_SUM)
        return sum;
    if (adc->conversion == CIM_SHIFT) {
        const int32_t code = (sum + adc->half) >> adc->shift;
        return code < adc->lowest ? adc->lowest : code > adc->highest ? adc->highest : code;
    }
    float value = (float)sum * adc->scale;
    value = value + noise;
    value = value < adc->clip_low ? adc->clip_low : value > adc->clip_high ? adc->clip_high : value;
    return rounded((value - adc->zero) * adc->inverse, adc->rounding);
}

/* Normals of the group's outputs, lane by lane as `random.py` orders them. */
CIM_TARGET static void group_normals(const cim_adc *adc, uint32_t group, uint64_t vector, uint32_t last, float *normals)
{
    for (uint32_t lane = 0; lane < 16; lane++) {
        const uint32_t counter[4] = {group * 16 + lane, (uint32_t)vector, adc->row_set, last};
        uint32_t words[4];
        cim_philox(counter, adc->key, words);
        for (int word = 0; word < 4; word++)
            normals[word * 16 + lane] = cim_normal(words[word]);
    }
}

CIM_TARGET static void convert(const cim_row_set *set, const cim_plane *plane, const int32_t *squares,
                               uint64_t first_vector, ptrdiff_t vectors, ptrdiff_t group, const cim_sum *scratch,
                               int32_t *sums, ptrdiff_t stride)
{
    const ptrdiff_t start = group * CIM_GROUP, end = plane->first_output + plane->outputs;
    const ptrdiff_t from = plane->first_output > start ? plane->first_output : start;
    const ptrdiff_t to = end < start + CIM_GROUP ? end : start + CIM_GROUP;
    const int32_t *factors = set->factors + plane->factors - plane->first_output / CIM_TILE * CIM_TILE;
    for (ptrdiff_t vector = 0; vector < vectors; vector++) {
        int32_t total[CIM_GROUP] = {0};
        float noise[CIM_GROUP] = {0};
        for (int32_t step = 0; step < set->steps; step++) {
            const ptrdiff_t line = vector * set->steps + step;
            if (squares) {
                const uint64_t index = first_vector + (uint64_t)vector;
                const uint32_t last = (uint32_t)plane->number * 256 + (uint32_t)step + ((uint32_t)(index >> 32) << 24);
                const float deviation = set->adc.noise * sqrtf((float)squares[line]);
                group_normals(&set->adc, (uint32_t)group, index, last, noise);
                for (int output = 0; output < CIM_GROUP; output++)
                    noise[output] = deviation * noise[output];
            }
            for (ptrdiff_t output = from - start; output < to - start; output++)
                total[output] += set->step[step].factor * code_of(&set->adc, scratch[line * CIM_GROUP + output], noise[output]);
        }
        for (ptrdiff_t output = from; output < to; output++)
            sums[vector * stride + output] += factors[output] * total[output - start];
    }
}
