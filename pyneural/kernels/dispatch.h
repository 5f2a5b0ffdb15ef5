/* What the compiled kernels offer, and how one build serves every processor.
 *
 * isa_*.c compile the same sources (template.h) for a baseline, AVX2 and AVX-512; kernels_choose picks, once,
 * the widest that the processor runs. BLAS is reached through two function pointers, set at import (blas.py). */
#ifndef PYNEURAL_DISPATCH_H
#define PYNEURAL_DISPATCH_H
#include <stddef.h>
#include <stdint.h>

typedef ptrdiff_t index_t;

/* What becomes of a raw gradient g before the update rule sees it: clip(g * scale) + l2 * w. */
typedef struct {
    double scale; /* from clipping by global norm; 1 for none */
    double clip;  /* bound on |g * scale|; infinity for none */
    double l2;
} gradient_terms;

/* Fortran BLAS with integers of 32 bits: column-major, everything by reference. */
typedef struct {
    void (*sgemm)(char *, char *, int *, int *, int *, float *, float *, int *, float *, int *, float *, float *,
                  int *);
    void (*dgemm)(char *, char *, int *, int *, int *, double *, double *, int *, double *, int *, double *,
                  double *, int *);
} blas_table;
extern blas_table kernels_blas;

/* Products of float32 matrices rounded to bfloat16, summed in float32: C (M, N) = C0 + A (M, K) B (K, N). Only
 * product.h and linear.h call these; the pointer is NULL where the processor has no such instructions. */
typedef struct {
    const float *at; /* C0: NULL for zeros, C itself, or with stride 0 a row of biases */
    index_t stride;
} origin;

typedef struct {
    const char *name; /* "amx_bf16", "avx512_bf16" */
    /* a(i, k) = a[i * a_down + k * a_along], b alike */
    void (*product)(index_t M, index_t N, index_t K, const float *a, index_t a_down, index_t a_along, const float *b,
                    index_t b_down, index_t b_along, origin from, float *c, index_t ldc);
    /* B once for many products: at most (K + 32) (N + 16) / 2 numbers */
    void (*pack)(index_t K, index_t N, const float *b, index_t down, index_t along, float *packed);
    /* whole: C has room for rows up to a multiple of 32, columns to one of 16, which may be written too */
    void (*times)(index_t M, index_t N, index_t K, const float *a, index_t lda, const float *packed, origin from,
                  float *c, index_t ldc, int whole);
} bf16_products;
extern const bf16_products *kernels_bf16;

#define REAL float
#define TABLE kernels_f32
#include "table.h"
#undef REAL
#undef TABLE
#define REAL double
#define TABLE kernels_f64
#include "table.h"
#undef REAL
#undef TABLE
#define REAL void
#define TABLE kernels_any
#include "table.h"
#undef REAL
#undef TABLE

typedef struct {
    const char *isa; /* "baseline", "avx2", "avx512" */
    const kernels_f32 *f32;
    const kernels_f64 *f64;
} kernel_set;

/* The set named `isa`, or the widest this processor runs where `isa` is NULL; NULL where it can't run it. */
const kernel_set *kernels_choose(const char *isa);

/* Sets kernels_bf16: to those named `name` ("none" for none), or where it is NULL to the fastest this processor runs.
 * Returns 0 where it can't run them. */
int kernels_choose_bf16(const char *name);

/* Whether the processor, and the operating system, run the feature of that name ("avx2", "avx512_bf16", …); 0 for a
 * name unknown. cpu_feature: the names known, by number from 0, NULL after the last. cpu_name: what it is sold as, or
 * nothing. (features.c) */
int cpu_has(const char *feature);
const char *cpu_feature(int number);
void cpu_name(char name[49]);
#endif
