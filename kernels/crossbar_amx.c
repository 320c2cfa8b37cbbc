/* AMX with AVX-512: a unit of its own multiplies tiles of 16 lines x 64 rows by 64 rows x 16 outputs. AMX_BYTES and
   AMX_WORDS: all cells, and digits of up to 8 bits. */

#include "crossbar.h"

/* By the headers of gcc 11 and of clang. CIMSPEC_NO_AMX is for assemblers that are older than the compiler. */
#if defined(__x86_64__) && defined(__linux__) && defined(__has_include) && !defined(CIMSPEC_NO_AMX)
#if __has_include(<amxint8intrin.h>) || __has_include(<amxintrin.h>)
#define HAS_AMX
#endif
#endif

#ifdef HAS_AMX

#include <cpuid.h>
#include <immintrin.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CIM_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,amx-tile,amx-int8")))
#define CIM_LINES 32
#define CIM_TILE CIM_WORDS_TILE
#define CIM_TILES 2
#define INLINE CIM_TARGET static inline __attribute__((always_inline))
#define APART CIM_TARGET static __attribute__((noinline))

#define TILE_ROWS 64
#define TILE_LINES 16
#define NEAR_BYTES 16384 /* a third of the first-level cache, for lines */

typedef int32_t cim_sum;

#include "crossbar_convert.h"

/* What LDTILECFG reads: all eight tiles are 16 lines of 64 bytes. */
typedef struct {
    uint8_t palette, start, reserved[14];
    uint16_t line_bytes[16];
    uint8_t lines[16];
} tile_shapes;

static const CIM_ALIGNED tile_shapes SHAPES = {
    1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};

#define ARCH_REQ_XCOMP_PERM 0x1023
#define XFEATURE_XTILEDATA 18
#define CPUID_AMX_TILE_AND_INT8 (3u << 24)

int cim_has_amx(void)
{
    static int known = -1;
    if (known < 0) {
        unsigned eax, ebx, ecx, edx;
        known = cim_has_avx512() && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) &&
                (edx & CPUID_AMX_TILE_AND_INT8) == CPUID_AMX_TILE_AND_INT8 &&
                syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
    }
    return known;
}

/* Digits of 32 rows from `row` on, as 16-bit integers; codes are there for whole 32. */
INLINE __m512i digits_of(const int16_t *codes, ptrdiff_t row, ptrdiff_t rows, __m512i shift, __m512i mask)
{
    if (row >= rows)
        return _mm512_setzero_si512();
    return _mm512_and_si512(_mm512_srav_epi16(_mm512_loadu_si512(codes + row), shift), mask);
}

CIM_TARGET static void pack_digits(const cim_row_set *set, const cim_step *step, const int16_t *codes, uint8_t *line)
{
    const __m512i shift = _mm512_set1_epi16((int16_t)step->shift), mask = _mm512_set1_epi16((int16_t)step->mask);
    const __m512i in_order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7); /* packing takes turns by 128 bits */
    for (ptrdiff_t row = 0; row < set->rows; row += TILE_ROWS) {
        const __m512i low = digits_of(codes, row, set->rows, shift, mask);
        const __m512i high = digits_of(codes, row + 32, set->rows, shift, mask);
        const __m512i bytes = _mm512_packus_epi16(low, high);
        _mm512_store_si512(line + row, _mm512_permutexvar_epi64(in_order, bytes));
    }
}

/* Tiles 0 to 3 become the sums of 32 lines with two tiles of cells, by dot products of their kinds. */
#define ADD_BLOCK(NAME, FIRST_DOT, SECOND_DOT)                                                                         \
    CIM_TARGET static void NAME(const uint8_t *first, const uint8_t *second, const uint8_t *lines,                     \
                                ptrdiff_t line_bytes)                                                                  \
    {                                                                                                                  \
        __asm__ volatile("" ::: "memory"); /* some compilers do not know that tiles are loaded from memory */          \
        _tile_zero(0);                                                                                                 \
        _tile_zero(1);                                                                                                 \
        _tile_zero(2);                                                                                                 \
        _tile_zero(3);                                                                                                 \
        for (ptrdiff_t row = 0; row < line_bytes; row += TILE_ROWS) {                                                  \
            _tile_loadd(4, lines + row, line_bytes);                                                                   \
            _tile_loadd(6, first + row * CIM_TILE, 64);                                                                \
            FIRST_DOT(0, 4, 6);                                                                                        \
            _tile_loadd(7, second + row * CIM_TILE, 64);                                                               \
            SECOND_DOT(1, 4, 7);                                                                                       \
            _tile_loadd(5, lines + row + TILE_LINES * line_bytes, line_bytes);                                         \
            FIRST_DOT(2, 5, 6);                                                                                        \
            SECOND_DOT(3, 5, 7);                                                                                       \
        }                                                                                                              \
    }
