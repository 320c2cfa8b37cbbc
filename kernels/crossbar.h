/* Products through the planes of a crossbar, for many input vectors: the part that takes the time.

   A plane is what one conversion reads: one slice (of one sign) of the weights of neighbouring outputs. For every
   vector, step and output the digits of one step meet the cells of one plane; the ADC turns their sum into a code;
   codes times step factor times plane factor are added to the output, in int32.

   One translation unit for each instruction set defines the same functions; `crossbar.pyx` checks arguments and picks.
   The caller warrants that no sum and no output leaves int32. */

#ifndef CIMSPEC_CROSSBAR_H
#define CIMSPEC_CROSSBAR_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "noise.h"

/* Loops over accumulators: unrolled early, else gcc 12 keeps those in memory. */
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Outputs whose cells lie side by side; CIM_GROUP of them are converted together. */
#define CIM_BITS_TILE 32
#define CIM_WORDS_TILE 16

typedef enum {
    CIM_BITS,
    CIM_BYTES,
    CIM_WORDS,
    CIM_TABLES,
    CIM_SUMS,
    CIM_NIBBLES,
    CIM_AMX_BYTES,
    CIM_AMX_WORDS,
    CIM_ADDERS
} cim_format;
/* Packed cells of one tile; rows are padded with zeros.
   BITS       [rows / 16][cell_bits][signs][32] uint16: row `16 i + b` in bit b; the second sign counts negative
   BYTES      [rows / 4][16][4] int8, or uint8 where cells have 8 bits and one sign: digits are below 128 then
   WORDS      [rows / 2][16][2] int16
   TABLES     no tiles; for each output [signs][cell_bits][rows / 6] uint8: row `6 i + b` in bit b
   NIBBLES    no tiles; for each output [signs][cell_bits / 2][rows / 4] uint8: row `4 i + b` in bit b, next bits in 4 + b
   SUMS       as WORDS; any five cells of a column add up within 16 bits
   AMX_BYTES  [rows / 64][16][16][4] int8, or uint8 where all cells have one sign; digits are below 256
   AMX_WORDS  the same twice: int8 of the upper bytes of 16-bit cells, then uint8 of the lower ones
   ADDERS     no tiles; for each output [signs][cell_bits][rows / 32] uint32: row `32 i + b` in bit b
   BITS, TABLES, NIBBLES, SUMS and ADDERS take inputs bit by bit; the first three need a conversion for 16-bit sums,
   ADDERS one by additions. */

typedef enum { CIM_SUM, CIM_SHIFT, CIM_ROUND } cim_conversion;
/* SUM     the sum itself
   SHIFT   min(max((sum + half) >> shift, lowest), highest)
   ROUND   round((clip(sum * scale + noise) - zero) * inverse), float32 */

typedef enum { CIM_HALF_EVEN, CIM_HALF_UP, CIM_HALF_AWAY, CIM_DOWN } cim_rounding;

typedef enum { CIM_TWOS_COMPLEMENT, CIM_POSITIVE_PART, CIM_NEGATIVE_PART } cim_part;

#define CIM_TERMS 3 /* at most */

typedef struct {
    int32_t shift, is_minus, constant; /* of the constant only bits below `shift` */
} cim_term;

/* A conversion by additions, for ADDERS, whatever `conversion` says: x = sum + start; for each term
   x = (x << term.shift) + term.constant + x, or less x; code = clip(x >> shift, lowest, highest). If `tie_bit` is not
   negative, that bit of sum + start is added by the last term, which then is 1 less if it is a minus. */
typedef struct {
    int32_t start, shift, lowest, highest, tie_bit, terms;
    cim_term term[CIM_TERMS];
} cim_scaling;

typedef struct {
    int32_t conversion;
    int32_t half, shift, lowest, highest;
    int32_t rounding;
    float scale, clip_low, clip_high, zero, inverse;
    float noise;      /* standard deviation of a sum whose digits' squares add up to 1; 0: none is drawn */
    uint32_t key[2];  /* of the noise */
    uint32_t row_set; /* first row, a counter word of the noise */
    /* The same conversion on 16-bit sums, where there is one:
       s = clip(sum, sum_low, sum_high) - sum_low
       code = ((s << scale_shift) + scale_offset + (s >> tie_shift & tie_mask)) * scale_factor >> 16
       less what `total_offset`, the start of the sum over steps, makes up for. Where `starts` is set, no sum is
       clipped and s is the sum: sums start at `scale_offset`, and what is left is (sum * scale_factor) >> 16. */
    int32_t starts;
    int32_t sum_low, sum_high, scale_shift, scale_offset, scale_factor, tie_mask, tie_shift, total_offset, total_signed;
    cim_scaling scaling;
} cim_adc;

