/* Convolution over time, and its maximum over time: y_f = max_t s_t[f] of s_t = b + sum_o x_{t+o-h} W_o, h = width / 2.
 *
 * A sequence's rows are brought together in the order of time, with h rows of zeros before and after them. The window
 * x_{t-h} ... x_{t+h} then lies in one piece: windows are rows of a matrix that overlap, and s is one product of it and
 * W (width D, F), the W_o one below the other.
 *
 * Of all s only the maxima have a gradient: one step for each sequence and filter, which forward keeps in `winners`. So
 * backward multiplies no matrices: for each (sequence, filter) a window is added to a column of dW, and a column of W
 * to a window of dx. Sums stay in registers while many are added: for dW the filter is the outer loop, over some
 * sequences whose rows are near; for dx the step is, over a list of the filters that it has won. */

#ifndef PYNEURAL_CONVOLUTION
#define PYNEURAL_CONVOLUTION
enum { SEQUENCES = 32, SUM_VECTORS = 6 };

/* The length of packed sequence i, where the one before it is T long. */
static inline index_t length_of(index_t i, index_t T, const int64_t *counts) {
    while (T && counts[T - 1] <= i) T--;
    return T;
}

/* The first sequence of which a winner is not one of its steps, or -1. */
static inline int64_t winners_outside(index_t T, index_t B, index_t F, const int64_t *counts, const int64_t *winners) {
    for (index_t i = 0; i < B; i++, winners += F) {
        T = length_of(i, T, counts);
        const uint64_t steps = T ? (uint64_t)T : 1; /* of an empty sequence forward says 0 */
        uint64_t outside = 0;
        for (index_t f = 0; f < F; f++) outside |= (uint64_t)winners[f] >= steps;
        if (outside) return i;
    }
    return -1;
}

/* first[t], then next[f] of that and so on, are the filters that step t has won; -1 ends a list. */
static inline void list_winners(index_t T, index_t F, const int64_t *winners, int64_t *first, int64_t *next) {
    for (index_t t = 0; t < T; t++) first[t] = -1;
    for (index_t f = 0; f < F; f++) {
        next[f] = first[winners[f]];
        first[winners[f]] = f;
    }
}

/* Calls f(vectors, ...): one compiled function for each number, which is known only now. */
#define CASE_OF(n, f, ...)                                                                                             \
    case n:                                                                                                            \
        f(n, __VA_ARGS__);                                                                                             \
        break;
#define EACH_NUMBER(vectors, f, ...)                                                                                   \
    switch (vectors) {                                                                                                 \
        CASE_OF(1, f, __VA_ARGS__)                                                                                     \
        CASE_OF(2, f, __VA_ARGS__)                                                                                     \
        CASE_OF(3, f, __VA_ARGS__)                                                                                     \
        CASE_OF(4, f, __VA_ARGS__)                                                                                     \
        CASE_OF(5, f, __VA_ARGS__)                                                                                     \
        CASE_OF(6, f, __VA_ARGS__)                                                                                     \
    }
#endif

/* How far apart rows of D numbers are whose vectors shall all be whole and aligned. */
static inline index_t FN(whole)(index_t D) { return (D + LANES - 1) / LANES * LANES; }

/* The T rows of packed sequence i, between h rows of zeros: (T + 2 h, D). */
static void FN(in_time)(index_t i, index_t T, index_t D, index_t h, const int64_t *counts, const REAL *x, REAL *to,
                        index_t ldto) {
    memset(to, 0, sizeof(REAL) * h * ldto);
    to += h * ldto;
    for (index_t t = 0; t < T; i += counts[t++], to += ldto) memcpy(to, x + i * D, sizeof(REAL) * D);
    memset(to, 0, sizeof(REAL) * h * ldto);
}

/* The maximum of each column of s (T, F), and the first step that has it. NaN is more than any number. Steps are
 * counted in REAL, as what they are compared beside: exactly, up to 2^24 of them. */
