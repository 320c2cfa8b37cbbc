/* AVX-512 with BITALG: sums by counting bits, 16 rows of 32 outputs at a time. Inputs are applied one bit at a time. */

#include "crossbar.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#define CIM_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bitalg")))
#define CIM_LINES 16
#define CIM_TILE CIM_BITS_TILE
#define CIM_TILES 1
#define INLINE CIM_TARGET static inline __attribute__((always_inline))
#define APART CIM_TARGET static __attribute__((noinline)) /* in one large function, gcc 12 spills accumulators */

typedef int16_t cim_sum;

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

INLINE void count(const uint8_t *cells, const uint8_t *lines, ptrdiff_t line_bytes, const int cell_bits,
                  const int signs, int16_t *sums)
{
    __m512i acc[CIM_LINES];
    const ptrdiff_t words = line_bytes / 4, word_bytes = (ptrdiff_t)cell_bits * signs * 64;
    UNROLL for (int line = 0; line < CIM_LINES; line++)
        acc[line] = _mm512_setzero_si512();
    for (int bit = cell_bits - 1; bit >= 0; bit--) { /* most significant first, doubled on the way */
        if (bit != cell_bits - 1)
            UNROLL for (int line = 0; line < CIM_LINES; line++)
                acc[line] = _mm512_add_epi16(acc[line], acc[line]);
        for (int sign = 0; sign < signs; sign++) {
            const uint8_t *own = cells + (bit * signs + sign) * 64;
            for (ptrdiff_t word = 0; word < words; word++, own += word_bytes) {
                const __m512i held = _mm512_loadu_si512(own);
                UNROLL for (int line = 0; line < CIM_LINES; line++) {
                    const __m512i input = _mm512_set1_epi32(((const int32_t *)(lines + line * line_bytes))[word]);
                    const __m512i ones = _mm512_popcnt_epi16(_mm512_and_si512(held, input));
                    acc[line] = sign ? _mm512_sub_epi16(acc[line], ones) : _mm512_add_epi16(acc[line], ones);
                }
            }
        }
    }
    UNROLL for (int line = 0; line < CIM_LINES; line++)
        _mm512_storeu_si512(sums + line * CIM_GROUP, acc[line]);
}

#define COUNT(BITS, SIGNS)                                                                                             \
    APART void count_##BITS##_##SIGNS(const uint8_t *cells, const uint8_t *lines, ptrdiff_t line_bytes, int16_t *sums) \
    {                                                                                                                  \
        count(cells, lines, line_bytes, BITS, SIGNS, sums);                                                            \
    }
COUNT(1, 1)
COUNT(2, 1)
COUNT(3, 1)
COUNT(4, 1)
COUNT(1, 2)
COUNT(2, 2)
COUNT(3, 2)
COUNT(4, 2)

typedef void count_function(const uint8_t *, const uint8_t *, ptrdiff_t, int16_t *);
static count_function *const count_functions[2][4] = {
    {count_1_1, count_2_1, count_3_1, count_4_1},
    {count_1_2, count_2_2, count_3_2, count_4_2},
};

static void add_lines(const cim_row_set *set, const uint8_t *cells, ptrdiff_t tile_bytes, int tiles,
                      const uint8_t *lines, ptrdiff_t line_bytes, cim_sum *sums)
{
    (void)tile_bytes, (void)tiles;
    count_functions[set->signs - 1][set->cell_bits - 1](cells, lines, line_bytes, sums);
}

/* Lanes of a tile of 32 outputs, counted over the layer, that the plane fills. */
static inline uint32_t lanes_of(const cim_plane *plane, ptrdiff_t tile)
{
    const int64_t from = plane->first_output - tile * CIM_TILE, to = from + plane->outputs;
    const uint64_t above = to >= CIM_TILE ? ~0u : to <= 0 ? 0 : (1ull << to) - 1;
    const uint64_t below = from <= 0 ? 0 : from >= CIM_TILE ? ~0u : (1ull << from) - 1;
    return (uint32_t)(above & ~below);
}

INLINE void convert_tile(const cim_row_set *set, const cim_plane *plane, ptrdiff_t vectors, ptrdiff_t tile,
                         const int is_signed, const int16_t *scratch, int32_t *sums, ptrdiff_t stride)
{
    const cim_adc *adc = &set->adc;
    const uint32_t lanes = lanes_of(plane, tile);
    const int32_t *factors = set->factors + plane->factors + (tile - plane->first_output / CIM_TILE) * CIM_TILE;
    for (ptrdiff_t vector = 0; vector < vectors; vector++) {
        __m512i total = _mm512_set1_epi16((int16_t)adc->total_offset);
        for (int32_t step = 0; step < set->steps; step++) {
            const __m512i sum = _mm512_loadu_si512(scratch + (vector * set->steps + step) * CIM_GROUP);
            total = with_step(total, code_of(adc, sum, is_signed), set->step[step].factor);
        }
        for (int part = 0; part < 2; part++) {
            const __mmask16 own = (__mmask16)(lanes >> 16 * part);
            int32_t *at = sums + vector * stride + tile * CIM_TILE + 16 * part;
            const __m512i factor = _mm512_maskz_loadu_epi32(own, factors + 16 * part);
            const __m512i product = _mm512_mullo_epi32(widened(adc, total, part), factor);
            _mm512_mask_storeu_epi32(at, own, _mm512_add_epi32(_mm512_maskz_loadu_epi32(own, at), product));
        }
    }
}

CIM_TARGET static void convert(const cim_row_set *set, const cim_plane *plane, const int32_t *squares,
                               uint64_t first_vector, ptrdiff_t vectors, ptrdiff_t group, const cim_sum *scratch,
                               int32_t *sums, ptrdiff_t stride)
{
    (void)squares, (void)first_vector;
    for (int tile = 0; tile < CIM_GROUP / CIM_TILE; tile++) {
        const ptrdiff_t at = group * (CIM_GROUP / CIM_TILE) + tile;
        if (!lanes_of(plane, at))
            continue;
        if (set->signs == 2)
            convert_tile(set, plane, vectors, at, 1, scratch + tile * CIM_TILE, sums, stride);
        else
            convert_tile(set, plane, vectors, at, 0, scratch + tile * CIM_TILE, sums, stride);
    }
}

#include "crossbar_loop.h"

int cim_multiply_bits(const cim_row_set *set, const cim_inputs *in, int32_t *sums, ptrdiff_t stride)
{
    return multiply_planes(set, in, sums, stride);
}

#else

int cim_has_bits(void) { return 0; }

int cim_multiply_bits(const cim_row_set *set, const cim_inputs *in, int32_t *sums, ptrdiff_t stride)
{
    return cim_multiply_portable(set, in, sums, stride);
}

#endif
