/* The normals of noise.h with AVX2, 64 at a time. */

#ifndef CIM_NOISE_AVX2_H
#define CIM_NOISE_AVX2_H

#include "noise.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define CIM_AVX2 __attribute__((target("avx2")))

static inline int cim_cpu_has_avx2(void) { return __builtin_cpu_supports("avx2"); }

/* What all draws with one key share. */
typedef struct {
    __m256i key0[CIM_ROUNDS], key1[CIM_ROUNDS]; /* of the rounds of Philox */
    /* Coefficients of octaves 22 to 29, in which 255 of 256 words lie: octave % 4 is the place in 128 bits. */
    __m256i low[CIM_DEGREE + 1];  /* 24 to 27 */
    __m256i high[CIM_DEGREE + 1]; /* 28, 29, 22, 23 */
} cim_source_avx2;

enum { CIM_FIRST_OCTAVE = 22, CIM_OCTAVES = 8 };

CIM_AVX2 static inline void cim_prepare_avx2(cim_source_avx2 *source, const uint32_t key[2]) {
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < CIM_ROUNDS; round++, k0 += CIM_PHILOX_W0, k1 += CIM_PHILOX_W1) {
        source->key0[round] = _mm256_set1_epi32((int)k0);
        source->key1[round] = _mm256_set1_epi32((int)k1);
    }
    for (int power = 0; power <= CIM_DEGREE; power++) {
        const float *row = cim_quantile[power];
        const __m128 high = _mm_shuffle_ps(_mm_load_ps(row + 28), _mm_load_ps(row + 20), _MM_SHUFFLE(3, 2, 1, 0));
        source->low[power] = _mm256_broadcastsi128_si256(_mm_castps_si128(_mm_load_ps(row + 24)));
        source->high[power] = _mm256_broadcastsi128_si256(_mm_castps_si128(high));
    }
}

/* Philox of the counters (c0_base + lane, c1, c2, c3), eight lanes: word w of lane l in out[w].
 *
 * Even and odd lanes apart, each in the low half of a 64-bit lane, where multiplication wants it; high halves hold
 * leftovers. Shuffles of 32 bits do what shifts would: there are processors on which those take longer. */
CIM_AVX2 static inline void cim_philox8_avx2(const cim_source_avx2 *source, uint32_t c0_base, uint32_t c1,
                                             uint32_t c2, uint32_t c3, __m256i out[4]) {
    const __m256i m0 = _mm256_set1_epi64x(CIM_PHILOX_M0), m1 = _mm256_set1_epi64x(CIM_PHILOX_M1);
    __m256i x0[2], x1[2], x2[2], x3[2];
    for (int odd = 0; odd < 2; odd++) {
        x0[odd] = _mm256_add_epi32(_mm256_set1_epi32((int)(c0_base + (uint32_t)odd)),
                                   _mm256_setr_epi32(0, 0, 2, 0, 4, 0, 6, 0));
        x1[odd] = _mm256_set1_epi32((int)c1);
        x2[odd] = _mm256_set1_epi32((int)c2);
        x3[odd] = _mm256_set1_epi32((int)c3);
    }
#pragma GCC unroll 10
    for (int round = 0; round < CIM_ROUNDS; round++)
#pragma GCC unroll 2
        for (int odd = 0; odd < 2; odd++) {
            const __m256i p0 = _mm256_mul_epu32(m0, x0[odd]), p1 = _mm256_mul_epu32(m1, x2[odd]);
            const __m256i upper0 = _mm256_shuffle_epi32(p0, 0xF5), upper1 = _mm256_shuffle_epi32(p1, 0xF5);
            x0[odd] = _mm256_xor_si256(_mm256_xor_si256(x1[odd], source->key0[round]), upper1);
            x1[odd] = p1;
            x2[odd] = _mm256_xor_si256(_mm256_xor_si256(x3[odd], source->key1[round]), upper0);
            x3[odd] = p0;
        }
    out[0] = _mm256_blend_epi32(x0[0], _mm256_shuffle_epi32(x0[1], 0xA0), 0xAA);
    out[1] = _mm256_blend_epi32(x1[0], _mm256_shuffle_epi32(x1[1], 0xA0), 0xAA);
    out[2] = _mm256_blend_epi32(x2[0], _mm256_shuffle_epi32(x2[1], 0xA0), 0xAA);
    out[3] = _mm256_blend_epi32(x3[0], _mm256_shuffle_epi32(x3[1], 0xA0), 0xAA);
}

/* cim_normal of 8 words, in any octave. */
CIM_AVX2 static inline __m256 cim_normal8_anywhere(__m256i words) {
    uint32_t each[8];
    float normals[8];
    _mm256_storeu_si256((__m256i *)each, words);
    for (int lane = 0; lane < 8; lane++)
        normals[lane] = cim_normal(each[lane]);
    return _mm256_loadu_ps(normals);
}

/* cim_normal of 8 words in each of CIM_AT_ONCE vectors, side by side, as each alone waits for its sums. */
enum { CIM_AT_ONCE = 2 };

