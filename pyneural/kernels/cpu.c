#include "dispatch.h"
#include <string.h>

blas_table kernels_blas;

extern const kernel_set kernels_baseline;
#ifdef PYNEURAL_X86
extern const kernel_set kernels_avx2, kernels_avx512;

#if defined(_MSC_VER)
#include <intrin.h>
/* Leaf 7 tells what the processor has, XCR0 what the operating system saves on a switch. */
static int runs_avx2(void) {
    int r[4];
    __cpuid(r, 1);
    if (!(r[2] & (1 << 27)) || !(r[2] & (1 << 12)) || (_xgetbv(0) & 6) != 6) return 0;
    __cpuidex(r, 7, 0);
    return (r[1] >> 5) & 1;
}
static int runs_avx512(void) {
    int r[4];
    const int needed = (1 << 16) | (1 << 17) | (1 << 30) | (1 << 31); /* F, DQ, BW, VL */
    if (!runs_avx2() || (_xgetbv(0) & 0xe6) != 0xe6) return 0;
    __cpuidex(r, 7, 0);
    return (r[1] & needed) == needed;
}
#else
static int runs_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
static int runs_avx512(void) {
    return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
#endif
#endif

const kernel_set *kernels_choose(const char *isa) {
#ifdef PYNEURAL_X86
    if ((!isa || !strcmp(isa, "avx512")) && runs_avx512()) return &kernels_avx512;
    if ((!isa || !strcmp(isa, "avx2")) && runs_avx2()) return &kernels_avx2;
#endif
    return !isa || !strcmp(isa, "baseline") ? &kernels_baseline : NULL;
}
