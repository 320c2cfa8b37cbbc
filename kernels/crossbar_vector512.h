/* Vectors of 512 bits by names that `crossbar_vector256.h` has, too. Included by files that define INLINE. */

#include <immintrin.h>

typedef __m512i cim_vector;
typedef __m256i cim_half;
typedef __mmask16 cim_lanes; /* of 32 bits */

#define CIM_INTEGERS 16 /* of 32 bits in a vector */

#define V(operation) _mm512_##operation
#define V_WHOLE(operation) _mm512_##operation##_si512 /* on all bits */

INLINE cim_half half_of(cim_vector vector, int upper)
{
    return upper ? _mm512_extracti64x4_epi64(vector, 1) : _mm512_castsi512_si256(vector);
}

INLINE cim_vector load_vector(const void *from) { return _mm512_load_si512(from); }

INLINE void store_vector(void *to, cim_vector vector) { _mm512_store_si512(to, vector); }

INLINE void copy_words(int16_t *to, const int16_t *from, ptrdiff_t count)
{
    for (; count > 0; count -= 32, from += 32, to += 32) {
        const __mmask32 own = count < 32 ? ((__mmask32)1 << count) - 1 : 0xFFFFFFFF;
        _mm512_mask_storeu_epi16(to, own, _mm512_maskz_loadu_epi16(own, from));
    }
}

/* Sums of bytes. */
INLINE cim_vector with_bytes(cim_vector sums, cim_vector added) { return _mm512_add_epi8(sums, added); }

/* The lower bytes of 16-bit integers. */
INLINE cim_half lower_bytes(cim_vector words) { return _mm512_cvtepi16_epi8(words); }

INLINE cim_lanes first_lanes(ptrdiff_t count) { return (cim_lanes)((1u << count) - 1); }

INLINE void add_to_lanes(int32_t *to, cim_lanes lanes, cim_vector added)
{
    _mm512_mask_storeu_epi32(to, lanes, _mm512_add_epi32(_mm512_maskz_loadu_epi32(lanes, to), added));
}

/* The transpose of 16 x 16 integers. */
INLINE void transpose(cim_vector *rows)
{
    cim_vector pairs[16], quads[16];
    UNROLL for (int row = 0; row < 16; row += 2) {
        pairs[row] = _mm512_unpacklo_epi32(rows[row], rows[row + 1]);
        pairs[row + 1] = _mm512_unpackhi_epi32(rows[row], rows[row + 1]);
    }
    UNROLL for (int row = 0; row < 16; row += 4)
        UNROLL for (int half = 0; half < 2; half++) {
            quads[row + 2 * half] = _mm512_unpacklo_epi64(pairs[row + half], pairs[row + 2 + half]);
            quads[row + 2 * half + 1] = _mm512_unpackhi_epi64(pairs[row + half], pairs[row + 2 + half]);
        }
    /* quads[4 * i + j]: column j of each 128-bit lane, rows 4 i to 4 i + 3. */
    UNROLL for (int column = 0; column < 4; column++) {
        const cim_vector low0 = _mm512_shuffle_i32x4(quads[column], quads[4 + column], 0x88);
        const cim_vector low1 = _mm512_shuffle_i32x4(quads[8 + column], quads[12 + column], 0x88);
        const cim_vector high0 = _mm512_shuffle_i32x4(quads[column], quads[4 + column], 0xDD);
        const cim_vector high1 = _mm512_shuffle_i32x4(quads[8 + column], quads[12 + column], 0xDD);
        rows[column] = _mm512_shuffle_i32x4(low0, low1, 0x88);
        rows[4 + column] = _mm512_shuffle_i32x4(high0, high1, 0x88);
        rows[8 + column] = _mm512_shuffle_i32x4(low0, low1, 0xDD);
        rows[12 + column] = _mm512_shuffle_i32x4(high0, high1, 0xDD);
    }
}
