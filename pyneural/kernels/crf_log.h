/* The CRF in logarithms, sequence by sequence, for transitions of any size and for those that can't be (-inf).
 *
 * Forward, normalised at every step: with log-probabilities alpha_{t-1} (summing to 1),
 *   l_t[j] = log sum_i exp(alpha_{t-1}[i] + A[i,j])     R_t[i,j] = exp(alpha_{t-1}[i] + A[i,j] - l_t[j])
 *   alpha_t = s_t + l_t - c_t,  c_t = log sum_j exp(s_t[j] + l_t[j]);   logZ = sum of the c.
 * R_t[i,j] = P(y_{t-1}=i | y_t=j, s_0..t) is all that the backward pass needs: the marginals p satisfy
 *   P(y_{t-1}=i, y_t=j) = R_t[i,j] p_t[j]     p_{t-1}[i] = sum_j R_t[i,j] p_t[j]
 * so there are no betas, and no difference of large numbers anywhere. Of l_t the largest term and the sum relative to
 * it are kept apart: R stays exact where l is large. */

#ifndef PYNEURAL_CRF_LOG
#define PYNEURAL_CRF_LOG
/* x -= log sum exp x; returns that logarithm. Where all is -inf, so is that, and x stays. */
static double crf_normalise(index_t K, double *restrict x) {
    double largest = -1e300, sum = 0;
    for (index_t k = 0; k < K; k++) largest = x[k] > largest ? x[k] : largest;
    for (index_t k = 0; k < K; k++) sum += fast_exp_f64(x[k] - largest);
    const double total = largest + log(sum), taken = total < -1e300 ? 0 : total;
    for (index_t k = 0; k < K; k++) x[k] -= taken;
    return total;
}

/* next[j] = l[j] as above; `largest` and `inverse` (1 / sum, 0 for none) are kept for the way back. */
static void crf_log_forward(index_t K, const double *alpha, const double *A, double *restrict largest,
                            double *restrict inverse, double *restrict next) {
    for (index_t j = 0; j < K; j++) largest[j] = -INFINITY, inverse[j] = 0;
    for (index_t i = 0; i < K; i++)
        SIMD for (index_t j = 0; j < K; j++) {
            const double v = alpha[i] + A[i * K + j];
            largest[j] = v > largest[j] ? v : largest[j];
        }
    for (index_t j = 0; j < K; j++) largest[j] = largest[j] < -1e300 ? 0 : largest[j]; /* -inf - -inf */
    for (index_t i = 0; i < K; i++)
        SIMD for (index_t j = 0; j < K; j++) inverse[j] += fast_exp_f64(alpha[i] + A[i * K + j] - largest[j]);
    for (index_t j = 0; j < K; j++) {
        next[j] = largest[j] + log(inverse[j]);
        inverse[j] = inverse[j] > 0 ? 1 / inverse[j] : 0;
    }
}

/* From p_t to p_{t-1}; the expected transitions are added to `pairs` where it is not NULL. */
static void crf_log_backward(index_t K, const double *alpha, const double *A, const double *restrict largest,
                             const double *restrict inverse, const double *restrict p, double *restrict before,
                             double *restrict pairs, double *restrict row) {
    for (index_t i = 0; i < K; i++) {
        double total = 0;
        SIMD_SUM(total) for (index_t j = 0; j < K; j++) {
            row[j] = fast_exp_f64(alpha[i] + A[i * K + j] - largest[j]) * inverse[j] * p[j];
            total += row[j];
        }
        before[i] = total;
        if (pairs)
            SIMD for (index_t j = 0; j < K; j++) pairs[i * K + j] += row[j];
    }
}
#endif

/* Sequence b, as crf_expect. scratch: (3 T + K + 3) K. */
static void FN(crf_log)(const FN(chain) *c, index_t b, double *logZ, REAL *marginals, const crf_counts *counts,
                        const crf_path *path, double *scratch) {
    const index_t K = c->K, T = FN(crf_length)(c, b);
    const REAL *first = FN(crf_first)(c, b);
    double *const A = scratch, *const alphas = A + K * K, *const largest = alphas + T * K;
    double *const inverse = largest + T * K, *const pairs = inverse + T * K, *p = pairs + K, *before = p + K;
    for (index_t k = 0; k < K * K; k++) A[k] = (double)c->transitions[k];
    index_t row = b;
    logZ[b] = 0;
    for (index_t t = 0; t < T; row += c->counts[t++]) {
        double *alpha = alphas + t * K;
        if (t)
            crf_log_forward(K, alpha - K, A, largest + t * K, inverse + t * K, alpha);
        else
            for (index_t k = 0; k < K; k++) alpha[k] = (double)first[k];
        for (index_t k = 0; k < K; k++) alpha[k] += (double)c->scores[row * K + k];
        logZ[b] += crf_normalise(K, alpha);
    }
    for (index_t k = 0; k < K; k++) p[k] = alphas[(T - 1) * K + k] + (double)c->end[k];
    logZ[b] += crf_normalise(K, p);
    for (index_t k = 0; k < K; k++) p[k] = fast_exp_f64(p[k]);
    if (counts)
        for (index_t k = 0; k < K; k++) counts->end[k] += p[k];
    for (index_t t = T - 1;; t--) {
        row -= c->counts[t];
        for (index_t k = 0; k < K; k++) marginals[row * K + k] = (REAL)p[k];
        if (path) {
            const int64_t j = path->tags[row], i = t ? path->tags[row - c->counts[t - 1]] : 0;
            path->links[row] = t ? fast_exp_f64(alphas[(t - 1) * K + i] + A[i * K + j] - largest[t * K + j]) *
                                       inverse[t * K + j]
                                 : 1;
        }
        if (!t) break;
        crf_log_backward(K, alphas + (t - 1) * K, A, largest + t * K, inverse + t * K, p, before,
                         counts ? counts->transitions : NULL, pairs);
        double *swap = p;
        p = before;
        before = swap;
    }
    if (counts) {
        const int64_t known = FN(crf_before)(c, b);
        double *start = known >= 0 ? counts->transitions + known * K : counts->start;
        for (index_t k = 0; k < K; k++) start[k] += p[k];
    }
}
