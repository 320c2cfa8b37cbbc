/* Sums by carry-save adders of bits, inputs applied one bit at a time.

   A lane is one bit of a vector of bytes. Byte `v` holds all input bits of vector `v`, so what drives a row is a plane of
   bits as it comes, and steps need no cutting; inputs of at most 4, 2 or 1 bits lie 2, 4 or 8 to a byte, a field each.
   For each bit of a column's cells, the planes of the rows that have it set are added up, or for two bits at a time those
   of rows whose cells are not 2 (crossbar_lists.h, crossbar_count.h). The ADC adds planes to themselves, a few places
   apart, and drops the lowest ones (`cim_scaling`, crossbar_codes.h); codes of an output's columns are added up as planes
   (crossbar_combine.h); the sum over steps is that of the planes' bytes, each times its plane's weight.

   To be included behind `crossbar_vector*.h` by a file that defines

   CIM_MULTIPLY   the name of the function
   LANES          bytes of a vector
   sum_of, carry_of   of three planes: parity and majority
   borrow_of   majority of the first one's complement and the others
   chosen   by bits of the first the second, else the third
   add_weighted   four bytes times four small weights, added to each 32-bit integer
   append_rows    see `list_rows` */

/* Of the dwords that `add_field` makes: four bytes of each 128 bits at a time. */
#define LANE_VECTOR(lane) ((lane) % CIM_INTEGERS / 4 * 16 + (lane) / CIM_INTEGERS * 4 + (lane) % 4)

#include "crossbar_turned.h"
#include "crossbar_turned_back.h"

#define VECTORS_AT_ONCE 512
#define MOST_PASSES 32

#include "crossbar_count.h"
#include "crossbar_codes.h"
#include "crossbar_lists.h"
#include "crossbar_combine.h"

/* Steps that the same bytes of the inputs hold, whose factors are `factor` times the bits' weights. */
typedef struct {
    cim_part part;
    int32_t upper, factor;
    int32_t bits, driven; /* those that are converted, and those of them that can be set */
} cim_pass;

/* What is the same for all columns. */
typedef struct {
    const cim_row_set *set;
    const cim_inputs *in;
    cim_pass pass[MOST_PASSES];
    int32_t passes, field_bits, fields; /* of a byte */
    int32_t width, scaled[CIM_TERMS], code_width; /* planes of sums, behind each term, and of codes before clipping */
    int32_t clips_low, clips_high, clipped_width, lowest, highest; /* codes */
    int32_t starts;     /* what sums start at, in planes behind those of the rows: `start_planes` for each */
    int32_t start_planes;
    size_t plane_bytes; /* of one pass and block of vectors */
} cim_adders;

/* Planes of codes, clipped, of the sums of one column; room for three more. */
INLINE const cim_vector *codes_of(const cim_adders *adders, cim_vector *sums, cim_vector *room)
{
    const cim_row_set *set = adders->set;
    const cim_scaling *scaling = &set->adc.scaling;
    const int has_sign = set->signs == 2;
    int width = adders->width;
    const int tie_plane = scaling->tie_bit < width ? scaling->tie_bit : width - 1;
    const cim_vector tie = scaling->tie_bit >= 0 && (has_sign || scaling->tie_bit < width)
                               ? load_vector(sums + tie_plane)
                               : V_WHOLE(setzero)();
    for (int index = 0; index < scaling->terms; index++) {
        const cim_term *term = &scaling->term[index];
        const int is_last = index == scaling->terms - 1;
        const cim_vector carry = is_last && scaling->tie_bit >= 0 ? tie : filled(term->is_minus);
        scale(sums, width, has_sign, term, carry, adders->scaled[index], is_last ? scaling->shift : 0, room);
        cim_vector *const other = sums;
        sums = room, room = other, width = adders->scaled[index];
    }
    sums += scaling->shift;
    if (adders->clips_high)
        clip(sums, adders->code_width, has_sign, set->adc.scaling.highest, 0);
    if (adders->clips_low)
        clip(sums, adders->code_width, has_sign, set->adc.scaling.lowest, 1);
    fill_quad(sums, adders->clipped_width, has_sign);
    return sums;
}

/* Add what some planes make to an output, [fields][LANES] integers. */
INLINE void add_fields(const cim_adders *adders, const cim_pass *pass, const cim_vector *planes, int width,
                       int32_t factor, int32_t *to)
{
    const int quads = (width + 3) / 4, has_sign = adders->set->signs == 2;
    if (adders->fields == 2) {
        add_two_fields(planes, quads, has_sign, pass->bits, factor * pass->factor, to);
        return;
    }
    for (int field = 0; field < adders->fields; field++)
        add_field(planes, quads, has_sign, field * adders->field_bits, pass->bits, factor * pass->factor,
                  to + field * LANES);
}

