/* AVX-512 with BITALG: sums by counting bits, 16 rows of 32 outputs at a time. Inputs are applied one bit at a time. */

#include "crossbar.h"

#if defined(__x86_64__) && defined(__GNUC__)

#define CIM_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bitalg")))
#define CIM_LINES 16
#define CIM_TILE CIM_BITS_TILE
#define CIM_TILES 1
#define CIM_VECTORS 32
#define INLINE CIM_TARGET static inline __attribute__((always_inline))
#define APART CIM_TARGET static __attribute__((noinline)) /* in one large function, gcc 12 spills accumulators */

typedef int16_t cim_sum;

#include "crossbar_vector512.h"

#include "crossbar_short.h"

int cim_has_bits(void) { return cim_has_avx512() && __builtin_cpu_supports("avx512bitalg"); }

/* 16 rows twice in each word, as they meet 16-bit lanes. */
CIM_TARGET static void pack_digits(const cim_row_set *set, const cim_step *step, const int16_t *codes, uint8_t *line)
{
    uint32_t *words = (uint32_t *)line;
    const __m512i bit = _mm512_set1_epi16((int16_t)(step->mask ? 1 << step->shift : 0));
    for (ptrdiff_t row = 0; row < set->rows; row += 32) {
        const uint32_t bits = _mm512_test_epi16_mask(_mm512_loadu_si512(codes + row), bit);
        *words++ = (bits & 0xFFFF) * 0x10001u;
        if (row + 16 < set->rows)
            *words++ = (bits >> 16) * 0x10001u;
    }
}

/* Sums of some lines, which start at `start`. */
INLINE void count(const uint8_t *cells, const uint8_t *lines, ptrdiff_t line_bytes, const int cell_bits,
                  const int signs, __m512i start, const int count_of_lines, __m512i acc[CIM_LINES])
{
    const ptrdiff_t words = line_bytes / 4, word_bytes = (ptrdiff_t)cell_bits * signs * 64;
    UNROLL for (int line = 0; line < count_of_lines; line++)
        acc[line] = cell_bits == 1 ? start : _mm512_setzero_si512();
    for (int bit = cell_bits - 1; bit >= 0; bit--) { /* most significant first, doubled on the way */
        if (bit != cell_bits - 1)
            UNROLL for (int line = 0; line < count_of_lines; line++)
                acc[line] = _mm512_add_epi16(acc[line], acc[line]);
        for (int sign = 0; sign < signs; sign++) {
            const uint8_t *own = cells + (bit * signs + sign) * 64;
            for (ptrdiff_t word = 0; word < words; word++, own += word_bytes) {
                const __m512i held = _mm512_loadu_si512(own);
                UNROLL for (int line = 0; line < count_of_lines; line++) {
                    const __m512i input = _mm512_set1_epi32(((const int32_t *)(lines + line * line_bytes))[word]);
                    const __m512i ones = _mm512_popcnt_epi16(_mm512_and_si512(held, input));
                    acc[line] = sign ? _mm512_sub_epi16(acc[line], ones) : _mm512_add_epi16(acc[line], ones);
                }
            }
        }
    }
    if (cell_bits > 1)
        UNROLL for (int line = 0; line < count_of_lines; line++)
            acc[line] = _mm512_add_epi16(acc[line], start);
}

#define COUNT(BITS, SIGNS)                                                                                             \
    APART void count_##BITS##_##SIGNS(const uint8_t *cells, const uint8_t *lines, ptrdiff_t line_bytes, __m512i start, \
                                      int16_t *sums)                                                                   \
    {                                                                                                                  \
        __m512i acc[CIM_LINES];                                                                                        \
        count(cells, lines, line_bytes, BITS, SIGNS, start, CIM_LINES, acc);                                           \
        UNROLL for (int line = 0; line < CIM_LINES; line++)                                                            \
            _mm512_storeu_si512(sums + line * CIM_GROUP, acc[line]);                                                   \
    }
COUNT(1, 1)
COUNT(2, 1)
COUNT(3, 1)
COUNT(4, 1)
COUNT(1, 2)
COUNT(2, 2)
COUNT(3, 2)
COUNT(4, 2)

typedef void count_function(const uint8_t *, const uint8_t *, ptrdiff_t, __m512i, int16_t *);
static count_function *const count_functions[2][4] = {
    {count_1_1, count_2_1, count_3_1, count_4_1},
    {count_1_2, count_2_2, count_3_2, count_4_2},
};

