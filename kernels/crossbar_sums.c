/* AVX-512 with VNNI: sums of any cells, looked up by inputs that are applied one bit at a time.

   Five rows of one column at a time: their cells make a table of 32 sums in 16 bits, one for each pattern of five input
   bits. Two tables, of ten rows, are looked up at once for 16 vectors, and both results added in 32 bits. Sums stay
   where they are, vectors side by side, until they are converted and added up over steps and planes; only where noise
   is drawn, which belongs to neighbouring outputs, are they turned. */

#include "crossbar.h"


#if defined(__x86_64__) && defined(__GNUC__)

#define CIM_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define CIM_TILE CIM_WORDS_TILE
#define INLINE CIM_TARGET static inline __attribute__((always_inline))
#define APART CIM_TARGET static __attribute__((noinline)) /* in one large function, gcc 12 spills accumulators */

#define ROWS 5    /* of a table */
#define LANES 64  /* vectors whose inputs are packed together */
#define STEPS 8   /* looked up at once, or fewer of more vectors */
#define BLOCK 16  /* vectors of a register */
#define BLOCKS (LANES / BLOCK)

#include "crossbar_round.h"

#include "crossbar_indices.h"

#define LANE_VECTOR(lane) (lane)
#include "crossbar_turned_back.h"

int cim_has_sums(void) { return cim_has_avx512(); }

typedef struct {
    ptrdiff_t groups;      /* of ten rows */
    int together;          /* blocks that are looked up at once */
    __m512i *indices;      /* [vectors / LANES][BLOCKS / together][batches of steps][groups][together][steps] */
    __m512i *tables;       /* of some columns: [columns][groups][2] */
    int32_t *room;         /* sums on their way */
    int32_t *squares;      /* [vectors][steps], what each line's digits' squares add up to; NULL where no noise is drawn */
} work;

/* Blocks of vectors whose steps fill eight accumulators, or nearly. */
static inline int blocks_together(int32_t steps) { return steps <= 2 ? 4 : steps <= 4 ? 2 : 1; }

static inline int32_t steps_of_batch(const cim_row_set *set, int32_t step)
{
    return set->steps - step < STEPS ? set->steps - step : STEPS;
}

/* Indices of LANES vectors as look-ups take them: 32 bits for ten rows, whose upper half looks into the second table. */
CIM_TARGET static void widen_indices(const cim_row_set *set, const uint8_t *narrow, const work *own, __m512i *wide)
{
    const ptrdiff_t groups = (set->rows + ROWS - 1) / ROWS;
    for (int block = 0; block < BLOCKS; block++)
        for (int32_t first = 0; first < set->steps; first += STEPS) {
            const int32_t steps = steps_of_batch(set, first);
            const ptrdiff_t before = block / own->together * own->together * set->steps + first * own->together;
            __m512i *to = wide + before * own->groups;
            for (ptrdiff_t group = 0; group < groups; group += 2)
                for (int32_t step = 0; step < steps; step++) {
                    const uint8_t *from = narrow + ((first * groups + group * STEPS + step) * LANES + block * BLOCK);
                    const __m512i low = _mm512_cvtepu8_epi32(_mm_load_si128((const __m128i *)from));
                    __m512i high = _mm512_set1_epi32(32 << 16);
                    if (group + 1 < groups) {
                        const __m128i next = _mm_load_si128((const __m128i *)(from + STEPS * LANES));
                        high = _mm512_or_si512(high, _mm512_slli_epi32(_mm512_cvtepu8_epi32(next), 16));
                    }
                    to[(group / 2 * own->together + block % own->together) * steps + step] = _mm512_or_si512(low, high);
                }
        }
}

/* How many bits are set in all indices of each vector and step: what squares of its digits add up to. */
CIM_TARGET static void count_bits(const cim_row_set *set, const uint8_t *narrow, ptrdiff_t vectors, int32_t *squares)
{
    static const uint8_t ones[32] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
                                     1, 2, 2, 3, 2, 3, 3, 4, 2, 3, 3, 4, 3, 4, 4, 5};
    const ptrdiff_t groups = (set->rows + ROWS - 1) / ROWS;
    for (int32_t step = 0; step < set->steps; step++) {
        int32_t counts[LANES] = {0};
        for (ptrdiff_t group = 0; group < groups; group++) {
            const uint8_t *index = narrow + (step / STEPS * groups * STEPS + group * STEPS + step % STEPS) * LANES;
            for (int lane = 0; lane < LANES; lane++)
                counts[lane] += ones[index[lane]];
        }
        for (ptrdiff_t vector = 0; vector < vectors; vector++)
            squares[vector * set->steps + step] = counts[vector];
    }
}

