/* Sets of rows of any form: some vectors at a time, for whose packed inputs there is memory. */

#include <string.h>

#include "crossbar.h"

#define MOST_PACKED 512 /* vectors */

/* Sets of rows whose function is the same go together. */
static int multiply_vectors(const cim_job *jobs, ptrdiff_t count, int32_t *sums, ptrdiff_t stride)
{
    int lacking = 0;
    for (ptrdiff_t start = 0, end; start < count; start = end) {
        for (end = start + 1; end < count && jobs[end].multiply == jobs[start].multiply;)
            end++;
        lacking |= jobs[start].multiply(jobs + start, end - start, sums, stride);
    }
    return lacking;
}

int cim_run_jobs(cim_job *jobs, ptrdiff_t count, int32_t *sums, ptrdiff_t stride)
{
    const ptrdiff_t vectors = jobs[0].inputs.vectors;
    int lacking = 0;
    for (ptrdiff_t first = 0; first < vectors && !lacking; first += MOST_PACKED) {
        const ptrdiff_t own = vectors - first < MOST_PACKED ? vectors - first : MOST_PACKED;
        for (ptrdiff_t job = 0; job < count; job++)
            jobs[job].inputs.vectors = own;
        memset(sums + first * stride, 0, (size_t)(own * stride) * sizeof *sums);
        lacking = multiply_vectors(jobs, count, sums + first * stride, stride);
        for (ptrdiff_t job = 0; job < count; job++) {
            cim_inputs *inputs = &jobs[job].inputs;
            inputs->origins += own, inputs->first_vector += (uint64_t)own;
            if (inputs->input_sums)
                inputs->input_sums += own;
        }
    }
    return lacking;
}
