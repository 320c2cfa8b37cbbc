/* AVX-512 with VBMI: tables of 64 sums, of six rows, looked up for 64 vectors at once. */

#include "crossbar.h"

#if defined(__x86_64__) && defined(__GNUC__)

#define CIM_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")))
#define INLINE CIM_TARGET static inline __attribute__((always_inline))
#define APART CIM_TARGET static __attribute__((noinline))

#define LANES 64 /* vectors side by side */
#define ROWS 6   /* of a table */
#define STEPS 8  /* steps summed at once */

#define CIM_MULTIPLY cim_multiply_tables
#define PATTERNS(bits) (bits)
#define COUNT_BYTES (2 * 64 * 64)

#include "crossbar_vector512.h"

int cim_has_tables(void) { return cim_has_avx512() && __builtin_cpu_supports("avx512vbmi"); }

/* counts[64 * p + i]: how many bits p and i share; then, another 64 * 64 bytes, twice as many. */
static void make_counts(uint8_t *counts)
{
    for (int pattern = 0; pattern < 64; pattern++)
        for (int index = 0; index < 64; index++) {
            const int lowest = pattern & -pattern; /* one bit, and a pattern that was before this one */
            const int before = pattern ? counts[64 * (pattern ^ lowest) + index] : 0;
            counts[64 * pattern + index] = (uint8_t)(before + ((lowest & index) != 0));
            counts[64 * (64 + pattern) + index] = (uint8_t)(2 * counts[64 * pattern + index]);
        }
}

INLINE cim_vector table_of(const uint8_t *counts, const uint8_t *patterns, ptrdiff_t group, ptrdiff_t groups,
                           const int bits)
{
    cim_vector table = load_vector(counts + 64 * patterns[group]);
    if (bits == 2)
        table = _mm512_add_epi8(table, load_vector(counts + 64 * (64 + patterns[groups + group])));
    return table;
}

INLINE cim_vector looked_up(cim_vector table, cim_vector indices) { return _mm512_permutexvar_epi8(indices, table); }

#include "crossbar_tables.h"

#else

int cim_has_tables(void) { return 0; }

int cim_multiply_tables(const cim_row_set *set, const cim_inputs *in, int32_t *sums, ptrdiff_t stride)
{
    return cim_multiply_portable(set, in, sums, stride);
}

#endif
