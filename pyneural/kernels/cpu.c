#include "dispatch.h"
#include <string.h>

blas_table kernels_blas;
const bf16_products *kernels_bf16;

extern const kernel_set kernels_baseline;
#ifdef PYNEURAL_X86
extern const kernel_set kernels_avx2, kernels_avx512;

static int runs_avx2(void) { return cpu_has("avx2") && cpu_has("fma"); }
static int runs_avx512(void) {
    return runs_avx2() && cpu_has("avx512f") && cpu_has("avx512dq") && cpu_has("avx512bw") && cpu_has("avx512vl");
}
#endif

const kernel_set *kernels_choose(const char *isa) {
#ifdef PYNEURAL_X86
    if ((!isa || !strcmp(isa, "avx512")) && runs_avx512()) return &kernels_avx512;
    if ((!isa || !strcmp(isa, "avx2")) && runs_avx2()) return &kernels_avx2;
#endif
    return !isa || !strcmp(isa, "baseline") ? &kernels_baseline : NULL;
}

#ifdef PYNEURAL_BF16
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif
extern const bf16_products bf16_avx512, bf16_amx;
#ifdef PYNEURAL_AMX_EMULATED
extern const bf16_products bf16_amx_emulated;
#endif

static int runs_avx512_bf16(void) { return runs_avx512() && cpu_has("avx512_bf16"); }

/* AMX's tiles are 8 KiB of state: Linux wants to be asked before a process first uses them. */
static int runs_amx(void) {
    if (!runs_avx512_bf16() || !cpu_has("amx_tile") || !cpu_has("amx_bf16")) return 0;
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
