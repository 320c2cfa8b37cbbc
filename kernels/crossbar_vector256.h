/* Vectors of 256 bits by names that `crossbar_vector512.h` has, too. Included by files that define INLINE. */

#include <immintrin.h>
#include <string.h>

typedef __m256i cim_vector;
typedef __m128i cim_half;
typedef __m256i cim_lanes; /* of 32 bits, all of each are set */

#define CIM_INTEGERS 8 /* of 32 bits in a vector */

#define V(operation) _mm256_##operation
#define V_WHOLE(operation) _mm256_##operation##_si256 /* on all bits */

INLINE cim_half half_of(cim_vector vector, int upper)
{
    return upper ? _mm256_extracti128_si256(vector, 1) : _mm256_castsi256_si128(vector);
}

INLINE cim_vector load_vector(const void *from) { return _mm256_load_si256((const __m256i *)from); }

INLINE void store_vector(void *to, cim_vector vector) { _mm256_store_si256((__m256i *)to, vector); }

INLINE void copy_words(int16_t *to, const int16_t *from, ptrdiff_t count)
{
    memcpy(to, from, (size_t)count * sizeof *to);
}

/* Sums of bytes; where they are, as gcc 12 moves accumulators about in loops otherwise. */
INLINE cim_vector with_bytes(cim_vector sums, cim_vector added)
{
    __asm__("vpaddb %1, %0, %0" : "+x"(sums) : "x"(added));
    return sums;
}

/* The same of 16-bit words. */
INLINE cim_vector with_words(cim_vector sums, cim_vector added)
{
    __asm__("vpaddw %1, %0, %0" : "+x"(sums) : "x"(added));
    return sums;
}

/* The lower bytes of 16-bit integers. */
INLINE cim_half lower_bytes(cim_vector words)
{
    words = _mm256_and_si256(words, _mm256_set1_epi16(0xFF));
    return _mm_packus_epi16(half_of(words, 0), half_of(words, 1));
}

INLINE cim_lanes first_lanes(ptrdiff_t count)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

INLINE void add_to_lanes(int32_t *to, cim_lanes lanes, cim_vector added)
{
    _mm256_maskstore_epi32(to, lanes, _mm256_add_epi32(_mm256_maskload_epi32(to, lanes), added));
}

/* The transpose of 8 x 8 integers. */
INLINE void transpose(cim_vector *rows)
{
    cim_vector pairs[8], quads[8];
    UNROLL for (int row = 0; row < 8; row += 2) {
        pairs[row] = _mm256_unpacklo_epi32(rows[row], rows[row + 1]);
        pairs[row + 1] = _mm256_unpackhi_epi32(rows[row], rows[row + 1]);
    }
    UNROLL for (int row = 0; row < 8; row += 4)
        UNROLL for (int half = 0; half < 2; half++) {
            quads[row + 2 * half] = _mm256_unpacklo_epi64(pairs[row + half], pairs[row + 2 + half]);
            quads[row + 2 * half + 1] = _mm256_unpackhi_epi64(pairs[row + half], pairs[row + 2 + half]);
        }
    /* quads[4 * i + j]: column j of each 128-bit lane, rows 4 i to 4 i + 3. */
    UNROLL for (int column = 0; column < 4; column++) {
        rows[column] = _mm256_permute2x128_si256(quads[column], quads[4 + column], 0x20);
        rows[4 + column] = _mm256_permute2x128_si256(quads[column], quads[4 + column], 0x31);
    }
}
