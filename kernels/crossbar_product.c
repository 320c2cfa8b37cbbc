/* Chunks of vectors, shared by threads. See crossbar_product.h. */

#include <string.h>

#include "crossbar_product.h"
#include "each_machine.h"

/* Plain loops, which the compiler makes wide for each instruction set. */

EACH_MACHINE static void add_integers(const cim_product *product, const int32_t *sums, ptrdiff_t vectors,
                                      const int64_t *constants, const int64_t *input_sums, int64_t *total)
{
    const ptrdiff_t outputs = product->outputs;
    const int64_t lsb = product->integers.lsb;
    for (ptrdiff_t vector = 0; vector < vectors; vector++, sums += outputs, total += outputs) {
        const int64_t taken = product->integers.offset * input_sums[vector];
        if (product->integers.adds)
            for (ptrdiff_t output = 0; output < outputs; output++)
                total[output] += sums[output] * lsb + constants[output] - taken;
        else
            for (ptrdiff_t output = 0; output < outputs; output++)
                total[output] = sums[output] * lsb + constants[output] - taken;
    }
}

/* Of one set of rows; `input_sums` for the last one. */
EACH_MACHINE static void add_reals(const cim_product *product, ptrdiff_t set, const int32_t *sums, ptrdiff_t vectors,
                                   const int64_t *input_sums, double *total)
{
    const ptrdiff_t outputs = product->outputs;
    const double lsb = product->reals.lsbs[set], *constants = product->reals.constants + set * outputs;
    const int adds = set || product->reals.adds;
    for (ptrdiff_t vector = 0; vector < vectors; vector++, sums += outputs, total += outputs) {
        const double taken = input_sums ? (double)(product->reals.offset * input_sums[vector]) : 0.0;
        if (adds)
            for (ptrdiff_t output = 0; output < outputs; output++)
                total[output] = total[output] + (sums[output] * lsb + constants[output]) - taken;
        else
            for (ptrdiff_t output = 0; output < outputs; output++)
                total[output] = (sums[output] * lsb + constants[output]) - taken;
    }
}

EACH_MACHINE static void add_units(const int32_t *units, const int32_t *factors, ptrdiff_t vectors, ptrdiff_t outputs,
                                   int32_t *sums)
{
    for (ptrdiff_t vector = 0; vector < vectors; vector++, sums += outputs)
        for (ptrdiff_t output = 0; output < outputs; output++)
            sums[output] += units[vector] * factors[output];
}

typedef struct {
    cim_product product;
    int lacking; /* memory; written under the lock */
} shared_product;

/* Some vectors from `first` on, some sets of rows, and what their sums of codes are made in. */
typedef struct {
    ptrdiff_t first, vectors;
    const cim_rows *rows;
    ptrdiff_t count;
    cim_room *work;
    cim_job *jobs;       /* [count] */
    int32_t *sums;       /* [vectors, outputs] */
    int32_t *units;      /* [vectors] */
    int64_t *input_sums; /* [vectors], added to */
} cim_piece;

static cim_job part_of(const cim_job *all, const cim_piece *own, int counts_inputs)
{
    cim_job job = *all;
    job.inputs.origins += own->first, job.inputs.first_vector += (uint64_t)own->first;
    job.inputs.vectors = own->vectors, job.inputs.room = own->work;
    job.inputs.input_sums = counts_inputs ? own->input_sums : NULL;
    return job;
}

/* Codes times factors, added up. Returns 0, or 1 where memory is lacking. */
static int add_codes(const cim_piece *own, ptrdiff_t outputs)
{
    for (ptrdiff_t index = 0; index < own->count; index++)
        own->jobs[index] = part_of(&own->rows[index].job, own, own->rows[index].counts_inputs);
    int lacking = cim_run_jobs(own->jobs, own->count, own->sums, outputs);
    for (ptrdiff_t index = 0; index < own->count && !lacking; index++) {
        const cim_rows *rows = &own->rows[index];
        if (rows->unit_factors == NULL)
            continue;
        own->jobs[0] = part_of(&rows->unit, own, 0);
        lacking = cim_run_jobs(own->jobs, 1, own->units, 1);
        add_units(own->units, rows->unit_factors, own->vectors, outputs, own->sums);
    }
    return lacking;
}

