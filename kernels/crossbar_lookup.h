/* Sums of two columns, looked up in their tables for LANES vectors side by side, and their codes. To be included by
   crossbar_tables.h.

   Bytes take what a few tables add up to, `tables_added` of them: cells count from `cell_centre` on, and each sum of bytes
   starts at one of `table_starts`, so that it stays in 0 .. 255. 16 bits take the bytes, those of even vectors and those of
   odd ones. What starts and centre make too much, or too little, the 16-bit sums start with: starts of all columns add up
   to the same. */

#include "crossbar_short.h"

#define COLUMNS 2 /* at once: they share the indices */

/* 16-bit sums of a few steps. */
typedef struct {
    cim_vector both[STEPS]; /* of even vectors, and those of odd ones times 256 */
    cim_vector odd[STEPS];
} step_sums;

/* Add what `groups` of rows make. A column's tables are `column_bytes` behind those of the one before; `starts` of sums of
   bytes are each column's (or 0), `indices` [groups][STEPS][LANES]. */
INLINE void look_up(step_sums *sums, const uint8_t *tables, ptrdiff_t column_bytes, ptrdiff_t groups, ptrdiff_t at_once,
                    const uint8_t *const *starts, const uint8_t *indices, const int columns, const int steps)
{
    for (ptrdiff_t group = 0, sum = 0; group < groups; sum++) {
        const ptrdiff_t end = group + at_once < groups ? group + at_once : groups;
        cim_vector acc[COLUMNS][STEPS];
        UNROLL for (int column = 0; column < columns; column++)
            UNROLL for (int step = 0; step < steps; step++)
                acc[column][step] = starts ? V(set1_epi8)((char)starts[column][sum]) : V_WHOLE(setzero)();
        for (; group < end; group++) {
            cim_vector table[COLUMNS];
            UNROLL for (int column = 0; column < columns; column++)
                table[column] = table_at(tables + column * column_bytes + group * TABLE_BYTES);
            UNROLL for (int step = 0; step < steps; step++) {
                const cim_vector index = in_register(load_vector(indices + (group * STEPS + step) * LANES));
                UNROLL for (int column = 0; column < columns; column++)
                    acc[column][step] = with_bytes(acc[column][step], looked_up(table[column], index));
            }
        }
        UNROLL for (int column = 0; column < columns; column++)
            UNROLL for (int step = 0; step < steps; step++) {
                const cim_vector odd = V(srli_epi16)(acc[column][step], 8);
                sums[column].both[step] = V(add_epi16)(sums[column].both[step], acc[column][step]);
                sums[column].odd[step] = V(add_epi16)(sums[column].odd[step], odd);
            }
    }
}

/* The sums of even vectors, without those of odd ones. */
INLINE cim_vector even_of(const step_sums *sums, int step)
{
    return V(sub_epi16)(sums->both[step], V(slli_epi16)(sums->odd[step], 8));
}

/* What is looked up for some vectors, in all steps. */
typedef struct {
    const cim_row_set *set;
    ptrdiff_t groups, column_bytes; /* of a column's tables */
    int each_doubles;               /* steps: each counts twice as much as the one before it */
} cim_lookup;

/* Codes of two columns in a few steps, even vectors and odd ones, shifted and added to those of other steps: 16 bits hold
   them, as the caller warrants. */
