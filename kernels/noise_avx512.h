/* The normals of noise.h with AVX-512, 64 at a time. */

#ifndef CIM_NOISE_AVX512_H
#define CIM_NOISE_AVX512_H

#include "noise.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

/* Truth tables of three-operand logic. */
enum { CIM_XOR3 = 0x96, CIM_AND_OR = 0xEA, CIM_XOR_AND = 0x78, CIM_XNOR = 0xC3 };

#define CIM_AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))

static inline int cim_cpu_has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

/* Philox of the counters (c0_base + lane, c1, c2, c3): word w of lane l in out[w].
 *
 * Even and odd lanes apart, each in the low half of a 64-bit lane, where multiplication wants it; high halves hold
 * leftovers. The two run side by side, as each alone waits for its multiplications. In the first two rounds half of
 * the words are still the same for all lanes. */
CIM_AVX512 static inline void cim_philox16_avx512(uint32_t c0_base, uint32_t c1, uint32_t c2, uint32_t c3,
                                                  const uint32_t key[2], __m512i out[4]) {
    const __m512i m0 = _mm512_set1_epi64(CIM_PHILOX_M0), m1 = _mm512_set1_epi64(CIM_PHILOX_M1);
    const __m512i evens = _mm512_setr_epi32(0, 0, 2, 0, 4, 0, 6, 0, 8, 0, 10, 0, 12, 0, 14, 0);
    uint32_t k0 = key[0] + CIM_PHILOX_W0, k1 = key[1] + CIM_PHILOX_W1;
    const uint64_t same1 = (uint64_t)CIM_PHILOX_M1 * c2;
    const uint64_t same2 = (uint64_t)CIM_PHILOX_M0 * ((uint32_t)(same1 >> 32) ^ c1 ^ key[0]);
    __m512i x0[2], x1[2], x2[2], x3[2], p0[2], p1[2];
    for (int odd = 0; odd < 2; odd++) {
        x0[odd] = _mm512_add_epi32(_mm512_set1_epi32((int)(c0_base + (uint32_t)odd)), evens);
        p0[odd] = _mm512_mul_epu32(m0, x0[odd]);
        x2[odd] = _mm512_xor_si512(_mm512_srli_epi64(p0[odd], 32), _mm512_set1_epi32((int)(c3 ^ key[1])));
        x1[odd] = _mm512_mul_epu32(m1, x2[odd]);
        x0[odd] = _mm512_xor_si512(_mm512_srli_epi64(x1[odd], 32), _mm512_set1_epi32((int)((uint32_t)same1 ^ k0)));
        x2[odd] = _mm512_xor_si512(p0[odd], _mm512_set1_epi32((int)((uint32_t)(same2 >> 32) ^ k1)));
        x3[odd] = _mm512_set1_epi32((int)(uint32_t)same2);
    }
#pragma GCC unroll 8
    for (int round = 2; round < CIM_ROUNDS; round++) {
        k0 += CIM_PHILOX_W0;
        k1 += CIM_PHILOX_W1;
        const __m512i key0 = _mm512_set1_epi32((int)k0), key1 = _mm512_set1_epi32((int)k1);
#pragma GCC unroll 2
        for (int odd = 0; odd < 2; odd++) {
            p0[odd] = _mm512_mul_epu32(m0, x0[odd]);
            p1[odd] = _mm512_mul_epu32(m1, x2[odd]);
        }
#pragma GCC unroll 2
        for (int odd = 0; odd < 2; odd++) {
            x0[odd] = _mm512_ternarylogic_epi32(_mm512_srli_epi64(p1[odd], 32), x1[odd], key0, CIM_XOR3);
            x1[odd] = p1[odd];
            x2[odd] = _mm512_ternarylogic_epi32(_mm512_srli_epi64(p0[odd], 32), x3[odd], key1, CIM_XOR3);
            x3[odd] = p0[odd];
        }
    }
    out[0] = _mm512_mask_blend_epi32(0xAAAA, x0[0], _mm512_slli_epi64(x0[1], 32));
    out[1] = _mm512_mask_blend_epi32(0xAAAA, x1[0], _mm512_slli_epi64(x1[1], 32));
    out[2] = _mm512_mask_blend_epi32(0xAAAA, x2[0], _mm512_slli_epi64(x2[1], 32));
    out[3] = _mm512_mask_blend_epi32(0xAAAA, x3[0], _mm512_slli_epi64(x3[1], 32));
}

