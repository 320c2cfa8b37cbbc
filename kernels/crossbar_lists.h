/* Cells of a column -> lists of the rows whose planes are added. To be included by crossbar_adders.h.

   Two bits of a cell make a digit of 0 .. 3. Where that takes fewer rows, it is 2 + {-2, -1, 0, 1}: a row of 2 is in no
   list, and all others are in one; for 2, all rows' inputs are added up once for all columns (`make_starts`). Of evenly
   distributed digits, three of four are in a list, instead of one in each. */

#define MOST_DIGITS 2 /* of two bits each */

/* The rows that have the bits of two planes, each turned over or not; where the list ends, filled up. */
CIM_TARGET static uint16_t *list_rows(const uint8_t *one, uint32_t one_turned, const uint8_t *other,
                                      uint32_t other_turned, int32_t rows, uint16_t *list, int32_t *count)
{
    uint16_t *end = list;
    for (int32_t row = 0; row < rows; row += 32) {
        uint32_t bits, more;
        memcpy(&bits, one + row / 8, sizeof bits);
        memcpy(&more, other + row / 8, sizeof more);
        bits = (bits ^ one_turned) & (more ^ other_turned);
        if (rows - row < 32)
            bits &= ((uint32_t)1 << (rows - row)) - 1;
        end = append_rows(end, bits, row);
    }
    const cim_vector zeros = V(set1_epi16)((int16_t)(rows * LANES));
    memcpy(end, &zeros, sizeof zeros); /* LISTED_AT_ONCE of them, at least */
    *count = (int32_t)((end - list + LISTED_AT_ONCE - 1) / LISTED_AT_ONCE * LISTED_AT_ONCE);
    return list + *count;
}

/* Whether digits are in fewer lists from 2 on. */
CIM_TARGET static int is_shorter_from_two(const uint8_t *high, const uint8_t *low, int32_t rows)
{
    int32_t listed = 0, twos = 0;
    for (int32_t row = 0; row < rows; row += 32) {
        uint32_t upper, lower;
        memcpy(&upper, high + row / 8, sizeof upper);
        memcpy(&lower, low + row / 8, sizeof lower);
        listed += __builtin_popcount(upper) + __builtin_popcount(lower);
        twos += __builtin_popcount(upper & ~lower);
    }
    return rows - twos < listed;
}

/* The lists of one column. Which start it has: a bit for each digit from 2 on. */
CIM_TARGET static int32_t list_column(const cim_row_set *set, const uint8_t *cells, uint16_t **list, int32_t **counts)
{
    const uint32_t turned = 0xFFFFFFFF;
    const int32_t rows = set->rows;
    const ptrdiff_t plane_bytes = cim_column_bytes(set->format, rows, 1, 1);
    int32_t start = 0;
    for (int32_t bit = set->cell_bits - 1; bit >= 0; bit--) {
        const uint8_t *own = cells + bit * plane_bytes;
        if (set->signs == 2) {
            const uint8_t *minus = own + set->cell_bits * plane_bytes;
            *list = list_rows(minus, 0, minus, 0, rows, *list, (*counts)++);
            *list = list_rows(own, 0, own, 0, rows, *list, (*counts)++);
        } else if (bit % 2 && is_shorter_from_two(own, own - plane_bytes, rows)) {
            const uint8_t *low = own - plane_bytes;
            *list = list_rows(own, turned, low, turned, rows, *list, (*counts)++); /* 0: two to be taken off */
            *(*counts)++ = 0;
            *list = list_rows(own, turned, low, 0, rows, *list, (*counts)++); /* 1: one */
            *list = list_rows(own, 0, low, 0, rows, *list, (*counts)++);      /* 3: one to be added */
            start |= 1 << bit / 2;
            bit--;
        } else {
            *(*counts)++ = 0;
            *list = list_rows(own, 0, own, 0, rows, *list, (*counts)++);
        }
    }
    return start;
}

/* Columns of one output. How many; `list` and `counts` move on. */
CIM_TARGET static int32_t list_columns(const cim_row_set *set, int32_t output, uint16_t **list, int32_t **counts,
                                       cim_column *columns)
{
    const ptrdiff_t column_bytes = cim_column_bytes(set->format, set->rows, set->cell_bits, set->signs);
    int32_t found = 0;
    for (int32_t index = 0; index < set->planes; index++) {
        const cim_plane *plane = &set->plane[index];
        const int32_t column = output - plane->first_output;
        if (column < 0 || column >= plane->outputs)
            continue;
        cim_column *own = columns + found++;
        own->rows = *list, own->counts = *counts, own->factor = set->factors[plane->factors + column];
        own->start = list_column(set, set->cells + plane->cells + column * column_bytes, list, counts);
    }
    return found;
}
