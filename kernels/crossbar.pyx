"""Column sums, ADC look-up and shift-and-add of one crossbar block, for many input vectors.

Integers throughout: the ADC's transfer function comes as a table, so that its float32 arithmetic is written once, in
numpy. Sums over rows run in the narrowest type that holds them; rows whose digit is 0 are skipped.
"""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

ctypedef fused sum_t:
    int16_t
    int32_t


cdef inline void sum_columns(
    const sum_t* cells,     # IN [rows, columns]
    const uint8_t* digits,  # IN [rows]
    sum_t* sums,            # OUT [columns]
    Py_ssize_t rows,
    Py_ssize_t columns,
) noexcept nogil:
    cdef Py_ssize_t row, column
    cdef sum_t digit
    cdef const sum_t* line
    memset(sums, 0, columns * sizeof(sum_t))
    for row in range(rows):
        digit = digits[row]
        if digit == 0:
            continue
        line = cells + row * columns
        for column in range(columns):
            sums[column] += <sum_t>(digit * line[column])


def block_sums(
    const sum_t[:, ::1] cells,          # IN [rows, columns]
    const uint8_t[:, :, ::1] digits,    # IN [vectors, steps, rows]
    const int64_t[::1] step_factors,    # IN [steps]
    const int32_t[::1] table,           # IN code of sum `smallest + index`
    int64_t smallest,
    const int64_t[::1] column_factors,  # IN [columns]
    const int64_t[::1] column_outputs,  # IN [columns], index into the last axis of `sums`
    int64_t[:, ::1] sums,               # OUT [vectors, outputs], added to
):
    """Add to `sums` what one block contributes: codes * step factor * column factor."""
    cdef Py_ssize_t rows = cells.shape[0], columns = cells.shape[1]
    cdef Py_ssize_t vectors = digits.shape[0], steps = digits.shape[1]
    cdef Py_ssize_t vector, step, column
    cdef int64_t factor
    cdef sum_t* line
    cdef int64_t* codes
    if digits.shape[2] != rows or step_factors.shape[0] != steps or sums.shape[0] != vectors:
        raise ValueError("digits, step factors and sums do not fit the cells")
    if column_factors.shape[0] != columns or column_outputs.shape[0] != columns:
        raise ValueError("column factors and outputs do not fit the cells")
    if rows == 0 or columns == 0 or vectors == 0 or steps == 0:
        return
    line = <sum_t*>malloc(columns * sizeof(sum_t))
    codes = <int64_t*>malloc(columns * sizeof(int64_t))
    if line == NULL or codes == NULL:
        free(line)
        free(codes)
        raise MemoryError()
    with nogil:
        for vector in range(vectors):
            memset(codes, 0, columns * sizeof(int64_t))
            for step in range(steps):
                sum_columns(&cells[0, 0], &digits[vector, step, 0], line, rows, columns)
                factor = step_factors[step]
                for column in range(columns):
                    codes[column] += factor * table[line[column] - smallest]
            for column in range(columns):
                sums[vector, column_outputs[column]] += column_factors[column] * codes[column]
    free(line)
    free(codes)