static void FN(maxima)(index_t T, index_t F, const REAL *s, index_t lds, REAL *y, int64_t *winners) {
    for (index_t j = 0; j < F; j += LANES) {
        const index_t n = F - j < LANES ? F - j : LANES;
        FN(vec) best = FN(load)(s + j), at = FN(zero)();
        for (index_t t = 1; t < T; t++) {
            const FN(vec) here = FN(load)(s + t * lds + j);
#if VECTOR_BYTES
            const __typeof__(here <= best) stays = (here <= best) | (best != best);
            best = SELECT(stays, best, here);
            at = SELECT(stays, at, FN(broadcast)((REAL)t));
#else
            if (!(here <= best || best != best)) best = here, at = (REAL)t;
#endif
        }
        FN(store_first)(y + j, best, n);
        if (!winners) continue;
        REAL steps[VECTOR_BYTES / sizeof(REAL) + 1];
        FN(store)(steps, at);
        for (index_t v = 0; v < n; v++) winners[j + v] = (int64_t)steps[v];
    }
}

static void FN(convolution_forward)(index_t T, index_t B, index_t D, index_t F, index_t width, const int64_t *counts,
                                    int bf16, const REAL *x, const REAL *W, const REAL *b, REAL *y, int64_t *winners,
                                    REAL *scratch) {
    const index_t h = width / 2, alive = T ? counts[0] : 0, lds = FN(whole)(F);
    const FN(packed) packed = FN(pack)(T, width * D, F, W, F, 1, bf16, &scratch);
    REAL *const s = scratch, *const rows = s + T * lds;
    for (index_t i = 0; i < alive; i++) {
        T = length_of(i, T, counts);
        FN(in_time)(i, T, D, h, counts, x, rows, D);
        FN(times)(T, rows, D, packed, (FN(origin)){b, 0}, s, lds);
        FN(maxima)(T, F, s, lds, y + i * F, winners ? winners + i * F : NULL);
    }
    memset(y + alive * F, 0, sizeof(REAL) * (B - alive) * F);
    if (winners) memset(winners + alive * F, 0, sizeof(int64_t) * (B - alive) * F);
}

/* to (columns, rows) = from (rows, columns) transposed. */
static void FN(transpose)(index_t rows, index_t columns, const REAL *from, index_t ldfrom, REAL *to, index_t ldto) {
    ALIGNED REAL square[sizeof(FN(vec)) / sizeof(REAL) * sizeof(FN(vec)) / sizeof(REAL)] = {0};
    for (index_t j = 0; j < columns; j += LANES)
        for (index_t k = 0; k < rows; k += LANES) {
            FN(turn)(columns - j, rows - k, from + k * ldfrom + j, 1, ldfrom, square, LANES);
            for (index_t r = 0; r < LANES && j + r < columns; r++)
                FN(store_first)(to + (j + r) * ldto + k, FN(load)(square + r * LANES), rows - k);
        }
}

/* How many of the K numbers of a window are summed at a time: parts of nearly equal length. */
static inline index_t FN(part_of)(index_t K) {
    const index_t vectors = K / LANES, parts = (vectors + SUM_VECTORS - 1) / SUM_VECTORS;
    return (vectors + parts - 1) / parts * LANES;
}

/* sum += the sum over n sequences of g times the window that has won; g and winners are F apart. */
ALWAYS_INLINE void FN(add_windows)(const int vectors, index_t n, index_t F, const REAL *const *rows, index_t from,
                                   index_t ldx, const REAL *g, const int64_t *winners, REAL *sum) {
    FN(vec) total[SUM_VECTORS];
    for (int v = 0; v < vectors; v++) total[v] = FN(load)(sum + v * LANES);
    for (index_t i = 0; i < n; i++, g += F, winners += F) {
        const REAL *const window = rows[i] + *winners * ldx + from;
        for (int v = 0; v < vectors; v++) total[v] += *g * FN(load)(window + v * LANES);
    }
    for (int v = 0; v < vectors; v++) FN(store)(sum + v * LANES, total[v]);
}

