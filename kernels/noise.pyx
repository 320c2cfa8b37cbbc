"""Normal random numbers from counters, in C (noise.h): cells of a crossbar, read noise, and single words.

Equal to `cimspec.sim.random` bit for bit, by each instruction set; one that the CPU does not have is refused.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t


cdef extern from "noise.h" nogil:
    float cim_normal(uint32_t word)
    void cim_philox(const uint32_t* ctr, const uint32_t* key, uint32_t* out)
    void cim_normal_line_portable(
        float* out, uint32_t start, uint32_t count, uint32_t c1, uint32_t c2, uint32_t c3, const uint32_t* key
    )

cdef extern from "noise_avx2.h" nogil:
    int cim_cpu_has_avx2()
    void cim_normal_line_avx2(
        float* out, uint32_t start, uint32_t count, uint32_t c1, uint32_t c2, uint32_t c3, const uint32_t* key
    )


cdef extern from "noise_avx512.h" nogil:
    int cim_cpu_has_avx512()
    void cim_normal_line_avx512(
        float* out, uint32_t start, uint32_t count, uint32_t c1, uint32_t c2, uint32_t c3, const uint32_t* key
    )


ctypedef void (*line_function)(
    float* out,  # OUT [count]
    uint32_t start,
    uint32_t count,
    uint32_t c1,
    uint32_t c2,
    uint32_t c3,
    const uint32_t* key,  # IN [2]
) noexcept nogil


cdef line_function line_by(str instructions) except NULL:
    if instructions not in instruction_sets():
        raise ValueError(f"this CPU has no instruction set {instructions}")
    if instructions == "avx512":
        return cim_normal_line_avx512
    return cim_normal_line_avx2 if instructions == "avx2" else cim_normal_line_portable


def instruction_sets():
    """Those that this CPU has, the fastest first."""
    return ("avx512",) * bool(cim_cpu_has_avx512()) + ("avx2",) * bool(cim_cpu_has_avx2()) + ("portable",)


def philox(
    const uint32_t[:, ::1] counters,  # IN [4, n]
    uint32_t key0,
    uint32_t key1,
    uint32_t[:, ::1] out,             # OUT [4, n]
):
    """Philox4x32-10 of each counter."""
    cdef uint32_t* key = [key0, key1]
    cdef uint32_t[4] counter, words
    cdef Py_ssize_t index, word
    if counters.shape[0] != 4 or out.shape[0] != 4 or out.shape[1] != counters.shape[1]:
        raise ValueError("counters and out must both be [4, n]")
    for index in range(counters.shape[1]):
        for word in range(4):
            counter[word] = counters[word, index]
        cim_philox(counter, key, words)
        for word in range(4):
            out[word, index] = words[word]


def normals(
    const uint32_t[::1] words,  # IN [n]
    float[::1] out,             # OUT [n]
):
    """The normal of each word."""
    cdef Py_ssize_t index
    if words.shape[0] != out.shape[0]:
        raise ValueError("words and out differ in length")
    with nogil:
        for index in range(words.shape[0]):
            out[index] = cim_normal(words[index])


def cell_normals(
    uint32_t key0,
    uint32_t key1,
    uint32_t first_row,
    uint32_t first_column,
    float[:, ::1] out,  # OUT [rows, columns]
    str instructions,
):
    """A normal for each cell of a rectangle: counter words (column, row, 0, 0)."""
    cdef uint32_t* key = [key0, key1]
    cdef Py_ssize_t row
    cdef line_function line = line_by(instructions)
    if out.shape[1] == 0:
        return
    with nogil:
        for row in range(out.shape[0]):
            line(&out[row, 0], first_column, <uint32_t>out.shape[1], first_row + <uint32_t>row, 0, 0, key)


def read_normals(
    uint32_t key0,
    uint32_t key1,
    const int64_t[::1] vectors,  # IN [vectors]
    uint32_t row_set_start,
    uint32_t plane,
    float[:, :, ::1] out,        # OUT [vectors, steps, outputs]
    str instructions,
):
    """A normal for each read of each output: counter words (output, vector, row set, plane and step)."""
    cdef uint32_t* key = [key0, key1]
    cdef Py_ssize_t index, step
    cdef uint64_t vector
    cdef uint32_t high
    cdef line_function line = line_by(instructions)
    if vectors.shape[0] != out.shape[0]:
        raise ValueError("vectors and out differ in length")
    if out.shape[2] == 0:
        return
    with nogil:
        for index in range(out.shape[0]):
            vector = <uint64_t>vectors[index]
            high = <uint32_t>(vector >> 32) << 24
            for step in range(out.shape[1]):
                line(
                    &out[index, step, 0],
                    0,
                    <uint32_t>out.shape[2],
                    <uint32_t>vector,
                    row_set_start,
                    plane * 256 + <uint32_t>step + high,
                    key,
                )
