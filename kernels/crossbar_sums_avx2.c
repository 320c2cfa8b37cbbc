/* AVX2: sums of any cells, looked up by inputs that are applied one bit at a time, for 16 vectors at once.

   Six rows of one column at a time: their cells make a table of 16 sums in 16 bits, eight for each three rows, in two
   halves of bytes. An index of two bytes, of three bits each, looks up both sums; their lower bytes are added up apart
   from the upper ones. */

#include "crossbar.h"

#if defined(__x86_64__) && defined(__GNUC__)


#include "noise_avx2.h"

#define CIM_TARGET __attribute__((target("avx2")))
#define CIM_TILE CIM_WORDS_TILE
#define CIM_DRAWN(name) name##_avx2
#define INLINE CIM_TARGET static inline __attribute__((always_inline))
#define APART CIM_TARGET static __attribute__((noinline))

#define LANES 16        /* vectors side by side */
#define ROWS 6          /* of a table */
#define STEPS 4         /* steps summed at once */
#define COLUMNS 8       /* columns whose sums are turned round together */
#define MOST_GROUPS 120 /* tables whose bytes add up within 16 bits: 2 * 120 * 128 < 2^15, 2 * 120 * 255 < 2^16 */

#include "crossbar_vector256.h"

#include "crossbar_convert256.h"
#include "crossbar_plain.h"
#include "crossbar_turned.h"

typedef struct {
    __m128i lower, upper; /* bytes of 16 sums: of three rows, then of the next three */
} table;

/* A column's tables, from its cells in a tile. */
CIM_TARGET static void make_tables(const uint8_t *cells, ptrdiff_t rows, table *tables)
{
    static const uint16_t with_bit[3] = {0xAA, 0xCC, 0xF0};
    __m128i entries[3]; /* whose pattern has the bit */
    for (int bit = 0; bit < 3; bit++) {
        int16_t own[8];
        for (int entry = 0; entry < 8; entry++)
            own[entry] = (int16_t)-(with_bit[bit] >> entry & 1);
        entries[bit] = _mm_loadu_si128((const __m128i *)own);
    }
    for (ptrdiff_t first = 0; first < rows; first += ROWS, tables++) {
        __m128i sums[2] = {_mm_setzero_si128(), _mm_setzero_si128()};
        for (ptrdiff_t row = first; row < first + ROWS && row < rows; row++) {
            int16_t cell;
            memcpy(&cell, cells + (row / 2 * 2 * CIM_TILE + row % 2) * 2, sizeof cell);
            __m128i *sum = &sums[(row - first) / 3];
            *sum = _mm_add_epi16(*sum, _mm_and_si128(entries[(row - first) % 3], _mm_set1_epi16(cell)));
        }
        const __m128i byte = _mm_set1_epi16(0xFF);
        tables->lower = _mm_packus_epi16(_mm_and_si128(sums[0], byte), _mm_and_si128(sums[1], byte));
        tables->upper = _mm_packs_epi16(_mm_srai_epi16(sums[0], 8), _mm_srai_epi16(sums[1], 8));
    }
}

