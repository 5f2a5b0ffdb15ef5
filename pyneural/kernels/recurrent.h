/* The walk through time that the three cells share, and the standard cell.
 *
 * Rows are packed step by step: step t is the rows [row, row + counts[t]), one for each sequence alive, longest
 * sequence first; so the alive states are always the first counts[t] rows of the running state h (B, H).
 * Walking in reverse starts at the last step: sequences join as they come alive. The backward pass walks the
 * other way round with dh (B, H), which enters as the gradient of the final states and leaves as that of the
 * initial ones. bptt > 0 cuts the gradient between steps of different blocks of `bptt` steps. */

#ifndef PYNEURAL_WALK
#define PYNEURAL_WALK
typedef struct {
    index_t t, n, row; /* step, sequences alive, first row */
    index_t done;      /* steps taken */
} walk;

static inline walk walk_start(index_t T, const int64_t *counts, int reverse) {
    walk w = {-1, 0, 0, 0};
    if (reverse) {
        w.t = T;
        for (index_t t = 0; t < T; t++) w.row += counts[t];
    }
    return w;
}

static inline int walk_next(walk *w, index_t T, const int64_t *counts, int reverse) {
    if (w->done++ == T) return 0;
    if (reverse) {
        w->n = counts[--w->t];
        w->row -= w->n;
    } else {
        w->row += w->n;
        w->n = counts[++w->t];
    }
    return 1;
}

/* How many of the alive sequences have their gradient cut on its way from step t to the step computed before. */
static inline index_t walk_cut(const walk *w, index_t T, const int64_t *counts, int reverse, index_t bptt) {
    const index_t before = reverse ? w->t + 1 : w->t - 1;
    if (bptt <= 0 || before < 0 || before >= T || before / bptt == w->t / bptt) return 0;
    return counts[before] < w->n ? counts[before] : w->n;
}
#endif

/* dh += dy on the n alive rows. */
static inline void FN(add_rows)(index_t size, const REAL *restrict dy, REAL *restrict dh) {
    if (dy) SIMD for (index_t i = 0; i < size; i++) dh[i] += dy[i];
}

/* h' = f(a + h U), a (N, H) = x W + b. Kept: y (N, H), and h_prev (N, H), the state each row started from. */
static void FN(rnn_forward)(index_t T, index_t H, const int64_t *counts, int reverse, int kind, const REAL *a,
                            const REAL *U, REAL *h, REAL *y, REAL *h_prev) {
    walk w = walk_start(T, counts, reverse);
    while (walk_next(&w, T, counts, reverse)) {
        const index_t at = w.row * H, size = w.n * H;
        if (h_prev) memcpy(h_prev + at, h, sizeof(REAL) * size);
        memcpy(y + at, a + at, sizeof(REAL) * size);
        FN(matmul)(0, 0, w.n, H, H, h, H, U, H, 1, y + at, H);
        FN(activation_forward)(size, kind, 0, y + at, y + at);
        memcpy(h, y + at, sizeof(REAL) * size);
    }
}

/* da = (dy + dh) f'(y); then dh = da U'. scratch: (H, H). */
static void FN(rnn_backward)(index_t T, index_t H, const int64_t *counts, int reverse, int kind, index_t bptt,
                             const REAL *dy, const REAL *y, const REAL *U, REAL *dh, REAL *da, REAL *scratch) {
    FN(transpose)(H, H, U, H, scratch);
    walk w = walk_start(T, counts, !reverse);
    while (walk_next(&w, T, counts, !reverse)) {
        const index_t at = w.row * H, size = w.n * H;
        FN(add_rows)(size, dy ? dy + at : NULL, dh);
        FN(activation_backward)(size, kind, 0, y + at, dh, da + at);
        FN(matmul)(0, 0, w.n, H, H, da + at, H, scratch, H, 0, dh, H);
        memset(dh, 0, sizeof(REAL) * H * walk_cut(&w, T, counts, reverse, bptt));
    }
}