CIM_TARGET static void add_lines(const cim_row_set *set, const uint8_t *cells, ptrdiff_t tile_bytes, int tiles,
                      const uint8_t *lines, ptrdiff_t line_bytes, cim_sum *sums)
{
    (void)tile_bytes, (void)tiles;
    count_functions[set->signs - 1][set->cell_bits - 1](cells, lines, line_bytes, start_of(&set->adc), sums);
}

/* Lanes of a tile of 32 outputs, counted over the layer, that the plane fills. */
static inline uint32_t lanes_of(const cim_plane *plane, ptrdiff_t tile)
{
    const int64_t from = plane->first_output - tile * CIM_TILE, to = from + plane->outputs;
    const uint64_t above = to >= CIM_TILE ? ~0u : to <= 0 ? 0 : (1ull << to) - 1;
    const uint64_t below = from <= 0 ? 0 : from >= CIM_TILE ? ~0u : (1ull << from) - 1;
    return (uint32_t)(above & ~below);
}

/* The tile behind a plane's last one. */
static inline ptrdiff_t end_of(const cim_plane *plane)
{
    return (plane->first_output + plane->outputs + CIM_TILE - 1) / CIM_TILE;
}

typedef struct {
    uint32_t lanes;
    const int32_t *factors;
    int32_t *sums; /* of the tile's first output */
    ptrdiff_t stride;
} tile_sums;

INLINE tile_sums sums_of(const cim_row_set *set, const cim_plane *plane, ptrdiff_t tile, int32_t *sums, ptrdiff_t stride)
{
    const int32_t *factors = set->factors + plane->factors + (tile - plane->first_output / CIM_TILE) * CIM_TILE;
    return (tile_sums){lanes_of(plane, tile), factors, sums + tile * CIM_TILE, stride};
}

/* Add one vector's codes, steps shifted and added, to its outputs. */
INLINE void add_total(const cim_adc *adc, const tile_sums *to, ptrdiff_t vector, __m512i total)
{
    for (int part = 0; part < 2; part++) {
        const __mmask16 own = (__mmask16)(to->lanes >> 16 * part);
        int32_t *at = to->sums + vector * to->stride + 16 * part;
        const __m512i factor = _mm512_maskz_loadu_epi32(own, to->factors + 16 * part);
        const __m512i product = _mm512_mullo_epi32(widened(adc, total, part), factor);
        _mm512_mask_storeu_epi32(at, own, _mm512_add_epi32(_mm512_maskz_loadu_epi32(own, at), product));
    }
}

INLINE void convert_tile(const cim_row_set *set, const tile_sums *to, ptrdiff_t vectors, const int is_signed,
                         const int16_t *scratch)
{
    const cim_adc *adc = &set->adc;
    for (ptrdiff_t vector = 0; vector < vectors; vector++) {
        __m512i total = _mm512_set1_epi16((int16_t)adc->total_offset);
        for (int32_t step = 0; step < set->steps; step++) {
            __m512i code = _mm512_loadu_si512(scratch + (vector * set->steps + step) * CIM_GROUP);
            codes_of(adc, &code, 1, is_signed);
            total = with_step(total, code, set->step[step].factor);
        }
        add_total(adc, to, vector, total);
    }
}

/* One-bit cells and up to eight steps: sums of whole vectors are converted where they are, in registers. */
INLINE void count_vectors(const cim_row_set *set, const uint8_t *cells, const uint8_t *lines, ptrdiff_t line_bytes,
                          const int steps, ptrdiff_t vectors, const tile_sums *to)
{
    const int at_once = CIM_LINES / steps;
    const cim_adc *adc = &set->adc;
    const __m512i start = start_of(adc), first = _mm512_set1_epi16((int16_t)adc->total_offset);
    const int each_doubles = cim_each_doubles(set->step, steps);
    for (ptrdiff_t vector = 0; vector < vectors; vector += at_once) {
        __m512i acc[CIM_LINES];
        count(cells, lines + vector * steps * line_bytes, line_bytes, 1, 1, start, at_once * steps, acc);
        codes_of(adc, acc, at_once * steps, 0);
        UNROLL for (int own = 0; own < at_once; own++)
            if (vector + own < vectors)
                add_total(adc, to, vector + own, with_steps(first, acc + own * steps, set->step, steps, each_doubles));
    }
}

