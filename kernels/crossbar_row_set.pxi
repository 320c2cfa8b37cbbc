# Packed cells and their converter, checked. Included by crossbar.pyx.


cdef class RowSet:
    """Rows that are read at once: packed cells, planes, steps and converter. Immutable; any thread may use it."""

    cdef cim_row_set _set
    cdef cim_step* _steps
    cdef cim_plane* _planes
    cdef const uint8_t[::1] _cells
    cdef const int32_t[::1] _factors
    cdef const uint8_t[:, ::1] _starts
    cdef readonly int outputs  # the sums' columns that planes reach
    cdef readonly int rows

    def __cinit__(
        self,
        str form,
        int rows,
        int cell_bits,
        int signs,
        const int32_t[:, ::1] steps,    # IN [steps, 4]: shift, mask, part, factor
        const int64_t[:, ::1] planes,   # IN [planes, 5]: offset of cells, first output, outputs, of factors, number
        const uint8_t[::1] cells,       # IN packed
        const int32_t[::1] factors,     # IN of the outputs of each plane, tile by tile
        const uint8_t[:, ::1] starts,   # IN [factors, sums of bytes]: what those begin with; of forms with tables
        const int32_t[::1] lookups,     # IN tables that such a sum adds up, total of a column's starts, centre of cells
        const int32_t[::1] integers,    # IN conversion, half, shift, lowest, highest, rounding, 10 for 16-bit sums, scaling
        const float[::1] reals,         # IN scale, clip_low, clip_high, zero, inverse, noise
        const uint32_t[::1] counters,   # IN two words of the key, first row
    ):
        if steps.shape[0] < 1 or steps.shape[1] != 4 or planes.shape[0] < 1 or planes.shape[1] != 5:
            raise ValueError("steps of 4 numbers and planes of 5 are needed")
        if integers.shape[0] != INTEGERS or reals.shape[0] != 6 or counters.shape[0] != 3:
            raise ValueError(f"a converter is {INTEGERS} integers, 6 reals and 3 counters")
        if form not in FORMATS:
            raise ValueError(f"cells have no form {form}; there are {', '.join(FORMATS)}")
        if (
            not 1 <= rows <= MOST_LINES
            or not 1 <= cell_bits <= 8
            or not 1 <= signs <= 2
            or (form in ("bits", "tables", "nibbles", "adders") and cell_bits > 4)
            or (form == "adders" and (rows > MOST_ADDED_ROWS or steps.shape[0] > 32))
            or (form == "sums" and steps.shape[0] > 128)
        ):
            raise ValueError("rows, cell bits, signs or steps are out of range")
        self._set.format = FORMATS[form]
        self.rows = self._set.rows = rows
        self._set.cell_bits, self._set.signs = cell_bits, signs
        self._set.steps, self._set.planes = <int32_t>steps.shape[0], <int32_t>planes.shape[0]
        self._cells, self._factors = cells, factors
        self._set_lookups(starts, lookups)
        self._copy_steps(steps)
        self._copy_planes(planes)
        self._check_patterns()
        self._check_words()
        self._set.step, self._set.plane, self._set.cells = self._steps, self._planes, &cells[0]
        self._set.factors = &factors[0]
        self._set_converter(integers, reals, counters)

    cdef int _set_lookups(self, const uint8_t[:, ::1] starts, const int32_t[::1] numbers) except -1:
        """What sums of bytes start at, where tables are looked up."""
        if self._set.format not in (CIM_TABLES, CIM_NIBBLES):
            return 0
        cdef Py_ssize_t tables = cim_column_bytes(self._set.format, self.rows, 1, 1)  # a pattern each, of one bit
        if numbers.shape[0] != 3 or numbers[0] < 1 or not 0 <= numbers[2] <= 15:
            raise ValueError("look-ups are how many tables a sum of bytes adds up, a total, and a centre of cells")
        if starts.shape[0] != self._factors.shape[0] or starts.shape[1] * numbers[0] < tables:
            raise ValueError("each sum of bytes has its start")
        self._starts = starts
        self._set.table_starts, self._set.byte_sums = &starts[0, 0], <int32_t>starts.shape[1]
        self._set.tables_added, self._set.starts_total, self._set.cell_centre = numbers[0], numbers[1], numbers[2]
        return 0

    cdef int _set_converter(
        self, const int32_t[::1] integers, const float[::1] reals, const uint32_t[::1] counters
    ) except -1:
        cdef cim_adc* adc = &self._set.adc
        cdef Py_ssize_t index
        for index in range(reals.shape[0]):
            if not isfinite(reals[index]):
                raise ValueError("a converter's reals are not all finite")
        if not (0 <= integers[0] <= 2 and 0 <= integers[2] < 32 and 0 <= integers[5] <= 3):
            raise ValueError("a converter's conversion, shift or rounding is out of range")
        if not (0 <= integers[9] < 16 and 0 <= integers[12] <= 1 and 0 <= integers[13] < 16):
            raise ValueError("a converter's short conversion is out of range")
        adc.conversion, adc.half, adc.shift, adc.lowest, adc.highest = (
            integers[0], integers[1], integers[2], integers[3], integers[4]
        )
        adc.rounding, adc.starts, adc.sum_low, adc.sum_high = integers[5], integers[6], integers[7], integers[8]
        adc.scale_shift, adc.scale_offset, adc.scale_factor = integers[9], integers[10], integers[11]
        adc.tie_mask, adc.tie_shift, adc.total_offset = integers[12], integers[13], integers[14]
        adc.total_signed = integers[15]
        self._set_scaling(integers[16:])
        adc.scale, adc.clip_low, adc.clip_high, adc.zero = reals[0], reals[1], reals[2], reals[3]
        adc.inverse, adc.noise = reals[4], reals[5]
        adc.key[0], adc.key[1], adc.row_set = counters[0], counters[1], counters[2]
        return 0

    cdef int _set_scaling(self, const int32_t[:] numbers) except -1:
        """Start, shift, lowest, highest, tie bit, terms, and three numbers of each term."""
        cdef cim_scaling* scaling = &self._set.adc.scaling
        cdef Py_ssize_t index
        cdef int32_t wider = 0
        scaling.start, scaling.shift, scaling.lowest, scaling.highest = numbers[0], numbers[1], numbers[2], numbers[3]
        scaling.tie_bit, scaling.terms = numbers[4], numbers[5]
        if not 0 <= scaling.terms <= CIM_TERMS or scaling.tie_bit > 31:
            raise ValueError("a scaling's terms or tie bit are out of range")
        for index in range(scaling.terms):
            scaling.term[index] = cim_term(numbers[6 + 3 * index], numbers[7 + 3 * index], numbers[8 + 3 * index])
            if not (
                1 <= scaling.term[index].shift <= MOST_SCALED_BITS
                and 0 <= scaling.term[index].is_minus <= 1
                and 0 <= scaling.term[index].constant < 1 << scaling.term[index].shift
            ):
                raise ValueError("a scaling's term is out of range")
            wider += scaling.term[index].shift + 1
        if not (
            0 <= scaling.start <= 1 << 16
            and wider <= MOST_SCALED_BITS
            and 0 <= scaling.shift <= 17 + wider - scaling.terms
        ):
            raise ValueError("a scaling's start, shift or terms are out of range")
        return 0

    cdef int _copy_steps(self, const int32_t[:, ::1] steps) except -1:
        cdef Py_ssize_t index
        cdef int32_t least = -1, most = 255 if self._set.format == CIM_BYTES else 32767
        cdef int64_t factor
        if self._set.format in (CIM_AMX_BYTES, CIM_AMX_WORDS):
            most = 255
        elif self._set.format not in (CIM_BYTES, CIM_WORDS):
            least, most = 0, 1
        self._steps = <cim_step*>malloc(steps.shape[0] * sizeof(cim_step))
        if self._steps == NULL:
            raise MemoryError()
        for index in range(steps.shape[0]):
            factor = steps[index, 3]
            factor = -factor if factor < 0 else factor
            if not (0 <= steps[index, 0] < 16 and least <= steps[index, 1] <= most and 0 <= steps[index, 2] <= 2):
                raise ValueError("a step's shift, mask or part is out of range")
            if factor == 0 or factor & (factor - 1) or factor > 1 << 30:
                raise ValueError("a step's factor is no power of two, or its negative")
            if self._set.format == CIM_ADDERS and factor < 1 << steps[index, 0] % 8:
                raise ValueError("a step's factor is less than the weight of its bit")
            self._steps[index] = cim_step(steps[index, 0], steps[index, 1], steps[index, 2], steps[index, 3])
        return 0

    cdef int _copy_planes(self, const int64_t[:, ::1] planes) except -1:
        cdef Py_ssize_t index, tiles, size, places, taken, width
        if self._set.format in HOLD_COLUMNS:
            size = cim_column_bytes(self._set.format, self._set.rows, self._set.cell_bits, self._set.signs)
        else:
            size = cim_tile_bytes(self._set.format, self._set.rows, self._set.cell_bits, self._set.signs)
        self._planes = <cim_plane*>malloc(planes.shape[0] * sizeof(cim_plane))
        if self._planes == NULL:
            raise MemoryError()
        for index in range(planes.shape[0]):
            if not (
                0 <= planes[index, 0] <= self._cells.shape[0]
                and 0 <= planes[index, 1] < MOST_LINES
                and 1 <= planes[index, 2] < MOST_LINES
                and 0 <= planes[index, 3] <= self._factors.shape[0]
                and 0 <= planes[index, 4] < MOST_LINES
            ):
                raise ValueError("a plane begins outside of its cells, outputs or factors, or is empty")
            if self._set.format in HOLD_COLUMNS:
                places, taken = planes[index, 2], planes[index, 2] * size
            else:
                width = 32 if self._set.format == CIM_BITS else 16
                tiles = (planes[index, 1] + planes[index, 2] + width - 1) // width - planes[index, 1] // width
                places, taken = tiles * width, tiles * size
            if planes[index, 0] + taken > self._cells.shape[0] or planes[index, 3] + places > self._factors.shape[0]:
                raise ValueError("a plane's cells or factors are not all there")
            self.outputs = max(self.outputs, planes[index, 1] + planes[index, 2])
            self._planes[index] = cim_plane(
                planes[index, 0], <int32_t>planes[index, 1], <int32_t>planes[index, 2], planes[index, 3],
                <int32_t>planes[index, 4],
            )
        return 0

    cdef int _check_patterns(self) except -1:
        """TABLES hold six bits in each byte, by which tables are looked up."""
        cdef Py_ssize_t index
        cdef uint8_t seen = 0
        if self._set.format == CIM_TABLES:
            for index in range(self._cells.shape[0]):
                seen |= self._cells[index]
            if seen > 63:
                raise ValueError("a pattern of six rows has more than six bits")
        return 0

    cdef int _check_words(self) except -1:
        """SUMS are of five cells, in 16 bits."""
        cdef Py_ssize_t index
        cdef int16_t word
        cdef int lowest = 0, highest = 0
        if self._set.format == CIM_SUMS:
            for index in range(self._cells.shape[0] // 2):
                memcpy(&word, &self._cells[2 * index], sizeof(word))
                lowest, highest = min(lowest, word), max(highest, word)
            if 5 * highest > 32767 or 5 * lowest < -32768:
                raise ValueError("five cells of a column can add up beyond 16 bits")
        return 0

    def __dealloc__(self):
        free(self._steps)
        free(self._planes)

    cdef cim_multiply _function(self, str instructions, frozenset readable, cim_format format) except NULL:
        if <int>format not in readable:
            raise ValueError(f"{instructions} cannot read this form of cells")
        if format == CIM_BITS:
            return cim_multiply_bits
        if format == CIM_TABLES:
            return cim_multiply_tables
        if format == CIM_NIBBLES:
            return cim_multiply_nibbles
        if format == CIM_ADDERS:
            return cim_multiply_adders
        if format == CIM_SUMS:
            return cim_multiply_sums_avx2 if instructions == "avx2" else cim_multiply_sums
        if format in (CIM_AMX_BYTES, CIM_AMX_WORDS):
            return cim_multiply_amx
        if instructions in ("amx", "avx512"):
            return cim_multiply_avx512
        return cim_multiply_avx2 if instructions == "avx2" else cim_multiply_portable

    cdef int _prepare(
        self, cim_job* job, str instructions, frozenset readable, const int32_t[::1] offsets, const Vectors* vectors
    ) except -1:
        """The rows' job, which holds no reference to arrays. `readable`: formats."""
        cdef Py_ssize_t index
        if offsets.shape[0] != self.rows:
            raise ValueError("each row has an offset")
        if vectors.inputs.vectors == 0:
            return 0
        for index in range(offsets.shape[0]):
            if offsets[index] < 0 or offsets[index] >= vectors.inputs.codes_count - vectors.highest:
                raise ValueError("a window reaches beyond the codes")
        job.set, job.inputs = self._set, vectors.inputs
        job.inputs.offsets = &offsets[0]
        if job.set.format == CIM_SUMS and vectors.inputs.vectors * job.set.steps < FEWEST_SUMMED_LINES:
            job.set.format = CIM_WORDS  # the same cells
        job.multiply = self._function(instructions, readable, job.set.format)
        return 0
