#include "dispatch.h"
#include <string.h>

blas_table kernels_blas;

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