#define COUNT_VECTORS(STEPS)                                                                                           \
    APART void count_vectors_##STEPS(const cim_row_set *set, const uint8_t *cells, const uint8_t *lines,               \
                                     ptrdiff_t line_bytes, ptrdiff_t vectors, const tile_sums *to)                     \
    {                                                                                                                  \
        count_vectors(set, cells, lines, line_bytes, STEPS, vectors, to);                                              \
    }
COUNT_VECTORS(1)
COUNT_VECTORS(2)
COUNT_VECTORS(3)
COUNT_VECTORS(4)
COUNT_VECTORS(5)
COUNT_VECTORS(6)
COUNT_VECTORS(7)
COUNT_VECTORS(8)

typedef void vectors_function(const cim_row_set *, const uint8_t *, const uint8_t *, ptrdiff_t, ptrdiff_t,
                              const tile_sums *);
static vectors_function *const vectors_functions[] = {count_vectors_1, count_vectors_2, count_vectors_3,
                                                      count_vectors_4, count_vectors_5, count_vectors_6,
                                                      count_vectors_7, count_vectors_8};

/* Does what `multiply_group` would do in two passes, for all planes; 0 where it does not.

   Some vectors at a time, whose lines and sums stay in the first-level cache while all planes of a tile pass. */
CIM_TARGET static int multiply_at_once(const cim_row_set *set, const cim_inputs *in, const uint8_t *lines,
                                       int32_t *sums, ptrdiff_t stride)
{
    if (set->cell_bits * set->signs > 1 || set->steps > 8)
        return 0;
    const ptrdiff_t line_bytes = cim_line_bytes(set->format, set->rows);
    const ptrdiff_t tile_bytes = cim_tile_bytes(set->format, set->rows, 1, 1);
    ptrdiff_t tiles = 0;
    for (int32_t index = 0; index < set->planes; index++)
        tiles = end_of(&set->plane[index]) > tiles ? end_of(&set->plane[index]) : tiles;
    for (ptrdiff_t vector = 0; vector < in->vectors; vector += CIM_VECTORS) {
        const ptrdiff_t vectors = in->vectors - vector < CIM_VECTORS ? in->vectors - vector : CIM_VECTORS;
        for (ptrdiff_t tile = 0; tile < tiles; tile++)
            for (int32_t index = 0; index < set->planes; index++) {
                const cim_plane *plane = &set->plane[index];
                const ptrdiff_t first = plane->first_output / CIM_TILE;
                if (tile < first || tile >= end_of(plane))
                    continue;
                const tile_sums to = sums_of(set, plane, tile, sums + vector * stride, stride);
                vectors_functions[set->steps - 1](set, set->cells + plane->cells + (tile - first) * tile_bytes,
                                                  lines + vector * set->steps * line_bytes, line_bytes, vectors, &to);
            }
    }
    return 1;
}

CIM_TARGET static void convert(const cim_row_set *set, const cim_plane *plane, const int32_t *squares,
                               uint64_t first_vector, ptrdiff_t vectors, ptrdiff_t group, const cim_sum *scratch,
                               int32_t *sums, ptrdiff_t stride)
{
    (void)squares, (void)first_vector;
    for (int tile = 0; tile < CIM_GROUP / CIM_TILE; tile++) {
        const ptrdiff_t at = group * (CIM_GROUP / CIM_TILE) + tile;
        const tile_sums to = sums_of(set, plane, at, sums, stride);
        if (!to.lanes)
            continue;
        if (set->signs == 2)
            convert_tile(set, &to, vectors, 1, scratch + tile * CIM_TILE);
        else
            convert_tile(set, &to, vectors, 0, scratch + tile * CIM_TILE);
    }
}

#define CIM_AT_ONCE multiply_at_once
#include "crossbar_loop.h"

static int multiply_rows(const cim_row_set *set, const cim_inputs *in, int32_t *sums, ptrdiff_t stride)
{
    return multiply_planes(set, in, sums, stride);
}

CIM_EACH_JOB(cim_multiply_bits, multiply_rows)

#else

int cim_has_bits(void) { return 0; }

CIM_AS_PORTABLE(cim_multiply_bits)

#endif