/* Add the codes of an output's columns to it. */
CIM_TARGET static void add_output(const cim_adders *adders, const cim_column *columns, int32_t count,
                                  const uint8_t *planes, int32_t *to)
{
    const cim_row_set *set = adders->set;
    const int has_sign = set->signs == 2, width = adders->clipped_width;
    /* Room ahead for what is shifted in, and behind for whole quads. */
    cim_vector sums[MOST_SHIFT + MOST_SCALED + 3], room[MOST_SHIFT + MOST_SCALED + 3], total[MOST_ADDED_UP];
    for (int32_t index = 0; index < adders->passes; index++, planes += adders->plane_bytes) {
        int32_t factor = 0;
        for (const cim_column *column = columns; column < columns + count; column++) {
            const ptrdiff_t start = (set->rows + 1) * LANES + column->start * adders->start_planes * LANES;
            count_functions[adders->width - LEAST_WIDTH](planes, column, set->cell_bits,
                                                         (const cim_vector *)(planes + start), sums + MOST_SHIFT);
            const cim_vector *codes = codes_of(adders, sums + MOST_SHIFT, room + MOST_SHIFT);
            factor = column->begins ? column->factor : factor;
            if (column->begins && column->ends) {
                add_fields(adders, &adders->pass[index], codes, width, factor, to);
                continue;
            }
            add_up(column, codes, width, has_sign, total);
            if (column->ends) {
                fill_quad(total, column->width, has_sign);
                add_fields(adders, &adders->pass[index], total, column->width, factor, to);
            }
        }
    }
}

static void describe_adc(cim_adders *adders)
{
    const cim_row_set *set = adders->set;
    const cim_scaling *scaling = &set->adc.scaling;
    const int has_sign = set->signs == 2;
    const int64_t most = (int64_t)set->rows * ((1 << set->cell_bits) - 1);
    int64_t high = most + scaling->start, low = has_sign ? scaling->start - most : 0;
    int32_t width = planes_of(low, high, has_sign);
    if (!scaling->terms && width < scaling->shift + has_sign)
        width = scaling->shift + has_sign;
    adders->width = width = width < LEAST_WIDTH ? LEAST_WIDTH : width;
    for (int index = 0; index < scaling->terms; index++) {
        const cim_term *term = &scaling->term[index];
        const int64_t factor = ((int64_t)1 << term->shift) + (term->is_minus ? -1 : 1);
        high = high * factor + term->constant + 1, low = low * factor - 1; /* with the bit that ties add, or not */
        width = planes_of(low, high, has_sign);
        adders->scaled[index] = width = width < scaling->shift + has_sign ? scaling->shift + has_sign : width;
    }
    adders->code_width = width - scaling->shift;
    high >>= scaling->shift, low >>= scaling->shift;
    adders->clips_high = high > scaling->highest;
    adders->clips_low = low < scaling->lowest;
    adders->lowest = (int32_t)(adders->clips_low ? scaling->lowest : low);
    adders->highest = (int32_t)(adders->clips_high ? scaling->highest : high);
    adders->clipped_width = planes_of(adders->lowest, adders->highest, has_sign);
    adders->starts = has_sign ? 1 : 1 << set->cell_bits / 2;
    adders->start_planes = adders->width + set->cell_bits - 1;
    adders->plane_bytes = ((size_t)set->rows + 1 + (size_t)(adders->starts * adders->start_planes)) * LANES;
}

/* Steps that share bytes of the inputs, and how wide a field they need. */
static void find_passes(cim_adders *adders)
{
    int32_t bits = 0;
    for (int32_t index = 0; index < adders->set->steps; index++) {
        const cim_step *step = &adders->set->step[index];
        const int32_t bit = 1 << step->shift % 8;
        const cim_pass own = {(cim_part)step->part, step->shift / 8, step->factor / bit, bit, step->mask ? bit : 0};
        int32_t pass = 0;
        for (; pass < adders->passes; pass++) {
            cim_pass *other = &adders->pass[pass];
            if (other->part == own.part && other->upper == own.upper && other->factor == own.factor &&
                !(other->bits & bit)) {
                other->bits |= own.bits;
                other->driven |= own.driven;
                break;
            }
        }
        if (pass == adders->passes)
            adders->pass[adders->passes++] = own;
        bits |= bit;
    }
    adders->field_bits = bits > 15 ? 8 : bits > 3 ? 4 : bits > 1 ? 2 : 1;
    adders->fields = 8 / adders->field_bits;
}

static cim_adders describe(const cim_job *job)
{
    cim_adders adders = {.set = &job->set, .in = &job->inputs};
    find_passes(&adders);
    describe_adc(&adders);
    return adders;
}

