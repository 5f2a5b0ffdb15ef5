/* exp, tanh and the logistic function without branches, so that the compiler turns a loop over them into
 * vector instructions. Errors are stated here and tested in test/kernels/test_vector_math.py:
 * exp <= 2 ULP, sigmoid and tanh <= 4 ULP, in both types. NaN in, NaN out.
 *
 * exp(x) = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2; e^r - 1 by its Taylor polynomial, whose
 * remainder at that |r| is below half a unit in the last place (degree 7 in float32, 13 in float64). */

#if DOUBLE
typedef int64_t FN(bits);
#define MANTISSA 52
#define BIAS 1023
#define ROUNDER 6755399441055744.0 /* 1.5 * 2^52: adding it rounds to an integer, left in the low bits */
#define LN2_HIGH 0x1.62e42fefap-1 /* its trailing zero bits make n * LN2_HIGH exact */
#define LN2_LOW 0x1.cf79abc9e3b3ap-40
#define EXP_LOW (-708.0)
#define EXP_HIGH 709.0
#else
typedef int32_t FN(bits);
#define MANTISSA 23
#define BIAS 127
#define ROUNDER 12582912.0f
#define LN2_HIGH 0x1.62e4p-1f
#define LN2_LOW 0x1.7f7d1cp-20f
#define EXP_LOW (-87.0f)
#define EXP_HIGH 88.0f
#endif

static inline FN(bits) FN(to_bits)(REAL x) {
    FN(bits) i;
    memcpy(&i, &x, sizeof i);
    return i;
}

static inline REAL FN(from_bits)(FN(bits) i) {
    REAL x;
    memcpy(&x, &i, sizeof x);
    return x;
}

/* e^x - 1 = scale * p + (scale - 1): returns p and the power of two `scale`. x within [EXP_LOW, EXP_HIGH]. */
static inline REAL FN(exp_reduced)(REAL x, REAL *scale) {
    const REAL shifted = x * (REAL)1.4426950408889634 + (REAL)ROUNDER;
    const FN(bits) n = FN(to_bits)(shifted) - FN(to_bits)((REAL)ROUNDER);
    const REAL whole = shifted - (REAL)ROUNDER;
    const REAL r = (x - whole * LN2_HIGH) - whole * LN2_LOW;
    REAL p;
#if DOUBLE
    p = 1.0 / 6227020800.0;
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
#else
    p = 1.0f / 5040.0f;
#endif
    p = p * r + (REAL)(1.0 / 720.0);
    p = p * r + (REAL)(1.0 / 120.0);
    p = p * r + (REAL)(1.0 / 24.0);
    p = p * r + (REAL)(1.0 / 6.0);
    p = p * r + (REAL)0.5;
    p = p * r * r + r;
    *scale = FN(from_bits)((FN(bits))((n + BIAS) << MANTISSA));
    return p;
}

static inline REAL FN(clamp)(REAL x, REAL low, REAL high) {
    x = x < low ? low : x; /* written so that NaN passes through */
    return x > high ? high : x;
}

/* e^x; 0 below EXP_LOW, e^EXP_HIGH above EXP_HIGH. */
static inline REAL FN(fast_exp)(REAL x) {
    REAL scale;
    const REAL p = FN(exp_reduced)(FN(clamp)(x, EXP_LOW, EXP_HIGH), &scale);
    return x < EXP_LOW ? 0 : scale + scale * p;
}

static inline REAL FN(fast_sigmoid)(REAL x) {
    REAL scale;
    const REAL p = FN(exp_reduced)(FN(clamp)(-x, EXP_LOW, EXP_HIGH), &scale);
    return 1 / (1 + (scale + scale * p));
}

/* tanh|x| = m / (m + 2) with m = e^{2|x|} - 1, which keeps full relative accuracy near 0. */
static inline REAL FN(fast_tanh)(REAL x) {
    REAL scale;
    const REAL magnitude = x < 0 ? -x : x;
    const REAL p = FN(exp_reduced)(FN(clamp)(2 * magnitude, 0, (REAL)40), &scale);
    const REAL m = scale * p + (scale - 1);
    const REAL t = m / (m + 2);
    return x < 0 ? -t : t;
}

#undef MANTISSA
#undef BIAS
#undef ROUNDER
#undef LN2_HIGH
#undef LN2_LOW
#undef EXP_LOW
#undef EXP_HIGH
