/* Digits of one step as bytes or 16-bit words. Included by files that define CIM_TARGET. */

CIM_TARGET static void pack_digits(const cim_row_set *set, const cim_step *step, const int16_t *codes, uint8_t *line)
{
    const ptrdiff_t padded = cim_line_bytes(set->format, set->rows);
    const int shift = step->shift, mask = step->mask;
    if (set->format == CIM_BYTES) {
        for (ptrdiff_t row = 0; row < padded; row++)
            line[row] = (uint8_t)((codes[row] >> shift) & mask);
    } else {
        int16_t *words = (int16_t *)line;
        for (ptrdiff_t row = 0; row < padded / 2; row++)
            words[row] = mask == -1 ? codes[row] : (int16_t)((codes[row] >> shift) & mask);
    }
}
