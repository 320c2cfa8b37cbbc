/* AVX-512 with VNNI: sums of any cells, looked up by inputs that are applied one bit at a time.

   Five rows of one column at a time: their cells make a table of 32 sums in 16 bits, one for each pattern of five input
   bits. Two tables, of ten rows, are looked up at once for 16 lines, and both results added in 32 bits. */

#include "crossbar.h"

#if defined(__x86_64__) && defined(__GNUC__)

#define CIM_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,bmi2")))
#define CIM_TILE CIM_WORDS_TILE
#define INLINE CIM_TARGET static inline __attribute__((always_inline))
#define APART CIM_TARGET static __attribute__((noinline)) /* in one large function, gcc 12 spills accumulators */

#define ROWS 5         /* of a table */
#define GROUP_ROWS 10  /* of two tables */
#define LANES 16       /* lines side by side */
#define BLOCKS 8       /* of so many lines, summed together */
#define LINES (LANES * BLOCKS)

#include "crossbar_convert.h"

int cim_has_sums(void) { return cim_has_avx512() && __builtin_cpu_supports("bmi2"); }

/* For each ten rows two words, of five bits each; the second looks into the second table. */
CIM_TARGET static void pack_digits(const cim_row_set *set, const cim_step *step, const int16_t *codes, uint8_t *line)
{
    const __m512i bit = _mm512_set1_epi16((int16_t)(step->mask ? 1 << step->shift : 0));
    const ptrdiff_t groups = (set->rows + GROUP_ROWS - 1) / GROUP_ROWS;
    uint64_t bits = 0; /* of the next rows */
    int count = 0;
    ptrdiff_t row = 0;
    for (ptrdiff_t group = 0; group < groups; group++) {
        if (count < GROUP_ROWS && row < set->rows) {
            bits |= (uint64_t)_mm512_test_epi16_mask(_mm512_loadu_si512(codes + row), bit) << count;
            row += 32, count += 32;
        }
        ((uint32_t *)line)[group] = (uint32_t)_pdep_u64(bits, 0x001F001F) | 1u << (LANES + ROWS);
        bits >>= GROUP_ROWS, count -= GROUP_ROWS;
    }
}

#include "crossbar_inputs.h"

