/* Normal random numbers from counters, for kernels: what cimspec/sim/random.py defines, bit for bit.
 *
 * Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC11. Normals come from one
 * word each, by a table of polynomials (fit_quantile.py), with single IEEE operations in a fixed order: compile with
 * -ffp-contract=off, or results differ in the last bit.
 */
#ifndef CIM_NOISE_H
#define CIM_NOISE_H

#include <stdint.h>
#include <string.h>

enum { CIM_GROUP = 64, CIM_GROUP_COUNTERS = 16, CIM_ROUNDS = 10, CIM_DEGREE = 6 };

#define CIM_PHILOX_M0 0xD2511F53u
#define CIM_PHILOX_M1 0xCD9E8D57u
#define CIM_PHILOX_W0 0x9E3779B9u
#define CIM_PHILOX_W1 0xBB67AE85u

#if defined(__GNUC__)
#define CIM_ALIGNED __attribute__((aligned(64)))
#else
#define CIM_ALIGNED
#endif

/* Coefficient of power k (row) for the octave of a float (column: the low five bits of its exponent). */
static const CIM_ALIGNED float cim_quantile[CIM_DEGREE + 1][32] = {
    {-6.05582666f, -5.94326687f, -5.82864475f, -5.71184349f, -5.5927372f, -5.47118568f,
     -5.34703445f, -5.2201128f, -5.09023094f, -4.95717478f, -4.82070589f, -4.68055296f,
     -4.53640795f, -4.387918f, -4.23467541f, -4.07620621f, -3.91195297f, -3.74125242f,
     -3.56330776f, -3.37714577f, -3.18155956f, -2.97502065f, -2.75554872f, -2.52050209f,
     -2.26622677f, -1.98742783f, -1.67593956f, -1.31801081f, -0.887146413f, -0.318639219f,
     -6.27517271f, -6.16642952f},
    {0.107304804f, 0.10923633f, 0.111274332f, 0.113428861f, 0.115711346f, 0.118134849f,
     0.120714359f, 0.123467162f, 0.12641336f, 0.12957643f, 0.132983997f, 0.136668876f,
     0.1406703f, 0.145035654f, 0.149822831f, 0.155103296f, 0.16096656f, 0.167526335f,
     0.174929589f, 0.183370113f, 0.193109438f, 0.204510078f, 0.218091473f, 0.234628201f,
     0.255334616f, 0.282241791f, 0.319054633f, 0.373417616f, 0.464415938f, 0.659298122f,
     0.103726581f, 0.105470851f},
    {-0.0348682776f, -0.0354632176f, -0.0360891148f, -0.0367487036f, -0.037445087f, -0.0381817631f,
     -0.0389627181f, -0.0397925004f, -0.0406763256f, -0.0416202284f, -0.0426312014f, -0.0437174141f,
     -0.044888474f, -0.0461557582f, -0.047532849f, -0.0490360931f, -0.0506853499f, -0.0525049791f,
     -0.0545251667f, -0.056783732f, -0.0593285561f, -0.0622208491f, -0.0655393004f, -0.0693846717f,
     -0.0738819838f, -0.079167977f, -0.0853108168f, -0.0919020101f, -0.0956819281f, -0.0692652911f,
     -0.0337617286f, -0.0343018398f},
    {0.0152276233f, 0.0154812019f, 0.015747644f, 0.0160280596f, 0.0163236968f, 0.0166359656f,
     0.0169664621f, 0.0173170008f, 0.0176896602f, 0.0180868227f, 0.0185112432f, 0.0189661272f,
     0.019455215f, 0.0199829154f, 0.0205544513f, 0.0211760662f, 0.0218552873f, 0.0226012673f,
     0.0234252475f, 0.0243411846f, 0.0253665876f, 0.0265236795f, 0.0278409757f, 0.0293554068f,
     0.0311151501f, 0.0331833251f, 0.0356446728f, 0.0386404172f, 0.0427689292f, 0.0572351068f,
     0.0147551885f, 0.0149859143f},
    {-0.0075036725f, -0.00762668811f, -0.00775584392f, -0.00789166149f, -0.00803472567f, -0.00818569586f,
     -0.0083453171f, -0.0085144341f, -0.00869401079f, -0.00888515264f, -0.00908913184f, -0.00930742361f,
     -0.0095417453f, -0.00979411136f, -0.0100669013f, -0.0103629483f, -0.0106856497f, -0.0110391155f,
     -0.0114283711f, -0.0118596153f, -0.012340581f, -0.0128810238f, -0.0134933908f, -0.0141937276f,
     -0.01500291f, -0.0159481931f, -0.0170648824f, -0.018395571f, -0.0199325308f, -0.0188485347f,
     -0.00727424398f, -0.00738633098f},
    {0.00465001725f, 0.0047251517f, 0.00480398163f, 0.00488681579f, 0.00497400062f, 0.00506592588f,
     0.00516302977f, 0.00526581006f, 0.00537483348f, 0.00549074635f, 0.00561429281f, 0.00574633153f,
     0.00588786136f, 0.00604004925f, 0.0062042689f, 0.00638214918f, 0.00657563703f, 0.00678707799f,
     0.00701932469f, 0.00727588031f, 0.00756109273f, 0.00788041577f, 0.00824077241f, 0.00865104329f,
     0.00912273955f, 0.00967088621f, 0.0103151081f, 0.0110808741f, 0.0120077115f, 0.0141080972f,
     0.00450975401f, 0.00457830075f},
    {-0.00270659267f, -0.00274991128f, -0.00279533956f, -0.00284305285f, -0.00289324624f, -0.00294613955f,
     -0.00300197979f, -0.00306104706f, -0.00312365964f, -0.00319018005f, -0.00326102506f, -0.00333667523f,
     -0.00341768726f, -0.0035047112f, -0.00359851075f, -0.00369998859f, -0.00381022133f, -0.00393050257f,
     -0.00406240067f, -0.00420783507f, -0.00436918065f, -0.00454940507f, -0.0047522625f, -0.00498255063f,
     -0.00524647208f, -0.00555210933f, -0.00591003196f, -0.00633396627f, -0.00684029516f, -0.00712346053f,
     -0.00262567401f, -0.00266522728f},
};

