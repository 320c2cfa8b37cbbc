/* Values to codes: clip(rint(value * factor), low, high), each step in float64. Factors repeat: `period` of them. */

#ifndef CIMSPEC_DIGITAL_H
#define CIMSPEC_DIGITAL_H

#include <stddef.h>
#include <stdint.h>

#define CIM_DECLARE_CODES(NAME, TYPE)                                                                                  \
    void NAME(const TYPE *values, ptrdiff_t count, const double *factors, ptrdiff_t period, double low, double high,   \
              int16_t *codes);
CIM_DECLARE_CODES(cim_codes_of_codes, int16_t)
CIM_DECLARE_CODES(cim_codes_of_integers, int64_t)
CIM_DECLARE_CODES(cim_codes_of_reals, double)

/* clip(rint(a * a's factor + b * b's), low, high). */
void cim_codes_of_sums(const double *a, const double *b, ptrdiff_t count, const double *a_factors,
                       const double *b_factors, ptrdiff_t period, double low, double high, int16_t *codes);

#endif
