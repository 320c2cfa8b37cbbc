/* Sums by carry-save adders of bits, inputs applied one bit at a time.

   A lane is one bit of a vector of bytes. Byte `v` holds all input bits of vector `v`, so what drives a row is a plane of
   bits as it comes, and steps need no cutting; inputs of at most 4, 2 or 1 bits lie 2, 4 or 8 to a byte, a field each.
   For each bit of a column's cells, the planes of the rows that have it set are added up: a full adder takes three
   planes of one weight to one of it and one of twice as much. Rows whose bit is not set cost nothing. The ADC adds planes to
   themselves, a few places apart, and drops the lowest ones (`cim_scaling`); the sum over steps is that of the planes'
   bytes, each times its plane's weight.

   To be included behind `crossbar_vector*.h` by a file that defines

   CIM_MULTIPLY   the name of the function
   LANES          bytes of a vector
   sum_of, carry_of, chosen   of three planes: parity, majority, and by bits of the first the second, else the third
   add_weighted   four bytes times four small weights, added to each 32-bit integer
   append_rows    see `list_part` */

#include <stdlib.h>

/* Of the dwords that `add_field` makes: four bytes of each 128 bits at a time. */
#define LANE_VECTOR(lane) ((lane) % CIM_INTEGERS / 4 * 16 + (lane) / CIM_INTEGERS * 4 + (lane) % 4)

#include "crossbar_turned.h"
#include "crossbar_turned_back.h"

/* Planes of a sum, of one that was scaled, and shifts of terms: crossbar.pyx lets no more pass. */
#define MOST_WIDTH 18
#define MOST_SCALED 40
#define MOST_SHIFT 22
#define LEAST_WIDTH 8
#define LISTED_AT_ONCE 16 /* rows that adders take at once: lists are filled up to a multiple */
#define VECTORS_AT_ONCE 512
#define MOST_PASSES 32

/* Steps that the same bytes of the inputs hold, whose factors are `factor` times the bits' weights. */
typedef struct {
    cim_part part;
    int32_t upper, factor;
    int32_t bits, driven; /* those that are converted, and those of them that can be set */
} cim_pass;

/* What all planes make of one output: lists of rows, one for each bit and sign of its cells, one after the other. */
typedef struct {
    const uint16_t *rows; /* where their planes begin, bytes; the last ones of each list lead to a plane of zeros */
    const int32_t *counts;
    int32_t factor;
} cim_column;

#define PLANE(index) load_vector(planes + list[index])

/* Add two planes to `sum[0]`, which takes its parity; what is carried. */
INLINE cim_vector full_add(cim_vector *sum, cim_vector a, cim_vector b)
{
    const cim_vector carry = carry_of(*sum, a, b);
    *sum = sum_of(*sum, a, b);
    return carry;
}

