/* Products of all vectors: sums of codes of a chunk at a time, and what they add to totals. */

#ifndef CIMSPEC_CROSSBAR_PRODUCT_H
#define CIMSPEC_CROSSBAR_PRODUCT_H

#include "crossbar_team.h"

/* A set of rows, and the column of ones that is read with it, whose codes times factors are added to all outputs. */
typedef struct {
    cim_job job;
    int counts_inputs;           /* whether its inputs count for what is taken off */
    cim_job unit;
    const int32_t *unit_factors; /* [outputs], or NULL where there is no such column */
} cim_rows;

/* total (+)= sums * lsb + constants - offset * (inputs that count): added to what it holds or (not `adds`) put there. */
typedef struct {
    int64_t lsb, offset;
    const int64_t *constants; /* [groups, outputs] */
    int adds;
    int64_t *total; /* [vectors, outputs]; NULL: reals are added instead */
} cim_integers;

/* For one set of rows after the other total (+)= sums * lsb + constants, each operation rounded to float64, and
   input_sums += inputs that count; in the end total -= offset * input_sums. */
typedef struct {
    const double *lsbs;      /* [sets] */
    const double *constants; /* [sets, outputs] */
    int64_t offset;
    int adds;            /* to what `total` holds, or (not `adds`) the first set puts there what it has */
    double *total;       /* [vectors, outputs] */
    int64_t *input_sums; /* [vectors] */
} cim_reals;

typedef struct {
    const cim_rows *rows;
    ptrdiff_t count, outputs, vectors;
    ptrdiff_t chunk;  /* vectors of a part */
    ptrdiff_t groups; /* of neighbouring rows, which are parts of their own; 1 of reals */
    cim_integers integers;
    cim_reals reals;
} cim_product;

/* Returns 0, or 1 where memory is lacking. */
int cim_run_product(const cim_product *product, ptrdiff_t threads, cim_desk *own);

#endif
