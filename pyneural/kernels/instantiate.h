/* Both number types of one instruction set; ISA is defined by the isa_*.c that includes this. */
#include "dispatch.h"
#include <float.h>
#include <math.h>
#include <string.h>

#if defined(_MSC_VER)
#define restrict __restrict
#define SIMD __pragma(omp simd)
#define SIMD_SUM(x) __pragma(omp simd reduction(+ : x))
#else
#define SIMD _Pragma("omp simd")
#define SIMD_SUM_(x) _Pragma(#x)
#define SIMD_SUM(x) SIMD_SUM_(omp simd reduction(+ : x))
#endif
#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)

/* double first: the CRF accumulates in float64 whatever the type of its scores */
#define DOUBLE 1
#define REAL double
#define FN(name) name##_f64
#include "template.h"
#undef DOUBLE
#undef REAL
#undef FN
#define DOUBLE 0
#define REAL float
#define FN(name) name##_f32
#include "template.h"

const kernel_set JOIN(kernels, ISA) = {TEXT(ISA), &table_f32, &table_f64};