/* Planes of some vectors' inputs, [passes][rows and one of zeros][LANES]. */
CIM_TARGET static void make_planes(const cim_adders *adders, ptrdiff_t first, int16_t *turned, uint8_t *bytes,
                                   uint8_t *planes)
{
    const ptrdiff_t rows = adders->set->rows;
    memset(planes, 0, (size_t)adders->passes * adders->plane_bytes);
    for (int field = 0; field < adders->fields && first + field * LANES < adders->in->vectors; field++) {
        turn_codes(adders->set, adders->in, first + field * LANES, turned);
        for (int32_t pass = 0; pass < adders->passes; pass++) {
            const cim_pass *own = &adders->pass[pass];
            const cim_vector mask = V(set1_epi8)((char)own->driven);
            const __m128i shift = _mm_cvtsi32_si128(field * adders->field_bits);
            uint8_t *to = planes + (size_t)pass * adders->plane_bytes;
            cut_codes(turned, rows, own->part, own->upper, bytes);
            for (ptrdiff_t row = 0; row < rows; row++) {
                const cim_vector bits = V_WHOLE(and)(load_vector(bytes + row * LANES), mask);
                const cim_vector before = load_vector(to + row * LANES);
                store_vector(to + row * LANES, V_WHOLE(or)(before, V(sll_epi16)(bits, shift)));
            }
        }
    }
}

/* Add `added << shift` to some planes. */
INLINE void add_shifted(cim_vector *to, int32_t width, const cim_vector *added, int32_t shift)
{
    cim_vector carry = V_WHOLE(setzero)();
    for (int32_t plane = shift; plane < width; plane++) {
        cim_vector sum = load_vector(to + plane);
        carry = full_add(&sum, load_vector(added + plane - shift), carry, 0);
        store_vector(to + plane, sum);
    }
}

/* What sums start at: `start`, plus twice the inputs of all rows for the first digit from 2 on, eight times for the next. */
CIM_TARGET static void make_starts(const cim_adders *adders, const uint16_t *all_rows, uint8_t *planes)
{
    const int32_t width = adders->width, counts[2] = {0, (adders->set->rows + 7) / 8 * 8};
    const cim_column column = {.rows = all_rows, .counts = counts};
    cim_vector inputs[MOST_WIDTH], *to = (cim_vector *)(planes + (size_t)(adders->set->rows + 1) * LANES);
    if (adders->starts > 1) /* with planes of zeros as its start */
        count_functions[width - LEAST_WIDTH](planes, &column, 1, to, inputs);
    for (int32_t start = 0; start < adders->starts; start++, to += adders->start_planes) {
        for (int32_t plane = 0; plane < width; plane++)
            store_vector(to + plane, filled(adders->set->adc.scaling.start >> plane));
        for (int32_t digit = 0; digit < MOST_DIGITS; digit++)
            if (start >> digit & 1)
                add_shifted(to, width, inputs, 2 * digit + 1);
    }
}

/* What is lent, for one call. */
typedef struct {
    uint8_t *planes, *bytes;
    int16_t *turned;
    int32_t *sums, *counts; /* [blocks][outputs][fields][LANES]; lengths of lists */
    uint16_t *all_rows, *lists;
    cim_column *columns;
} cim_workspace;

/* Room for each of some sets of rows, and for their sums. */
static int make_workspace(const cim_job *jobs, ptrdiff_t count, size_t blocks, size_t sum_bytes, cim_workspace *work)
{
    size_t values = 0, plane_bytes = 0, columns = 0, counts = 0, all_rows = 0, listed = 0;
    for (ptrdiff_t job = 0; job < count; job++) {
        const cim_adders own = describe(&jobs[job]);
        const size_t rows = (size_t)own.set->rows, own_columns = (size_t)own.set->planes * CIM_INTEGERS;
        const size_t own_counts = own_columns * (size_t)(own.set->cell_bits * 2);
        const size_t parts = own_columns * (size_t)(own.set->cell_bits * own.set->signs);
        values = cim_larger(values, rows * LANES);
        plane_bytes = cim_larger(plane_bytes, blocks * (size_t)own.passes * own.plane_bytes);
        columns = cim_larger(columns, own_columns);
        counts = cim_larger(counts, own_counts);
        all_rows = cim_larger(all_rows, rows + LISTED_AT_ONCE);
        listed = cim_larger(listed, parts * rows + own_counts * LISTED_AT_ONCE);
    }
    const size_t column_bytes = columns * sizeof *work->columns, count_bytes = counts * sizeof(int32_t);
    /* Lists are written 32 rows at a time, beyond their ends. */
    const size_t list_bytes = (all_rows + listed + 32) * sizeof(uint16_t);
    work->planes = cim_lend(jobs[0].inputs.room, plane_bytes + 3 * values + sum_bytes + column_bytes + count_bytes + list_bytes);
    if (!work->planes)
        return 1;
    work->bytes = work->planes + plane_bytes;
    work->turned = (int16_t *)(work->bytes + values);
    work->sums = (int32_t *)(work->turned + values);
    work->columns = (cim_column *)((uint8_t *)work->sums + sum_bytes);
    work->counts = (int32_t *)((uint8_t *)work->columns + column_bytes);
    work->all_rows = (uint16_t *)((uint8_t *)work->counts + count_bytes);
    work->lists = work->all_rows + all_rows;
    memset(work->turned, 0, values * sizeof *work->turned); /* lanes without a vector stay defined */
    return 0;
}

