/* See digital.h. Plain loops, which the compiler makes wide for each instruction set. */

#include <math.h>

#include "digital.h"
#include "each_machine.h"

static inline int16_t code_of(double scaled, double low, double high)
{
    const double rounded = rint(scaled);
    const double above = rounded < low ? low : rounded;
    return (int16_t)(int32_t)(above > high ? high : above);
}

static inline ptrdiff_t lesser(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

#define CODES(NAME, TYPE)                                                                                              \
    EACH_MACHINE void NAME(const TYPE *values, ptrdiff_t count, const double *factors, ptrdiff_t period, double low,   \
                           double high, int16_t *codes)                                                                \
    {                                                                                                                  \
        for (ptrdiff_t start = 0; start < count; start += period, values += period, codes += period) {                 \
            const ptrdiff_t own = lesser(period, count - start);                                                       \
            for (ptrdiff_t index = 0; index < own; index++)                                                            \
                codes[index] = code_of((double)values[index] * factors[index], low, high);                             \
        }                                                                                                              \
    }
CODES(cim_codes_of_codes, int16_t)
CODES(cim_codes_of_integers, int64_t)
CODES(cim_codes_of_reals, double)

EACH_MACHINE void cim_codes_of_sums(const double *a, const double *b, ptrdiff_t count, const double *a_factors,
                                    const double *b_factors, ptrdiff_t period, double low, double high, int16_t *codes)
{
    for (ptrdiff_t start = 0; start < count; start += period, a += period, b += period, codes += period) {
        const ptrdiff_t own = lesser(period, count - start);
        for (ptrdiff_t index = 0; index < own; index++)
            codes[index] = code_of(a[index] * a_factors[index] + b[index] * b_factors[index], low, high);
    }
}
