/* Sums by table look-up, LANES vectors side by side, inputs applied one bit at a time.

   ROWS rows of one column at a time: their cells make a table of bytes, what each pattern of so many input bits sums to,
   and one permutation of bytes looks it up for all vectors (crossbar_lookup.h). 16 bits hold a column's sum, and the ADC
   is one multiplication. Tables are made for a few outputs at a time, and serve BLOCKS times LANES vectors.

   To be included behind `crossbar_vector*.h` by a file that defines, besides what `crossbar_indices.h` needs,

   CIM_MULTIPLY     the name of the function
   TABLE_BYTES      of a table
   PATTERN_BITS     bits of the cells that one pattern holds
   COUNT_BYTES      of `counts`
   make_counts      `counts`: for each pattern, what cells of so many bits sum to
   cim_table, T     a table, and operations on it
   load_table, store_table
   table_at         a table that is looked up
   in_register      what is used more than once, kept from being read again
   looked_up        its bytes at the lower bits of indices */

#define LANE_VECTOR(lane) ((lane) % (LANES / 2) * 2 + (lane) / (LANES / 2)) /* even ones, then odd ones */
#define BLOCKS 8

#include "crossbar_indices.h"
#include "crossbar_lookup.h"
#include "crossbar_turned_back.h"

#define PARTS(bits) (((bits) + PATTERN_BITS - 1) / PATTERN_BITS) /* patterns of one cell's bits */
#define ONES ((1 << ROWS) - 1)

/* What cells of one sign sum to, their patterns `groups` apart. */
INLINE cim_table sums_of_cells(const uint8_t *counts, const uint8_t *patterns, ptrdiff_t groups, const int parts)
{
    cim_table table = load_table(counts + (size_t)patterns[(parts - 1) * groups] * TABLE_BYTES);
    UNROLL for (int part = parts - 2; part >= 0; part--) {
        UNROLL for (int bit = 0; bit < PATTERN_BITS; bit++)
            table = T(add_epi8)(table, table);
        table = T(add_epi8)(table, load_table(counts + (size_t)patterns[part * groups] * TABLE_BYTES));
    }
    return table;
}

/* Tables of one column, [groups]; of each `centre` is taken off. */
INLINE void make_tables(const uint8_t *counts, const uint8_t *patterns, ptrdiff_t groups, const int parts,
                        const int signs, cim_table centre, uint8_t *tables)
{
    for (ptrdiff_t group = 0; group < groups; group++) {
        cim_table table = T(sub_epi8)(sums_of_cells(counts, patterns + group, groups, parts), centre);
        if (signs == 2)
            table = T(sub_epi8)(table, sums_of_cells(counts, patterns + parts * groups + group, groups, parts));
        store_table(tables + group * TABLE_BYTES, table);
    }
}

typedef void tables_function(const uint8_t *, const uint8_t *, ptrdiff_t, cim_table, uint8_t *);
#define MAKE_TABLES(BITS, SIGNS)                                                                                       \
    APART void tables_##BITS##_##SIGNS(const uint8_t *counts, const uint8_t *patterns, ptrdiff_t groups,               \
                                       cim_table centre, uint8_t *tables)                                              \
    {                                                                                                                  \
        make_tables(counts, patterns, groups, PARTS(BITS), SIGNS, centre, tables);                                     \
    }
MAKE_TABLES(1, 1)
MAKE_TABLES(2, 1)
MAKE_TABLES(3, 1)
MAKE_TABLES(4, 1)
MAKE_TABLES(1, 2)
MAKE_TABLES(2, 2)
MAKE_TABLES(3, 2)
MAKE_TABLES(4, 2)
static tables_function *const tables_functions[2][4] = {
    {tables_1_1, tables_2_1, tables_3_1, tables_4_1},
    {tables_1_2, tables_2_2, tables_3_2, tables_4_2},
};

/* One plane's column of an output, its tables made. */
typedef struct {
    int32_t output, factor;
    const uint8_t *starts;
} cim_column;

/* What is lent, for one call. */
typedef struct {
    uint8_t *counts, *ones, *bytes;
    uint8_t *indices, *tables; /* of each block of vectors; of the columns of some outputs */
    step_sums *starts;         /* of each block and batch of steps */
    int16_t *turned;
    int32_t *sums; /* [blocks][outputs][LANES] */
    cim_column *column;
} cim_workspace;

