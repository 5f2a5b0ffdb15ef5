/* The best path (Viterbi 1967): delta_0 = first + s_0,
 *   delta_t[j] = s_t[j] + max_i (delta_{t-1}[i] + A[i,j])
 * Only the deltas are kept. On the way back the best i before a known j is looked for again: K sums a row, where
 * pointers would have to be found and kept for K K. Of equal scores the lowest label wins.
 *
 * ABREAST sequences at a time, as in crf_lanes.h; where half of the lanes would be empty, one at a time, with the labels
 * side by side. */

#ifndef PYNEURAL_VITERBI
#define PYNEURAL_VITERBI
/* y[j] = max_i (x[i] + A[i,j]): x (K, ABREAST), A (K, P), y (P, ABREAST). */
static void viterbi_step(index_t K, index_t P, const double *restrict x, const double *restrict A,
                         double *restrict y) {
    for (index_t j = 0; j < P; j += TILE) {
        double best[TILE][ABREAST];
        for (int w = 0; w < TILE; w++)
            SIMD for (int l = 0; l < ABREAST; l++) best[w][l] = x[l] + A[j + w];
        for (index_t i = 1; i < K; i++)
            for (int w = 0; w < TILE; w++)
                SIMD for (int l = 0; l < ABREAST; l++) {
                    const double v = x[i * ABREAST + l] + A[i * P + j + w];
                    best[w][l] = v > best[w][l] ? v : best[w][l];
                }
        for (int w = 0; w < TILE; w++)
            SIMD for (int l = 0; l < ABREAST; l++) y[(j + w) * ABREAST + l] = best[w][l];
    }
}

/* The same of one sequence: x (K), y (P). */
static void viterbi_step_alone(index_t K, index_t P, const double *restrict x, const double *restrict A,
                               double *restrict y) {
    for (index_t j = 0; j < P; j += TILE) {
        double best[TILE];
        SIMD for (int w = 0; w < TILE; w++) best[w] = x[0] + A[j + w];
        for (index_t i = 1; i < K; i++)
            SIMD for (int w = 0; w < TILE; w++) {
                const double v = x[i] + A[i * P + j + w];
                best[w] = v > best[w] ? v : best[w];
            }
        SIMD for (int w = 0; w < TILE; w++) y[j + w] = best[w];
    }
}

/* The first i with the largest x[i] + a[i], where x and a have gaps between their numbers. */
static inline int64_t viterbi_argmax(index_t K, const double *x, index_t x_gap, const double *a, index_t a_gap,
                                     double *largest) {
    int64_t best = 0;
    double top = x[0] + a[0];
    for (index_t i = 1; i < K; i++) {
        const double v = x[i * x_gap] + a[i * a_gap];
        best = v > top ? i : best;
        top = v > top ? v : top;
    }
    *largest = top;
    return best;
}
#endif

/* A (K, P) and last (K): the scores of transitions and ends. */
static void FN(viterbi_moves)(const FN(chain) *c, double *A, double *last) {
    const index_t K = c->K, P = crf_padded(K);
    memset(A, 0, sizeof(double) * K * P);
    for (index_t i = 0; i < K; i++)
        for (index_t j = 0; j < K; j++) A[i * P + j] = (double)c->transitions[i * K + j];
    for (index_t k = 0; k < K; k++) last[k] = (double)c->end[k];
}

/* The deltas (length, P, lanes) of the sequences from b on, so many as there are lanes: returned. s: (P, ABREAST). */
static index_t FN(viterbi_forward)(const FN(chain) *c, index_t b, index_t length, const double *A, double *deltas,
                                   double *restrict s) {
    const index_t K = c->K, P = crf_padded(K), size = P * ABREAST;
    const int alone = crf_alive(c->T, c->counts, 0, b) <= ABREAST / 2;
    const REAL *first = FN(crf_first)(c, b);
    index_t row = b;
    for (index_t t = 0; t < length; row += c->counts[t++])
        if (alone) {
            double *restrict delta = deltas + t * P;
            if (t)
                viterbi_step_alone(K, P, delta - P, A, delta);
            else
                for (index_t k = 0; k < K; k++) delta[k] = (double)first[k];
            for (index_t k = 0; k < K; k++) delta[k] += (double)c->scores[row * K + k];
        } else {
            double *restrict delta = deltas + t * size;
            FN(crf_load)(c, t, row, b, crf_alive(c->T, c->counts, t, b), t ? s : delta);
            if (!t) continue;
            viterbi_step(K, P, delta - size, A, delta);
            SIMD for (index_t x = 0; x < K * ABREAST; x++) delta[x] += s[x];
        }
    return alone ? 1 : ABREAST;
}

/* tags (N) and the scores of the paths (B). scratch: 8 (T + P + 2) (2 P + 3) for P = K + 3. */
static void FN(crf_viterbi)(index_t T, index_t K, index_t B, const int64_t *counts, const REAL *scores,
                            const REAL *start, const REAL *transitions, const REAL *end, const int64_t *previous,
                            int64_t *tags, double *path_scores, double *scratch) {
    const FN(chain) c = {T, K, B, counts, scores, start, transitions, end, previous};
    const index_t P = crf_padded(K);
    double *const s = crf_aligned(scratch), *const deltas = s + P * ABREAST, *const A = deltas + T * P * ABREAST;
    double *const last = A + K * P;
    FN(viterbi_moves)(&c, A, last);
    for (index_t b = 0; b < B; b++) path_scores[b] = 0;
    for (index_t b = 0, lanes; b < B; b += lanes) {
        const index_t length = FN(crf_length)(&c, b);
        lanes = FN(viterbi_forward)(&c, b, length, A, deltas, s);
        int64_t best[ABREAST];
        double unused;
        index_t row = b;
        for (index_t t = 0; t < length; t++) row += counts[t];
        for (index_t t = length - 1; t >= 0; t--) {
            const double *delta = deltas + t * P * lanes;
            index_t n = crf_alive(T, counts, t, b), going_on = crf_alive(T, counts, t + 1, b);
            n = n < lanes ? n : lanes, going_on = going_on < lanes ? going_on : lanes;
            row -= counts[t];
            for (index_t l = 0; l < going_on; l++)
                best[l] = viterbi_argmax(K, delta + l, lanes, A + best[l], P, &unused);
            for (index_t l = going_on; l < n; l++)
                best[l] = viterbi_argmax(K, delta + l, lanes, last, 1, path_scores + b + l);
            for (index_t l = 0; l < n; l++) tags[row + l] = best[l];
        }
    }
}