/* Memory for it all; returns 0, or 1 where it is lacking. */
static int lend(cim_piece *own, const cim_product *product, cim_desk *desk)
{
    const size_t vectors = (size_t)own->vectors, jobs_bytes = (size_t)own->count * sizeof *own->jobs;
    uint8_t *notes = cim_lend(&desk->notes, jobs_bytes + vectors * (sizeof *own->input_sums + sizeof *own->units));
    own->sums = (int32_t *)cim_lend(&desk->sums, vectors * (size_t)product->outputs * sizeof *own->sums);
    own->work = &desk->work;
    if (notes == NULL || own->sums == NULL)
        return 1;
    own->jobs = (cim_job *)notes;
    own->input_sums = (int64_t *)(notes + jobs_bytes);
    own->units = (int32_t *)(own->input_sums + vectors);
    if (product->integers.total)
        memset(own->input_sums, 0, vectors * sizeof *own->input_sums);
    else
        own->input_sums = product->reals.input_sums + own->first;
    return 0;
}

/* A group of sets, whose codes mean the same. Returns as `add_codes`. */
static int add_group(const cim_product *product, ptrdiff_t group, const cim_piece *own)
{
    const ptrdiff_t at = own->first * product->outputs;
    const int64_t *constants = product->integers.constants + group * product->outputs;
    if (add_codes(own, product->outputs))
        return 1;
    if (product->groups > 1)
        cim_lock();
    add_integers(product, own->sums, own->vectors, constants, own->input_sums, product->integers.total + at);
    if (product->groups > 1)
        cim_unlock();
    return 0;
}

/* All sets one by one, as their sums are rounded. Returns as `add_codes`. */
static int add_sets(const cim_product *product, const cim_piece *own)
{
    const ptrdiff_t at = own->first * product->outputs;
    cim_piece set = *own;
    set.count = 1;
    for (ptrdiff_t index = 0; index < own->count; index++, set.rows++) {
        if (add_codes(&set, product->outputs))
            return 1;
        add_reals(product, index, own->sums, own->vectors, index == own->count - 1 ? own->input_sums : NULL,
                  product->reals.total + at);
    }
    return 0;
}

static void multiply_part(void *job, ptrdiff_t part, cim_desk *desk)
{
    shared_product *shared = job;
    const cim_product *product = &shared->product;
    const ptrdiff_t group = part % product->groups, first = part / product->groups * product->chunk;
    const ptrdiff_t size = (product->count + product->groups - 1) / product->groups, start = group * size;
    const ptrdiff_t left = product->vectors - first, rows_left = product->count - start;
    if (rows_left < 1)
        return;
    cim_piece own = {.first = first, .vectors = left < product->chunk ? left : product->chunk};
    own.rows = product->rows + start, own.count = rows_left < size ? rows_left : size;
    const int lacking = lend(&own, product, desk) ||
                        (product->integers.total ? add_group(product, group, &own) : add_sets(product, &own));
    if (lacking) {
        cim_lock();
        shared->lacking = 1;
        cim_unlock();
    }
}

int cim_run_product(const cim_product *product, ptrdiff_t threads, cim_desk *own)
{
    shared_product shared = {*product, 0};
    cim_integers *integers = &shared.product.integers;
    if (product->groups > 1 && !integers->adds) {
        memset(integers->total, 0, (size_t)(product->vectors * product->outputs) * sizeof *integers->total);
        integers->adds = 1; /* groups end in no order */
    }
    const ptrdiff_t chunks = (product->vectors + product->chunk - 1) / product->chunk;
    cim_share(multiply_part, &shared, chunks * product->groups, threads, own);
    return shared.lacking;
}
