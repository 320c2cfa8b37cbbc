/* AVX-512 with VBMI2: adders of 512 bits side by side, the bits of 64 vectors' inputs. */

#include "crossbar.h"

#if defined(__x86_64__) && defined(__GNUC__)

#define CIM_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi2")))
#define INLINE CIM_TARGET static inline __attribute__((always_inline))
#define APART CIM_TARGET static __attribute__((noinline))

#define LANES 64 /* bytes side by side */

#define CIM_MULTIPLY cim_multiply_adders

#include "crossbar_vector512.h"

int cim_has_adders(void) { return cim_has_avx512() && __builtin_cpu_supports("avx512vbmi2"); }

INLINE cim_vector sum_of(cim_vector a, cim_vector b, cim_vector c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

INLINE cim_vector carry_of(cim_vector a, cim_vector b, cim_vector c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0xE8);
}

INLINE cim_vector borrow_of(cim_vector a, cim_vector b, cim_vector c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0x8E);
}

INLINE cim_vector chosen(cim_vector bits, cim_vector ones, cim_vector zeros)
{
    return _mm512_ternarylogic_epi64(bits, ones, zeros, 0xCA);
}

INLINE cim_vector add_weighted(cim_vector sums, cim_vector bytes, cim_vector weights)
{
    return _mm512_dpbusd_epi32(sums, bytes, weights);
}

/* Where the planes of rows begin that have a bit, 32 of them from `first` on. Writes 32, returns the end of the real. */
INLINE uint16_t *append_rows(uint16_t *list, uint32_t bits, int32_t first)
{
    static const uint16_t from_first[32] __attribute__((aligned(64))) = {
        0 * 64,  1 * 64,  2 * 64,  3 * 64,  4 * 64,  5 * 64,  6 * 64,  7 * 64,  8 * 64,  9 * 64,  10 * 64,
        11 * 64, 12 * 64, 13 * 64, 14 * 64, 15 * 64, 16 * 64, 17 * 64, 18 * 64, 19 * 64, 20 * 64, 21 * 64,
        22 * 64, 23 * 64, 24 * 64, 25 * 64, 26 * 64, 27 * 64, 28 * 64, 29 * 64, 30 * 64, 31 * 64};
    const __m512i rows = _mm512_add_epi16(load_vector(from_first), _mm512_set1_epi16((int16_t)(first * LANES)));
    _mm512_storeu_si512(list, _mm512_maskz_compress_epi16(bits, rows));
    return list + __builtin_popcount(bits);
}

#include "crossbar_adders.h"

#else

int cim_has_adders(void) { return 0; }

CIM_AS_PORTABLE(cim_multiply_adders)

#endif