/* One block of four words. */
static inline void cim_philox(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t x0 = ctr[0], x1 = ctr[1], x2 = ctr[2], x3 = ctr[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < CIM_ROUNDS; round++) {
        const uint64_t p0 = (uint64_t)CIM_PHILOX_M0 * x0, p1 = (uint64_t)CIM_PHILOX_M1 * x2;
        x0 = (uint32_t)(p1 >> 32) ^ x1 ^ k0;
        x1 = (uint32_t)p1;
        x2 = (uint32_t)(p0 >> 32) ^ x3 ^ k1;
        x3 = (uint32_t)p0;
        k0 += CIM_PHILOX_W0;
        k1 += CIM_PHILOX_W1;
    }
    out[0] = x0;
    out[1] = x1;
    out[2] = x2;
    out[3] = x3;
}

/* The normal quantile of (word + 0.5) * 2^-32: the distance to the nearer end through the table, then the sign. */
static inline float cim_normal(uint32_t word) {
    const uint32_t upper = word & 0x80000000u;
    uint32_t tail = upper ? ~word : word, bits;
    float distance, offset, value;
    tail -= tail >> 24; /* so that the conversion cannot round up to 2^31 */
    distance = (float)(int32_t)tail + 0.5f;
    memcpy(&bits, &distance, sizeof bits);
    const uint32_t octave = (bits >> 23) & 31u;
    bits = (bits & 0x007FFFFFu) | 0x3F800000u;
    memcpy(&offset, &bits, sizeof offset);
    offset -= 1.5f;
    value = cim_quantile[CIM_DEGREE][octave];
    for (int power = CIM_DEGREE - 1; power >= 0; power--) {
        value *= offset;
        value += cim_quantile[power][octave];
    }
    memcpy(&bits, &value, sizeof bits);
    bits ^= upper;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Normals of outputs start .. start + count - 1. Output o is word (o % 64) / 16 of counter (o / 64) * 16 + o % 16. */
static inline void cim_normal_line_portable(float *out, uint32_t start, uint32_t count, uint32_t c1, uint32_t c2,
                                            uint32_t c3, const uint32_t key[2]) {
    const uint64_t stop = (uint64_t)start + count;
    for (uint64_t base = start / CIM_GROUP * CIM_GROUP; base < stop; base += CIM_GROUP)
        for (uint32_t lane = 0; lane < CIM_GROUP_COUNTERS; lane++) {
            const uint32_t ctr[4] = {(uint32_t)(base / 4) + lane, c1, c2, c3};
            uint32_t words[4];
            cim_philox(ctr, key, words);
            for (uint32_t word = 0; word < 4; word++) {
                const uint64_t output = base + word * CIM_GROUP_COUNTERS + lane;
                if (output >= start && output < stop)
                    out[output - start] = cim_normal(words[word]);
            }
        }
}

#if defined(__x86_64__) && defined(__GNUC__)
#define CIM_HAS_AVX512 1
#include <immintrin.h>

#define CIM_AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))

static inline int cim_cpu_has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

/* Ten rounds on eight counters, each word in the low half of a 64-bit lane; high halves hold leftovers throughout. */
CIM_AVX512 static inline void cim_philox8_avx512(__m512i x[4], const uint32_t key[2]) {
    const __m512i m0 = _mm512_set1_epi64(CIM_PHILOX_M0), m1 = _mm512_set1_epi64(CIM_PHILOX_M1);
    uint32_t k0 = key[0], k1 = key[1];
#pragma GCC unroll 10
    for (int round = 0; round < CIM_ROUNDS; round++) {
        const __m512i p0 = _mm512_mul_epu32(m0, x[0]), p1 = _mm512_mul_epu32(m1, x[2]);
        const int three_way_xor = 0x96;
        x[0] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p1, 32), x[1], _mm512_set1_epi32((int)k0), three_way_xor);
        x[1] = p1;
        x[2] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p0, 32), x[3], _mm512_set1_epi32((int)k1), three_way_xor);
        x[3] = p0;
        k0 += CIM_PHILOX_W0;
        k1 += CIM_PHILOX_W1;
    }
}

