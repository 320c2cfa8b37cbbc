/* Sums of planes of bits, by carry-save adders. To be included by crossbar_adders.h.

   A full adder takes three planes of one weight to one of it and one of twice as much; to subtract two planes, it borrows
   instead of carrying. Sums stay in registers: there is one function for each number of their planes. */

/* Planes of a sum: crossbar.pyx lets no more pass. */
#define MOST_WIDTH 18
#define LEAST_WIDTH 8
#define LISTED_AT_ONCE 8 /* rows: lists are filled up to a multiple */
#define MOST_BLOCKS 8    /* of so many rows, in one go */

#define PLANE(index) load_vector(planes + list[index])

/* All lanes the same bit. */
INLINE cim_vector filled(int32_t bit) { return V(set1_epi32)(-(bit & 1)); }

/* Add two planes to `sum[0]`, or subtract them; what is carried, or borrowed. */
INLINE cim_vector full_add(cim_vector *sum, cim_vector a, cim_vector b, const int is_minus)
{
    const cim_vector carry = is_minus ? borrow_of(*sum, a, b) : carry_of(*sum, a, b);
    *sum = sum_of(*sum, a, b);
    return carry;
}

INLINE cim_vector half_add(cim_vector *sum, cim_vector a, const int is_minus)
{
    const cim_vector carry = is_minus ? V_WHOLE(andnot)(*sum, a) : V_WHOLE(and)(*sum, a);
    *sum = V_WHOLE(xor)(*sum, a);
    return carry;
}

/* Add 2, 4, 8, 16, 32 or 64 rows to the lowest planes of a sum; what is carried to the next one. */
INLINE cim_vector add_2(cim_vector *sum, const uint8_t *planes, const uint16_t *list, const int is_minus)
{
    return full_add(sum, PLANE(0), PLANE(1), is_minus);
}
#define ADD_TWICE(COUNT, HALF, LEVEL)                                                                                  \
    INLINE cim_vector add_##COUNT(cim_vector *sum, const uint8_t *planes, const uint16_t *list, const int is_minus)    \
    {                                                                                                                  \
        const cim_vector first = add_##HALF(sum, planes, list, is_minus);                                              \
        return full_add(sum + LEVEL, first, add_##HALF(sum, planes, list + HALF, is_minus), is_minus);                 \
    }
ADD_TWICE(4, 2, 1)
ADD_TWICE(8, 4, 2)
ADD_TWICE(16, 8, 3)
ADD_TWICE(32, 16, 4)
ADD_TWICE(64, 32, 5)

/* Add some times eight rows; what their powers of two carry goes up together. */
INLINE void add_blocks(cim_vector *sum, const int width, const uint8_t *planes, const uint16_t *list, const int blocks,
                       const int is_minus)
{
    cim_vector own[4], carry = V_WHOLE(setzero)();
    if (blocks & 8)
        own[3] = add_64(sum, planes, list, is_minus), list += 64;
    if (blocks & 4)
        own[2] = add_32(sum, planes, list, is_minus), list += 32;
    if (blocks & 2)
        own[1] = add_16(sum, planes, list, is_minus), list += 16;
    if (blocks & 1)
        own[0] = add_8(sum, planes, list, is_minus);
    int carries = 0;
    UNROLL for (int plane = 3; plane < width; plane++) {
        const int has_own = plane < 7 && blocks >> (plane - 3) & 1;
        if (has_own && carries)
            carry = full_add(sum + plane, own[plane - 3], carry, is_minus);
        else if (has_own)
            carry = half_add(sum + plane, own[plane - 3], is_minus);
        else if (carries)
            carry = half_add(sum + plane, carry, is_minus);
        carries |= has_own;
    }
}

/* Add the rows of a list, or subtract them: all at once, if there are not too many, as each turn of a loop may be
   mispredicted, and takes carries up. */
INLINE void add_rows(cim_vector *sum, const int width, const uint8_t *planes, const uint16_t *list, int32_t count,
                     const int is_minus)
{
    for (; count > MOST_BLOCKS * LISTED_AT_ONCE; count -= MOST_BLOCKS * LISTED_AT_ONCE) {
        add_blocks(sum, width, planes, list, MOST_BLOCKS, is_minus);
        list += MOST_BLOCKS * LISTED_AT_ONCE;
    }
    switch (count / LISTED_AT_ONCE) {
    case 1: add_blocks(sum, width, planes, list, 1, is_minus); break;
    case 2: add_blocks(sum, width, planes, list, 2, is_minus); break;
    case 3: add_blocks(sum, width, planes, list, 3, is_minus); break;
    case 4: add_blocks(sum, width, planes, list, 4, is_minus); break;
    case 5: add_blocks(sum, width, planes, list, 5, is_minus); break;
    case 6: add_blocks(sum, width, planes, list, 6, is_minus); break;
    case 7: add_blocks(sum, width, planes, list, 7, is_minus); break;
    case 8: add_blocks(sum, width, planes, list, 8, is_minus); break;
    default: break;
    }
}

/* What all planes make of one output: lists of rows, one after the other. */
typedef struct {
    const uint16_t *rows;  /* where their planes begin, bytes; the last ones of each list lead to a plane of zeros */
    const int32_t *counts; /* [cell_bits][2], the highest bit first: rows to subtract, and rows to add */
    int32_t start, factor; /* which start; what codes are multiplied by */
    /* crossbar_combine.h: codes are added up, so many places above those of the column that begins, to so many planes. */
    int32_t places, width, begins, ends;
} cim_column;

/* The sums of one column in planes, two's complement. Room for `width` planes; `start` has `cell_bits - 1` more. */
INLINE void count_rows(const uint8_t *planes, const cim_column *column, int32_t cell_bits, const cim_vector *start,
                       cim_vector *to, const int width)
{
    cim_vector sum[MOST_WIDTH];
    const uint16_t *list = column->rows;
    UNROLL for (int plane = 0; plane < width; plane++)
        sum[plane] = load_vector(start + cell_bits - 1 + plane);
    for (int32_t bit = cell_bits - 1;; bit--) {
        const int32_t *counts = column->counts + 2 * (cell_bits - 1 - bit);
        add_rows(sum, width, planes, list, counts[0], 1);
        add_rows(sum, width, planes, list + counts[0], counts[1], 0);
        list += counts[0] + counts[1];
        if (!bit)
            break;
        UNROLL for (int plane = width - 1; plane > 0; plane--) /* what is there counts twice */
            sum[plane] = sum[plane - 1];
        sum[0] = load_vector(start + bit - 1);
    }
    UNROLL for (int plane = 0; plane < width; plane++)
        store_vector(to + plane, sum[plane]);
}

#define COUNT(WIDTH)                                                                                                   \
    APART void count_##WIDTH(const uint8_t *planes, const cim_column *column, int32_t cell_bits,                       \
                             const cim_vector *start, cim_vector *to)                                                  \
    {                                                                                                                  \
        count_rows(planes, column, cell_bits, start, to, WIDTH);                                                       \
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

typedef void count_function(const uint8_t *, const cim_column *, int32_t, const cim_vector *, cim_vector *);
static count_function *const count_functions[] = {count_8,  count_9,  count_10, count_11, count_12, count_13,
                                                  count_14, count_15, count_16, count_17, count_18};