INLINE void add_steps(const cim_lookup *lookup, const uint8_t *tables, const uint8_t *const *byte_starts,
                      const uint8_t *indices, const step_sums *starts, const cim_step *step, const int steps,
                      cim_vector codes[COLUMNS][2])
{
    const cim_row_set *set = lookup->set;
    step_sums sums[COLUMNS];
    UNROLL for (int column = 0; column < COLUMNS; column++)
        UNROLL for (int index = 0; index < steps; index++) {
            sums[column].both[index] = load_vector(starts->both + index);
            sums[column].odd[index] = load_vector(starts->odd + index);
        }
    look_up(sums, tables, lookup->column_bytes, lookup->groups, set->tables_added, byte_starts, indices, COLUMNS, steps);
    UNROLL for (int column = 0; column < COLUMNS; column++) {
        UNROLL for (int index = 0; index < steps; index++)
            sums[column].both[index] = even_of(&sums[column], index);
        codes_of(&set->adc, sums[column].both, steps, set->signs == 2);
        codes_of(&set->adc, sums[column].odd, steps, set->signs == 2);
        codes[column][0] = with_steps(codes[column][0], sums[column].both, step, steps, lookup->each_doubles);
        codes[column][1] = with_steps(codes[column][1], sums[column].odd, step, steps, lookup->each_doubles);
    }
}

/* The same in all steps: whole batches, then `rest` of them. */
INLINE void add_all_steps(const cim_lookup *lookup, const uint8_t *tables, const uint8_t *const *byte_starts,
                          const uint8_t *indices, const step_sums *starts, const int rest, cim_vector (*codes)[2])
{
    const cim_row_set *set = lookup->set;
    cim_vector own[COLUMNS][2];
    UNROLL for (int column = 0; column < COLUMNS; column++)
        own[column][0] = own[column][1] = V(set1_epi16)((int16_t)set->adc.total_offset);
    int32_t step = 0;
    for (; step + STEPS <= set->steps; step += STEPS, starts++, indices += lookup->groups * STEPS * LANES)
        add_steps(lookup, tables, byte_starts, indices, starts, set->step + step, STEPS, own);
    if (rest)
        add_steps(lookup, tables, byte_starts, indices, starts, set->step + step, rest, own);
    UNROLL for (int column = 0; column < COLUMNS; column++)
        UNROLL for (int odd = 0; odd < 2; odd++)
            codes[column][odd] = own[column][odd];
}

typedef void codes_function(const cim_lookup *, const uint8_t *, const uint8_t *const *, const uint8_t *,
                            const step_sums *, cim_vector (*)[2]);
#define CODES(REST)                                                                                                    \
    APART void codes_##REST(const cim_lookup *lookup, const uint8_t *tables, const uint8_t *const *byte_starts,        \
                            const uint8_t *indices, const step_sums *starts, cim_vector (*codes)[2])                   \
    {                                                                                                                  \
        add_all_steps(lookup, tables, byte_starts, indices, starts, REST, codes);                                      \
    }
CODES(0)
CODES(1)
CODES(2)
CODES(3)
static codes_function *const codes_functions[STEPS] = {codes_0, codes_1, codes_2, codes_3};

/* What sums start with, for each batch of steps. `ones` are the tables of cells that are all 1. */
CIM_TARGET static void make_starts(const cim_row_set *set, const uint8_t *ones, const uint8_t *indices,
                                   step_sums *starts)
{
    const ptrdiff_t groups = (set->rows + ROWS - 1) / ROWS;
    const cim_vector start = V(sub_epi16)(start_of(&set->adc), V(set1_epi16)((int16_t)set->starts_total));
    const cim_vector centre = V(set1_epi16)((int16_t)set->cell_centre);
    for (int32_t batch = 0; batch * STEPS < set->steps; batch++, indices += groups * STEPS * LANES) {
        step_sums sums;
        memset(&sums, 0, sizeof sums);
        if (set->cell_centre)
            look_up(&sums, ones, 0, groups, 255 / ROWS, NULL, indices, 1, STEPS);
        for (int step = 0; step < STEPS; step++) {
            const cim_vector even = V(add_epi16)(start, V(mullo_epi16)(even_of(&sums, step), centre));
            const cim_vector odd = V(add_epi16)(start, V(mullo_epi16)(sums.odd[step], centre));
            store_vector(starts[batch].both + step, V(add_epi16)(even, V(slli_epi16)(odd, 8)));
            store_vector(starts[batch].odd + step, odd);
        }
    }
}