ADD_BLOCK(add_signed, _tile_dpbusd, _tile_dpbusd)
ADD_BLOCK(add_unsigned, _tile_dpbuud, _tile_dpbuud)
ADD_BLOCK(add_words, _tile_dpbusd, _tile_dpbuud)

/* The first tile's sums of all lines; from one line's to the next one's are `width`. */
INLINE void store_first(int32_t *sums, ptrdiff_t width)
{
    _tile_stored(0, sums, width * (ptrdiff_t)sizeof *sums);
    _tile_stored(2, sums + TILE_LINES * width, width * (ptrdiff_t)sizeof *sums);
}

/* The second tile's. */
INLINE void store_second(int32_t *sums, ptrdiff_t width)
{
    _tile_stored(1, sums, width * (ptrdiff_t)sizeof *sums);
    _tile_stored(3, sums + TILE_LINES * width, width * (ptrdiff_t)sizeof *sums);
}

CIM_TARGET static void add_words_of(const uint8_t *cells, ptrdiff_t tile_bytes, const uint8_t *lines,
                                    ptrdiff_t line_bytes, int32_t *sums)
{
    CIM_ALIGNED int32_t upper[CIM_LINES * CIM_TILE];
    add_words(cells, cells + tile_bytes / 2, lines, line_bytes);
    store_first(upper, CIM_TILE);
    store_second(sums, CIM_GROUP);
    for (int line = 0; line < CIM_LINES; line++) {
        int32_t *own = sums + line * CIM_GROUP;
        const __m512i shifted = _mm512_slli_epi32(_mm512_load_si512(upper + line * CIM_TILE), 8);
        _mm512_storeu_si512(own, _mm512_add_epi32(_mm512_loadu_si512(own), shifted));
    }
}

CIM_TARGET static void add_lines(const cim_row_set *set, const uint8_t *cells, ptrdiff_t tile_bytes, int tiles,
                                 const uint8_t *lines, ptrdiff_t line_bytes, int32_t *sums)
{
    if (set->format == CIM_AMX_WORDS) {
        for (int tile = 0; tile < tiles; tile++)
            add_words_of(cells + tile * tile_bytes, tile_bytes, lines, line_bytes, sums + tile * CIM_TILE);
        return;
    }
    (set->signs == 2 ? add_signed : add_unsigned)(cells, cells + (tiles - 1) * tile_bytes, lines, line_bytes);
    store_first(sums, CIM_GROUP);
    if (tiles == 2)
        store_second(sums + CIM_TILE, CIM_GROUP);
}

/* Sums of 32 lines, of whole vectors only, with two tiles of cells. */
typedef struct {
    tile_target low, high; /* of the first vector */
    ptrdiff_t vectors;
} line_block;

INLINE void convert_block(const cim_adc *adc, const cim_row_set *set, line_block block, const int32_t *scratch,
                          ptrdiff_t stride, const int is_signed, const int each_doubles)
{
    for (; block.vectors > 0; block.vectors--) {
        convert_two(adc, set->step, set->steps, is_signed, each_doubles, scratch, scratch + CIM_TILE, 2 * CIM_TILE,
                    &block.low, &block.high);
        scratch += set->steps * 2 * CIM_TILE, block.low.sums += stride, block.high.sums += stride;
    }
}

/* All planes for vectors whose sums fit 16 bits. A block is converted behind the instructions that add up the next one, so
   that both go on at once. Lines of some vectors stay in the first-level cache while all cells pass. */
