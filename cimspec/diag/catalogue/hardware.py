"""3xx: chips that contradict themselves or lose what they compute."""

from cimspec.diag.catalogue.code import Code

CODES = (
    Code(
        "CIM301",
        "ADC short of bits",
        what="The ADC cannot tell all column sums apart. An error only when it is more than 12 bits short.",
        why=(
            "A column sums up to M = active_rows * (2^cell - 1) * (2^dac.bits - 1); without loss that "
            "takes ceil(log2(M + 1)) bits, or ceil(log2(2M + 1)) where sums can be negative. Most published "
            "chips are a few bits short and lose some accuracy, which `cimspec run` measures."
        ),
        example="crossbar { rows = 256; cell = 4 bit; ... }; adc { bits = 8 }",
        fix="crossbar { rows = 256; cell = 4 bit; ... }; adc { bits = 12 }",
    ),
    Code(
        "CIM302",
        "more active rows than rows",
        what="`active_rows` is larger than `rows`.",
        why="Only rows that exist can be read at once.",
        example="crossbar { rows = 64; active_rows = 128; ... }",
        fix="crossbar { rows = 64; active_rows = 64; ... }",
    ),
    Code(
        "CIM303",
        "nothing to subtract before the ADC",
        what="`subtraction = before_adc` with an encoding other than `differential_columns`.",
        why=(
            "Only differential columns are two currents that can be subtracted. Differential rows always "
            "subtract on the column itself; the other encodings have no negative part."
        ),
        example="crossbar { encoding = offset; ... }; adc { bits = 8; subtraction = before_adc }",
        fix="crossbar { encoding = offset; ... }; adc { bits = 8; subtraction = after_adc }",
    ),
    Code(
        "CIM304",
        "column without a partner",
        what="`subtraction = before_adc` on a crossbar with an odd number of columns.",
        why="Positive and negative columns are neighbours that share a converter, so columns come in pairs.",
        example="crossbar { columns = 63; ... }; adc { subtraction = before_adc; ... }",
        fix="crossbar { columns = 64; ... }; adc { subtraction = before_adc; ... }",
    ),
)
