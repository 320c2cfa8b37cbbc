/* Codes of an output's columns, added up before they become integers. To be included by crossbar_adders.h.

   Where factors are powers of two of each other, as those of slices are, planes of codes are added some places apart, two
   operations each: to make integers of them takes longer, and is done once for all. */

#define MOST_ADDED_UP 24 /* planes, a multiple of four */

static inline int32_t bits_of(int64_t number) { return number ? 64 - __builtin_clzll((unsigned long long)number) : 0; }

/* Planes that hold all of `low .. high`. */
static inline int32_t planes_of(int64_t low, int64_t high, int has_sign)
{
    return bits_of(has_sign && -low - 1 > high ? -low - 1 : high) + has_sign;
}

/* Whether positive factors, and smaller ones, come first. */
static inline int is_before(int32_t factor, int32_t other)
{
    return (factor > 0) != (other > 0) ? factor > 0 : (factor > 0 ? factor < other : factor > other);
}

/* How often the first factor is doubled to be the second one; -1 if it never is. */
static inline int32_t doublings(int32_t first, int32_t second)
{
    const int32_t ratio = first && second % first == 0 ? second / first : 0;
    return ratio > 0 && (ratio & (ratio - 1)) == 0 ? __builtin_ctz((unsigned)ratio) : -1;
}

/* Order an output's columns, and say where codes of `low .. high` are added up, in how many planes. */
CIM_TARGET static void add_columns_up(cim_column *columns, int32_t count, int32_t low, int32_t high, int has_sign)
{
    for (int32_t index = 1; index < count; index++) {
        const cim_column own = columns[index];
        int32_t at = index;
        for (; at > 0 && is_before(own.factor, columns[at - 1].factor); at--)
            columns[at] = columns[at - 1];
        columns[at] = own;
    }
    int64_t lowest = 0, highest = 0;
    int32_t first_factor = 0;
    for (int32_t index = 0; index < count; index++) {
        cim_column *own = columns + index;
        own->places = index ? doublings(first_factor, own->factor) : -1;
        if (own->places >= 0 && own->places < MOST_ADDED_UP) {
            lowest += (int64_t)low << own->places, highest += (int64_t)high << own->places;
            own->width = planes_of(lowest, highest, has_sign);
        }
        own->begins = own->places < 0 || own->places >= MOST_ADDED_UP || own->width > MOST_ADDED_UP;
        if (own->begins) {
            lowest = low, highest = high, first_factor = own->factor;
            own->places = 0, own->width = planes_of(low, high, has_sign);
        }
        if (index)
            own[-1].ends = own->begins;
        own->ends = 1;
    }
}

/* Add a column's codes, of `width` planes, to those of the columns before it. */
INLINE void add_up(const cim_column *column, const cim_vector *codes, int width, int has_sign, cim_vector *total)
{
    const int places = column->places, before = column->begins ? 0 : column[-1].width;
    if (column->begins) {
        for (int plane = 0; plane < width; plane++)
            store_vector(total + plane, load_vector(codes + plane));
        return;
    }
    const cim_vector zeros = V_WHOLE(setzero)(), above = has_sign ? load_vector(total + before - 1) : zeros;
    const cim_vector codes_above = has_sign ? load_vector(codes + width - 1) : zeros;
    const int both = before < places + width ? before : places + width;
    cim_vector carry = zeros;
    int plane = before;
    for (; plane < places; plane++)
        store_vector(total + plane, above);
    for (plane = places; plane < both; plane++)
        carry = add_plane(load_vector(total + plane), load_vector(codes + plane - places), carry, total + plane);
    for (; plane < column->width; plane++) {
        const cim_vector own = plane < before ? load_vector(total + plane) : above;
        const cim_vector added = plane < places + width ? load_vector(codes + plane - places) : codes_above;
        carry = add_plane(own, added, carry, total + plane);
    }
}

/* Planes to whole quads. */
INLINE void fill_quad(cim_vector *planes, int width, int has_sign)
{
    for (int plane = width; plane % 4; plane++)
        planes[plane] = has_sign ? planes[width - 1] : V_WHOLE(setzero)();
}
