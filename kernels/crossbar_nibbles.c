/* AVX2: tables of 16 sums, of four rows, looked up for 32 vectors at once. */

#include "crossbar.h"

#if defined(__x86_64__) && defined(__GNUC__)

#define CIM_TARGET __attribute__((target("avx2")))
#define INLINE CIM_TARGET static inline __attribute__((always_inline))
#define APART CIM_TARGET static __attribute__((noinline))

#define LANES 32 /* vectors side by side */
#define ROWS 4   /* of a table */
#define STEPS 4  /* summed at once */

#define CIM_MULTIPLY cim_multiply_nibbles
#define TABLE_BYTES 16
#define PATTERN_BITS 2
#define COUNT_BYTES (256 * TABLE_BYTES)

#include "crossbar_vector256.h"

typedef __m128i cim_table;
#define T(operation) _mm_##operation

INLINE cim_table load_table(const void *from) { return _mm_load_si128(from); }

INLINE void store_table(void *to, cim_table table) { _mm_store_si128(to, table); }

/* counts[16 * p + i]: how many bits i shares with p's lower half, and twice as many as it shares with the upper. */
static void make_counts(uint8_t *counts)
{
    static const uint8_t ones[16] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};
    for (int pattern = 0; pattern < 16; pattern++)
        for (int index = 0; index < 16; index++)
            counts[16 * pattern + index] = ones[pattern & index];
    for (int pattern = 16; pattern < 256; pattern++)
        for (int index = 0; index < 16; index++)
            counts[16 * pattern + index] =
                (uint8_t)(counts[16 * (pattern & 15) + index] + 2 * counts[16 * (pattern >> 4) + index]);
}

INLINE cim_vector in_register(cim_vector vector) { return vector; }

INLINE cim_vector table_at(const uint8_t *table) { return _mm256_broadcastsi128_si256(load_table(table)); }

INLINE cim_vector looked_up(cim_vector table, cim_vector indices) { return _mm256_shuffle_epi8(table, indices); }

#include "crossbar_tables.h"

#else

CIM_AS_PORTABLE(cim_multiply_nibbles)

#endif
