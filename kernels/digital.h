/* Values to codes: clip(rint(value * factor), low, high), each step in float64. Factors repeat: `period` of them. */

#ifndef CIMSPEC_DIGITAL_H
#define CIMSPEC_DIGITAL_H

#include <stddef.h>
#include <stdint.h>

void cim_codes_of_integers(const int64_t *values, ptrdiff_t count, const double *factors, ptrdiff_t period, double low,
                           double high, int16_t *codes);
void cim_codes_of_reals(const double *values, ptrdiff_t count, const double *factors, ptrdiff_t period, double low,
                        double high, int16_t *codes);

#endif