/* Both tables of each ten rows of a column: entry `j` adds up the cells of `j`'s bits. `cells`: of its tile, from it. */
CIM_TARGET static void make_tables(const cim_row_set *set, const uint8_t *cells, __m512i *tables)
{
    static const __mmask32 with_bit[ROWS] = {0xAAAAAAAA, 0xCCCCCCCC, 0xF0F0F0F0, 0xFF00FF00, 0xFFFF0000};
    for (ptrdiff_t first = 0; first < (set->rows + GROUP_ROWS - 1) / GROUP_ROWS * GROUP_ROWS; first += ROWS) {
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

/* Lines as look-ups take them: [blocks][groups][16 lines], from [lines][groups]. */
CIM_TARGET static void turn_lines(const uint8_t *lines, ptrdiff_t groups, int blocks, __m512i *indices)
{
    for (int block = 0; block < blocks; block++)
        for (ptrdiff_t group = 0; group < groups; group += 16) {
            const ptrdiff_t own = groups - group < 16 ? groups - group : 16;
            const __mmask16 read = (__mmask16)((1u << own) - 1);
            __m512i words[16];
            UNROLL for (int line = 0; line < 16; line++)
                words[line] = _mm512_maskz_loadu_epi32(read, lines + ((block * LANES + line) * groups + group) * 4);
            transpose(words);
            for (ptrdiff_t index = 0; index < own; index++)
                indices[block * groups + group + index] = words[index];
        }
}

/* Sums of one column for some blocks of lines. */
INLINE void look_up(const __m512i *tables, const __m512i *indices, ptrdiff_t groups, const int blocks, __m512i *sums)
{
    const __m512i one = _mm512_set1_epi16(1);
    __m512i acc[BLOCKS];
    UNROLL for (int block = 0; block < blocks; block++)
        acc[block] = _mm512_setzero_si512();
    for (ptrdiff_t group = 0; group < groups; group++) {
        const __m512i low = tables[2 * group], high = tables[2 * group + 1];
        UNROLL for (int block = 0; block < blocks; block++)
            acc[block] = _mm512_dpwssd_epi32(
                acc[block], _mm512_permutex2var_epi16(low, indices[block * groups + group], high), one);
    }
    UNROLL for (int block = 0; block < blocks; block++)
        sums[block] = acc[block];
}

APART void look_up_all(const __m512i *tables, const __m512i *indices, ptrdiff_t groups, __m512i *sums)
{
    look_up(tables, indices, groups, BLOCKS, sums);
}

APART void look_up_one(const __m512i *tables, const __m512i *indices, ptrdiff_t groups, __m512i *sums)
{
    look_up(tables, indices, groups, 1, sums);
}

/* Sums of columns `from` to `to` of a group, for some blocks of lines: added up by column, turned into `scratch`. */
CIM_TARGET static void sum_columns(const __m512i *tables, const __m512i *indices, ptrdiff_t groups, int blocks,
                                   ptrdiff_t from, ptrdiff_t to, int32_t *scratch)
{
    for (ptrdiff_t tile = from / CIM_TILE; tile * CIM_TILE < to; tile++) {
        __m512i sums[CIM_TILE][BLOCKS];
        for (ptrdiff_t lane = 0; lane < CIM_TILE; lane++) {
            const ptrdiff_t column = tile * CIM_TILE + lane;
            if (column < from || column >= to)
                for (int block = 0; block < blocks; block++)
                    sums[lane][block] = _mm512_setzero_si512();
            else if (blocks == BLOCKS)
                look_up_all(tables + column * 2 * groups, indices, groups, sums[lane]);
            else
                for (int block = 0; block < blocks; block++)
                    look_up_one(tables + column * 2 * groups, indices + block * groups, groups, sums[lane] + block);
        }
        for (int block = 0; block < blocks; block++) {
            __m512i own[CIM_TILE];
            UNROLL for (int lane = 0; lane < CIM_TILE; lane++)
                own[lane] = sums[lane][block];
            transpose(own);
            UNROLL for (int line = 0; line < LANES; line++)
                _mm512_store_si512(scratch + (block * LANES + line) * CIM_GROUP + tile * CIM_TILE, own[line]);
        }
    }
}

typedef struct {
    __m512i *tables;  /* [64 outputs][rows / 10][2] */
    __m512i *indices; /* [vectors / vectors_at_once][blocks][rows / 10] */
    int32_t *scratch; /* [lines][64 outputs] */
} work;

static inline ptrdiff_t vectors_at_once(const cim_row_set *set) { return LINES / set->steps; }

static inline int blocks_of(const cim_row_set *set, ptrdiff_t vectors)
{
    return (int)((vectors * set->steps + LANES - 1) / LANES);
}

/* One plane's 64 outputs of group `group`, for all vectors. */
CIM_TARGET static void multiply_group(const cim_row_set *set, const cim_plane *plane, const cim_inputs *in,
                                      const int32_t *squares, ptrdiff_t group, const work *own, int32_t *sums,
                                      ptrdiff_t stride)
{
    const ptrdiff_t groups = (set->rows + GROUP_ROWS - 1) / GROUP_ROWS, end = plane->first_output + plane->outputs;
    const ptrdiff_t tile_bytes = cim_tile_bytes(set->format, set->rows, set->cell_bits, set->signs);
    const ptrdiff_t base = group * CIM_GROUP, first_tile = plane->first_output / CIM_TILE;
    const ptrdiff_t from = plane->first_output > base ? plane->first_output - base : 0;
    const ptrdiff_t to = end < base + CIM_GROUP ? end - base : CIM_GROUP;
    for (ptrdiff_t column = from; column < to; column++) {
        const ptrdiff_t tile = (base + column) / CIM_TILE - first_tile;
        const uint8_t *cells = set->cells + plane->cells + tile * tile_bytes;
        make_tables(set, cells + column % CIM_TILE * 4, own->tables + column * 2 * groups);
    }
    const ptrdiff_t at_once = vectors_at_once(set);
    const __m512i *indices = own->indices;
    for (ptrdiff_t vector = 0; vector < in->vectors; vector += at_once, indices += BLOCKS * groups) {
        const ptrdiff_t vectors = in->vectors - vector < at_once ? in->vectors - vector : at_once;
        sum_columns(own->tables, indices, groups, blocks_of(set, vectors), from, to, own->scratch);
        convert(set, plane, squares ? squares + vector * set->steps : NULL, in->first_vector + (uint64_t)vector,
                vectors, group, own->scratch, sums + vector * stride, stride);
    }
}

int cim_multiply_sums(const cim_row_set *set, const cim_inputs *in, int32_t *sums, ptrdiff_t stride)
{
    const size_t groups = ((size_t)set->rows + GROUP_ROWS - 1) / GROUP_ROWS;
    const ptrdiff_t at_once = vectors_at_once(set);
    const size_t parts = (size_t)((in->vectors + at_once - 1) / at_once);
    const size_t table_bytes = CIM_GROUP * groups * 2 * 64, index_bytes = parts * BLOCKS * groups * 64;
    uint8_t *held = malloc(table_bytes + index_bytes + LINES * CIM_GROUP * sizeof(int32_t) + 64);
    uint8_t *aligned = held + 64 - (uintptr_t)held % 64;
    const work own = {(__m512i *)aligned, (__m512i *)(aligned + table_bytes),
                      (int32_t *)(aligned + table_bytes + index_bytes)};
    cim_packed packed;
    const int lacking = pack(set, in, LANES, &packed) || !held; /* whole blocks are read */
    if (!lacking) {
        for (ptrdiff_t part = 0; part < (ptrdiff_t)parts; part++) {
            const ptrdiff_t vector = part * at_once;
            const ptrdiff_t vectors = in->vectors - vector < at_once ? in->vectors - vector : at_once;
            turn_lines(packed.lines + vector * set->steps * (ptrdiff_t)groups * 4, (ptrdiff_t)groups,
                       blocks_of(set, vectors), own.indices + part * BLOCKS * (ptrdiff_t)groups);
        }
        for (int32_t index = 0; index < set->planes; index++) {
            const cim_plane *plane = &set->plane[index];
            const ptrdiff_t end = (plane->first_output + plane->outputs + CIM_GROUP - 1) / CIM_GROUP;
            for (ptrdiff_t group = plane->first_output / CIM_GROUP; group < end; group++)
                multiply_group(set, plane, in, packed.squares, group, &own, sums, stride);
        }
    }
    release(&packed);
    free(held);
    return lacking;
}

#else

int cim_has_sums(void) { return 0; }

int cim_multiply_sums(const cim_row_set *set, const cim_inputs *in, int32_t *sums, ptrdiff_t stride)
{
    return cim_multiply_portable(set, in, sums, stride);
}

#endif
