/* AVX2: WORDS only. */

#include "crossbar.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include "noise_avx2.h"

#define CIM_TARGET __attribute__((target("avx2")))
#define CIM_LINES 4
#define CIM_TILE CIM_WORDS_TILE
#define CIM_TILES 2
#define CIM_DRAWN(name) name##_avx2
#define INLINE CIM_TARGET static inline __attribute__((always_inline))
#define APART CIM_TARGET static __attribute__((noinline))

#include "crossbar_convert256.h"
#include "crossbar_digits.h"
#include "crossbar_plain.h"

int cim_has_avx2(void) { return __builtin_cpu_supports("avx2"); }

CIM_TARGET static __attribute__((noinline)) void add_tile(const uint8_t *cells, const uint8_t *lines,
                                                          ptrdiff_t line_bytes, int32_t *sums)
{
    __m256i acc[CIM_LINES][2];
    UNROLL for (int line = 0; line < CIM_LINES; line++)
        acc[line][0] = acc[line][1] = _mm256_setzero_si256();
    for (ptrdiff_t pair = 0; pair < line_bytes / 4; pair++) {
        const __m256i low = _mm256_loadu_si256((const __m256i *)(cells + pair * 64));
        const __m256i high = _mm256_loadu_si256((const __m256i *)(cells + pair * 64 + 32));
        UNROLL for (int line = 0; line < CIM_LINES; line++) {
            const __m256i input = _mm256_set1_epi32(((const int32_t *)(lines + line * line_bytes))[pair]);
            acc[line][0] = _mm256_add_epi32(acc[line][0], _mm256_madd_epi16(input, low));
            acc[line][1] = _mm256_add_epi32(acc[line][1], _mm256_madd_epi16(input, high));
        }
    }
    UNROLL for (int line = 0; line < CIM_LINES; line++) {
        _mm256_storeu_si256((__m256i *)(sums + line * CIM_GROUP), acc[line][0]);
        _mm256_storeu_si256((__m256i *)(sums + line * CIM_GROUP + 8), acc[line][1]);
    }
}

CIM_TARGET static void add_lines(const cim_row_set *set, const uint8_t *cells, ptrdiff_t tile_bytes, int tiles,
                                 const uint8_t *lines, ptrdiff_t line_bytes, int32_t *sums)
{
    (void)set;
    UNROLL for (int tile = 0; tile < tiles; tile++)
        add_tile(cells + tile * tile_bytes, lines, line_bytes, sums + tile * CIM_TILE);
}

#include "crossbar_loop.h"

static int multiply_rows(const cim_row_set *set, const cim_inputs *in, int32_t *sums, ptrdiff_t stride)
{
    return multiply_planes(set, in, sums, stride);
}

CIM_EACH_JOB(cim_multiply_avx2, multiply_rows)

#else

int cim_has_avx2(void) { return 0; }

CIM_AS_PORTABLE(cim_multiply_avx2)

#endif
