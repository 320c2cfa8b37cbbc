"""Front of the crossbar kernels: checks what they are given, and picks the instruction set.

`RowSet` (crossbar_row_set.pxi) is packed cells and a converter; `add_integers` and `add_reals` multiply some of them by
vectors and add what codes mean to totals. Integers are int32 on the way, and the caller warrants that nothing leaves
them; see crossbar.h for packed forms and conversions.
"""

from functools import cache
from threading import local

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.math cimport isfinite
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from crossbar_c cimport *

FORMATS = {
    "bits": CIM_BITS,
    "bytes": CIM_BYTES,
    "words": CIM_WORDS,
    "tables": CIM_TABLES,
    "nibbles": CIM_NIBBLES,
    "sums": CIM_SUMS,
    "amx_bytes": CIM_AMX_BYTES,
    "amx_words": CIM_AMX_WORDS,
    "adders": CIM_ADDERS,
}

# Lines from which on looking sums up pays: with fewer, tables take longer to make than 16-bit dot products.
cdef Py_ssize_t FEWEST_SUMMED_LINES = 128

# Of adders: offsets of rows' planes have 16 bits, sums 18, and scaled ones 40.
cdef int32_t MOST_ADDED_ROWS = 1023
cdef int32_t MOST_SCALED_BITS = 22

cdef Py_ssize_t INTEGERS = 16 + 6 + 3 * CIM_TERMS

cdef tuple HOLD_COLUMNS = (CIM_TABLES, CIM_NIBBLES, CIM_ADDERS)  # forms without tiles

cdef int32_t MOST_LINES = 1 << 24  # rows or outputs: far more than fit, and no product of sizes leaves 64 bits


def instruction_sets():
    """Those that this machine has, the fastest first."""
    has = {"amx": cim_has_amx(), "avx512": cim_has_avx512(), "avx2": cim_has_avx2(), "portable": True}
    return tuple(name for name, it_has in has.items() if it_has)


def forms(str instructions):
    """The forms of cells that an instruction set of this machine can read."""
    if instructions not in ("amx", "avx512"):
        return ("words", "nibbles", "sums") if instructions == "avx2" else ("words",)
    has = {"bits": cim_has_bits(), "tables": cim_has_tables(), "sums": cim_has_sums(), "adders": cim_has_adders()}
    tiles = ("amx_bytes", "amx_words") if instructions == "amx" else ()
    return ("words", "bytes", *(form for form, it_has in has.items() if it_has), *tiles)


@cache
def readable_formats(str instructions):
    """What `forms` says, by numbers; fails where this machine does not have the instruction set."""
    if instructions not in instruction_sets():
        raise ValueError(f"this machine has no instruction set {instructions}")
    return frozenset(FORMATS[form] for form in forms(instructions))


# What drives rows, and where the last of its windows begins.
cdef struct Vectors:
    cim_inputs inputs
    Py_ssize_t highest


include "crossbar_row_set.pxi"


cdef class Desk:
    """What a thread's calls work in."""

    cdef cim_desk _desk

    def __dealloc__(self):
        free(self._desk.work.held)
        free(self._desk.sums.held)
        free(self._desk.notes.held)


_desks = local()  # each thread's


cdef Desk own_desk():
    cdef Desk desk = getattr(_desks, "desk", None)
    if desk is None:
        desk = _desks.desk = Desk()
    return desk


cdef class Rows:
    """Sets of rows and the vectors that drive them, for one call; keeps the arrays that it points into."""

    cdef cim_rows* _rows
    cdef Py_ssize_t _count
    cdef tuple _parts
    cdef const int16_t[::1] _codes
    cdef const int64_t[::1] _origins

    def __cinit__(
        self,
        list parts not None,
        str instructions,
        const int16_t[::1] codes not None,
        const int64_t[::1] origins not None,
        uint64_t first_vector,
        Py_ssize_t outputs,
        Py_ssize_t chunk,
    ):
        cdef Vectors vectors = windows(codes, origins, first_vector, chunk)
        cdef frozenset readable = readable_formats(instructions)
        cdef Py_ssize_t index
        self._parts, self._codes, self._origins = tuple(parts), codes, origins
        self._count = len(self._parts)
        if self._count == 0:
            raise ValueError("there is no set of rows")
        self._rows = <cim_rows*>calloc(self._count, sizeof(cim_rows))
        if self._rows == NULL:
            raise MemoryError()
        for index in range(self._count):
            self._set_part(&self._rows[index], self._parts[index], instructions, readable, &vectors, outputs)

    cdef int _set_part(
        self,
        cim_rows* rows,
        tuple part,
        str instructions,
        frozenset readable,
        const Vectors* vectors,
        Py_ssize_t outputs,
    ) except -1:
        row_set, offsets, rows.counts_inputs, unit, factors = part
        if (<RowSet?>row_set).outputs > outputs:
            raise ValueError("the cells reach beyond the outputs")
        (<RowSet>row_set)._prepare(&rows.job, instructions, readable, offsets, vectors)
        if unit is not None:
            if (<RowSet?>unit).outputs != 1:
                raise ValueError("a column of ones has one output")
            (<RowSet>unit)._prepare(&rows.unit, instructions, readable, offsets, vectors)
            rows.unit_factors = unit_factors(factors, outputs)
        return 0

    cdef int run(self, cim_product* product, Py_ssize_t threads) except -1:
        """Add the product to its totals, while other threads run; none may resize an array."""
        cdef Desk desk = own_desk()
        cdef int status
        product.rows, product.count, product.vectors = self._rows, self._count, self._origins.shape[0]
        if product.vectors == 0 or product.outputs == 0:
            return 0
        with nogil:
            status = cim_run_product(product, threads, &desk._desk)
        if status:
            raise MemoryError()
        return 0

    def __dealloc__(self):
        free(self._rows)