/* cim_normal of the words in `count` vectors, four at most: side by side, so that each coefficient is loaded once. */
CIM_AVX512 static inline __attribute__((always_inline)) void cim_normal_avx512(const __m512i *words, const int count,
                                                                               __m512 *out) {
    __m512i octave[4];
    __m512 offset[4];
#pragma GCC unroll 4
    for (int i = 0; i < count; i++) {
        const __m512i upper = _mm512_srai_epi32(words[i], 31);
        const __m512i distance = _mm512_ternarylogic_epi32(words[i], upper, upper, CIM_XNOR);
        const __m512i bits = _mm512_castps_si512(_mm512_cvtepi32_ps(distance));
        octave[i] = _mm512_srli_epi32(bits, 23); /* permutations read its low five bits */
        const __m512i one = _mm512_set1_epi32(0x3F800000), mantissa = _mm512_set1_epi32(0x007FFFFF);
        const __m512i scaled = _mm512_ternarylogic_epi32(bits, mantissa, one, CIM_AND_OR);
        offset[i] = _mm512_sub_ps(_mm512_castsi512_ps(scaled), _mm512_set1_ps(1.5f));
    }
#pragma GCC unroll 5
    for (int power = CIM_DEGREE; power >= 0; power--) {
        const __m512 low = _mm512_load_ps(cim_quantile[power]), high = _mm512_load_ps(cim_quantile[power] + 16);
#pragma GCC unroll 4
        for (int i = 0; i < count; i++) {
            const __m512 coefficient = _mm512_permutex2var_ps(low, octave[i], high);
            out[i] = power == CIM_DEGREE ? coefficient : _mm512_add_ps(_mm512_mul_ps(out[i], offset[i]), coefficient);
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < count; i++) { /* value ^ (word & sign) */
        const __m512i sign = _mm512_set1_epi32((int)0x80000000u), value = _mm512_castps_si512(out[i]);
        out[i] = _mm512_castsi512_ps(_mm512_ternarylogic_epi32(value, words[i], sign, CIM_XOR_AND));
    }
}

/* 64 normals, in order of outputs: out[w] lane l is output 16 * w + l of the group whose first counter is c0_base. */
CIM_AVX512 static inline void cim_normals64_avx512(uint32_t c0_base, uint32_t c1, uint32_t c2, uint32_t c3,
                                                   const uint32_t key[2], __m512 out[4]) {
    __m512i words[4];
    cim_philox16_avx512(c0_base, c1, c2, c3, key, words);
    cim_normal_avx512(words, 4, out);
}

/* cim_normal_line_portable, 64 at a time. */
CIM_AVX512 static inline void cim_normal_line_avx512(float *out, uint32_t start, uint32_t count, uint32_t c1,
                                                     uint32_t c2, uint32_t c3, const uint32_t key[2]) {
    const uint64_t stop = (uint64_t)start + count;
    for (uint64_t base = start / CIM_GROUP * CIM_GROUP; base < stop; base += CIM_GROUP) {
        const uint64_t low = base < start ? start : base, high = base + CIM_GROUP > stop ? stop : base + CIM_GROUP;
        float group[CIM_GROUP];
        __m512 lanes[4];
        cim_normals64_avx512((uint32_t)(base / 4), c1, c2, c3, key, lanes);
        float *to = high - low == CIM_GROUP ? out + (low - start) : group;
        for (int word = 0; word < 4; word++)
            _mm512_storeu_ps(to + 16 * word, lanes[word]);
        if (to == group)
            memcpy(out + (low - start), group + (low - base), (high - low) * sizeof(float));
    }
}

#else

static inline int cim_cpu_has_avx512(void) { return 0; }

static inline void cim_normal_line_avx512(float *out, uint32_t start, uint32_t count, uint32_t c1, uint32_t c2,
                                          uint32_t c3, const uint32_t key[2]) {
    cim_normal_line_portable(out, start, count, c1, c2, c3, key);
}

#endif

#endif
