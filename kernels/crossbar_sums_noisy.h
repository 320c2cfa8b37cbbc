/* Looked-up sums where noise is drawn, which belongs to neighbouring outputs of one vector: sums are turned before they
   are converted. Included by `crossbar_sums.c`. */

typedef void look_up_function(const __m512i *, const __m512i *, ptrdiff_t, __m512i *);

#define LOOK_UP(WIDTH)                                                                                                 \
    APART void look_up_##WIDTH(const __m512i *tables, const __m512i *indices, ptrdiff_t groups, __m512i *sums)         \
    {                                                                                                                  \
        look_up(tables, indices, groups, WIDTH, sums);                                                                 \
    }
LOOK_UP(1)
LOOK_UP(2)
LOOK_UP(3)
LOOK_UP(4)
LOOK_UP(5)
LOOK_UP(6)
LOOK_UP(7)
LOOK_UP(8)
static look_up_function *const look_up_functions[STEPS] = {look_up_1, look_up_2, look_up_3, look_up_4,
                                                           look_up_5, look_up_6, look_up_7, look_up_8};

/* Sums of columns `from` to `to` of a group in some steps, for the blocks of vectors that are looked up together: turned
   into `room`, [vectors][all steps][64 outputs], from the first of these steps on. */
CIM_TARGET static void turn_sums(const cim_row_set *set, const work *own, const __m512i *indices, int32_t steps,
                                 ptrdiff_t from, ptrdiff_t to, int32_t *room)
{
    look_up_function *const look_up_own = look_up_functions[steps * own->together - 1];
    for (ptrdiff_t tile = from / CIM_TILE; tile * CIM_TILE < to; tile++) {
        __m512i sums[CIM_TILE][STEPS];
        for (ptrdiff_t lane = 0; lane < CIM_TILE; lane++) {
            const ptrdiff_t column = tile * CIM_TILE + lane;
            if (column >= from && column < to)
                look_up_own(own->tables + column * 2 * own->groups, indices, own->groups, sums[lane]);
            else
                memset(sums[lane], 0, sizeof sums[lane]);
        }
        for (int32_t index = 0; index < steps * own->together; index++) {
            int32_t *to_line = room + (index / steps * BLOCK * set->steps + index % steps) * CIM_GROUP + tile * CIM_TILE;
            __m512i turned[CIM_TILE];
            UNROLL for (int lane = 0; lane < CIM_TILE; lane++)
                turned[lane] = sums[lane][index];
            transpose(turned);
            UNROLL for (int line = 0; line < BLOCK; line++)
                _mm512_store_si512(to_line + line * set->steps * CIM_GROUP, turned[line]);
        }
    }
}

/* One plane's 64 outputs of group `group`, for all vectors. */
CIM_TARGET static void multiply_group(const cim_row_set *set, const cim_plane *plane, const cim_inputs *in,
                                      ptrdiff_t group, const work *own, int32_t *sums, ptrdiff_t stride)
{
    const ptrdiff_t base = group * CIM_GROUP, end = plane->first_output + plane->outputs;
    const ptrdiff_t from = plane->first_output > base ? plane->first_output - base : 0;
    const ptrdiff_t to = end < base + CIM_GROUP ? end - base : CIM_GROUP;
    const ptrdiff_t at_once = own->together * BLOCK;
    const __m512i *indices = own->indices;
    make_plane_tables(set, plane, base, base + CIM_GROUP, own->groups, own->tables);
    for (ptrdiff_t vector = 0; vector < in->vectors; vector += at_once) {
        for (int32_t step = 0; step < set->steps; step += STEPS) {
            const int32_t steps = steps_of_batch(set, step);
            turn_sums(set, own, indices, steps, from, to, own->room + step * CIM_GROUP);
            indices += steps * own->together * own->groups;
        }
        round_group(set, plane, own->squares + vector * set->steps, in->first_vector + (uint64_t)vector,
                    in->vectors - vector < at_once ? in->vectors - vector : at_once, group, own->room,
                    sums + vector * stride, stride);
    }
}

static void multiply_noisy(const cim_row_set *set, const cim_inputs *in, const work *own, int32_t *sums, ptrdiff_t stride)
{
    for (int32_t index = 0; index < set->planes; index++) {
        const cim_plane *plane = &set->plane[index];
        const ptrdiff_t end = (plane->first_output + plane->outputs + CIM_GROUP - 1) / CIM_GROUP;
        for (ptrdiff_t group = plane->first_output / CIM_GROUP; group < end; group++)
            multiply_group(set, plane, in, group, own, sums, stride);
    }
}
