/* exp of a number, which the compiler turns into vector instructions in a loop, tanh and the logistic function of a
 * vector, all without branches. What they share, vector_functions.h, is compiled once with NUMBER = REAL and once with
 * NUMBER = FN(vec). Errors are stated here and tested in test/kernels/test_vector_math.py:
 * exp <= 2 ULP, sigmoid and tanh <= 4 ULP, in both types, wherever the result is a normal number. NaN in, NaN out.
 * No denormal results, which cost a processor a hundred times a normal one: where the true result is below the
 * smallest normal number, exp gives 0 and sigmoid e^EXP_LOW, that number's neighbour. (tanh x is x there: exact.)
 *
 * exp(x) = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2; e^r - 1 by its Taylor polynomial, whose
 * remainder at that |r| is below half a unit in the last place (degree 7 in float32, 13 in float64). */

#if DOUBLE
#define MANTISSA 52
#define BIAS 1023
#define ROUNDER 6755399441055744.0 /* 1.5 * 2^52: adding it rounds to an integer, left in the low bits */
#define LN2_HIGH 0x1.62e42fefap-1 /* its trailing zero bits make n * LN2_HIGH exact */
#define LN2_LOW 0x1.cf79abc9e3b3ap-40
#define EXP_LOW (-708.3964185322641) /* the least x with a normal e^x */
#define EXP_HIGH 709.782712893384    /* the greatest with a finite one */
#else
#define MANTISSA 23
#define BIAS 127
#define ROUNDER 12582912.0f
#define LN2_HIGH 0x1.62e4p-1f
#define LN2_LOW 0x1.7f7d1cp-20f
#define EXP_LOW (-87.33654f)
#define EXP_HIGH 88.72283f
#endif

#if DOUBLE
typedef uint64_t FN(bits);
#else
typedef uint32_t FN(bits);
#endif
#if VECTOR_BYTES
typedef FN(bits) FN(vec_bits) __attribute__((vector_size(VECTOR_BYTES)));
#else
typedef FN(bits) FN(vec_bits);
#endif

#define NUMBER REAL
#define BITS FN(bits)
#define OF(name) FN(name)
#include "vector_functions.h"
#undef NUMBER
#undef BITS
#undef OF
#define NUMBER FN(vec)
#define BITS FN(vec_bits)
#define OF(name) FN(vec_##name)
#include "vector_functions.h"
#undef NUMBER
#undef BITS
#undef OF

static inline REAL FN(clamp)(REAL x, REAL low, REAL high) { return FN(at_most)(FN(at_least)(x, low), high); }

/* e^x. Adding n to the exponent of 1 + p, not multiplying by 2^n, serves every normal result: 2^n itself would
 * overflow where 1 + p < 1 brings the product back into range. */
static inline REAL FN(fast_exp)(REAL x) {
    FN(bits) exponent;
    const REAL p = FN(exp_reduced)(FN(clamp)(x, EXP_LOW, EXP_HIGH), &exponent);
    const REAL y = FN(from_bits)(FN(to_bits)(1 + p) + exponent);
    return x < EXP_LOW ? 0 : x <= EXP_HIGH ? y : x + (REAL)INFINITY; /* infinity, or NaN for NaN */
}

ALWAYS_INLINE FN(vec) FN(vec_fast_sigmoid)(FN(vec) x) {
    FN(vec_bits) exponent;
    const FN(vec) bounded = FN(vec_at_most)(FN(vec_at_least)(-x, (REAL)EXP_LOW), (REAL)-EXP_LOW);
    const FN(vec) p = FN(vec_exp_reduced)(bounded, &exponent);
    const FN(vec) scale = FN(vec_from_bits)(exponent + ((FN(bits))BIAS << MANTISSA));
    return (REAL)1 / ((REAL)1 + (scale + scale * p));
}

/* tanh|x| = m / (m + 2) with m = e^{2|x|} - 1, which keeps full relative accuracy near 0; the sign is x's. */
ALWAYS_INLINE FN(vec) FN(vec_fast_tanh)(FN(vec) x) {
    FN(vec_bits) exponent;
    const FN(vec_bits) sign = FN(vec_to_bits)(x) & ((FN(bits))1 << (8 * sizeof(REAL) - 1));
    const FN(vec) magnitude = FN(vec_from_bits)(FN(vec_to_bits)(x) ^ sign);
    const FN(vec) p = FN(vec_exp_reduced)(FN(vec_at_most)((REAL)2 * magnitude, (REAL)40), &exponent);
    const FN(vec) scale = FN(vec_from_bits)(exponent + ((FN(bits))BIAS << MANTISSA));
    const FN(vec) m = scale * p + (scale - (REAL)1);
    return FN(vec_from_bits)(FN(vec_to_bits)(m / (m + (REAL)2)) | sign);
}

#undef MANTISSA
#undef BIAS
#undef ROUNDER
#undef LN2_HIGH
#undef LN2_LOW
#undef EXP_LOW
#undef EXP_HIGH