cdef const int32_t* unit_factors(const int32_t[::1] factors, Py_ssize_t outputs) except NULL:
    if factors is None or factors.shape[0] != outputs or outputs == 0:
        raise ValueError("a column of ones has a factor for each output")
    return &factors[0]


cdef Vectors windows(
    const int16_t[::1] codes, const int64_t[::1] origins, uint64_t first_vector, Py_ssize_t chunk
) except *:
    """What drives rows, in chunks, but for the rows' offsets."""
    cdef Vectors vectors
    cdef Py_ssize_t index, lowest = 0
    if chunk < 1:
        raise ValueError("a chunk has at least one vector")
    vectors.highest = 0
    if origins.shape[0]:
        lowest = vectors.highest = origins[0]
        for index in range(origins.shape[0]):
            lowest, vectors.highest = min(lowest, origins[index]), max(vectors.highest, origins[index])
        if lowest < 0 or vectors.highest >= codes.shape[0]:
            raise ValueError("a window begins beyond the codes")
    vectors.inputs = cim_inputs(
        NULL, codes.shape[0], NULL, NULL, min(chunk, origins.shape[0]), first_vector, NULL, NULL
    )
    if codes.shape[0]:
        vectors.inputs.codes = &codes[0]
    if origins.shape[0]:
        vectors.inputs.origins = &origins[0]
    return vectors


def add_integers(
    list parts,                      # tuples: a RowSet, its rows' offsets, whether inputs count, unit column, its factors
    str instructions,
    const int16_t[::1] codes,        # IN
    const int64_t[::1] origins,      # IN [vectors], where each vector's window begins
    uint64_t first_vector,           # IN index of the first vector: noise is keyed by it
    int64_t lsb,
    const int64_t[:, ::1] constants, # IN [groups, outputs]: parts are computed in so many groups
    int64_t offset,                  # times inputs that count, which is taken off
    bint adds,                       # to what `total` holds
    int64_t[:, ::1] total,           # OUT [vectors, outputs]
    Py_ssize_t chunk,                # vectors at a time
    Py_ssize_t threads,              # that share chunks and groups
):
    """`total (+)= codes * lsb + constants - offset * input_sums`, the codes of all parts added up.

    Other threads run meanwhile; none may resize an array.
    """
    cdef Rows rows = Rows(parts, instructions, codes, origins, first_vector, total.shape[1], chunk)
    cdef cim_product product
    memset(&product, 0, sizeof(product))
    check_shape(total.shape[0], total.shape[1], origins.shape[0], constants.shape[1])
    if not 1 <= constants.shape[0] <= rows._count:
        raise ValueError("there are as many groups as parts at most")
    if total.shape[0] and total.shape[1]:
        product.outputs, product.chunk, product.groups = total.shape[1], chunk, constants.shape[0]
        product.integers.lsb, product.integers.offset = lsb, offset
        product.integers.constants, product.integers.total = &constants[0, 0], &total[0, 0]
        product.integers.adds = adds
        rows.run(&product, threads)


def add_reals(
    list parts,                      # as of add_integers
    str instructions,
    const int16_t[::1] codes,        # IN
    const int64_t[::1] origins,      # IN [vectors]
    uint64_t first_vector,
    const double[::1] lsbs,          # IN [parts]
    const double[:, ::1] constants,  # IN [parts, outputs]
    int64_t offset,                  # times inputs that count, which is taken off
    bint adds,                       # to what `total` holds
    int64_t[::1] input_sums,         # OUT [vectors], inputs that count are added to it
    double[:, ::1] total,            # OUT [vectors, outputs]
    Py_ssize_t chunk,
    Py_ssize_t threads,
):
    """`total (+)= codes * lsb + constants` for one part after the other, and `total -= offset * input_sums` in the end.

    Each operation is rounded to float64.
    """
    cdef Rows rows = Rows(parts, instructions, codes, origins, first_vector, total.shape[1], chunk)
    cdef cim_product product
    memset(&product, 0, sizeof(product))
    check_shape(total.shape[0], total.shape[1], origins.shape[0], constants.shape[1])
    if input_sums.shape[0] != origins.shape[0]:
        raise ValueError("there is a sum of inputs for each vector")
    if lsbs.shape[0] != rows._count or constants.shape[0] != rows._count:
        raise ValueError("there is a step, and there are constants, for each part")
    if total.shape[0] and total.shape[1]:
        product.outputs, product.chunk, product.groups = total.shape[1], chunk, 1
        product.reals.lsbs, product.reals.constants = &lsbs[0], &constants[0, 0]
        product.reals.offset, product.reals.adds = offset, adds
        product.reals.input_sums, product.reals.total = &input_sums[0], &total[0, 0]
        rows.run(&product, threads)


cdef int check_shape(Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t vectors, Py_ssize_t outputs) except -1:
    if rows != vectors or columns != outputs:
        raise ValueError("vectors, constants and total differ in shape")
    return 0
