/* Loops of nothing but the instructions that the kernels are made of, on independent registers: how fast they can be.
   Each function runs `rounds` rounds of eight operations. Compiled and called by peaks.py. */

#include <stdint.h>

#define REGISTERS                                                                                                      \
    "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8", "zmm9", "zmm10", "zmm11", "zmm12",         \
        "zmm13", "zmm14", "zmm15", "zmm16", "zmm17", "zmm18", "cc"

#define REGISTERS_AVX2                                                                                                 \
    "ymm0", "ymm1", "ymm2", "ymm3", "ymm4", "ymm5", "ymm6", "ymm7", "ymm8", "ymm9", "ymm10", "ymm11", "ymm12",         \
        "ymm13", "ymm14", "ymm15", "cc"

#define LOOP(NAME, BODY)                                                                                               \
    __attribute__((target("avx512f"))) void NAME(int64_t rounds)                                                      \
    {                                                                                                                  \
        __asm__ volatile("1:\n" BODY "dec %0\n jnz 1b\n" : "+r"(rounds) : : REGISTERS);                                \
    }

/* TO accumulates; VIA is between. */
#define COUNT_BITS(TO, VIA)                                                                                            \
    "vpandd %%zmm16, %%zmm17, %%zmm" VIA "\n"                                                                          \
    "vpopcntw %%zmm" VIA ", %%zmm" VIA "\n"                                                                            \
    "vpaddw %%zmm" VIA ", %%zmm" TO ", %%zmm" TO "\n"
#define ADD_BITS(TO, VIA) /* a full adder: the parity of three, and what they carry, which is added the next time */    \
    "vmovdqa64 %%zmm" TO ", %%zmm18\n"                                                                                 \
    "vpternlogq $0x96, %%zmm16, %%zmm" VIA ", %%zmm" TO "\n"                                                           \
    "vpternlogq $0xE8, %%zmm16, %%zmm18, %%zmm" VIA "\n"
#define PERMUTE(TO, VIA) "vpermb %%zmm16, %%zmm17, %%zmm" VIA "\n"
#define ADD_BYTES(TO, VIA) "vpaddb %%zmm" VIA ", %%zmm" TO ", %%zmm" TO "\n"
#define LOOK_UP_SUMS(TO, VIA)                                                                                          \
    "vmovdqa64 %%zmm16, %%zmm" VIA "\n"                                                                                \
    "vpermi2w %%zmm16, %%zmm17, %%zmm" VIA "\n"                                                                        \
    "vpdpwssd %%zmm" VIA ", %%zmm17, %%zmm" TO "\n"
#define DOT_BYTES(TO, VIA) "vpdpbusd %%zmm16, %%zmm17, %%zmm" TO "\n"
#define DOT_WORDS(TO, VIA) "vpdpwssd %%zmm16, %%zmm17, %%zmm" TO "\n"
#define ROUND(OP)                                                                                                      \
    OP("0", "8") OP("1", "9") OP("2", "10") OP("3", "11") OP("4", "12") OP("5", "13") OP("6", "14") OP("7", "15")

#define LOOK_UP_AVX2(TO, VIA)                                                                                          \
    "vpshufb %%ymm14, %%ymm15, %%ymm" VIA "\n"                                                                         \
    "vpaddb %%ymm" VIA ", %%ymm" TO ", %%ymm" TO "\n"
#define LOOK_UP_SUMS_AVX2(TO, VIA)                                                                                     \
    "vpshufb %%ymm14, %%ymm15, %%ymm" VIA "\n"                                                                         \
    "vpmaddubsw %%ymm" VIA ", %%ymm15, %%ymm" VIA "\n"                                                                 \
    "vpaddw %%ymm" VIA ", %%ymm" TO ", %%ymm" TO "\n"
#define DOT_WORDS_AVX2(TO, VIA)                                                                                        \
    "vpmaddwd %%ymm14, %%ymm15, %%ymm" VIA "\n"                                                                        \
    "vpaddd %%ymm" VIA ", %%ymm" TO ", %%ymm" TO "\n"
/* Sixteen registers: six accumulate, two of them twice. */
#define ROUND_AVX2(OP)                                                                                                 \
    OP("0", "6") OP("1", "7") OP("2", "8") OP("3", "9") OP("4", "10") OP("5", "11") OP("0", "12") OP("1", "13")

#define LOOP_AVX2(NAME, BODY)                                                                                          \
    __attribute__((target("avx2"))) void NAME(int64_t rounds)                                                         \
    {                                                                                                                  \
        __asm__ volatile("1:\n" BODY "dec %0\n jnz 1b\n" : "+r"(rounds) : : REGISTERS_AVX2);                          \
    }

#ifdef WITH_AMX
#define DOT_TILES(TO) "tdpbusd %%tmm6, %%tmm4, %%tmm" TO "\n"

/* Tiles of 16 lines of 64 bytes. */
static const struct {
    uint8_t palette, start, reserved[14];
    uint16_t line_bytes[16];
    uint8_t lines[16];
} SHAPES = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};

/* The system must have lent the tiles. */
void dot_tiles(int64_t rounds)
{
    __asm__ volatile("ldtilecfg %1\n"
                     "1:\n" DOT_TILES("0") DOT_TILES("1") DOT_TILES("2") DOT_TILES("3") DOT_TILES("0") DOT_TILES("1")
                     DOT_TILES("2") DOT_TILES("3") "dec %0\n jnz 1b\n tilerelease\n"
                     : "+r"(rounds) : "m"(SHAPES) : "cc");
}
#endif

LOOP(count_bits, ROUND(COUNT_BITS))
LOOP(add_bits, ROUND(ADD_BITS))
LOOP(look_up, ROUND(PERMUTE) ROUND(ADD_BYTES)) /* by turns they take a sixth longer, on a Zen 4 */
LOOP(look_up_sums, ROUND(LOOK_UP_SUMS))
LOOP(dot_bytes, ROUND(DOT_BYTES))
LOOP(dot_words, ROUND(DOT_WORDS))
LOOP_AVX2(look_up_avx2, ROUND_AVX2(LOOK_UP_AVX2))
LOOP_AVX2(look_up_sums_avx2, ROUND_AVX2(LOOK_UP_SUMS_AVX2))
LOOP_AVX2(dot_words_avx2, ROUND_AVX2(DOT_WORDS_AVX2))
