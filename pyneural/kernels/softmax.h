/* Softmax over the K scores of each row; p = e^{s - max} / sum. */

static void FN(softmax)(index_t N, index_t K, const REAL *scores, REAL *out) {
    for (index_t i = 0; i < N; i++) {
        const REAL *s = scores + i * K;
        REAL *p = out + i * K;
        REAL largest = s[0], sum = 0;
        for (index_t k = 1; k < K; k++) largest = s[k] > largest ? s[k] : largest;
        SIMD for (index_t k = 0; k < K; k++) p[k] = FN(fast_exp)(s[k] - largest);
        SIMD_SUM(sum) for (index_t k = 0; k < K; k++) sum += p[k];
        const REAL inverse = 1 / sum;
        SIMD for (index_t k = 0; k < K; k++) p[k] *= inverse;
    }
}

/* Cross-entropy with the target distribution t = (1 - smoothing) onehot + smoothing / K, each row times
 * w = weights[target] (1 where NULL): losses[i] = -w sum_k t_k log p_k, dscores = scale w (p - t).
 * Returns -1, or the first row whose target is not in [0, K). */
static int64_t FN(softmax_gradient)(index_t N, index_t K, const REAL *scores, const int64_t *targets,
                                    const REAL *weights, double smoothing, double scale, double *losses,
                                    REAL *dscores) {
    for (index_t i = 0; i < N; i++)
        if (targets[i] < 0 || targets[i] >= K) return i;
    for (index_t i = 0; i < N; i++) {
        const REAL *s = scores + i * K;
        REAL *d = dscores + i * K;
        REAL largest = s[0], sum = 0;
        for (index_t k = 1; k < K; k++) largest = s[k] > largest ? s[k] : largest;
        SIMD for (index_t k = 0; k < K; k++) d[k] = FN(fast_exp)(s[k] - largest);
        SIMD_SUM(sum) for (index_t k = 0; k < K; k++) sum += d[k];
        const double w = weights ? (double)weights[targets[i]] : 1;
        const double log_sum = log((double)sum);
        double loss = log_sum - (1 - smoothing) * ((double)s[targets[i]] - largest);
        if (smoothing > 0) {
            double mean = 0;
            for (index_t k = 0; k < K; k++) mean += (double)s[k] - largest;
            loss -= smoothing * mean / K;
        }
        losses[i] = w * loss;
        const REAL inverse = (REAL)(scale * w / sum), uniform = (REAL)(scale * w * smoothing / K);
        SIMD for (index_t k = 0; k < K; k++) d[k] = d[k] * inverse - uniform;
        d[targets[i]] -= (REAL)(scale * w * (1 - smoothing));
    }
    return -1;
}
