/* Included by files that define INLINE. */

/* The transpose of 16 x 16 integers. */
INLINE void transpose(__m512i *rows)
{
    __m512i pairs[16], quads[16];
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
        const __m512i low0 = _mm512_shuffle_i32x4(quads[column], quads[4 + column], 0x88);
        const __m512i low1 = _mm512_shuffle_i32x4(quads[8 + column], quads[12 + column], 0x88);
        const __m512i high0 = _mm512_shuffle_i32x4(quads[column], quads[4 + column], 0xDD);
        const __m512i high1 = _mm512_shuffle_i32x4(quads[8 + column], quads[12 + column], 0xDD);
        rows[column] = _mm512_shuffle_i32x4(low0, low1, 0x88);
        rows[4 + column] = _mm512_shuffle_i32x4(high0, high1, 0x88);
        rows[8 + column] = _mm512_shuffle_i32x4(low0, low1, 0xDD);
        rows[12 + column] = _mm512_shuffle_i32x4(high0, high1, 0xDD);
    }
}
