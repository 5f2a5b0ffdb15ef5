#include "dispatch.h"
#include <string.h>

blas_table kernels_blas;
const bf16_products *kernels_bf16;

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

#ifdef PYNEURAL_BF16
#include <cpuid.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif
extern const bf16_products bf16_avx512, bf16_amx;
#ifdef PYNEURAL_AMX_EMULATED
extern const bf16_products bf16_amx_emulated;
#endif

static int runs_avx512_bf16(void) {
    unsigned a, b, c, d;
    return runs_avx512() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
}

/* AMX's tiles are 8 KiB of state: the processor must have them, the system must save them, and Linux wants to be asked
 * before a process first uses them. */
static int runs_amx(void) {
    unsigned a, b, c, d, low, high;
    if (!runs_avx512_bf16() || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    if (!(d >> 24 & 1) || !(d >> 22 & 1)) return 0; /* AMX-TILE, AMX-BF16 */
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & 0x60000) != 0x60000) return 0;
#ifdef __linux__
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 }; /* arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) */
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
    return 1;
#endif
}
#endif

int kernels_choose_bf16(const char *name) {
    kernels_bf16 = NULL;
#ifdef PYNEURAL_BF16
    if ((!name || !strcmp(name, "amx_bf16")) && runs_amx()) kernels_bf16 = &bf16_amx;
    else if ((!name || !strcmp(name, "avx512_bf16")) && runs_avx512_bf16()) kernels_bf16 = &bf16_avx512;
#ifdef PYNEURAL_AMX_EMULATED
    else if (name && !strcmp(name, "amx_emulated") && runs_avx512_bf16()) kernels_bf16 = &bf16_amx_emulated;
#endif
#endif
    return kernels_bf16 || !name || !strcmp(name, "none");
}
