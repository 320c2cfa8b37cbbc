/* Sums of codes to totals: plain loops, which the compiler makes wide for each instruction set. */

#include "crossbar.h"

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define EACH_MACHINE __attribute__((target_clones("arch=skylake-avx512", "avx2", "default")))
#else
#define EACH_MACHINE
#endif

EACH_MACHINE void cim_add_integers(const int32_t *sums, ptrdiff_t vectors, ptrdiff_t outputs, int64_t lsb,
                                   const int64_t *constants, const int64_t *input_sums, int64_t offset, int adds,
                                   int64_t *total)
{
    for (ptrdiff_t vector = 0; vector < vectors; vector++, sums += outputs, total += outputs) {
        const int64_t taken = offset * input_sums[vector];
        if (adds)
            for (ptrdiff_t output = 0; output < outputs; output++)
                total[output] += sums[output] * lsb + constants[output] - taken;
        else
            for (ptrdiff_t output = 0; output < outputs; output++)
                total[output] = sums[output] * lsb + constants[output] - taken;
    }
}

EACH_MACHINE void cim_add_reals(const int32_t *sums, ptrdiff_t vectors, ptrdiff_t outputs, double lsb,
                                const double *constants, double *total)
{
    for (ptrdiff_t vector = 0; vector < vectors; vector++, sums += outputs, total += outputs)
        for (ptrdiff_t output = 0; output < outputs; output++)
            total[output] += sums[output] * lsb + constants[output];
}