/* Indices of one step of LANES vectors, `spread` apart, and how many of their bits are ones. */
CIM_TARGET static cim_vector make_indices(const cim_row_set *set, const cim_step *step, const int16_t *turned,
                                          cim_vector *indices, ptrdiff_t spread)
{
    const __m128i shift = _mm_cvtsi32_si128(step->shift);
    const cim_vector one = _mm256_set1_epi16((int16_t)step->mask), second = _mm256_set1_epi16(0x0800);
    cim_vector ones = _mm256_setzero_si256();
    for (ptrdiff_t first = 0; first < set->rows; first += ROWS, indices += spread) {
        cim_vector halves[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        const ptrdiff_t last = first + ROWS < set->rows ? first + ROWS : set->rows;
        for (ptrdiff_t row = last - 1; row >= first; row--) {
            const cim_vector code = part_of_codes(load_vector(turned + row * LANES), (cim_part)step->part);
            const cim_vector bit = _mm256_and_si256(_mm256_srl_epi16(code, shift), one);
            cim_vector *half = &halves[(row - first) / 3];
            *half = _mm256_or_si256(_mm256_add_epi16(*half, *half), bit);
            ones = _mm256_add_epi16(ones, bit);
        }
        *indices = _mm256_or_si256(_mm256_or_si256(halves[0], second), _mm256_slli_epi16(halves[1], 8));
    }
    return ones;
}

/* Add to `sums` [steps][2], 32 bits of 8 vectors each, what some tables of a column make. */
INLINE void look_up(const table *tables, const cim_vector *indices, ptrdiff_t groups, ptrdiff_t spread, const int steps,
                    cim_vector *sums)
{
    const cim_vector one = _mm256_set1_epi8(1);
    cim_vector lower[STEPS], upper[STEPS];
    UNROLL for (int step = 0; step < steps; step++)
        lower[step] = upper[step] = _mm256_setzero_si256();
    for (ptrdiff_t group = 0; group < groups; group++, indices += spread) {
        const cim_vector low = _mm256_broadcastsi128_si256(tables[group].lower);
        const cim_vector high = _mm256_broadcastsi128_si256(tables[group].upper);
        UNROLL for (int step = 0; step < steps; step++) {
            const cim_vector index = load_vector(indices + step);
            lower[step] = with_words(lower[step], _mm256_maddubs_epi16(_mm256_shuffle_epi8(low, index), one));
            upper[step] = with_words(upper[step], _mm256_maddubs_epi16(one, _mm256_shuffle_epi8(high, index)));
        }
    }
    UNROLL for (int step = 0; step < steps; step++)
        UNROLL for (int half = 0; half < 2; half++) {
            const cim_vector wide = _mm256_cvtepi16_epi32(half_of(upper[step], half));
            const cim_vector both = _mm256_add_epi32(_mm256_slli_epi32(wide, 8),
                                                     _mm256_cvtepu16_epi32(half_of(lower[step], half)));
            sums[2 * step + half] = _mm256_add_epi32(sums[2 * step + half], both);
        }
}

#define LOOK_UP(COUNT)                                                                                                 \
    APART void look_up_##COUNT(const table *tables, const cim_vector *indices, ptrdiff_t groups, ptrdiff_t spread,     \
                               cim_vector *sums)                                                                       \
    {                                                                                                                  \
        look_up(tables, indices, groups, spread, COUNT, sums);                                                         \
    }
LOOK_UP(1)
LOOK_UP(2)
LOOK_UP(3)
LOOK_UP(4)

typedef void look_up_function(const table *, const cim_vector *, ptrdiff_t, ptrdiff_t, cim_vector *);
static look_up_function *const look_up_functions[STEPS] = {look_up_1, look_up_2, look_up_3, look_up_4};

typedef struct {
    ptrdiff_t groups;    /* of rows */
    table *tables;       /* [64 outputs][groups] */
    cim_vector *indices; /* [vectors / LANES][groups][steps] */
    int32_t *squares;    /* [vectors][steps] */
    int32_t *scratch;    /* [LANES][steps][64 outputs] */
} work;

/* Sums of columns `from` to `to` for some steps, turned into `scratch` with the rest of the COLUMNS from `column` on. */
CIM_TARGET static void sum_columns(const work *own, const cim_vector *indices, ptrdiff_t column, ptrdiff_t from,
                                   ptrdiff_t to, ptrdiff_t step, ptrdiff_t steps, ptrdiff_t spread)
{
    cim_vector sums[COLUMNS][STEPS][2];
    memset(sums, 0, sizeof sums);
    for (ptrdiff_t each = from > column ? from : column; each < column + COLUMNS && each < to; each++)
        for (ptrdiff_t group = 0; group < own->groups; group += MOST_GROUPS) {
            const ptrdiff_t count = own->groups - group < MOST_GROUPS ? own->groups - group : MOST_GROUPS;
            look_up_functions[steps - 1](own->tables + each * own->groups + group,
                                         indices + group * spread + step, count, spread, sums[each - column][0]);
        }
    for (ptrdiff_t each = 0; each < steps; each++)
        UNROLL for (int half = 0; half < 2; half++) {
            cim_vector turned[COLUMNS];
            UNROLL for (int index = 0; index < COLUMNS; index++)
                turned[index] = sums[index][each][half];
            transpose(turned);
            UNROLL for (int lane = 0; lane < 8; lane++)
                store_vector(own->scratch + ((half * 8 + lane) * spread + step + each) * CIM_GROUP + column, turned[lane]);
        }
}