/* One set of rows, while it is multiplied. */
typedef struct {
    const cim_row_set *set;
    const cim_inputs *in;
    cim_workspace work;
    cim_lookup lookup;
    ptrdiff_t columns, batches, index_bytes; /* of what tables there are; of steps; of a block's indices */
} cim_looked_up;

/* The most columns that add to one output. */
static size_t most_columns(const cim_row_set *set)
{
    size_t most = 0;
    const int32_t outputs = cim_outputs(set);
    for (int32_t output = 0; output < outputs; output++) {
        size_t own = 0;
        for (int32_t index = 0; index < set->planes; index++) {
            const int32_t column = output - set->plane[index].first_output;
            own += column >= 0 && column < set->plane[index].outputs;
        }
        most = own > most ? own : most;
    }
    return most;
}

static cim_looked_up describe(const cim_job *job, const cim_workspace *work)
{
    const cim_row_set *set = &job->set;
    const ptrdiff_t groups = (set->rows + ROWS - 1) / ROWS, batches = (set->steps + STEPS - 1) / STEPS;
    const cim_lookup lookup = {set, groups, groups * TABLE_BYTES, cim_each_doubles(set->step, set->steps)};
    return (cim_looked_up){set, &job->inputs, *work, lookup, 0, batches, batches * groups * STEPS * LANES};
}

/* Room for each of some sets of rows. */
static int make_workspace(const cim_job *jobs, ptrdiff_t count, ptrdiff_t blocks, cim_workspace *work)
{
    size_t values = 0, index_bytes = 0, batches = 0, columns = 0, table_bytes = 0, ones_bytes = 0;
    for (ptrdiff_t job = 0; job < count; job++) {
        const cim_looked_up own = describe(&jobs[job], work);
        const size_t column_bytes = (size_t)own.lookup.column_bytes;
        const size_t own_columns = most_columns(own.set) * CIM_INTEGERS + COLUMNS;
        values = cim_larger(values, (size_t)own.set->rows * LANES);
        index_bytes = cim_larger(index_bytes, (size_t)(blocks * own.index_bytes));
        batches = cim_larger(batches, (size_t)(blocks * own.batches));
        columns = cim_larger(columns, own_columns);
        table_bytes = cim_larger(table_bytes, own_columns * column_bytes);
        ones_bytes = cim_larger(ones_bytes, (column_bytes + 63) / 64 * 64);
    }
    const size_t sum_bytes = (size_t)(blocks * cim_all_outputs(jobs, count)) * LANES * sizeof(int32_t);
    const size_t start_bytes = batches * sizeof(step_sums);
    const size_t described = (columns * sizeof *work->column + 63) / 64 * 64;
    work->counts = cim_lend(jobs[0].inputs.room, COUNT_BYTES + start_bytes + index_bytes + 3 * values + sum_bytes +
                                                     described + ones_bytes + table_bytes);
    if (!work->counts)
        return 1;
    work->starts = (step_sums *)(work->counts + COUNT_BYTES);
    work->indices = (uint8_t *)work->starts + start_bytes;
    work->turned = (int16_t *)(work->indices + index_bytes);
    work->bytes = (uint8_t *)(work->turned + values);
    work->sums = (int32_t *)(work->bytes + values);
    work->column = (cim_column *)((uint8_t *)work->sums + sum_bytes);
    work->ones = (uint8_t *)work->column + described;
    work->tables = work->ones + ones_bytes;
    make_counts(work->counts);
    for (size_t at = 0; at < ones_bytes; at += TABLE_BYTES)
        memcpy(work->ones + at, work->counts + ONES * TABLE_BYTES, TABLE_BYTES);
    memset(work->turned, 0, values * sizeof *work->turned); /* lanes without a vector stay defined */
    return 0;
}

