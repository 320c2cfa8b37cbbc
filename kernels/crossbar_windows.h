/* Codes of windows: rows that read neighbouring codes are copied together. Included by files that define CIM_TARGET. */

#include <string.h>

typedef struct {
    int32_t row, offset, length; /* rows from `row` on read the codes from `offset` on */
} cim_run;

/* The runs of some rows, `rows` of them at most; how many. */
static inline ptrdiff_t find_runs(const int32_t *offsets, int32_t rows, cim_run *runs)
{
    ptrdiff_t count = 0;
    for (int32_t row = 0; row < rows; row++)
        if (row && offsets[row] == offsets[row - 1] + 1)
            runs[count - 1].length++;
        else
            runs[count++] = (cim_run){row, offsets[row], 1};
    return count;
}

/* Codes of one window to `codes`, which has room for three more. `is_inside`: three more can be read, too. */
CIM_TARGET static inline void copy_window(
    const int16_t *window, const cim_run *runs, ptrdiff_t count, int is_inside, int16_t *codes)
{
    for (ptrdiff_t index = 0; index < count; index++) {
        const cim_run *run = &runs[index];
        if (is_inside && run->length <= 4 && index + 1 < count)
            memcpy(codes + run->row, window + run->offset, 4 * sizeof *codes); /* the next run overwrites the rest */
        else
            for (int32_t code = 0; code < run->length; code++)
                codes[run->row + code] = window[run->offset + code];
    }
}
