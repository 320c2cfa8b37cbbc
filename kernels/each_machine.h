/* For plain loops, which the compiler makes wide for each instruction set. Named architectures would suit one vendor. */

#ifndef CIMSPEC_EACH_MACHINE_H
#define CIMSPEC_EACH_MACHINE_H

#if defined(__x86_64__) && defined(__linux__) && !defined(__clang__) && __GNUC__ >= 12
#define EACH_MACHINE __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#elif defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define EACH_MACHINE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define EACH_MACHINE
#endif

#endif