/* Add 2, 4, 8, 16 or 32 rows to the lowest planes of a sum; what is carried to the next one. */
INLINE cim_vector add_2(cim_vector *sum, const uint8_t *planes, const uint16_t *list)
{
    return full_add(sum, PLANE(0), PLANE(1));
}
#define ADD_TWICE(COUNT, HALF, LEVEL)                                                                                  \
    INLINE cim_vector add_##COUNT(cim_vector *sum, const uint8_t *planes, const uint16_t *list)                        \
    {                                                                                                                  \
        const cim_vector first = add_##HALF(sum, planes, list);                                                        \
        return full_add(sum + LEVEL, first, add_##HALF(sum, planes, list + HALF));                                     \
    }
ADD_TWICE(4, 2, 1)
ADD_TWICE(8, 4, 2)
ADD_TWICE(16, 8, 3)
ADD_TWICE(32, 16, 4)

INLINE void add_carry(cim_vector *sum, const int from, const int width, cim_vector carry)
{
    UNROLL for (int plane = from; plane < width; plane++) {
        const cim_vector next = V_WHOLE(and)(sum[plane], carry);
        sum[plane] = V_WHOLE(xor)(sum[plane], carry);
        carry = next;
    }
}

/* All lanes the same bit. */
INLINE cim_vector filled(int32_t bit) { return V(set1_epi32)(-(bit & 1)); }

INLINE void complement(cim_vector *sum, const int width)
{
    UNROLL for (int plane = 0; plane < width; plane++)
        sum[plane] = V_WHOLE(xor)(sum[plane], filled(1));
}

/* The sums of one column plus `start`, in planes, two's complement. */
INLINE void count_rows(const uint8_t *planes, const cim_column *column, int32_t cell_bits, int32_t signs, int32_t start,
                       cim_vector *to, const int width)
{
    cim_vector sum[MOST_WIDTH];
    const uint16_t *list = column->rows;
    UNROLL for (int plane = 0; plane < width; plane++)
        sum[plane] = filled(start >> cell_bits >> plane);
    for (int32_t part = 0; part < cell_bits * signs; part++) {
        const int is_negative = signs == 2 && part % 2 == 0;
        if (part % signs == 0) { /* the next bit: what is there counts twice */
            UNROLL for (int plane = width - 1; plane > 0; plane--)
                sum[plane] = sum[plane - 1];
            sum[0] = filled(start >> (cell_bits - 1 - part / signs));
        }
        if (is_negative)
            complement(sum, width); /* of the sum, to add instead of subtracting */
        const uint16_t *end = list + column->counts[part];
        for (; end - list >= 32; list += 32)
            add_carry(sum, 5, width, add_32(sum, planes, list));
        if (list < end)
            add_carry(sum, 4, width, add_16(sum, planes, list));
        list = end;
        if (is_negative)
            complement(sum, width);
    }
    UNROLL for (int plane = 0; plane < width; plane++)
        store_vector(to + plane, sum[plane]);
}

#define COUNT(WIDTH)                                                                                                   \
    APART void count_##WIDTH(const uint8_t *planes, const cim_column *column, int32_t cell_bits, int32_t signs,        \
                             int32_t start, cim_vector *to)                                                            \
    {                                                                                                                  \
        count_rows(planes, column, cell_bits, signs, start, to, WIDTH);                                                \
    }
COUNT(8)
COUNT(9)
COUNT(10)
COUNT(11)
COUNT(12)
COUNT(13)
COUNT(14)
COUNT(15)
COUNT(16)
COUNT(17)
COUNT(18)

typedef void count_function(const uint8_t *, const cim_column *, int32_t, int32_t, int32_t, cim_vector *);
static count_function *const count_functions[] = {count_8,  count_9,  count_10, count_11, count_12, count_13,
                                                  count_14, count_15, count_16, count_17, count_18};

/* `(sum << term.shift) + term.constant + sum + carry`, or less the sum and 1: `width` planes to `wide` ones. The sum has
   room for so many planes, and for `term.shift` ahead of them. */
INLINE void scale(cim_vector *sum, int width, int has_sign, const cim_term *term, cim_vector carry, int wide,
                  cim_vector *to)
{
    const cim_vector above = has_sign ? load_vector(sum + width - 1) : V_WHOLE(setzero)();
    const cim_vector turned = filled(term->is_minus);
    cim_vector *raised = sum - term->shift;
    for (int plane = 0; plane < term->shift; plane++)
        store_vector(raised + plane, filled(term->constant >> plane));
    for (int plane = width; plane < wide; plane++)
        store_vector(sum + plane, above);
    for (int plane = 0; plane < wide; plane++) {
        const cim_vector shifted = load_vector(raised + plane), own = V_WHOLE(xor)(load_vector(sum + plane), turned);
        store_vector(to + plane, sum_of(shifted, own, carry));
        carry = carry_of(shifted, own, carry);
    }
}

/* Lanes above `bound`, or below it if `is_below`; where sums have a sign, the last plane tells it. */
INLINE cim_vector beyond(const cim_vector *codes, int width, int has_sign, int32_t bound, int is_below)
{
    cim_vector found = V_WHOLE(setzero)();
    for (int plane = 0; plane < width; plane++) { /* the most significant difference decides */
        const int is_turned = is_below != (has_sign && plane == width - 1);
        const cim_vector own = is_turned ? V_WHOLE(xor)(codes[plane], filled(1)) : codes[plane];
        found = carry_of(own, found, filled(is_turned ? bound >> plane : ~(bound >> plane)));
    }
    return found;
}

INLINE void clip(cim_vector *codes, int width, int has_sign, int32_t bound, int is_below)
{
    const cim_vector lanes = beyond(codes, width, has_sign, bound, is_below);
    for (int plane = 0; plane < width; plane++)
        codes[plane] = chosen(lanes, filled(bound >> plane), codes[plane]);
}

