/* Activations, whose derivative is a function of their own output, and random masks. */

#ifndef PYNEURAL_KINDS
#define PYNEURAL_KINDS
enum { TANH = 0, SIGMOID = 1, RELU = 2, CLIPPED_RELU = 3 };
#endif

static void FN(activation_forward)(index_t n, int kind, double ceiling, const REAL *x, REAL *y) {
    const REAL cap = (REAL)ceiling;
    switch (kind) {
    case TANH:
        for (index_t i = 0; i < n; i += LANES)
            FN(store_first)(y + i, FN(vec_fast_tanh)(FN(load_first)(x + i, n - i)), n - i);
        break;
    case SIGMOID:
        for (index_t i = 0; i < n; i += LANES)
            FN(store_first)(y + i, FN(vec_fast_sigmoid)(FN(load_first)(x + i, n - i)), n - i);
        break;
    case RELU:
        SIMD for (index_t i = 0; i < n; i++) y[i] = x[i] < 0 ? 0 : x[i];
        break;
    default:
        SIMD for (index_t i = 0; i < n; i++) y[i] = FN(clamp)(x[i], 0, cap);
    }
}

static void FN(activation_backward)(index_t n, int kind, double ceiling, const REAL *y, const REAL *dy, REAL *dx) {
    const REAL cap = (REAL)ceiling;
    switch (kind) {
    case TANH:
        SIMD for (index_t i = 0; i < n; i++) dx[i] = dy[i] * (1 - y[i] * y[i]);
        break;
    case SIGMOID:
        SIMD for (index_t i = 0; i < n; i++) dx[i] = dy[i] * y[i] * (1 - y[i]);
        break;
    case RELU:
        SIMD for (index_t i = 0; i < n; i++) dx[i] = y[i] > 0 ? dy[i] : 0;
        break;
    default:
        SIMD for (index_t i = 0; i < n; i++) dx[i] = y[i] > 0 && y[i] < cap ? dy[i] : 0;
    }
}

static void FN(exponential)(index_t n, const REAL *x, REAL *y) {
    SIMD for (index_t i = 0; i < n; i++) y[i] = FN(fast_exp)(x[i]);
}

/* mask (N, D) of 0 with probability `rate`, 1 / (1 - rate) elsewhere. Counter-based: an element depends on
 * (key, places[i], j) alone, so a row has the same mask wherever and in whatever order it is computed.
 * The mixing of 64 bits is splitmix64's finaliser (Steele, Lea and Flood 2014). */
static void FN(dropout_mask)(index_t N, index_t D, const int64_t *places, uint64_t key, double rate, REAL *mask) {
    const uint64_t threshold = (uint64_t)(rate * 4294967296.0);
    const REAL kept = (REAL)(1 / (1 - rate));
    for (index_t i = 0; i < N; i++) {
        uint64_t row = (key + (uint64_t)places[i]) * 0x9e3779b97f4a7c15u;
        row = (row ^ (row >> 30)) * 0xbf58476d1ce4e5b9u;
        row = (row ^ (row >> 27)) * 0x94d049bb133111ebu;
        row ^= row >> 31;
        REAL *restrict out = mask + i * D;
        SIMD for (index_t j = 0; j < D; j++) {
            uint64_t z = row + ((uint64_t)j + 1) * 0x9e3779b97f4a7c15u;
            z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
            z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
            out[j] = (z >> 32) < threshold ? 0 : kept;
        }
    }
}
