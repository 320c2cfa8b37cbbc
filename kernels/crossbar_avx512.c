/* AVX-512 with VNNI: BYTES and WORDS. */

#include "crossbar.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#define CIM_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define CIM_LINES 8
#define CIM_TILE CIM_WORDS_TILE
#define CIM_TILES 2
#define INLINE CIM_TARGET static inline __attribute__((always_inline))
#define APART CIM_TARGET static __attribute__((noinline)) /* in one large function, gcc 12 spills accumulators */

typedef int32_t cim_sum;

#include "crossbar_convert.h"
#include "crossbar_digits.h"

int cim_has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
}

INLINE void store(__m512i acc[CIM_LINES][2], int tiles, int32_t *sums)
{
    UNROLL for (int line = 0; line < CIM_LINES; line++)
        UNROLL for (int tile = 0; tile < tiles; tile++)
            _mm512_storeu_si512(sums + line * CIM_GROUP + tile * CIM_TILE, acc[line][tile]);
}

INLINE void add_bytes(const uint8_t *cells, ptrdiff_t tile_bytes, const int tiles, const uint8_t *lines,
                      ptrdiff_t line_bytes, const int unsigned_cells, int32_t *sums)
{
    __m512i acc[CIM_LINES][2];
    UNROLL for (int line = 0; line < CIM_LINES; line++)
        acc[line][0] = acc[line][1] = _mm512_setzero_si512();
    for (ptrdiff_t quad = 0; quad < line_bytes / 4; quad++) {
        __m512i held[2];
        UNROLL for (int tile = 0; tile < tiles; tile++)
            held[tile] = _mm512_loadu_si512(cells + quad * 64 + tile * tile_bytes);
        UNROLL for (int line = 0; line < CIM_LINES; line++) {
            const __m512i input = _mm512_set1_epi32(((const int32_t *)(lines + line * line_bytes))[quad]);
            UNROLL for (int tile = 0; tile < tiles; tile++)
                acc[line][tile] = unsigned_cells ? _mm512_dpbusd_epi32(acc[line][tile], held[tile], input)
                                                 : _mm512_dpbusd_epi32(acc[line][tile], input, held[tile]);
        }
    }
    store(acc, tiles, sums);
}

INLINE void add_words(const uint8_t *cells, ptrdiff_t tile_bytes, const int tiles, const uint8_t *lines,
                      ptrdiff_t line_bytes, int32_t *sums)
{
    __m512i acc[CIM_LINES][2];
    UNROLL for (int line = 0; line < CIM_LINES; line++)
        acc[line][0] = acc[line][1] = _mm512_setzero_si512();
    for (ptrdiff_t pair = 0; pair < line_bytes / 4; pair++) {
        __m512i held[2];
        UNROLL for (int tile = 0; tile < tiles; tile++)
            held[tile] = _mm512_loadu_si512(cells + pair * 64 + tile * tile_bytes);
        UNROLL for (int line = 0; line < CIM_LINES; line++) {
            const __m512i input = _mm512_set1_epi32(((const int32_t *)(lines + line * line_bytes))[pair]);
            UNROLL for (int tile = 0; tile < tiles; tile++)
                acc[line][tile] = _mm512_dpwssd_epi32(acc[line][tile], input, held[tile]);
        }
    }
    store(acc, tiles, sums);
}

#define APART_LINES(NAME, CALL)                                                                                        \
    APART void NAME(const uint8_t *cells, ptrdiff_t tile_bytes, const uint8_t *lines, ptrdiff_t line_bytes,            \
                    int32_t *sums)                                                                                     \
    {                                                                                                                  \
        CALL;                                                                                                          \
    }

APART_LINES(bytes_1, add_bytes(cells, tile_bytes, 1, lines, line_bytes, 0, sums))
APART_LINES(bytes_2, add_bytes(cells, tile_bytes, 2, lines, line_bytes, 0, sums))
APART_LINES(unsigned_1, add_bytes(cells, tile_bytes, 1, lines, line_bytes, 1, sums))
APART_LINES(unsigned_2, add_bytes(cells, tile_bytes, 2, lines, line_bytes, 1, sums))
APART_LINES(words_1, add_words(cells, tile_bytes, 1, lines, line_bytes, sums))
APART_LINES(words_2, add_words(cells, tile_bytes, 2, lines, line_bytes, sums))

CIM_TARGET static void add_lines(const cim_row_set *set, const uint8_t *cells, ptrdiff_t tile_bytes, int tiles,
                                 const uint8_t *lines, ptrdiff_t line_bytes, int32_t *sums)
{
    if (set->format == CIM_BYTES && set->cell_bits == 8 && set->signs == 1)
        (tiles == 2 ? unsigned_2 : unsigned_1)(cells, tile_bytes, lines, line_bytes, sums);
    else if (set->format == CIM_BYTES)
        (tiles == 2 ? bytes_2 : bytes_1)(cells, tile_bytes, lines, line_bytes, sums);
    else
        (tiles == 2 ? words_2 : words_1)(cells, tile_bytes, lines, line_bytes, sums);
}

#include "crossbar_loop.h"

static int multiply_rows(const cim_row_set *set, const cim_inputs *in, int32_t *sums, ptrdiff_t stride)
{
    return multiply_planes(set, in, sums, stride);
}

CIM_EACH_JOB(cim_multiply_avx512, multiply_rows)

#else

int cim_has_avx512(void) { return 0; }

CIM_AS_PORTABLE(cim_multiply_avx512)

#endif