/* Add one field of some codes, `quads` times four planes, to [LANES] integers: see LANE_VECTOR. `bits` of it count. */
INLINE void add_any_field(const cim_vector *codes, const int quads, const int has_sign, int first_bit,
                          const int is_masked, int32_t bits, int32_t factor, int32_t *to)
{
    const cim_vector mask = V(set1_epi8)((char)bits);
    const __m128i shift = _mm_cvtsi32_si128(first_bit);
    cim_vector total[4];
    UNROLL for (int part = 0; part < 4; part++)
        total[part] = V_WHOLE(setzero)();
    for (int quad = quads - 1; quad >= 0; quad--) {
        cim_vector own[4];
        UNROLL for (int plane = 0; plane < 4; plane++) {
            own[plane] = load_vector(codes + 4 * quad + plane);
            if (is_masked)
                own[plane] = V_WHOLE(and)(V(srl_epi16)(own[plane], shift), mask);
        }
        const cim_vector low = V(unpacklo_epi8)(own[0], own[1]), low2 = V(unpacklo_epi8)(own[2], own[3]);
        const cim_vector high = V(unpackhi_epi8)(own[0], own[1]), high2 = V(unpackhi_epi8)(own[2], own[3]);
        const cim_vector bytes[4] = {V(unpacklo_epi16)(low, low2), V(unpackhi_epi16)(low, low2),
                                     V(unpacklo_epi16)(high, high2), V(unpackhi_epi16)(high, high2)};
        const int is_sign = has_sign && quad == quads - 1;
        const cim_vector weights = V(set1_epi32)(is_sign ? (int32_t)0xF8040201u : 0x08040201); /* -8, 4, 2, 1 */
        UNROLL for (int part = 0; part < 4; part++)
            total[part] = add_weighted(V(slli_epi32)(total[part], 4), bytes[part], weights);
    }
    const cim_vector factors = V(set1_epi32)(factor);
    UNROLL for (int part = 0; part < 4; part++) {
        const cim_vector product = V(mullo_epi32)(total[part], factors);
        store_vector(to + part * CIM_INTEGERS, V(add_epi32)(load_vector(to + part * CIM_INTEGERS), product));
    }
}

APART void add_field(const cim_vector *codes, int quads, int has_sign, int first_bit, int32_t bits, int32_t factor,
                     int32_t *to)
{
    if (quads == 2 && bits == 0xFF && !has_sign) /* most often, and fast */
        add_any_field(codes, 2, 0, 0, 0, 0xFF, factor, to);
    else if (quads == 2 && !has_sign)
        add_any_field(codes, 2, 0, first_bit, 1, bits, factor, to);
    else
        add_any_field(codes, quads, has_sign, first_bit, 1, bits, factor, to);
}

/* What is the same for all columns. */
typedef struct {
    const cim_row_set *set;
    cim_pass pass[MOST_PASSES];
    int32_t passes, field_bits;
    int32_t width, scaled[CIM_TERMS], code_width; /* planes of sums, behind each term, and of codes before clipping */
    int32_t clips_low, clips_high, clipped_width;
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
        scale(sums, width, has_sign, term, carry, adders->scaled[index], room);
        cim_vector *const other = sums;
        sums = room, room = other, width = adders->scaled[index];
    }
    sums += scaling->shift;
    if (adders->clips_high)
        clip(sums, adders->code_width, has_sign, set->adc.scaling.highest, 0);
    if (adders->clips_low)
        clip(sums, adders->code_width, has_sign, set->adc.scaling.lowest, 1);
    for (int plane = adders->clipped_width; plane % 4; plane++)
        sums[plane] = has_sign ? sums[adders->clipped_width - 1] : V_WHOLE(setzero)();
    return sums;
}