/* Both tables of each ten rows of a column: entry `j` adds up the cells of `j`'s bits. `cells`: of its tile, from it. */
CIM_TARGET static void make_tables(const cim_row_set *set, const uint8_t *cells, ptrdiff_t groups, __m512i *tables)
{
    static const __mmask32 with_bit[ROWS] = {0xAAAAAAAA, 0xCCCCCCCC, 0xF0F0F0F0, 0xFF00FF00, 0xFFFF0000};
    for (ptrdiff_t first = 0; first < 2 * groups * ROWS; first += ROWS) {
        __m512i table = _mm512_setzero_si512();
        UNROLL for (int index = 0; index < ROWS; index++) {
            const ptrdiff_t row = first + index;
            int16_t cell = 0;
            if (row < set->rows)
                memcpy(&cell, cells + (row / 2 * 2 * CIM_TILE + row % 2) * 2, sizeof cell);
            table = _mm512_add_epi16(table, _mm512_maskz_set1_epi16(with_bit[index], cell));
        }
        *tables++ = table;
    }
}

/* Tables of the plane's columns among outputs `from` to `to`. */
static void make_plane_tables(const cim_row_set *set, const cim_plane *plane, ptrdiff_t from, ptrdiff_t to,
                              ptrdiff_t groups, __m512i *tables)
{
    const ptrdiff_t tile_bytes = cim_tile_bytes(set->format, set->rows, set->cell_bits, set->signs);
    const ptrdiff_t first_tile = plane->first_output / CIM_TILE, end = plane->first_output + plane->outputs;
    for (ptrdiff_t output = from > plane->first_output ? from : plane->first_output; output < to && output < end; output++)
        make_tables(set, set->cells + plane->cells + (output / CIM_TILE - first_tile) * tile_bytes + output % CIM_TILE * 4,
                    groups, tables + (output - from) * 2 * groups);
}

/* Sums of one column for some steps of some blocks. */
INLINE void look_up(const __m512i *tables, const __m512i *indices, ptrdiff_t groups, const int width, __m512i *sums)
{
    const __m512i one = _mm512_set1_epi16(1);
    __m512i acc[STEPS];
    UNROLL for (int index = 0; index < width; index++)
        acc[index] = _mm512_setzero_si512();
    for (ptrdiff_t group = 0; group < groups; group++) {
        const __m512i low = tables[2 * group], high = tables[2 * group + 1];
        UNROLL for (int index = 0; index < width; index++)
            acc[index] = _mm512_dpwssd_epi32(acc[index],
                                             _mm512_permutex2var_epi16(low, indices[group * width + index], high), one);
    }
    UNROLL for (int index = 0; index < width; index++)
        sums[index] = acc[index];
}

#include "crossbar_sums_plain.h"

#include "crossbar_sums_noisy.h"

static int multiply_rows(const cim_row_set *set, const cim_inputs *in, int32_t *sums, ptrdiff_t stride)
{
    const int noisy = set->adc.conversion == CIM_ROUND && set->adc.noise > 0;
    const size_t rows = (size_t)set->rows, steps = (size_t)set->steps, groups = (rows + 2 * ROWS - 1) / (2 * ROWS);
    const size_t sets = ((size_t)in->vectors + LANES - 1) / LANES, batches = (steps + STEPS - 1) / STEPS;
    const size_t index_bytes = sets * BLOCKS * groups * steps * sizeof(__m512i);
    const size_t columns = noisy ? CIM_GROUP : CIM_INTEGERS * (size_t)set->planes;
    const size_t table_bytes = columns * groups * 2 * sizeof(__m512i);
    const size_t noisy_room = BLOCK * (size_t)blocks_together(set->steps) * steps * CIM_GROUP;
    const size_t room_bytes = (noisy ? noisy_room : CIM_INTEGERS * LANES) * sizeof(int32_t);
    const size_t narrow_bytes = batches * 2 * groups * STEPS * LANES;
    const size_t square_bytes = noisy ? sets * LANES * steps * sizeof(int32_t) : 0;
    uint8_t *lent = cim_lend(in->room, index_bytes + table_bytes + room_bytes + narrow_bytes + square_bytes + 3 * rows * LANES);
    if (!lent)
        return 1;
    work own = {.groups = (ptrdiff_t)groups, .together = blocks_together(set->steps), .indices = (__m512i *)lent};
    own.tables = (__m512i *)(lent + index_bytes);
    own.room = (int32_t *)(lent + index_bytes + table_bytes);
    uint8_t *narrow = (uint8_t *)own.room + room_bytes;
    int16_t *turned = (int16_t *)(narrow + narrow_bytes);
    uint8_t *bytes = (uint8_t *)(turned + rows * LANES);
    own.squares = noisy ? (int32_t *)(bytes + rows * LANES) : NULL;
    memset(turned, 0, rows * LANES * sizeof *turned); /* lanes without a vector stay defined */
    for (ptrdiff_t vector = 0; vector < in->vectors; vector += LANES) {
        make_all_indices(set, in, vector, turned, bytes, narrow);
        widen_indices(set, narrow, &own, own.indices + vector / BLOCK * own.groups * set->steps);
        if (noisy)
            count_bits(set, narrow, in->vectors - vector < LANES ? in->vectors - vector : LANES,
                       own.squares + vector * set->steps);
    }
    (noisy ? multiply_noisy : multiply_plain)(set, in, &own, sums, stride);
    return 0;
}

CIM_EACH_JOB(cim_multiply_sums, multiply_rows)

#else

int cim_has_sums(void) { return 0; }

CIM_AS_PORTABLE(cim_multiply_sums)

#endif
