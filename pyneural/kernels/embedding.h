/* Rows of a table (V, D) looked up, and the gradient brought back to them.
 * An id outside [0, V) is an error found before anything is written: its place is returned, else -1. */

static int64_t FN(first_outside)(index_t N, index_t V, const int64_t *ids) {
    for (index_t i = 0; i < N; i++)
        if (ids[i] < 0 || ids[i] >= V) return i;
    return -1;
}

static int64_t FN(gather)(index_t N, index_t V, index_t D, const REAL *table, const int64_t *ids, REAL *out) {
    const int64_t outside = FN(first_outside)(N, V, ids);
    if (outside >= 0) return outside;
    for (index_t i = 0; i < N; i++) memcpy(out + i * D, table + ids[i] * D, sizeof(REAL) * D);
    return -1;
}

/* Rows here and there come late from memory: row i of some calls for one a few rows ahead. */
enum { FN(AHEAD) = 8 };
static inline void FN(call_for)(index_t i, index_t R, index_t D, const int64_t *rows, const REAL *x) {
    if (!rows || i + FN(AHEAD) >= R) return;
    const REAL *row = x + rows[i + FN(AHEAD)] * D;
    for (index_t j = 0; j < D; j += (index_t)(64 / sizeof(REAL))) PREFETCH(row + j);
}

/* grad[ids[i]] += dy[i], in the order of i, so that a run is reproducible to the bit. */
static int64_t FN(scatter_add)(index_t N, index_t V, index_t D, const REAL *dy, const int64_t *ids, REAL *grad) {
    const int64_t outside = FN(first_outside)(N, V, ids);
    if (outside >= 0) return outside;
    for (index_t i = 0; i < N; i++) {
        const REAL *restrict from = dy + i * D;
        REAL *restrict to = grad + ids[i] * D;
        SIMD for (index_t j = 0; j < D; j++) to[j] += from[j];
    }
    return -1;
}

static void FN(zero_rows)(index_t R, index_t D, const int64_t *rows, REAL *grad) {
    for (index_t i = 0; i < R; i++) {
        FN(call_for)(i, R, D, rows, grad);
        memset(grad + rows[i] * D, 0, sizeof(REAL) * D);
    }
}