/* Add one column's codes to its output, [fields][LANES] integers. */
CIM_TARGET static void add_column(const cim_adders *adders, const cim_column *column, const uint8_t *planes, int32_t *to)
{
    const cim_row_set *set = adders->set;
    const int quads = (adders->clipped_width + 3) / 4;
    /* Room ahead for what is shifted in, and behind for whole quads. */
    cim_vector sums[MOST_SHIFT + MOST_SCALED + 3], room[MOST_SHIFT + MOST_SCALED + 3];
    for (int32_t index = 0; index < adders->passes; index++, planes += adders->plane_bytes) {
        const cim_pass *pass = &adders->pass[index];
        count_functions[adders->width - LEAST_WIDTH](planes, column, set->cell_bits, set->signs, set->adc.scaling.start,
                                                     sums + MOST_SHIFT);
        const cim_vector *codes = codes_of(adders, sums + MOST_SHIFT, room + MOST_SHIFT);
        for (int field = 0; field < 8 / adders->field_bits; field++)
            add_field(codes, quads, set->signs == 2, field * adders->field_bits, pass->bits,
                      column->factor * pass->factor, to + field * LANES);
    }
}

static inline int32_t bits_of(int64_t number)
{
    int32_t bits = 0;
    while (number >> bits)
        bits++;
    return bits;
}

/* Planes that hold all of `low .. high`. */
static inline int32_t planes_of(int64_t low, int64_t high, int has_sign)
{
    return bits_of(has_sign && -low - 1 > high ? -low - 1 : high) + has_sign;
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
    adders->clipped_width = planes_of(adders->clips_low ? scaling->lowest : low,
                                      adders->clips_high ? scaling->highest : high, has_sign);
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
}