typedef struct {
    int32_t shift, mask, part, factor; /* digit = (part of the code >> shift) & mask */
} cim_step;

typedef struct {
    ptrdiff_t cells;                       /* offset of the first tile, bytes */
    int32_t first_output, outputs;         /* tiles begin at multiples of 16, groups at multiples of 64 */
    ptrdiff_t factors;                     /* of the first tile's first output (TABLES: of the first output) */
    int32_t number;                        /* a counter word of the noise */
} cim_plane;

typedef struct {
    cim_format format;
    int32_t rows, cell_bits, signs, steps, planes;
    const cim_step *step;
    const cim_plane *plane;
    const uint8_t *cells;
    const int32_t *factors; /* what codes are multiplied by, for each output of each plane */
    cim_adc adc;
    /* Of TABLES and NIBBLES, see crossbar_lookup.h. For each factor, what `byte_sums` of `tables_added` start at. */
    const uint8_t *table_starts;
    int32_t tables_added, byte_sums, starts_total, cell_centre;
} cim_row_set;

/* Memory that a thread keeps from one call to the next: to get pages anew takes as long as to fill them a few times. */
typedef struct {
    uint8_t *held;
    size_t bytes;
} cim_room;

/* So many bytes of it, on a cache line, whatever they hold; or NULL. They are lent until the next call. */
static inline uint8_t *cim_lend(cim_room *room, size_t bytes)
{
#ifdef __SANITIZE_ADDRESS__
    const int is_enough = 0; /* no byte more than asked for, so that none is read */
#else
    const int is_enough = bytes + 64 <= room->bytes;
#endif
    if (!is_enough) {
        free(room->held);
        room->held = malloc(bytes + 64);
        room->bytes = room->held ? bytes + 64 : 0;
    }
    return room->held ? room->held + 64 - (uintptr_t)room->held % 64 : NULL;
}

typedef struct {
    const int16_t *codes;
    ptrdiff_t codes_count;  /* how many there are */
    const int64_t *origins; /* [vectors], where each vector's window begins in `codes` */
    const int32_t *offsets; /* [rows], from there */
    ptrdiff_t vectors;
    uint64_t first_vector;  /* index of vector 0, a counter word of the noise */
    int64_t *input_sums;    /* [vectors], the rows' codes are added to it; or NULL */
    cim_room *room;
} cim_inputs;

/* A set of rows, and the vectors that drive it. */
typedef struct cim_job cim_job;

/* Add what some sets of rows make of the same vectors to `sums` [vectors, sums_stride]. Returns 0, or 1 where memory is
   lacking. */
typedef int cim_function(const cim_job *jobs, ptrdiff_t count, int32_t *sums, ptrdiff_t sums_stride);
typedef cim_function *cim_multiply;

struct cim_job {
    cim_row_set set;
    cim_inputs inputs;
    cim_multiply multiply;
};

/* A `cim_function` that does one set of rows after the other. */
#define CIM_EACH_JOB(NAME, MULTIPLY_ROWS)                                                                              \
    int NAME(const cim_job *jobs, ptrdiff_t count, int32_t *sums, ptrdiff_t stride)                                    \
    {                                                                                                                  \
        int lacking = 0;                                                                                               \
        for (ptrdiff_t index = 0; index < count; index++)                                                              \
            lacking |= MULTIPLY_ROWS(&jobs[index].set, &jobs[index].inputs, sums, stride);                             \
        return lacking;                                                                                                \
    }

/* What stands for it on machines that have no such instructions, where nobody calls it. */
#define CIM_AS_PORTABLE(NAME)                                                                                          \
    int NAME(const cim_job *jobs, ptrdiff_t count, int32_t *sums, ptrdiff_t stride)                                    \
    {                                                                                                                  \
        return cim_multiply_portable(jobs, count, sums, stride);                                                       \
    }