/* One plane's 64 outputs of group `group`, for all vectors. */
CIM_TARGET static void multiply_group(const cim_row_set *set, const cim_plane *plane, const cim_inputs *in,
                                      const work *own, ptrdiff_t group, int32_t *sums, ptrdiff_t stride)
{
    const ptrdiff_t tile_bytes = cim_tile_bytes(set->format, set->rows, set->cell_bits, set->signs);
    const ptrdiff_t base = group * CIM_GROUP, end = plane->first_output + plane->outputs;
    const ptrdiff_t from = plane->first_output > base ? plane->first_output - base : 0;
    const ptrdiff_t to = end < base + CIM_GROUP ? end - base : CIM_GROUP;
    for (ptrdiff_t column = from; column < to; column++) {
        const ptrdiff_t tile = (base + column) / CIM_TILE - plane->first_output / CIM_TILE;
        make_tables(set->cells + plane->cells + tile * tile_bytes + column % CIM_TILE * 4, set->rows,
                    own->tables + column * own->groups);
    }
    const cim_vector *indices = own->indices;
    for (ptrdiff_t vector = 0; vector < in->vectors; vector += LANES, indices += own->groups * set->steps) {
        const ptrdiff_t vectors = in->vectors - vector < LANES ? in->vectors - vector : LANES;
        for (ptrdiff_t column = from / COLUMNS * COLUMNS; column < to; column += COLUMNS)
            for (ptrdiff_t step = 0; step < set->steps; step += STEPS) {
                const ptrdiff_t steps = set->steps - step < STEPS ? set->steps - step : STEPS;
                sum_columns(own, indices, column, from, to, step, steps, set->steps);
            }
        const int32_t *squares = set->adc.noise > 0 && set->adc.conversion == CIM_ROUND ? own->squares : NULL;
        convert(set, plane, squares ? squares + vector * set->steps : NULL, in->first_vector + (uint64_t)vector, vectors,
                group, own->scratch, sums + vector * stride, stride);
    }
}

/* Indices and squares of all vectors, LANES at a time by way of `turned` [rows][LANES]. */
CIM_TARGET static void turn_inputs(const cim_row_set *set, const cim_inputs *in, int16_t *turned, const work *own)
{
    for (ptrdiff_t vector = 0; vector < in->vectors; vector += LANES) {
        turn_codes(set, in, vector, turned);
        for (int32_t step = 0; step < set->steps; step++) {
            uint16_t ones[LANES];
            cim_vector *indices = own->indices + vector / LANES * own->groups * set->steps + step;
            _mm256_storeu_si256((__m256i *)ones, make_indices(set, &set->step[step], turned, indices, set->steps));
            for (ptrdiff_t lane = 0; lane < LANES; lane++)
                own->squares[(vector + lane) * set->steps + step] = ones[lane];
        }
    }
}

static int multiply_rows(const cim_row_set *set, const cim_inputs *in, int32_t *sums, ptrdiff_t stride)
{
    const size_t groups = ((size_t)set->rows + ROWS - 1) / ROWS, steps = (size_t)set->steps;
    const size_t vectors = ((size_t)in->vectors + LANES - 1) / LANES * LANES;
    const size_t table_bytes = CIM_GROUP * groups * sizeof(table), scratch_bytes = LANES * steps * CIM_GROUP * 4;
    const size_t index_bytes = vectors * groups * steps * 2, turned_bytes = (size_t)set->rows * LANES * 2;
    uint8_t *tables = cim_lend(in->room, table_bytes + index_bytes + turned_bytes + scratch_bytes + vectors * steps * 4);
    if (!tables)
        return 1;
    uint8_t *indices = tables + table_bytes;
    uint8_t *turned = indices + index_bytes, *scratch = turned + turned_bytes, *squares = scratch + scratch_bytes;
    const work own = {(ptrdiff_t)groups, (table *)tables, (cim_vector *)indices, (int32_t *)squares, (int32_t *)scratch};
    memset(turned, 0, turned_bytes); /* lanes without a vector stay defined */
    turn_inputs(set, in, (int16_t *)turned, &own);
    for (int32_t index = 0; index < set->planes; index++) {
        const cim_plane *plane = &set->plane[index];
        const ptrdiff_t end = (plane->first_output + plane->outputs + CIM_GROUP - 1) / CIM_GROUP;
        for (ptrdiff_t group = plane->first_output / CIM_GROUP; group < end; group++)
            multiply_group(set, plane, in, &own, group, sums, stride);
    }
    return 0;
}

CIM_EACH_JOB(cim_multiply_sums_avx2, multiply_rows)

#else

CIM_AS_PORTABLE(cim_multiply_sums_avx2)

#endif
