/* Linear-chain conditional random field: score(y | s) = first[y_0] + sum_t s_t[y_t] + sum_t A[y_{t-1}, y_t] + end[y_T],
 * where `first` is the start scores, or the row of A of the label known to come before.
 *
 * Forward, in float64 and normalised at every step: with log-probabilities alpha_{t-1} (summing to 1),
 *   l_t[j] = log sum_i exp(alpha_{t-1}[i] + A[i,j])     R_t[i,j] = exp(alpha_{t-1}[i] + A[i,j] - l_t[j])
 *   alpha_t = s_t + l_t - c_t,  c_t = log sum_j exp(s_t[j] + l_t[j]);   logZ = sum of the c.
 * R_t[i,j] = P(y_{t-1}=i | y_t=j, s_0..t), kept, is all that the backward pass needs: the marginals p satisfy
 *   P(y_{t-1}=i, y_t=j) = R_t[i,j] p_t[j]     p_{t-1}[i] = sum_j R_t[i,j] p_t[j]
 * so there are no betas, and no difference of large numbers anywhere. */

#ifndef PYNEURAL_CRF
#define PYNEURAL_CRF
/* x -= log sum exp x; returns that logarithm. */
static double crf_normalise(index_t K, double *restrict x) {
    double largest = x[0], sum = 0;
    for (index_t k = 1; k < K; k++) largest = x[k] > largest ? x[k] : largest;
    for (index_t k = 0; k < K; k++) sum += fast_exp_f64(x[k] - largest);
    const double total = largest + log(sum);
    for (index_t k = 0; k < K; k++) x[k] -= total;
    return total;
}
#endif

static void FN(crf_first)(index_t K, const REAL *start, const REAL *transitions, const int64_t *previous, index_t b,
                          const REAL *s, double *out) {
    const REAL *first = previous && previous[b] >= 0 ? transitions + previous[b] * K : start;
    for (index_t k = 0; k < K; k++) out[k] = (double)first[k] + s[k];
}

/* The row of packed sequence b at step t is offset(t) + b; the length of b is the number of counts above b. */
static index_t FN(crf_length)(index_t T, const int64_t *counts, index_t b) {
    index_t length = 0;
    while (length < T && counts[length] > b) length++;
    return length;
}

/* logZ (B), marginals (N, K), and expected counts added to dstart (K), dtransitions (K, K), dend (K) where not NULL.
 * scratch: 3 K + K K + T K K. */
static void FN(crf_marginals)(index_t T, index_t K, index_t B, const int64_t *counts, const REAL *scores,
                              const REAL *start, const REAL *transitions, const REAL *end, const int64_t *previous,
                              double *logZ, REAL *marginals, double *dstart, double *dtransitions, double *dend,
                              double *scratch) {
    double *const alpha = scratch, *const A = scratch + 3 * K, *const R = A + K * K;
    double *restrict largest = scratch + K, *restrict sum = scratch + 2 * K;
    for (index_t k = 0; k < K * K; k++) A[k] = (double)transitions[k];
    for (index_t b = 0; b < B; b++) {
        const index_t length = FN(crf_length)(T, counts, b);
        logZ[b] = 0;
        if (!length) continue;
        index_t row = b;
        FN(crf_first)(K, start, transitions, previous, b, scores + row * K, alpha);
        logZ[b] = crf_normalise(K, alpha);
        for (index_t t = 1; t < length; t++) {
            double *restrict Rt = R + t * K * K;
            row += counts[t - 1];
            for (index_t j = 0; j < K; j++) largest[j] = -INFINITY, sum[j] = 0;
            for (index_t i = 0; i < K; i++)
                SIMD for (index_t j = 0; j < K; j++) {
                    const double v = alpha[i] + A[i * K + j];
                    Rt[i * K + j] = v;
                    largest[j] = v > largest[j] ? v : largest[j];
                }
            for (index_t j = 0; j < K; j++) largest[j] = largest[j] < -1e300 ? 0 : largest[j]; /* -inf - -inf */
            for (index_t i = 0; i < K; i++)
                SIMD for (index_t j = 0; j < K; j++) {
                    const double v = fast_exp_f64(Rt[i * K + j] - largest[j]);
                    Rt[i * K + j] = v;
                    sum[j] += v;
                }
            for (index_t j = 0; j < K; j++) {
                alpha[j] = scores[row * K + j] + largest[j] + log(sum[j]);
                sum[j] = sum[j] > 0 ? 1 / sum[j] : 0;
            }
            for (index_t i = 0; i < K; i++)
                SIMD for (index_t j = 0; j < K; j++) Rt[i * K + j] *= sum[j];
            logZ[b] += crf_normalise(K, alpha);
        }
        for (index_t k = 0; k < K; k++) alpha[k] += (double)end[k];
        logZ[b] += crf_normalise(K, alpha);
        double *restrict p = alpha; /* the marginals of the step at hand */
        for (index_t k = 0; k < K; k++) p[k] = fast_exp_f64(p[k]);
        if (dend)
            for (index_t k = 0; k < K; k++) dend[k] += p[k];
        for (index_t t = length - 1; t > 0; t--) {
            double *restrict Rt = R + t * K * K;
            for (index_t k = 0; k < K; k++) marginals[row * K + k] = (REAL)p[k];
            for (index_t i = 0; i < K; i++)
                SIMD for (index_t j = 0; j < K; j++) Rt[i * K + j] *= p[j];
            if (dtransitions)
                SIMD for (index_t k = 0; k < K * K; k++) dtransitions[k] += Rt[k];
            for (index_t i = 0; i < K; i++) {
                double total = 0;
                SIMD_SUM(total) for (index_t j = 0; j < K; j++) total += Rt[i * K + j];
                p[i] = total;
            }
            row -= counts[t - 1];
        }
        for (index_t k = 0; k < K; k++) marginals[row * K + k] = (REAL)p[k];
        if (dstart) {
            double *first = previous && previous[b] >= 0 ? dtransitions + previous[b] * K : dstart;
            for (index_t k = 0; k < K; k++) first[k] += p[k];
        }
    }
}

