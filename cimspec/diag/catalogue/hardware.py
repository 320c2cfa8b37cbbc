"""3xx: chips that contradict themselves or lose what they compute."""

from cimspec.diag.catalogue.code import Code

CODES = (
    Code(
        "CIM301",
        "ADC short of bits",
        what=(
            "The ADC cannot tell all column sums apart. An error only when it is more than 12 bits short of what "
            "one step needs."
        ),
        why=(
            "A column sums up to M = active_rows * (2^cell - 1) * (2^dac.bits - 1); without loss that "
            "takes ceil(log2(M + 1)) bits, or ceil(log2(2M + 1)) where sums can be negative. With "
            "`conversion = per_product` the last factor is the largest input, 255 for 8 bits. With `complement` "
            "cells sum to floor(active_rows * (2^cell - 1) / 2) at most, but those of the unit column to active_rows. "
            "With `levels = sign_magnitude` there is one code less. Most published "
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
    Code(
        "CIM305",
        "no offset, no unit column",
        what="`unit_column` or `complement` with an encoding other than `offset`.",
        why=(
            "A unit column of ones reads the sum of inputs, which takes the offset off again and completes columns "
            "that are stored complemented. The other encodings have no offset, and no such column."
        ),
        example="crossbar { encoding = twos_complement; unit_column = true; ... }",
        fix="crossbar { encoding = offset; unit_column = true; ... }",
    ),
    Code(
        "CIM306",
        "complement without a unit column",
        what="`complement = true` without `unit_column = true`.",
        why=(
            "A column that is stored complemented gives (2^cell - 1) * sum(inputs) minus what it should; that sum of "
            "inputs is the unit column's."
        ),
        example="crossbar { encoding = offset; complement = true; ... }",
        fix="crossbar { encoding = offset; unit_column = true; complement = true; ... }",
    ),
    Code(
        "CIM307",
        "calibration of a range that is not calibrated",
        what=(
            "`calibration` or `percentile` where the ADC's range does not depend on it. A warning: the field has no "
            "effect."
        ),
        why=(
            "Ranges `rows` and `rows_used` follow from the crossbar; only `range = calibrated` looks at the sums that "
            "occur, and only `calibration = percentile` at a percentile of them."
        ),
        example="adc { bits = 6; percentile = 99.5 }",
        fix="adc { bits = 6; range = calibrated; percentile = 99.5 }",
    ),
    Code(
        "CIM308",
        "sign-magnitude levels without negative sums",
        what="`levels = sign_magnitude` where column sums are never negative. A warning: one code is given away.",
        why=(
            "2^bits - 1 levels make zero a level of a range [-M, M]; of a range [0, M] it is one anyway. Sums are "
            "negative where differences are converted (`differential_rows`, `subtraction = before_adc`), or whole "
            "products of signed inputs (`conversion = per_product`)."
        ),
        example="crossbar { encoding = offset; ... }; adc { bits = 8; levels = sign_magnitude }",
        fix="crossbar { encoding = offset; ... }; adc { bits = 8 }",
    ),
    Code(
        "CIM309",
        "an ADC with one level",
        what="`levels = sign_magnitude` with `bits = 1`.",
        why="2^bits - 1 = 1 level tells nothing apart.",
        example="adc { bits = 1; levels = sign_magnitude }",
        fix="adc { bits = 2; levels = sign_magnitude }",
    ),
    Code(
        "CIM310",
        "products too large to be exact",
        what="With `conversion = per_product`, the product of 8-bit inputs can exceed 2^24.",
        why="Codes are computed in float32, which holds integers up to 2^24; larger ones are rounded before the ADC.",
        example="crossbar { rows = 8192; cell = 4 bit; ... }; adc { bits = 12; conversion = per_product }",
        fix="crossbar { rows = 4096; cell = 4 bit; ... }; adc { bits = 12; conversion = per_product }",
    ),
    Code(
        "CIM311",
        "device fields that exclude each other",
        what="A field of `device` says what the device table says, too.",
        why="With a table, levels and their spread are the measured ones; a second number would contradict it.",
        example='device { table = "cells.csv"; on_off_ratio = 100 }',
        fix='device { table = "cells.csv" }',
    ),
    Code(
        "CIM312",
        "device field that needs another",
        what="A field of `device` has no effect without another one, which is not there.",
        why=(
            "Drift is a power of time, so it needs `drift_time`. What is lost in wires depends on the current, so "
            "wires need `on_resistance`, or a table."
        ),
        example="device { wire_resistance = 2 ohm }",
        fix="device { wire_resistance = 2 ohm; on_resistance = 10 kohm }",
    ),
    Code(
        "CIM313",
        "impossible device",
        what="Numbers of `device` contradict each other.",
        why="More than all cells cannot be stuck, and nothing drifts before drift starts.",
        example="device { stuck_on = 60 %; stuck_off = 60 % }",
        fix="device { stuck_on = 6 %; stuck_off = 6 % }",
    ),
    Code(
        "CIM314",
        "device table for other cells",
        what="A device table has more or fewer levels than a cell.",
        why="A cell of `cell` bits has 2^cell levels, and each needs a line in the table.",
        example='crossbar { cell = 2 bit; ... }; device { table = "two_levels.csv" }',
        fix='crossbar { cell = 1 bit; ... }; device { table = "two_levels.csv" }',
    ),
    Code(
        "CIM315",
        "wrong device table",
        what="A file of measured cell states has a line that is none, or its levels are not in order.",
        why=(
            "A table has the header `level,mean,sigma` and a line for each level from 0 on: mean and standard "
            "deviation of the conductance in siemens. A higher level must conduct better, else sums mean nothing."
        ),
        example="level,mean,sigma\n0,2e-6,1e-7\n1,1e-6,1e-7",
        fix="level,mean,sigma\n0,1e-6,1e-7\n1,2e-6,1e-7",
    ),
    Code(
        "CIM316",
        "what reloaded weights do not use",
        what=(
            "`copies`, `batch`, `attention`, `tile`, `digital`, `network` or `memory` on a chip with `weights = "
            "reloaded`. A warning: they have no effect."
        ),
        why=(
            "Where weights are reloaded, layers run one after the other, each on all crossbars, and only writes and "
            "reads are charged. Tiles, what is between them and copies matter where layers run as a pipeline."
        ),
        example="weights = reloaded; tile { crossbars = 96 }",
        fix="weights = resident; tile { crossbars = 96 }",
    ),
    Code(
        "CIM317",
        "half of a quantity",
        what="A number of the chip means something only together with another one, which is not there.",
        why=(
            "`lanes`, `macs` and `width` are per `cycle`. `conversion_latency` is that of one column, so it is not "
            "known what a read takes without `columns_per_adc`, nor how many ADCs of an `area` there are. With "
            "`pipelined`, DAC, crossbar and ADC work at once: that changes something where more than the crossbar's "
            "time is given."
        ),
        example="network { width = 32 bit }",
        fix="network { width = 32 bit; cycle = 1 ns }",
    ),
    Code(
        "CIM318",
        "columns that ADCs cannot share evenly",
        what=(
            "`columns_per_adc` does not divide the columns. A warning: one ADC has fewer. An error if it is more than "
            "there are."
        ),
        why="A read takes as long as the ADC with the most columns; on the others time and area are wasted.",
        example="crossbar { columns = 128; ... }; adc { columns_per_adc = 48; ... }",
        fix="crossbar { columns = 128; ... }; adc { columns_per_adc = 64; ... }",
    ),
    Code(
        "CIM319",
        "conversion time of whole products",
        what="`conversion_latency` with `conversion = per_product`.",
        why=(
            "A conversion's time is counted with every read. Where steps are added in analog, there is one conversion "
            "after all reads of a product; how many these are depends on the layer's bits."
        ),
        example="adc { conversion = per_product; columns_per_adc = 8; conversion_latency = 1 ns; ... }",
        fix="adc { conversion = per_product; columns_per_adc = 8; ... }",
    ),
    Code(
        "CIM320",
        "a tile that is not full",
        what="`crossbars` is no multiple of `tile.crossbars`. A warning: the last tile has fewer.",
        why="Tiles are of one size on most chips; a rest is more often a slip than meant.",
        example="crossbars = 1000; tile { crossbars = 96 }",
        fix="crossbars = 960; tile { crossbars = 96 }",
    ),
)