/* Planes of all blocks of vectors, and what their sums start at. */
CIM_TARGET static void make_all_planes(const cim_adders *adders, const cim_workspace *work, ptrdiff_t first,
                                       ptrdiff_t blocks)
{
    const ptrdiff_t rows = adders->set->rows;
    for (ptrdiff_t row = 0; row < rows + LISTED_AT_ONCE; row++)
        work->all_rows[row] = (uint16_t)((row < rows ? row : rows) * LANES);
    uint8_t *planes = work->planes;
    for (ptrdiff_t block = 0; block < blocks; block++) {
        make_planes(adders, first + block * adders->fields * LANES, work->turned, work->bytes, planes);
        for (int32_t pass = 0; pass < adders->passes; pass++, planes += adders->plane_bytes)
            make_starts(adders, work->all_rows, planes);
    }
}

/* Add what a set of rows makes of some blocks of vectors, the first of which is vector `first`. */
CIM_TARGET static void add_set(const cim_adders *adders, const cim_workspace *work, ptrdiff_t first, ptrdiff_t blocks,
                                int32_t outputs)
{
    make_all_planes(adders, work, first, blocks);
    const int32_t end = cim_outputs(adders->set);
    for (int32_t output = 0; output < end; output += CIM_INTEGERS) {
        const int32_t own = end - output < CIM_INTEGERS ? end - output : CIM_INTEGERS;
        uint16_t *list = work->lists;
        int32_t *counts = work->counts, columns[CIM_INTEGERS], before = 0;
        for (int32_t index = 0; index < own; index++) {
            const int32_t found = list_columns(adders->set, output + index, &list, &counts, work->columns + before);
            add_columns_up(work->columns + before, found, adders->lowest, adders->highest, adders->set->signs == 2);
            columns[index] = before += found;
        }
        const uint8_t *planes = work->planes;
        for (ptrdiff_t block = 0; block < blocks; block++, planes += (size_t)adders->passes * adders->plane_bytes) {
            int32_t *sums = work->sums + (block * outputs + output) * adders->fields * LANES;
            for (int32_t index = 0, column = 0; index < own; column = columns[index++], sums += adders->fields * LANES)
                add_output(adders, work->columns + column, columns[index] - column, planes, sums);
        }
    }
}

/* Sets of rows whose inputs have `fields` in a byte. */
static int multiply_alike(const cim_job *jobs, ptrdiff_t count, ptrdiff_t fields, int32_t *sums, ptrdiff_t stride)
{
    const ptrdiff_t vectors = jobs[0].inputs.vectors, in_block = fields * LANES;
    const ptrdiff_t most = ((vectors < VECTORS_AT_ONCE ? vectors : VECTORS_AT_ONCE) + in_block - 1) / in_block;
    const int32_t outputs = cim_all_outputs(jobs, count);
    const size_t sum_bytes = (size_t)(most * outputs * in_block) * sizeof(int32_t);
    cim_workspace work;
    if (make_workspace(jobs, count, (size_t)most, sum_bytes, &work))
        return 1;
    for (ptrdiff_t first = 0; first < vectors; first += VECTORS_AT_ONCE) {
        const ptrdiff_t end = vectors - first < VECTORS_AT_ONCE ? vectors : first + VECTORS_AT_ONCE;
        memset(work.sums, 0, sum_bytes);
        for (ptrdiff_t job = 0; job < count; job++) {
            const cim_adders adders = describe(&jobs[job]);
            add_set(&adders, &work, first, (end - first + in_block - 1) / in_block, outputs);
        }
        turn_all_back(work.sums, outputs, fields, end - first, sums + first * stride, stride);
    }
    return 0;
}

int CIM_MULTIPLY(const cim_job *jobs, ptrdiff_t count, int32_t *sums, ptrdiff_t stride)
{
    int lacking = 0;
    for (ptrdiff_t start = 0, end; start < count; start = end) {
        const int32_t fields = describe(&jobs[start]).fields;
        for (end = start + 1; end < count && describe(&jobs[end]).fields == fields;)
            end++;
        lacking |= multiply_alike(jobs + start, end - start, fields, sums, stride);
    }
    return lacking;
}