/* path_scores (B) of the given tags (N); where marginals is not NULL, the tags' own counts are taken off it and off
 * the expected counts: what is left is the gradient of logZ - score. Returns -1, or the first row whose tag is not
 * in [0, K). */
static int64_t FN(crf_path_scores)(index_t T, index_t K, index_t B, const int64_t *counts, const REAL *scores,
                                   const REAL *start, const REAL *transitions, const REAL *end,
                                   const int64_t *previous, const int64_t *tags, double *path_scores,
                                   REAL *marginals, double *dstart, double *dtransitions, double *dend) {
    index_t N = 0;
    for (index_t t = 0; t < T; t++) N += counts[t];
    for (index_t i = 0; i < N; i++)
        if (tags[i] < 0 || tags[i] >= K) return i;
    for (index_t b = 0; b < B; b++) path_scores[b] = 0;
    for (index_t t = 0, row = 0; t < T; row += counts[t++])
        for (index_t b = 0; b < counts[t]; b++) {
            const int64_t tag = tags[row + b];
            const int64_t before = t ? tags[row - counts[t - 1] + b] : previous ? previous[b] : -1;
            const int last = t + 1 == T || counts[t + 1] <= b;
            path_scores[b] += (double)scores[(row + b) * K + tag] + (last ? (double)end[tag] : 0) +
                              (double)(before >= 0 ? transitions[before * K + tag] : start[tag]);
            if (!marginals) continue;
            marginals[(row + b) * K + tag] -= 1;
            if (before >= 0)
                dtransitions[before * K + tag] -= 1;
            else
                dstart[tag] -= 1;
            if (last) dend[tag] -= 1;
        }
    return -1;
}

/* The best path: tags (N) and its score (B). Of equal scores the lowest label wins. scratch: 2 K; pointers: T K. */
static void FN(crf_viterbi)(index_t T, index_t K, index_t B, const int64_t *counts, const REAL *scores,
                            const REAL *start, const REAL *transitions, const REAL *end, const int64_t *previous,
                            int64_t *tags, double *path_scores, double *scratch, int64_t *pointers) {
    double *delta = scratch, *next = scratch + K;
    for (index_t b = 0; b < B; b++) {
        const index_t length = FN(crf_length)(T, counts, b);
        path_scores[b] = 0;
        if (!length) continue;
        index_t row = b;
        FN(crf_first)(K, start, transitions, previous, b, scores + row * K, delta);
        for (index_t t = 1; t < length; t++) {
            int64_t *restrict from = pointers + t * K;
            row += counts[t - 1];
            for (index_t j = 0; j < K; j++) next[j] = delta[0] + (double)transitions[j], from[j] = 0;
            for (index_t i = 1; i < K; i++)
                SIMD for (index_t j = 0; j < K; j++) {
                    const double v = delta[i] + (double)transitions[i * K + j];
                    from[j] = v > next[j] ? i : from[j];
                    next[j] = v > next[j] ? v : next[j];
                }
            for (index_t j = 0; j < K; j++) next[j] += (double)scores[row * K + j];
            double *swap = delta;
            delta = next;
            next = swap;
        }
        int64_t best = 0;
        for (index_t k = 0; k < K; k++) {
            delta[k] += (double)end[k];
            if (delta[k] > delta[best]) best = k;
        }
        path_scores[b] = delta[best];
        for (index_t t = length - 1;; t--) {
            tags[row] = best;
            if (!t) break;
            best = pointers[t * K + best];
            row -= counts[t - 1];
        }
    }
}
