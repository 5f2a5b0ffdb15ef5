/* The walk through time that the three cells share, and the standard cell.
 *
 * Rows are packed step by step: step t is the rows [row, row + counts[t]), one for each sequence alive, longest
 * sequence first; so the alive states are always the first counts[t] rows of the running state h (B, H).
 * Walking in reverse starts at the last step: sequences join as they come alive. The backward pass walks the
 * other way round with dh (B, H), which enters as the gradient of the final states and leaves as that of the
 * initial ones. The rows of y and dy are ldy and lddy apart: they may be columns of a wider matrix. bptt > 0 cuts the
 * gradient between steps of different blocks of `bptt` steps. */

#ifndef PYNEURAL_WALK
#define PYNEURAL_WALK
typedef struct {
    index_t t, n, row; /* step, sequences alive, first row */
    index_t old;       /* how many of them were alive at the step before: the others start */
    index_t done;      /* steps taken */
} walk;

static inline walk walk_start(index_t T, const int64_t *counts, int reverse) {
    walk w = {-1, 0, 0, 0, 0};
    if (reverse) {
        w.t = T;
        for (index_t t = 0; t < T; t++) w.row += counts[t];
    }
    return w;
}

static inline index_t most_alive(index_t T, const int64_t *counts) { return T ? counts[0] : 0; }

static inline int walk_next(walk *w, index_t T, const int64_t *counts, int reverse) {
    const index_t before = w->n;
    if (w->done++ == T) return 0;
    if (reverse) {
        w->n = counts[--w->t];
        w->row -= w->n;
    } else {
        w->row += w->n;
        w->n = counts[++w->t];
    }
    w->old = before < w->n ? before : w->n;
    return 1;
}

/* How many of the alive sequences have their gradient cut on its way from step t to the step computed before. */
static inline index_t walk_cut(const walk *w, index_t T, const int64_t *counts, int reverse, index_t bptt) {
    const index_t before = reverse ? w->t + 1 : w->t - 1;
    if (bptt <= 0 || before < 0 || before >= T || before / bptt == w->t / bptt) return 0;
    return counts[before] < w->n ? counts[before] : w->n;
}
#endif

/* How many of the alive rows' states h can be other than zero: a product with the others is none. */
static index_t FN(moved)(const walk *w, index_t H, const REAL *h) {
    for (index_t i = w->old * H; i < w->n * H; i++)
        if (h[i] != 0) return w->n;
    return w->old;
}

/* The sums h U of a step, for the cells to add to what does not depend on h: near, and with room for whole tiles. */
typedef struct {
    REAL *at;
    index_t stride;
} FN(sums);

/* Takes room for `rows` rows of `width` sums from `scratch`, which is moved past it. */
static FN(sums) FN(room_for_sums)(index_t rows, index_t width, REAL **scratch) {
    const FN(sums) sums = {(REAL *)(((uintptr_t)*scratch + 63) & ~(uintptr_t)63), (width + 15) / 16 * 16};
    *scratch = sums.at + (rows + 31) / 32 * 32 * sums.stride;
    return sums;
}

/* sums = h U for `moved` rows of h, zeros up to the n-th row. */
static void FN(sum_up)(index_t moved, index_t n, const REAL *h, index_t H, FN(packed) U, FN(sums) sums) {
    FN(times_whole)(moved, h, H, U, sums.at, sums.stride);
    memset(sums.at + moved * sums.stride, 0, sizeof(REAL) * (n - moved) * sums.stride);
}

/* ---- the standard cell: h' = f(a + h U), a (N, H) = x W + b. */

ALWAYS_INLINE FN(vec) FN(rnn_activation)(int kind, FN(vec) s) {
    return kind == TANH ? FN(vec_fast_tanh)(s) : kind == SIGMOID ? FN(vec_fast_sigmoid)(s) : FN(vec_at_least)(s, 0);
}

ALWAYS_INLINE FN(vec) FN(rnn_derivative)(int kind, FN(vec) y, FN(vec) g) {
    return kind == TANH ? g * ((REAL)1 - y * y) : kind == SIGMOID ? g * y * ((REAL)1 - y) : FN(where_positive)(y, g);
}

/* One vector of n units of one row: y' = f(y), and the states move on. */
ALWAYS_INLINE void FN(rnn_units)(index_t n, int kind, REAL *h, REAL *y, REAL *h_prev) {
    const FN(vec) out = FN(rnn_activation)(kind, FN(load_first)(y, n));
    if (h_prev) FN(store_first)(h_prev, FN(load_first)(h, n), n);
    FN(store_first)(h, out, n);
    FN(store_first)(y, out, n);
}

/* Kept: y (N, H), its rows ldy apart, and h_prev (N, H), the state each row started from. scratch: U packed. */
static void FN(rnn_forward)(index_t T, index_t H, const int64_t *counts, int reverse, int bf16, int kind, const REAL *a,
                            const REAL *U, REAL *h, REAL *y, index_t ldy, REAL *h_prev, REAL *scratch) {
    const FN(packed) packed = FN(pack)(most_alive(T, counts), H, H, U, H, 1, bf16, &scratch);
    walk w = walk_start(T, counts, reverse);
    while (walk_next(&w, T, counts, reverse)) {
        const index_t moved = FN(moved)(&w, H, h);
        FN(times)(moved, h, H, packed, (FN(origin)){a + w.row * H, H}, y + w.row * ldy, ldy);
        for (index_t i = w.row + moved; i < w.row + w.n; i++) memcpy(y + i * ldy, a + i * H, sizeof(REAL) * H);
        EACH_VECTOR(8, w.n, H, FN(rnn_units), kind, h + i * H + j, y + (w.row + i) * ldy + j,
                    h_prev ? h_prev + (w.row + i) * H + j : NULL)
    }
}

/* da = (dh + dy) f'(y) */
ALWAYS_INLINE void FN(rnn_units_back)(index_t n, int kind, const REAL *dy, const REAL *y, const REAL *dh, REAL *da) {
    FN(vec) g = FN(load_first)(dh, n);
    if (dy) g += FN(load_first)(dy, n);
    FN(store_first)(da, FN(rnn_derivative)(kind, FN(load_first)(y, n), g), n);
}

/* da = (dy + dh) f'(y); then dh = da U'. scratch: U' packed. */
static void FN(rnn_backward)(index_t T, index_t H, const int64_t *counts, int reverse, int bf16, int kind, index_t bptt,
                             const REAL *dy, index_t lddy, const REAL *y, index_t ldy, const REAL *U, REAL *dh,
                             REAL *da, REAL *scratch) {
    const FN(packed) packed = FN(pack)(most_alive(T, counts), H, H, U, 1, H, bf16, &scratch);
    walk w = walk_start(T, counts, !reverse);
    while (walk_next(&w, T, counts, !reverse)) {
        EACH_VECTOR(1, w.n, H, FN(rnn_units_back), kind, dy ? dy + (w.row + i) * lddy + j : NULL,
                    y + (w.row + i) * ldy + j, dh + i * H + j, da + (w.row + i) * H + j)
        FN(times)(w.n, da + w.row * H, H, packed, (FN(origin)){NULL, 0}, dh, H);
        memset(dh, 0, sizeof(REAL) * H * walk_cut(&w, T, counts, reverse, bptt));
    }
}
