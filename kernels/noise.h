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
    {-6.08510447f, -5.95750761f, -5.83574390f, -5.71542454f, -5.59455442f, -5.47211075f,
     -5.34750652f, -5.22035408f, -5.09035444f, -4.95723820f, -4.82073832f, -4.68056965f,
     -4.53641653f, -4.38792229f, -4.23467779f, -4.07620764f, -3.91195345f, -3.74125266f,
     -3.56330776f, -3.37714601f, -3.18155956f, -2.97502065f, -2.75554872f, -2.52050209f,
     -2.26622677f, -1.98742783f, -1.67593956f, -1.31801081f, -0.887146413f, -0.318639219f,
     0.00000000f, -6.33795786f},
    {0.162649944f, 0.118399464f, 0.115975872f, 0.115772672f, 0.116893075f, 0.118734248f,
     0.121019401f, 0.123622738f, 0.126492858f, 0.129617080f, 0.133004829f, 0.136679560f,
     0.140675768f, 0.145038471f, 0.149824277f, 0.155104041f, 0.160966948f, 0.167526528f,
     0.174929693f, 0.183370173f, 0.193109453f, 0.204510093f, 0.218091488f, 0.234628201f,
     0.255334616f, 0.282241791f, 0.319054633f, 0.373417616f, 0.464415938f, 0.659298122f,
     0.00000000f, 0.00000000f},
    {0.00000000f, -0.0428036787f, -0.0392565615f, -0.0383134633f, -0.0382297039f, -0.0385788120f,
     -0.0391643792f, -0.0398952141f, -0.0407285094f, -0.0416468941f, -0.0426448435f, -0.0437244028f,
     -0.0448920578f, -0.0461575985f, -0.0475337952f, -0.0490365811f, -0.0506855994f, -0.0525051095f,
     -0.0545252338f, -0.0567837656f, -0.0593285747f, -0.0622208565f, -0.0655393004f, -0.0693846717f,
     -0.0738819838f, -0.0791679844f, -0.0853108168f, -0.0919020101f, -0.0956819281f, -0.0692652911f,
     0.00000000f, 0.00000000f},
    {0.00000000f, 0.0284696277f, 0.0179452356f, 0.0170858223f, 0.0168494210f, 0.0169004146f,
     0.0171003696f, 0.0173850749f, 0.0177236293f, 0.0181041695f, 0.0185201131f, 0.0189706683f,
     0.0194575433f, 0.0199841093f, 0.0205550641f, 0.0211763829f, 0.0218554512f, 0.0226013511f,
     0.0234252922f, 0.0243412070f, 0.0253665987f, 0.0265236869f, 0.0278409775f, 0.0293554086f,
     0.0311151501f, 0.0331833251f, 0.0356446765f, 0.0386404172f, 0.0427689292f, 0.0572351068f,
     0.00000000f, 0.00000000f},
    {0.00000000f, 0.00000000f, -0.00904683396f, -0.00848338474f, -0.00832746364f, -0.00832970254f,
     -0.00841863547f, -0.00855170656f, -0.00871621259f, -0.00889648497f, -0.00909492467f, -0.00931038707f,
     -0.00954326335f, -0.00979488995f, -0.0100673018f, -0.0103631541f, -0.0106857549f, -0.0110391704f,
     -0.0114283990f, -0.0118596293f, -0.0123405885f, -0.0128810275f, -0.0134933926f, -0.0141937295f,
     -0.0150029110f, -0.0159481931f, -0.0170648824f, -0.0183955710f, -0.0199325308f, -0.0188485347f,
     0.00000000f, 0.00000000f},
    {0.00000000f, 0.00000000f, 0.00555248139f, 0.00532241911f, 0.00519914785f, 0.00518154446f,
     0.00522242207f, 0.00529625127f, 0.00539331185f, 0.00550017226f, 0.00561910775f, 0.00574879441f,
     0.00588912237f, 0.00604069559f, 0.00620460045f, 0.00638231961f, 0.00657572504f, 0.00678712316f,
     0.00701934798f, 0.00727589242f, 0.00756109878f, 0.00788041949f, 0.00824077427f, 0.00865104422f,
     0.00912274048f, 0.00967088621f, 0.0103151081f, 0.0110808741f, 0.0120077115f, 0.0141080972f,
     0.00000000f, 0.00000000f},
    {0.00000000f, 0.00000000f, -0.00442362111f, -0.00360244978f, -0.00325372745f, -0.00313176052f,
     -0.00309387268f, -0.00310751214f, -0.00313666253f, -0.00319681037f, -0.00326441112f, -0.00333840633f,
     -0.00341857341f, -0.00350516546f, -0.00359874382f, -0.00370010850f, -0.00381028303f, -0.00393053424f,
     -0.00406241696f, -0.00420784345f, -0.00436918484f, -0.00454940740f, -0.00475226343f, -0.00498255109f,
     -0.00524647254f, -0.00555210933f, -0.00591003196f, -0.00633396627f, -0.00684029516f, -0.00712346053f,
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
