/* Normal random numbers from counters, for kernels: what cimspec/sim/random.py defines, bit for bit.
 *
 * Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC11. Normals come from one
 * word each, by a table of polynomials (fit_quantile.py), with single IEEE operations in a fixed order: compile with
 * -ffp-contract=off, or results differ in the last bit.
 */
#ifndef CIM_NOISE_H
#define CIM_NOISE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { CIM_GROUP = 64, CIM_GROUP_COUNTERS = 16, CIM_ROUNDS = 10, CIM_DEGREE = 4 };

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
    {-6.08510447f, -5.95750761f, -5.83575010f, -5.71542978f, -5.59455824f, -5.47211409f,
     -5.34750986f, -5.22035742f, -5.09035730f, -4.95724106f, -4.82074165f, -4.68057299f,
     -4.53641987f, -4.38792562f, -4.23468113f, -4.07621145f, -3.91195726f, -3.74125648f,
     -3.56331182f, -3.37715006f, -3.18156385f, -2.97502518f, -2.75555348f, -2.52050710f,
     -2.26623178f, -1.98743320f, -1.67594540f, -1.31801701f, -0.887153089f, -0.318646163f,
     0.00000000f, -6.33795786f},
    {0.162649944f, 0.118399464f, 0.115927070f, 0.115696944f, 0.116804115f, 0.118639037f,
     0.120920286f, 0.123520665f, 0.126387477f, 0.129509628f, 0.132895038f, 0.136567235f,
     0.140560701f, 0.144920439f, 0.149703041f, 0.154979348f, 0.160838470f, 0.167393923f,
     0.174792543f, 0.183228016f, 0.192961723f, 0.204356119f, 0.217930466f, 0.234459177f,
     0.255156368f, 0.282052815f, 0.318853080f, 0.373201102f, 0.464181334f, 0.659021974f,
     0.00000000f, 0.00000000f},
    {0.00000000f, -0.0428036787f, -0.0388689339f, -0.0380231254f, -0.0380113497f, -0.0383923538f,
     -0.0389931090f, -0.0397301689f, -0.0405692831f, -0.0414846130f, -0.0424791314f, -0.0435549319f,
     -0.0447185189f, -0.0459796637f, -0.0473511107f, -0.0488487519f, -0.0504921786f, -0.0523055829f,
     -0.0543190129f, -0.0565701611f, -0.0591067821f, -0.0619899146f, -0.0652980655f, -0.0691317469f,
     -0.0736156628f, -0.0788861439f, -0.0850108117f, -0.0915804878f, -0.0953347012f, -0.0689034685f,
     0.00000000f, 0.00000000f},
    {0.00000000f, 0.0284696277f, 0.0190730840f, 0.0185002796f, 0.0183678307f, 0.0184703171f,
     0.0187088903f, 0.0190290380f, 0.0194092523f, 0.0198231898f, 0.0202763062f, 0.0207673926f,
     0.0212981272f, 0.0218720660f, 0.0224942490f, 0.0231711119f, 0.0239106268f, 0.0247225985f,
     0.0256191194f, 0.0266152155f, 0.0277297478f, 0.0289866365f, 0.0304165557f, 0.0320592150f,
     0.0339663848f, 0.0362058803f, 0.0388685800f, 0.0421036594f, 0.0465218686f, 0.0616472512f,
     0.00000000f, 0.00000000f},
    {0.00000000f, 0.00000000f, -0.0124201253f, -0.0107700704f, -0.0100780101f, -0.00986184087f,
     -0.00985395815f, -0.00995263737f, -0.0100882994f, -0.0102948826f, -0.0105228927f, -0.0107707242f,
     -0.0110386675f, -0.0113281719f, -0.0116415182f, -0.0119817108f, -0.0123525057f, -0.0127585232f,
     -0.0132054416f, -0.0137002859f, -0.0142518207f, -0.0148710944f, -0.0155721949f, -0.0163732655f,
     -0.0172978956f, -0.0183768719f, -0.0196501259f, -0.0211662557f, -0.0229246989f, -0.0219652560f,
     0.00000000f, 0.00000000f},
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
    /* -1 to -2^31: minus the distance to the nearer end. The sign bit is masked away below. */
    const float distance = (float)(int32_t)~(word ^ (0u - (word >> 31)));
    uint32_t bits;
    float offset, value;
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

/* What draws with one key share; the other instruction sets have more to prepare. */
typedef struct {
    uint32_t key[2];
} cim_source_portable;

static inline void cim_prepare_portable(cim_source_portable *source, const uint32_t key[2]) {
    memcpy(source->key, key, sizeof source->key);
}

/* The first `count` normals (and more of the 64) of the group whose first counter is c0_base, in order of outputs. */
static inline void cim_normals64_portable(const cim_source_portable *source, uint32_t c0_base, uint32_t c1, uint32_t c2,
                                          uint32_t c3, ptrdiff_t count, float *out) {
    for (uint32_t lane = 0; lane < CIM_GROUP_COUNTERS && lane < count; lane++) {
        const uint32_t counter[4] = {c0_base + lane, c1, c2, c3};
        uint32_t words[4];
        cim_philox(counter, source->key, words);
        for (uint32_t word = 0; word < 4; word++)
            out[CIM_GROUP_COUNTERS * word + lane] = cim_normal(words[word]);
    }
}

/* Normals of outputs start .. start + count - 1. Output o is word (o % 64) / 16 of counter (o / 64) * 16 + o % 16. */
static inline void cim_normal_line_portable(float *out, uint32_t start, uint32_t count, uint32_t c1, uint32_t c2,
                                            uint32_t c3, const uint32_t key[2]) {
    const uint64_t stop = (uint64_t)start + count;
    cim_source_portable source;
    cim_prepare_portable(&source, key);
    for (uint64_t base = start / CIM_GROUP * CIM_GROUP; base < stop; base += CIM_GROUP) {
        const uint64_t low = base < start ? start : base, high = base + CIM_GROUP > stop ? stop : base + CIM_GROUP;
        float group[CIM_GROUP];
        cim_normals64_portable(&source, (uint32_t)(base / 4), c1, c2, c3, CIM_GROUP, group);
        memcpy(out + (low - start), group + (low - base), (high - low) * sizeof(float));
    }
}

#endif
