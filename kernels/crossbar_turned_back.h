/* Sums of LANES vectors, side by side for each output, to where they belong. To be included behind `crossbar_vector*.h` by
   a file that defines LANE_VECTOR(lane), the vector whose sum lies at a lane. */

/* Add some outputs, up to CIM_INTEGERS, each `block_stride` behind the one before, to `sums`. */
CIM_TARGET static void turn_back(const int32_t *block, ptrdiff_t block_stride, ptrdiff_t outputs, ptrdiff_t vectors,
                                 int32_t *sums, ptrdiff_t stride)
{
    const cim_lanes own_lanes = first_lanes(outputs);
    for (ptrdiff_t lane = 0; lane < LANES; lane += CIM_INTEGERS) {
        cim_vector own[CIM_INTEGERS];
        UNROLL for (int output = 0; output < CIM_INTEGERS; output++)
            own[output] = output < outputs ? load_vector(block + output * block_stride + lane) : V_WHOLE(setzero)();
        transpose(own);
        for (ptrdiff_t index = 0; index < CIM_INTEGERS; index++) {
            const ptrdiff_t vector = LANE_VECTOR(lane + index);
            if (vector < vectors)
                add_to_lanes(sums + vector * stride, own_lanes, own[index]);
        }
    }
}

/* The same of all outputs of some vectors: [blocks][outputs][fields][LANES], a block is of `fields` times LANES vectors. */
CIM_TARGET static inline void turn_all_back(const int32_t *blocks, int32_t outputs, ptrdiff_t fields, ptrdiff_t vectors,
                                            int32_t *sums, ptrdiff_t stride)
{
    for (ptrdiff_t vector = 0; vector < vectors; vector += LANES) {
        const ptrdiff_t block = vector / (fields * LANES), field = vector / LANES % fields, rest = vectors - vector;
        for (int32_t output = 0; output < outputs; output += CIM_INTEGERS)
            turn_back(blocks + ((block * outputs + output) * fields + field) * LANES, fields * LANES,
                      outputs - output < CIM_INTEGERS ? outputs - output : CIM_INTEGERS, rest < LANES ? rest : LANES,
                      sums + vector * stride + output, stride);
    }
}