/* Tables of all columns of some outputs, one output after the other. */
CIM_TARGET static void make_all_tables(cim_looked_up *own, int32_t first, int32_t outputs)
{
    const cim_row_set *set = own->set;
    const cim_workspace *work = &own->work;
    const ptrdiff_t pattern_bytes = cim_column_bytes(set->format, set->rows, set->cell_bits, set->signs);
    cim_table centre = load_table(work->counts); /* of no cells */
    for (int32_t count = 0; count < set->cell_centre; count++)
        centre = T(add_epi8)(centre, load_table(work->ones));
    own->columns = 0;
    for (int32_t output = first; output < first + outputs; output++)
        for (int32_t index = 0; index < set->planes; index++) {
            const cim_plane *plane = &set->plane[index];
            const int32_t column = output - plane->first_output;
            if (column < 0 || column >= plane->outputs)
                continue;
            const ptrdiff_t factor = plane->factors + column;
            tables_functions[set->signs - 1][set->cell_bits - 1](
                work->counts, set->cells + plane->cells + column * pattern_bytes, own->lookup.groups, centre,
                work->tables + own->columns * own->lookup.column_bytes);
            work->column[own->columns++] =
                (cim_column){output, set->factors[factor], set->table_starts + factor * set->byte_sums};
        }
    if (own->columns % COLUMNS)
        work->column[own->columns++] = (cim_column){first, 0, set->table_starts}; /* whatever its tables are */
}

/* Add what two columns make of a block to the sums of their outputs. */
CIM_TARGET static void add_columns(const cim_looked_up *own, ptrdiff_t block, ptrdiff_t first, int32_t *sums)
{
    const cim_row_set *set = own->set;
    const cim_column *column = own->work.column + first;
    const uint8_t *byte_starts[COLUMNS] = {column[0].starts, column[1].starts};
    cim_vector codes[COLUMNS][2];
    codes_functions[set->steps % STEPS](&own->lookup, own->work.tables + first * own->lookup.column_bytes, byte_starts,
                                        own->work.indices + block * own->index_bytes,
                                        own->work.starts + block * own->batches, codes);
    for (int index = 0; index < COLUMNS; index++, column++) {
        const cim_vector factor = V(set1_epi32)(column->factor);
        int32_t *to = sums + column->output * LANES;
        for (int part = 0; part < 4; part++, to += CIM_INTEGERS) {
            const cim_vector wide = V(mullo_epi32)(widened(&set->adc, codes[index][part / 2], part % 2), factor);
            store_vector(to, V(add_epi32)(load_vector(to), wide));
        }
    }
}

/* Add what a set of rows makes of some blocks, the first of which begins with vector `first`: [blocks][outputs][LANES]. */
CIM_TARGET static void add_rows(cim_looked_up *own, ptrdiff_t first, ptrdiff_t blocks, int32_t outputs)
{
    const cim_workspace *work = &own->work;
    for (ptrdiff_t block = 0; block < blocks; block++) {
        uint8_t *indices = work->indices + block * own->index_bytes;
        make_all_indices(own->set, own->in, first + block * LANES, work->turned, work->bytes, indices);
        make_starts(own->set, work->ones, indices, work->starts + block * own->batches);
    }
    const int32_t end = cim_outputs(own->set);
    for (int32_t output = 0; output < end; output += CIM_INTEGERS) {
        make_all_tables(own, output, end - output < CIM_INTEGERS ? end - output : CIM_INTEGERS);
        for (ptrdiff_t block = 0; block < blocks; block++)
            for (ptrdiff_t column = 0; column < own->columns; column += COLUMNS)
                add_columns(own, block, column, work->sums + block * outputs * LANES);
    }
}

int CIM_MULTIPLY(const cim_job *jobs, ptrdiff_t count, int32_t *sums, ptrdiff_t stride)
{
    const ptrdiff_t vectors = jobs[0].inputs.vectors, at_once = BLOCKS * LANES;
    const int32_t outputs = cim_all_outputs(jobs, count);
    cim_workspace work;
    const int lacking = make_workspace(jobs, count, (vectors < at_once ? vectors + LANES - 1 : at_once) / LANES, &work);
    for (ptrdiff_t first = 0; first < vectors && !lacking; first += at_once) {
        const ptrdiff_t end = vectors - first < at_once ? vectors : first + at_once, blocks = (end - first + LANES - 1) / LANES;
        memset(work.sums, 0, (size_t)(blocks * outputs) * LANES * sizeof *work.sums);
        for (ptrdiff_t job = 0; job < count; job++) {
            cim_looked_up own = describe(&jobs[job], &work);
            add_rows(&own, first, blocks, outputs);
        }
        turn_all_back(work.sums, outputs, 1, end - first, sums + first * stride, stride);
    }
    return lacking;
}