/* cim_normal of 16 words. */
CIM_AVX512 static inline __m512 cim_normal16_avx512(__m512i words) {
    const __m512i upper = _mm512_srai_epi32(words, 31);
    __m512i tail = _mm512_xor_si512(words, upper);
    tail = _mm512_sub_epi32(tail, _mm512_srli_epi32(tail, 24));
    const __m512 distance = _mm512_add_ps(_mm512_cvtepi32_ps(tail), _mm512_set1_ps(0.5f));
    __m512i bits = _mm512_castps_si512(distance);
    const __m512i octave = _mm512_srli_epi32(bits, 23); /* the permutation reads its low five bits */
    /* (bits & mantissa) | one */
    bits = _mm512_ternarylogic_epi32(bits, _mm512_set1_epi32(0x007FFFFF), _mm512_set1_epi32(0x3F800000), 0xEA);
    const __m512 offset = _mm512_sub_ps(_mm512_castsi512_ps(bits), _mm512_set1_ps(1.5f));
#define CIM_COEFFICIENT(power)                                                                                         \
    _mm512_permutex2var_ps(_mm512_loadu_ps(cim_quantile[power]), octave, _mm512_loadu_ps(cim_quantile[power] + 16))
    __m512 value = CIM_COEFFICIENT(CIM_DEGREE);
#pragma GCC unroll 6
    for (int power = CIM_DEGREE - 1; power >= 0; power--)
        value = _mm512_add_ps(_mm512_mul_ps(value, offset), CIM_COEFFICIENT(power));
#undef CIM_COEFFICIENT
    /* value ^ (words & sign) */
    return _mm512_castsi512_ps(
        _mm512_ternarylogic_epi32(_mm512_castps_si512(value), words, _mm512_set1_epi32((int)0x80000000u), 0x78));
}

/* 64 normals, in order of outputs: out[w] lane l is output 16 * w + l of the group whose first counter is c0_base. */
CIM_AVX512 static inline void cim_normals64_avx512(uint32_t c0_base, uint32_t c1, uint32_t c2, uint32_t c3,
                                                   const uint32_t key[2], __m512 out[4]) {
    const __m512i evens = _mm512_setr_epi32(0, 0, 2, 0, 4, 0, 6, 0, 8, 0, 10, 0, 12, 0, 14, 0);
    const __m512i first = _mm512_add_epi32(_mm512_set1_epi32((int)c0_base), evens);
    const __m512i v1 = _mm512_set1_epi32((int)c1), v2 = _mm512_set1_epi32((int)c2), v3 = _mm512_set1_epi32((int)c3);
    __m512i even[4] = {first, v1, v2, v3};
    __m512i odd[4] = {_mm512_add_epi32(first, _mm512_set1_epi32(1)), v1, v2, v3};
    cim_philox8_avx512(even, key);
    cim_philox8_avx512(odd, key);
#pragma GCC unroll 4
    for (int word = 0; word < 4; word++)
        out[word] = cim_normal16_avx512(
            _mm512_mask_blend_epi32(0xAAAA, even[word], _mm512_slli_epi64(odd[word], 32)));
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
#define CIM_HAS_AVX512 0

static inline int cim_cpu_has_avx512(void) { return 0; }

static inline void cim_normal_line_avx512(float *out, uint32_t start, uint32_t count, uint32_t c1, uint32_t c2,
                                          uint32_t c3, const uint32_t key[2]) {
    cim_normal_line_portable(out, start, count, c1, c2, c3, key);
}

#endif
#endif
