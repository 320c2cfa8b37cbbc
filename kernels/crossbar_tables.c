/* AVX-512 with VBMI: tables of 64 sums, of six rows, looked up for 64 vectors at once. */

#include "crossbar.h"

#if defined(__x86_64__) && defined(__GNUC__)

#define CIM_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")))
#define INLINE CIM_TARGET static inline __attribute__((always_inline))
#define APART CIM_TARGET static __attribute__((noinline))

#define LANES 64 /* vectors side by side */
#define ROWS 6   /* of a table */
#define STEPS 4  /* summed at once */

#define CIM_MULTIPLY cim_multiply_tables
#define TABLE_BYTES 64
#define PATTERN_BITS 1
#define COUNT_BYTES (64 * TABLE_BYTES)

#include "crossbar_vector512.h"

int cim_has_tables(void) { return cim_has_avx512() && __builtin_cpu_supports("avx512vbmi"); }

typedef cim_vector cim_table;
#define T(operation) V(operation)

INLINE cim_table load_table(const void *from) { return load_vector(from); }

INLINE void store_table(void *to, cim_table table) { store_vector(to, table); }

/* counts[64 * p + i]: how many bits p and i share. */
static void make_counts(uint8_t *counts)
{
    for (int pattern = 0; pattern < 64; pattern++)
        for (int index = 0; index < 64; index++) {
            const int lowest = pattern & -pattern; /* one bit, and a pattern that was before this one */
            const int before = pattern ? counts[64 * (pattern ^ lowest) + index] : 0;
            counts[64 * pattern + index] = (uint8_t)(before + ((lowest & index) != 0));
        }
}

/* gcc 12 reads what is looked up more than once each time, otherwise. */
INLINE cim_vector in_register(cim_vector vector)
{
    __asm__("" : "+v"(vector));
    return vector;
}

INLINE cim_vector table_at(const uint8_t *table) { return in_register(load_vector(table)); }

INLINE cim_vector looked_up(cim_vector table, cim_vector indices) { return _mm512_permutexvar_epi8(indices, table); }

#include "crossbar_tables.h"

#else

int cim_has_tables(void) { return 0; }

CIM_AS_PORTABLE(cim_multiply_tables)

#endif