/* Planes of some vectors' inputs, [passes][rows and one of zeros][LANES]. */
CIM_TARGET static void make_planes(const cim_adders *adders, const cim_inputs *in, ptrdiff_t first, int16_t *turned,
                                   uint8_t *bytes, uint8_t *planes)
{
    const ptrdiff_t rows = adders->set->rows;
    memset(planes, 0, (size_t)adders->passes * adders->plane_bytes);
    for (int field = 0; field < 8 / adders->field_bits && first + field * LANES < in->vectors; field++) {
        turn_codes(adders->set, in, first + field * LANES, turned);
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

/* The rows of one bit and sign of a column's cells, filled up; where the list ends. */
CIM_TARGET static uint16_t *list_part(const uint8_t *cells, int32_t rows, uint16_t *list, int32_t *count)
{
    uint16_t *end = list;
    for (int32_t row = 0; row < rows; row += 32) {
        uint32_t bits;
        memcpy(&bits, cells + row / 8, sizeof bits);
        end = append_rows(end, bits, row);
    }
    const cim_vector zeros = V(set1_epi16)((int16_t)(rows * LANES));
    memcpy(end, &zeros, sizeof zeros); /* LISTED_AT_ONCE of them, at least */
    *count = (int32_t)((end - list + LISTED_AT_ONCE - 1) / LISTED_AT_ONCE * LISTED_AT_ONCE);
    return list + *count;
}

/* Columns of one output. How many; `list` and `counts` move on. */
CIM_TARGET static int32_t list_columns(const cim_row_set *set, int32_t output, uint16_t **list, int32_t **counts,
                                       cim_column *columns)
{
    const ptrdiff_t part_bytes = cim_column_bytes(set->format, set->rows, 1, 1);
    const ptrdiff_t column_bytes = cim_column_bytes(set->format, set->rows, set->cell_bits, set->signs);
    int32_t found = 0;
    for (int32_t index = 0; index < set->planes; index++) {
        const cim_plane *plane = &set->plane[index];
        const int32_t column = output - plane->first_output;
        if (column < 0 || column >= plane->outputs)
            continue;
        const uint8_t *cells = set->cells + plane->cells + column * column_bytes;
        columns[found++] = (cim_column){*list, *counts, set->factors[plane->factors + column]};
        for (int32_t bit = set->cell_bits - 1; bit >= 0; bit--)
            for (int32_t sign = set->signs - 1; sign >= 0; sign--)
                *list = list_part(cells + (sign * set->cell_bits + bit) * part_bytes, set->rows, *list, (*counts)++);
    }
    return found;
}

/* What is allocated, for one call. */
typedef struct {
    uint8_t *held, *planes, *bytes;
    int16_t *turned;
    int32_t *block, *counts; /* sums [CIM_INTEGERS][fields][LANES]; lengths of lists */
    uint16_t *lists;
    cim_column *columns;
} cim_workspace;

static int make_workspace(const cim_adders *adders, ptrdiff_t blocks, cim_workspace *work)
{
    const cim_row_set *set = adders->set;
    const size_t values = (size_t)set->rows * LANES, columns = (size_t)set->planes * CIM_INTEGERS;
    const size_t parts = columns * (size_t)(set->cell_bits * set->signs);
    const size_t plane_bytes = (size_t)blocks * (size_t)adders->passes * adders->plane_bytes;
    const size_t block_bytes = (size_t)(8 / adders->field_bits) * CIM_INTEGERS * LANES * sizeof(int32_t);
    /* Lists are written 32 rows at a time, beyond their ends. */
    const size_t list_bytes = (parts * (size_t)(set->rows + LISTED_AT_ONCE) + 32) * sizeof(uint16_t);
    work->columns = malloc(columns * sizeof *work->columns + parts * sizeof(int32_t));
    work->held = malloc(plane_bytes + 3 * values + block_bytes + list_bytes + 64);
    if (!work->held || !work->columns)
        return 1;
    work->counts = (int32_t *)(work->columns + columns);
    work->planes = work->held + 64 - (uintptr_t)work->held % 64;
    work->bytes = work->planes + plane_bytes;
    work->turned = (int16_t *)(work->bytes + values);
    work->block = (int32_t *)(work->turned + values);
    work->lists = (uint16_t *)((uint8_t *)work->block + block_bytes);
    memset(work->turned, 0, values * sizeof *work->turned); /* lanes without a vector stay defined */
    return 0;
}

/* Some neighbouring outputs of some blocks of vectors, the first of which is vector `first`. */
CIM_TARGET static void add_outputs(const cim_adders *adders, const cim_workspace *work, const cim_inputs *in,
                                   ptrdiff_t first, int32_t output, int32_t outputs, int32_t *sums, ptrdiff_t stride)
{
    const int fields = 8 / adders->field_bits;
    uint16_t *list = work->lists;
    int32_t *counts = work->counts, columns[CIM_INTEGERS], before = 0;
    for (int32_t index = 0; index < outputs; index++)
        columns[index] = before += list_columns(adders->set, output + index, &list, &counts, work->columns + before);
    const uint8_t *planes = work->planes;
    const ptrdiff_t end = in->vectors < first + VECTORS_AT_ONCE ? in->vectors : first + VECTORS_AT_ONCE;
    for (; first < end; first += fields * LANES, planes += (size_t)adders->passes * adders->plane_bytes) {
        memset(work->block, 0, (size_t)(fields * outputs * LANES) * sizeof(int32_t));
        for (int32_t index = 0, column = 0; index < outputs; index++)
            for (; column < columns[index]; column++)
                add_column(adders, work->columns + column, planes, work->block + index * fields * LANES);
        for (int field = 0; field < fields && first + field * LANES < end; field++) {
            const ptrdiff_t from = first + field * LANES;
            turn_back(work->block + field * LANES, fields * LANES, outputs, end - from < LANES ? end - from : LANES,
                      sums + from * stride + output, stride);
        }
    }
}

int CIM_MULTIPLY(const cim_row_set *set, const cim_inputs *in, int32_t *sums, ptrdiff_t stride)
{
    cim_adders adders = {.set = set, .plane_bytes = ((size_t)set->rows + 1) * LANES};
    cim_workspace work;
    find_passes(&adders);
    describe_adc(&adders);
    const ptrdiff_t at_once = in->vectors < VECTORS_AT_ONCE ? in->vectors : VECTORS_AT_ONCE;
    const ptrdiff_t in_block = 8 / adders.field_bits * LANES;
    const int lacking = make_workspace(&adders, (at_once + in_block - 1) / in_block, &work);
    const int32_t outputs = cim_outputs(set);
    for (ptrdiff_t first = 0; first < in->vectors && !lacking; first += VECTORS_AT_ONCE) {
        uint8_t *planes = work.planes;
        for (ptrdiff_t vector = first; vector < in->vectors && vector < first + VECTORS_AT_ONCE; vector += in_block) {
            make_planes(&adders, in, vector, work.turned, work.bytes, planes);
            planes += (size_t)adders.passes * adders.plane_bytes;
        }
        for (int32_t output = 0; output < outputs; output += CIM_INTEGERS) {
            const int32_t own = outputs - output < CIM_INTEGERS ? outputs - output : CIM_INTEGERS;
            add_outputs(&adders, &work, in, first, output, own, sums, stride);
        }
    }
    free(work.held);
    free(work.columns);
    return lacking;
}
