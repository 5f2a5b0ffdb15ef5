/* exp, tanh and the logistic function without branches, so that the compiler turns a loop over them into
 * vector instructions. Errors are stated here and tested in test/kernels/test_vector_math.py:
 * exp <= 2 ULP, sigmoid and tanh <= 4 ULP, in both types, wherever the result is a normal number. NaN in, NaN out.
 * No denormal results, which cost a processor a hundred times a normal one: where the true result is below the
 * smallest normal number, exp gives 0 and sigmoid e^EXP_LOW, that number's neighbour. (tanh x is x there: exact.)
 *
 * exp(x) = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2; e^r - 1 by its Taylor polynomial, whose
 * remainder at that |r| is below half a unit in the last place (degree 7 in float32, 13 in float64). */

#if DOUBLE
typedef uint64_t FN(bits);
#define MANTISSA 52
#define BIAS 1023
#define ROUNDER 6755399441055744.0 /* 1.5 * 2^52: adding it rounds to an integer, left in the low bits */
#define LN2_HIGH 0x1.62e42fefap-1 /* its trailing zero bits make n * LN2_HIGH exact */
#define LN2_LOW 0x1.cf79abc9e3b3ap-40
#define EXP_LOW (-708.3964185322641) /* the least x with a normal e^x */
#define EXP_HIGH 709.782712893384    /* the greatest with a finite one */
#else
typedef uint32_t FN(bits);
#define MANTISSA 23
#define BIAS 127
#define ROUNDER 12582912.0f
#define LN2_HIGH 0x1.62e4p-1f
#define LN2_LOW 0x1.7f7d1cp-20f
#define EXP_LOW (-87.33654f)
#define EXP_HIGH 88.72283f
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

/* e^x = 2^n (1 + p): returns p, and n shifted to the place of the exponent. x within [EXP_LOW, EXP_HIGH]. */
static inline REAL FN(exp_reduced)(REAL x, FN(bits) *exponent) {
    const REAL shifted = x * (REAL)1.4426950408889634 + (REAL)ROUNDER;
    const REAL whole = shifted - (REAL)ROUNDER;
    const REAL r = (x - whole * LN2_HIGH) - whole * LN2_LOW;
    *exponent = (FN(to_bits)(shifted) - FN(to_bits)((REAL)ROUNDER)) << MANTISSA;
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
    return p * r * r + r;
}

static inline REAL FN(clamp)(REAL x, REAL low, REAL high) {
    x = x < low ? low : x; /* written so that NaN passes through */
    return x > high ? high : x;
}

/* e^x. Adding n to the exponent of 1 + p, not multiplying by 2^n, serves every normal result: 2^n itself would
 * overflow where 1 + p < 1 brings the product back into range. */
static inline REAL FN(fast_exp)(REAL x) {
    FN(bits) exponent;
    const REAL p = FN(exp_reduced)(FN(clamp)(x, EXP_LOW, EXP_HIGH), &exponent);
    const REAL y = FN(from_bits)(FN(to_bits)(1 + p) + exponent);
    return x < EXP_LOW ? 0 : x <= EXP_HIGH ? y : x + (REAL)INFINITY; /* infinity, or NaN for NaN */
}

static inline REAL FN(fast_sigmoid)(REAL x) {
    FN(bits) exponent;
    const REAL p = FN(exp_reduced)(FN(clamp)(-x, EXP_LOW, -EXP_LOW), &exponent);
    const REAL scale = FN(from_bits)(exponent + ((FN(bits))BIAS << MANTISSA));
    return 1 / (1 + (scale + scale * p));
}

/* tanh|x| = m / (m + 2) with m = e^{2|x|} - 1, which keeps full relative accuracy near 0. */
static inline REAL FN(fast_tanh)(REAL x) {
    FN(bits) exponent;
    const REAL magnitude = x < 0 ? -x : x;
    const REAL p = FN(exp_reduced)(FN(clamp)(2 * magnitude, 0, (REAL)40), &exponent);
    const REAL scale = FN(from_bits)(exponent + ((FN(bits))BIAS << MANTISSA));
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
