/* Included by vector_math.h, once for a number and once for a vector of numbers. */

ALWAYS_INLINE BITS OF(to_bits)(NUMBER x) {
    BITS i;
    memcpy(&i, &x, sizeof i);
    return i;
}

ALWAYS_INLINE NUMBER OF(from_bits)(BITS i) {
    NUMBER x;
    memcpy(&x, &i, sizeof x);
    return x;
}

/* e^x = 2^n (1 + p): returns p, and n shifted to the place of the exponent. x within [EXP_LOW, EXP_HIGH]. */
ALWAYS_INLINE NUMBER OF(exp_reduced)(NUMBER x, BITS *exponent) {
    const NUMBER shifted = x * (REAL)1.4426950408889634 + (REAL)ROUNDER;
    const NUMBER whole = shifted - (REAL)ROUNDER;
    const NUMBER r = (x - whole * (REAL)LN2_HIGH) - whole * (REAL)LN2_LOW;
    NUMBER p;
#if DOUBLE
    p = r * (1.0 / 6227020800.0) + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
#else
    p = r * (1.0f / 5040.0f) + 1.0f / 720.0f;
#endif
    p = p * r + (REAL)(1.0 / 120.0);
    p = p * r + (REAL)(1.0 / 24.0);
    p = p * r + (REAL)(1.0 / 6.0);
    p = p * r + (REAL)0.5;
    *exponent = OF(to_bits)(shifted) << MANTISSA; /* ROUNDER's own bits are all shifted out */
    return p * r * r + r;
}