cim_function cim_multiply_portable, cim_multiply_avx2; /* WORDS */
cim_function cim_multiply_avx512;                     /* BYTES, WORDS */
cim_function cim_multiply_bits, cim_multiply_tables, cim_multiply_nibbles, cim_multiply_sums;
cim_function cim_multiply_sums_avx2;
cim_function cim_multiply_adders;
cim_function cim_multiply_amx; /* AMX_BYTES, AMX_WORDS */

/* The same of sets of rows of any form, each by its own function; sums begin at 0, inputs are spent then. */
int cim_run_jobs(cim_job *jobs, ptrdiff_t count, int32_t *sums, ptrdiff_t stride);

int cim_has_avx2(void);
int cim_has_avx512(void);
int cim_has_bits(void);
int cim_has_tables(void);
int cim_has_sums(void);
int cim_has_adders(void);
int cim_has_amx(void); /* asks the system to lend the tiles, the first time */

/* Rows, padded to whole tiles: a line of bytes. */
static inline ptrdiff_t cim_amx_line(int32_t rows) { return (ptrdiff_t)((rows + 63) / 64) * 64; }

/* Bytes of one tile of packed cells. */
static inline ptrdiff_t cim_tile_bytes(cim_format format, int32_t rows, int32_t cell_bits, int32_t signs)
{
    switch (format) {
    case CIM_BITS: return (ptrdiff_t)((rows + 15) / 16) * cell_bits * signs * CIM_BITS_TILE * 2;
    case CIM_BYTES: return (ptrdiff_t)((rows + 3) / 4) * 4 * CIM_WORDS_TILE;
    case CIM_AMX_BYTES: return cim_amx_line(rows) * CIM_WORDS_TILE;
    case CIM_AMX_WORDS: return cim_amx_line(rows) * CIM_WORDS_TILE * 2;
    default: return (ptrdiff_t)((rows + 1) / 2) * 2 * CIM_WORDS_TILE * 2;
    }
}

/* Bytes of one output's cells, for TABLES, NIBBLES and ADDERS. */
static inline ptrdiff_t cim_column_bytes(cim_format format, int32_t rows, int32_t cell_bits, int32_t signs)
{
    if (format == CIM_TABLES)
        return (ptrdiff_t)((rows + 5) / 6) * cell_bits * signs;
    if (format == CIM_ADDERS)
        return (ptrdiff_t)((rows + 31) / 32) * 4 * cell_bits * signs;
    return (ptrdiff_t)((rows + 3) / 4) * ((cell_bits + 1) / 2) * signs;
}

/* Outputs that planes reach, those before the first included. */
static inline int32_t cim_outputs(const cim_row_set *set)
{
    int32_t outputs = 0;
    for (int32_t index = 0; index < set->planes; index++) {
        const int32_t end = set->plane[index].first_output + set->plane[index].outputs;
        outputs = end > outputs ? end : outputs;
    }
    return outputs;
}

/* The same of some sets of rows. */
static inline int32_t cim_all_outputs(const cim_job *jobs, ptrdiff_t count)
{
    int32_t outputs = 0;
    for (ptrdiff_t job = 0; job < count; job++) {
        const int32_t own = cim_outputs(&jobs[job].set);
        outputs = own > outputs ? own : outputs;
    }
    return outputs;
}

/* Whether each step counts twice as much as the one before it. */
static inline int cim_each_doubles(const cim_step *step, int32_t steps)
{
    for (int32_t index = 1; index < steps; index++)
        if (step[index].factor != 2 * (int64_t)step[index - 1].factor)
            return 0;
    return 1;
}

static inline size_t cim_larger(size_t a, size_t b) { return a > b ? a : b; }

/* Bytes of one line of packed inputs: the digits of one step. */
static inline ptrdiff_t cim_line_bytes(cim_format format, int32_t rows)
{
    switch (format) {
    case CIM_BITS: return (ptrdiff_t)((rows + 15) / 16) * 4;
    case CIM_BYTES: return (ptrdiff_t)((rows + 3) / 4) * 4;
    case CIM_AMX_BYTES:
    case CIM_AMX_WORDS: return cim_amx_line(rows);
    default: return (ptrdiff_t)((rows + 1) / 2) * 4;
    }
}

#endif
