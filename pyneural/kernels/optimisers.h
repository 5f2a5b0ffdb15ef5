/* One pass over values, gradient and state for each update rule, on R rows of D numbers. */

/* total = scale total + weight part: shares of a batch brought together. */
static void FN(add_rows)(index_t R, index_t D, const int64_t *rows, double scale, REAL *total, double weight,
                         const REAL *part) {
    const REAL s = (REAL)scale, w = (REAL)weight;
    for (index_t r = 0; r < R; r++) {
        const index_t at = (rows ? rows[r] : r) * D;
        REAL *restrict to = total + at;
        const REAL *restrict from = part + at;
        SIMD for (index_t j = 0; j < D; j++) to[j] = s * to[j] + w * from[j];
    }
}

static double FN(sum_of_squares)(index_t R, index_t D, const int64_t *rows, const REAL *x) {
    double total = 0;
    for (index_t r = 0; r < R; r++) {
        const REAL *row = x + (rows ? rows[r] : r) * D;
        double sum = 0;
        SIMD_SUM(sum) for (index_t j = 0; j < D; j++) sum += (double)row[j] * row[j];
        total += sum;
    }
    return total;
}

/* The gradient that the rule sees: clip(g scale) + l2 w. */
static inline REAL FN(effective)(REAL g, REAL w, REAL scale, REAL clip, REAL l2) {
    return FN(clamp)(g * scale, -clip, clip) + l2 * w;
}

#define TERMS const REAL scale = (REAL)terms->scale, clip = (REAL)terms->clip, l2 = (REAL)terms->l2

static double FN(sgd_step)(index_t R, index_t D, const int64_t *rows, REAL *values, const REAL *grads,
                           const gradient_terms *terms, double rate) {
    TERMS;
    const REAL eta = (REAL)rate;
    double total = 0;
    for (index_t r = 0; r < R; r++) {
        const index_t at = (rows ? rows[r] : r) * D;
        FN(call_for)(r, R, D, rows, values);
        FN(call_for)(r, R, D, rows, grads);
        REAL *restrict w = values + at;
        const REAL *restrict g = grads + at;
        REAL sum = 0;
        SIMD_SUM(sum) for (index_t j = 0; j < D; j++) {
            const REAL update = eta * FN(effective)(g[j], w[j], scale, clip, l2);
            w[j] -= update;
            sum += update * update;
        }
        total += sum;
    }
    return total;
}

static double FN(momentum_step)(index_t R, index_t D, const int64_t *rows, REAL *values, const REAL *grads,
                                REAL *velocity, const gradient_terms *terms, double rate, double momentum,
                                int nesterov) {
    TERMS;
    const REAL eta = (REAL)rate, mu = (REAL)momentum;
    /* plain: w -= eta v; Nesterov: w -= eta (g + mu v) */
    const REAL of_gradient = nesterov ? 1 : 0, of_velocity = nesterov ? mu : 1;
    double total = 0;
    for (index_t r = 0; r < R; r++) {
        const index_t at = (rows ? rows[r] : r) * D;
        FN(call_for)(r, R, D, rows, values);
        FN(call_for)(r, R, D, rows, grads);
        REAL *restrict w = values + at;
        FN(call_for)(r, R, D, rows, velocity);
        REAL *restrict v = velocity + at;
        const REAL *restrict g = grads + at;
        REAL sum = 0;
        SIMD_SUM(sum) for (index_t j = 0; j < D; j++) {
            const REAL e = FN(effective)(g[j], w[j], scale, clip, l2);
            v[j] = mu * v[j] + e;
            const REAL update = eta * (of_gradient * e + of_velocity * v[j]);
            w[j] -= update;
            sum += update * update;
        }
        total += sum;
    }
    return total;
}

static double FN(adam_step)(index_t R, index_t D, const int64_t *rows, REAL *values, const REAL *grads, REAL *mean,
                            REAL *variance, const gradient_terms *terms, double rate, double beta1, double beta2,
                            double epsilon, double correction1, double correction2) {
    TERMS;
    const REAL b1 = (REAL)beta1, b2 = (REAL)beta2, rest1 = (REAL)(1 - beta1), rest2 = (REAL)(1 - beta2);
    const REAL eps = (REAL)epsilon, eta = (REAL)(rate / correction1), root2 = (REAL)(1 / sqrt(correction2));
    double total = 0;
    for (index_t r = 0; r < R; r++) {
        const index_t at = (rows ? rows[r] : r) * D;
        FN(call_for)(r, R, D, rows, values);
        FN(call_for)(r, R, D, rows, grads);
        REAL *restrict w = values + at;
        FN(call_for)(r, R, D, rows, mean);
        FN(call_for)(r, R, D, rows, variance);
        REAL *restrict m = mean + at;
        REAL *restrict v = variance + at;
        const REAL *restrict g = grads + at;
        REAL sum = 0;
        SIMD_SUM(sum) for (index_t j = 0; j < D; j++) {
            const REAL e = FN(effective)(g[j], w[j], scale, clip, l2);
            m[j] = b1 * m[j] + rest1 * e;
            v[j] = b2 * v[j] + rest2 * e * e;
#if DOUBLE
            const REAL root = sqrt(v[j]);
#else
            const REAL root = sqrtf(v[j]);
#endif
            const REAL update = eta * m[j] / (root * root2 + eps);
            w[j] -= update;
            sum += update * update;
        }
        total += sum;
    }
    return total;
}
#undef TERMS