INLINE void multiply_blocks(const cim_row_set *set, ptrdiff_t vectors, const uint8_t *lines, int32_t *sums,
                            ptrdiff_t stride, const int is_signed, const int each_doubles)
{
    const cim_adc adc = set->adc; /* no store can change it */
    const ptrdiff_t tile_bytes = cim_tile_bytes(set->format, set->rows, set->cell_bits, set->signs);
    const ptrdiff_t line_bytes = cim_line_bytes(set->format, set->rows), vector_bytes = set->steps * line_bytes;
    const ptrdiff_t of_block = CIM_LINES / set->steps, near = NEAR_BYTES / (of_block * vector_bytes);
    const ptrdiff_t at_once = near > 1 ? near * of_block : of_block;
    CIM_ALIGNED int32_t scratch[2][CIM_LINES * 2 * CIM_TILE];
    line_block before = {.vectors = 0};
    int turn = 0;
    for (ptrdiff_t from = 0; from < vectors; from += at_once) {
        const ptrdiff_t to = vectors - from < at_once ? vectors : from + at_once;
        for (int32_t index = 0; index < set->planes; index++) {
            const cim_plane *plane = &set->plane[index];
            const ptrdiff_t base = plane->first_output / CIM_TILE;
            const ptrdiff_t end = (plane->first_output + plane->outputs + CIM_TILE - 1) / CIM_TILE;
            for (ptrdiff_t tile = base; tile < end; tile += 2) {
                const uint8_t *first = set->cells + plane->cells + (tile - base) * tile_bytes;
                const uint8_t *second = tile + 1 < end ? first + tile_bytes : first;
                tile_target low = target_of(set, plane, tile, sums + from * stride);
                tile_target high = target_of(set, plane, tile + 1, sums + from * stride);
                for (ptrdiff_t vector = from; vector < to; vector += of_block) {
                    (is_signed ? add_signed : add_unsigned)(first, second, lines + vector * vector_bytes, line_bytes);
                    convert_block(&adc, set, before, scratch[!turn], stride, is_signed, each_doubles);
                    store_first(scratch[turn], 2 * CIM_TILE);
                    store_second(scratch[turn] + CIM_TILE, 2 * CIM_TILE);
                    before = (line_block){low, high, to - vector < of_block ? to - vector : of_block};
                    low.sums += of_block * stride, high.sums += of_block * stride;
                    turn = !turn;
                }
            }
        }
    }
    convert_block(&adc, set, before, scratch[!turn], stride, is_signed, each_doubles);
}

#define MULTIPLY_BLOCKS(NAME, SIGNED, DOUBLES)                                                                         \
    APART void NAME(const cim_row_set *set, ptrdiff_t vectors, const uint8_t *lines, int32_t *sums, ptrdiff_t stride)  \
    {                                                                                                                  \
        multiply_blocks(set, vectors, lines, sums, stride, SIGNED, DOUBLES);                                           \
    }
MULTIPLY_BLOCKS(blocks_unsigned, 0, 0)
MULTIPLY_BLOCKS(blocks_unsigned_doubling, 0, 1)
MULTIPLY_BLOCKS(blocks_signed, 1, 0)
MULTIPLY_BLOCKS(blocks_signed_doubling, 1, 1)

/* Does what `multiply_group` would do for all planes; 0 where it does not. */
CIM_TARGET static int multiply_at_once(const cim_row_set *set, const cim_inputs *in, const uint8_t *lines,
                                       int32_t *sums, ptrdiff_t stride)
{
    if (set->format != CIM_AMX_BYTES || !set->adc.scale_factor || set->steps > CIM_LINES)
        return 0;
    const int each_doubles = cim_each_doubles(set->step, set->steps);
    if (set->signs == 2)
        (each_doubles ? blocks_signed_doubling : blocks_signed)(set, in->vectors, lines, sums, stride);
    else
        (each_doubles ? blocks_unsigned_doubling : blocks_unsigned)(set, in->vectors, lines, sums, stride);
    return 1;
}

#define CIM_AT_ONCE multiply_at_once
#include "crossbar_loop.h"

CIM_TARGET static int multiply_rows(const cim_row_set *set, const cim_inputs *in, int32_t *sums, ptrdiff_t stride)
{
    _tile_loadconfig(&SHAPES);
    const int lacking = multiply_planes(set, in, sums, stride);
    _tile_release(); /* else each change of threads would save tiles */
    return lacking;
}

CIM_EACH_JOB(cim_multiply_amx, multiply_rows)

#else

int cim_has_amx(void) { return 0; }

CIM_AS_PORTABLE(cim_multiply_amx)

#endif