CIM_AVX2 static inline void cim_normals_avx2(const cim_source_avx2 *source, const __m256i words[CIM_AT_ONCE],
                                             __m256 out[CIM_AT_ONCE]) {
    const __m256i one = _mm256_set1_epi32(0x3F800000), mantissa = _mm256_set1_epi32(0x007FFFFF);
    const __m256i sign = _mm256_set1_epi32((int)0x80000000u);
    const __m256i spread = _mm256_broadcastsi128_si256(_mm_setr_epi32(0, 0x04040404, 0x08080808, 0x0C0C0C0C));
    const __m256i bytes = _mm256_set1_epi32(0x03020100), places = _mm256_set1_epi32(0x0C0C0C0C);
    __m256i place[CIM_AT_ONCE], beyond = _mm256_setzero_si256(); /* place: of a coefficient's bytes */
    __m256 is_high[CIM_AT_ONCE], offset[CIM_AT_ONCE];
#pragma GCC unroll 4
    for (int i = 0; i < CIM_AT_ONCE; i++) {
        const __m256i distance = _mm256_xor_si256(words[i], _mm256_cmpgt_epi32(words[i], _mm256_set1_epi32(-1)));
        const __m256i bits = _mm256_castps_si256(_mm256_cvtepi32_ps(distance));
        const __m256i scaled = _mm256_or_si256(_mm256_and_si256(bits, mantissa), one);
        const __m256i octave = _mm256_srli_epi32(bits, 23); /* and more: a negative number's exponent */
        const __m256i four = _mm256_slli_epi32(_mm256_shuffle_epi8(octave, spread), 2);
        place[i] = _mm256_or_si256(_mm256_and_si256(four, places), bytes);
        beyond = _mm256_or_si256(beyond, _mm256_sub_epi32(octave, _mm256_set1_epi32(256 + 128 + CIM_FIRST_OCTAVE)));
        is_high[i] = _mm256_castsi256_ps(_mm256_slli_epi32(octave, 29));
        offset[i] = _mm256_sub_ps(_mm256_castsi256_ps(scaled), _mm256_set1_ps(1.5f));
    }
#pragma GCC unroll 5
    for (int power = CIM_DEGREE; power >= 0; power--)
#pragma GCC unroll 4
        for (int i = 0; i < CIM_AT_ONCE; i++) {
            const __m256 low = _mm256_castsi256_ps(_mm256_shuffle_epi8(source->low[power], place[i]));
            const __m256 high = _mm256_castsi256_ps(_mm256_shuffle_epi8(source->high[power], place[i]));
            const __m256 coefficient = _mm256_blendv_ps(low, high, is_high[i]);
            out[i] = power == CIM_DEGREE ? coefficient : _mm256_add_ps(_mm256_mul_ps(out[i], offset[i]), coefficient);
        }
#pragma GCC unroll 4
    for (int i = 0; i < CIM_AT_ONCE; i++)
        out[i] = _mm256_xor_ps(out[i], _mm256_castsi256_ps(_mm256_and_si256(words[i], sign)));
    if (!_mm256_testz_si256(beyond, _mm256_set1_epi32(-CIM_OCTAVES)))
        for (int i = 0; i < CIM_AT_ONCE; i++)
            out[i] = cim_normal8_anywhere(words[i]);
}

/* The first `count` normals (and more of the 64) of the group whose first counter is c0_base, in order of outputs. */
CIM_AVX2 static inline void cim_normals64_avx2(const cim_source_avx2 *source, uint32_t c0_base, uint32_t c1,
                                               uint32_t c2, uint32_t c3, ptrdiff_t count, float *out) {
    for (uint32_t lane = 0; lane < CIM_GROUP_COUNTERS && lane < count; lane += 8) {
        __m256i words[4];
        cim_philox8_avx2(source, c0_base + lane, c1, c2, c3, words);
        for (int word = 0; word < 4 && CIM_GROUP_COUNTERS * word < count; word += CIM_AT_ONCE) {
            __m256 normals[CIM_AT_ONCE];
            cim_normals_avx2(source, words + word, normals);
            for (int i = 0; i < CIM_AT_ONCE; i++)
                _mm256_storeu_ps(out + CIM_GROUP_COUNTERS * (word + i) + lane, normals[i]);
        }
    }
}

/* cim_normal_line_portable, 64 at a time. */
CIM_AVX2 static inline void cim_normal_line_avx2(float *out, uint32_t start, uint32_t count, uint32_t c1, uint32_t c2,
                                                 uint32_t c3, const uint32_t key[2]) {
    const uint64_t stop = (uint64_t)start + count;
    cim_source_avx2 source;
    cim_prepare_avx2(&source, key);
    for (uint64_t base = start / CIM_GROUP * CIM_GROUP; base < stop; base += CIM_GROUP) {
        const uint64_t low = base < start ? start : base, high = base + CIM_GROUP > stop ? stop : base + CIM_GROUP;
        float group[CIM_GROUP];
        float *to = high - low == CIM_GROUP ? out + (low - start) : group;
        cim_normals64_avx2(&source, (uint32_t)(base / 4), c1, c2, c3, CIM_GROUP, to);
        if (to == group)
            memcpy(out + (low - start), group + (low - base), (high - low) * sizeof(float));
    }
}

#else

static inline int cim_cpu_has_avx2(void) { return 0; }

static inline void cim_normal_line_avx2(float *out, uint32_t start, uint32_t count, uint32_t c1, uint32_t c2,
                                        uint32_t c3, const uint32_t key[2]) {
    cim_normal_line_portable(out, start, count, c1, c2, c3, key);
}

#endif

#endif