/* dW' (F, K): row f is the sum over sequences of g_f x_{winner - h} ... x_{winner + h}. */
static void FN(convolution_dW)(index_t T, index_t D, index_t F, index_t h, const int64_t *counts, const REAL *x,
                               const REAL *g, const int64_t *winners, REAL *dW, REAL *rows) {
    const index_t ldx = FN(whole)(D), K = (2 * h + 1) * ldx, part = FN(part_of)(K), alive = T ? counts[0] : 0;
    memset(dW, 0, sizeof(REAL) * F * K);
    for (index_t i0 = 0; i0 < alive; i0 += SEQUENCES, g += SEQUENCES * F, winners += SEQUENCES * F) {
        const index_t n = alive - i0 < SEQUENCES ? alive - i0 : SEQUENCES;
        const REAL *each[SEQUENCES];
        REAL *end = rows;
        for (index_t i = 0; i < n; i++, end += (T + h) * ldx) {
            T = length_of(i0 + i, T, counts);
            FN(in_time)(i0 + i, T, D, h, counts, x, end, ldx);
            each[i] = end;
        }
        for (index_t f = 0; f < F; f++)
            for (index_t k = 0; k < K; k += part)
                EACH_NUMBER((K - k < part ? K - k : part) / LANES, FN(add_windows), n, F, each, k, ldx, g + f,
                            winners + f, dW + f * K + k)
    }
}

/* sum += the sum over the filters f of a list of g_f times row f of W'. */
ALWAYS_INLINE void FN(add_filters)(const int vectors, int64_t f, const int64_t *next, const REAL *W, index_t ldw,
                                   const REAL *g, REAL *sum) {
    FN(vec) total[SUM_VECTORS];
    for (int v = 0; v < vectors; v++) total[v] = FN(load)(sum + v * LANES);
    for (; f >= 0; f = next[f])
        for (int v = 0; v < vectors; v++) total[v] += g[f] * FN(load)(W + f * ldw + v * LANES);
    for (int v = 0; v < vectors; v++) FN(store)(sum + v * LANES, total[v]);
}

/* dx (N, D), from W' (F, K): the window of step t gets g_f times row f for each filter that t has won. */
static void FN(convolution_dx)(index_t T, index_t D, index_t F, index_t h, const int64_t *counts, const REAL *g,
                               const int64_t *winners, const REAL *W, REAL *dx, REAL *rows, int64_t *links) {
    const index_t ldx = FN(whole)(D), K = (2 * h + 1) * ldx, part = FN(part_of)(K), alive = T ? counts[0] : 0;
    int64_t *const first = links, *const next = links + T;
    for (index_t i = 0; i < alive; i++, g += F, winners += F) {
        T = length_of(i, T, counts);
        list_winners(T, F, winners, first, next);
        memset(rows, 0, sizeof(REAL) * (T + 2 * h) * ldx);
        for (index_t t = 0; t < T; t++)
            for (index_t k = 0; k < K; k += part)
                EACH_NUMBER((K - k < part ? K - k : part) / LANES, FN(add_filters), first[t], next, W + k, K, g,
                            rows + t * ldx + k)
        for (index_t t = 0, row = i; t < T; row += counts[t++])
            memcpy(dx + row * D, rows + (h + t) * ldx, sizeof(REAL) * D);
    }
}

static int64_t FN(convolution_backward)(index_t T, index_t B, index_t D, index_t F, index_t width,
                                        const int64_t *counts, const REAL *x, const REAL *g, const int64_t *winners,
                                        const REAL *W, REAL *dW, REAL *db, REAL *dx, REAL *scratch, int64_t *links) {
    const int64_t outside = winners_outside(T, B, F, counts, winners);
    if (outside >= 0) return outside;
    const index_t h = width / 2, ldx = FN(whole)(D), K = width * ldx;
    REAL *const turned = (REAL *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63), *const rows = turned + F * K;
    FN(convolution_dW)(T, D, F, h, counts, x, g, winners, turned, rows);
    for (index_t o = 0; o < width; o++) FN(transpose)(F, D, turned + o * ldx, K, dW + o * D * F, F);
    FN(column_sums)(T ? counts[0] : 0, F, g, F, db);
    if (dx) {
        for (index_t o = 0; o < width; o++) FN(transpose)(D, F, W + o * D * F, F, turned + o * ldx, K);
        FN(convolution_dx)(T, D, F, h, counts, g, winners, turned, dx, rows, links);
    }
    return -1;
}
