"""What crossbar.h and crossbar_product.h declare."""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef extern from "crossbar.h":
    ctypedef enum cim_format:
        CIM_BITS
        CIM_BYTES
        CIM_WORDS
        CIM_TABLES
        CIM_SUMS
        CIM_NIBBLES
        CIM_AMX_BYTES
        CIM_AMX_WORDS
        CIM_ADDERS

    int CIM_TERMS

    ctypedef struct cim_term:
        int32_t shift, is_minus, constant

    ctypedef struct cim_scaling:
        int32_t start, shift, lowest, highest, tie_bit, terms
        cim_term term[3]

    ctypedef struct cim_adc:
        int32_t conversion, half, shift, lowest, highest, rounding
        float scale, clip_low, clip_high, zero, inverse, noise
        uint32_t key[2]
        uint32_t row_set
        int32_t starts, sum_low, sum_high, scale_shift, scale_offset, scale_factor, tie_mask, tie_shift
        int32_t total_offset, total_signed
        cim_scaling scaling

    ctypedef struct cim_step:
        int32_t shift, mask, part, factor

    ctypedef struct cim_plane:
        Py_ssize_t cells
        int32_t first_output, outputs
        Py_ssize_t factors
        int32_t number

    ctypedef struct cim_row_set:
        cim_format format
        int32_t rows, cell_bits, signs, steps, planes
        const cim_step* step
        const cim_plane* plane
        const uint8_t* cells
        const int32_t* factors
        cim_adc adc
        const uint8_t* table_starts
        int32_t tables_added, byte_sums, starts_total, cell_centre

    ctypedef struct cim_room:
        uint8_t* held
        size_t bytes

    ctypedef struct cim_inputs:
        const int16_t* codes
        Py_ssize_t codes_count
        const int64_t* origins
        const int32_t* offsets
        Py_ssize_t vectors
        uint64_t first_vector
        int64_t* input_sums
        cim_room* room

    ctypedef struct cim_job
    ctypedef int (*cim_multiply)(const cim_job*, Py_ssize_t, int32_t*, Py_ssize_t) noexcept nogil

    ctypedef struct cim_job:
        cim_row_set set
        cim_inputs inputs
        cim_multiply multiply

    Py_ssize_t cim_tile_bytes(cim_format, int32_t, int32_t, int32_t) nogil
    int cim_multiply_portable(const cim_job*, Py_ssize_t, int32_t*, Py_ssize_t) noexcept nogil
    int cim_multiply_avx2(const cim_job*, Py_ssize_t, int32_t*, Py_ssize_t) noexcept nogil
    int cim_multiply_avx512(const cim_job*, Py_ssize_t, int32_t*, Py_ssize_t) noexcept nogil
    int cim_multiply_bits(const cim_job*, Py_ssize_t, int32_t*, Py_ssize_t) noexcept nogil
    int cim_multiply_sums(const cim_job*, Py_ssize_t, int32_t*, Py_ssize_t) noexcept nogil
    int cim_multiply_sums_avx2(const cim_job*, Py_ssize_t, int32_t*, Py_ssize_t) noexcept nogil
    int cim_multiply_adders(const cim_job*, Py_ssize_t, int32_t*, Py_ssize_t) noexcept nogil
    int cim_multiply_amx(const cim_job*, Py_ssize_t, int32_t*, Py_ssize_t) noexcept nogil
    int cim_multiply_tables(const cim_job*, Py_ssize_t, int32_t*, Py_ssize_t) noexcept nogil
    int cim_multiply_nibbles(const cim_job*, Py_ssize_t, int32_t*, Py_ssize_t) noexcept nogil
    Py_ssize_t cim_column_bytes(cim_format, int32_t, int32_t, int32_t) nogil
    int cim_has_avx2()
    int cim_has_avx512()
    int cim_has_bits()
    int cim_has_tables()
    int cim_has_sums()
    int cim_has_adders()
    int cim_has_amx()

cdef extern from "crossbar_product.h":
    ctypedef struct cim_desk:
        cim_room work, sums, notes

    ctypedef struct cim_rows:
        cim_job job
        int counts_inputs
        cim_job unit
        const int32_t* unit_factors

    ctypedef struct cim_integers:
        int64_t lsb, offset
        const int64_t* constants
        int adds
        int64_t* total

    ctypedef struct cim_reals:
        const double* lsbs
        const double* constants
        int64_t offset
        int adds
        double* total
        int64_t* input_sums

    ctypedef struct cim_product:
        const cim_rows* rows
        Py_ssize_t count, outputs, vectors, chunk, groups
        cim_integers integers
        cim_reals reals

    int cim_run_product(const cim_product*, Py_ssize_t, cim_desk*) noexcept nogil
