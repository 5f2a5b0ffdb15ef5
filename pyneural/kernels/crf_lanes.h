/* The CRF in probabilities, ABREAST sequences at a time: a register holds one number of each. A block of ABREAST packed
 * sequences, longest first, is walked alone; of its lanes, the first n are alive at a step.
 *
 * With E = exp(A - max A) and e_t = exp(s_t - max s_t), in which `first` and `end` are included,
 *   alpha_0 = e_0 r_0                                   alpha_t[j] = r_t e_t[j] sum_i alpha_{t-1}[i] E[i,j]
 *   beta_T = 1 / sum_j alpha_T[j]                       beta_{t-1}[i] = sum_j E[i,j] g_t[j],  g_t = r_t e_t beta_t
 *   p_t = alpha_t beta_t                                P(y_{t-1}=i, y_t=j) = alpha_{t-1}[i] E[i,j] g_t[j]
 *   log Z = log sum_j alpha_T[j] + sum_t (max s_t - log r_t) + (T - 1) max A
 * where r_t, the power of two that brings the sum of alpha_t to [1, 2), costs no rounding and no logarithm. The sum
 * over time of the last product is one product of alphas and g, E outside.
 *
 * There are no differences of large numbers, and NaN in gives NaN out. All factors are at most 1. What of them, and of
 * their products, underflows to 0 is lost, and a sequence is done only if what it lost can't matter:
 *
 * Either A spans no more than SPAN = 300. Then nothing matters that underflows, whatever the scores, and nothing
 * overflows:
 * - The largest e_t is 1, so the sum of alpha before r_t is at least e^-300 / K: normal, and so is r_t.
 * - A label lost there has less than e^-708, so after r_t an alpha less than K e^-408; the largest is at least 1 / K.
 *   From any two labels every label can be reached at prices that differ by at most e^300, so beta_t[i] <= e^300
 *   beta_t[k] for all i, k: the lost label has p < K^2 e^-108.
 * - sum_i alpha_t[i] beta_t[i] = 1 with a largest alpha of at least 1 / K: beta <= K e^300 everywhere, and likewise g.
 *
 * Or it can be seen afterwards, as for transitions that are forbidden by -inf or by a large negative score:
 * - Let the far factors be those below e^-FAR, FAR = 200, and e^-gap the largest of them. Every path with a far factor
 *   weighs at most e^-gap, and there are at most K^T of them: beside Z they are nothing, lost or not, if
 *   gap - T log K - log (1 / Z) >= 50, with Z that of the factors.
 * - If moreover every alpha is 0 or at least e^-FAR, no product of factors that are not far has underflowed: what is 0
 *   can't be reached but by far factors.
 * - Where alpha is 0, g is set to 0; elsewhere alpha beta <= 1 bounds it by e^(2 FAR): nothing overflows. */

#ifndef PYNEURAL_CRF_LANES
#define PYNEURAL_CRF_LANES
#define CRF_SPAN 300.0
#define CRF_FAR 200.0
#if defined(__AVX512F__)
enum { ABREAST = 8 };
#elif defined(__AVX2__)
enum { ABREAST = 4 };
#else
enum { ABREAST = 2 };
#endif
/* Labels are padded to a multiple of TILE by ones of no probability, so that no loop over them has a tail. */
enum { TILE = 4 };

static index_t crf_padded(index_t K) { return (K + TILE - 1) / TILE * TILE; }

/* How many of the ABREAST sequences from b on are alive at step t. */
static inline index_t crf_alive(index_t T, const int64_t *counts, index_t t, index_t b) {
    const index_t n = t < T ? counts[t] - b : 0;
    return n < 0 ? 0 : n < ABREAST ? n : ABREAST;
}

/* y (P, ABREAST) = M' x for x (K, ABREAST) and M (K, P). */
static void crf_product(index_t K, index_t P, const double *restrict x, const double *restrict M,
                        double *restrict y) {
    for (index_t j = 0; j < P; j += TILE) {
        double sum[TILE][ABREAST] = {{0}};
        for (index_t i = 0; i < K; i++)
            for (int w = 0; w < TILE; w++)
                SIMD for (int l = 0; l < ABREAST; l++) sum[w][l] += x[i * ABREAST + l] * M[i * P + j + w];
        for (int w = 0; w < TILE; w++)
            SIMD for (int l = 0; l < ABREAST; l++) y[(j + w) * ABREAST + l] = sum[w][l];
    }
}

/* C (P, P, ABREAST) += sum over `steps` of x[i] y[j], for x and y (steps, P, ABREAST). */
static void crf_outer(index_t steps, index_t P, const double *restrict x, const double *restrict y,
                      double *restrict C) {
    enum { COLUMNS = ABREAST == 8 ? 4 : 2 };
    for (index_t i = 0; i < P; i += TILE)
        for (index_t j = 0; j < P; j += COLUMNS) {
            double sum[TILE][COLUMNS][ABREAST] = {{{0}}};
            for (index_t t = 0; t < steps; t++) {
                const double *xt = x + (t * P + i) * ABREAST, *yt = y + (t * P + j) * ABREAST;
                for (int v = 0; v < TILE; v++)
                    for (int w = 0; w < COLUMNS; w++)
                        SIMD for (int l = 0; l < ABREAST; l++)
                            sum[v][w][l] += xt[v * ABREAST + l] * yt[w * ABREAST + l];
            }
            for (int v = 0; v < TILE; v++)
                for (int w = 0; w < COLUMNS; w++)
                    SIMD for (int l = 0; l < ABREAST; l++) C[((i + v) * P + j + w) * ABREAST + l] += sum[v][w][l];
        }
}

/* x (K, ABREAST) becomes exp(x - largest of its lane), 0 in a lane of -inf; gap (ABREAST) falls to that of far
 * factors. */
static void crf_exponentials(index_t K, double *restrict x, double *restrict largest, double *restrict gap) {
    double m[ABREAST], g[ABREAST];
    SIMD for (int l = 0; l < ABREAST; l++) m[l] = -DBL_MAX, g[l] = gap[l];
    for (index_t k = 0; k < K; k++)
        SIMD for (int l = 0; l < ABREAST; l++) m[l] = x[k * ABREAST + l] > m[l] ? x[k * ABREAST + l] : m[l];
    for (index_t k = 0; k < K; k++)
        SIMD for (int l = 0; l < ABREAST; l++) {
            const double below = m[l] - x[k * ABREAST + l];
            g[l] = (below > CRF_FAR) & (below < g[l]) ? below : g[l];
            x[k * ABREAST + l] = fast_exp_f64(-below);
        }
    SIMD for (int l = 0; l < ABREAST; l++) largest[l] = m[l], gap[l] = g[l];
}

/* alpha (K, ABREAST) *= e r; r (ABREAST) = 2^-n brings each sum to [1, 2): what it then is goes to `sum`.
 * faintest (ABREAST) falls to the least alpha that is not 0. */
static void crf_normalise_lanes(index_t K, double *restrict alpha, const double *restrict e, double *restrict r,
                                double *restrict sum, double *restrict faintest) {
    double s[ABREAST] = {0}, scale[ABREAST], least[ABREAST];
    for (index_t k = 0; k < K; k++)
        SIMD for (int l = 0; l < ABREAST; l++) {
            alpha[k * ABREAST + l] *= e[k * ABREAST + l];
            s[l] += alpha[k * ABREAST + l];
        }
    SIMD for (int l = 0; l < ABREAST; l++) {
        scale[l] = from_bits_f64(((uint64_t)2046 << 52) - (to_bits_f64(s[l]) & (uint64_t)2047 << 52));
        r[l] = scale[l];
        sum[l] = s[l] * scale[l];
        least[l] = faintest[l];
    }
    for (index_t k = 0; k < K; k++)
        SIMD for (int l = 0; l < ABREAST; l++) {
            const double a = alpha[k * ABREAST + l] * scale[l];
            least[l] = (a > 0) & (a < least[l]) ? a : least[l];
            alpha[k * ABREAST + l] = a;
        }
    SIMD for (int l = 0; l < ABREAST; l++) faintest[l] = least[l];
}

/* p = alpha beta, and g (e until then) = e r beta where alpha is not 0: all (K, ABREAST). */
static void crf_meet(index_t K, const double *restrict alpha, const double *restrict beta, const double *restrict r,
                     double *restrict p, double *restrict g) {
    for (index_t k = 0; k < K; k++, alpha += ABREAST, beta += ABREAST, p += ABREAST, g += ABREAST)
        SIMD for (int l = 0; l < ABREAST; l++) {
            const double passed = g[l] * r[l] * beta[l]; /* r beta could overflow where e is small */
            p[l] = alpha[l] * beta[l];
            g[l] = alpha[l] == 0 ? 0 : passed;
        }
}

/* log r of a power of two */
static double crf_log_power(double r) { return 0.6931471805599453 * (double)((int64_t)(to_bits_f64(r) >> 52) - 1023); }

/* E (P, P) and its transpose, with the largest transition, the gap of the far ones, and whether SPAN vouches for
 * all. */
typedef struct {
    double *E, *transposed;
    double largest, gap;
    int bounded;
} crf_factors;
#endif

static void FN(crf_transitions)(index_t K, const REAL *A, crf_factors *f) {
    const index_t P = crf_padded(K);
    double low = INFINITY;
    f->largest = -INFINITY, f->gap = INFINITY;
    for (index_t k = 0; k < K * K; k++) {
        f->largest = A[k] > f->largest ? A[k] : f->largest;
        low = A[k] < low ? A[k] : low;
    }
    f->bounded = f->largest - low <= CRF_SPAN;
    memset(f->E, 0, sizeof(double) * P * P);
    memset(f->transposed, 0, sizeof(double) * P * P);
    for (index_t i = 0; i < K; i++) {
        double *restrict row = f->E + i * P;
        SIMD for (index_t j = 0; j < K; j++) row[j] = fast_exp_f64((double)A[i * K + j] - f->largest);
        for (index_t j = 0; j < K; j++) {
            const double below = f->largest - A[i * K + j];
            f->gap = below > CRF_FAR && below < f->gap ? below : f->gap;
            f->transposed[j * P + i] = row[j];
        }
    }
}

/* x (K, ABREAST) = the scores of the n sequences from b on at step t, whose first row is `row`, with `first` in step 0;
 * -inf in the other lanes. */
static void FN(crf_load)(const FN(chain) *c, index_t t, index_t row, index_t b, index_t n, double *restrict x) {
    const index_t K = c->K;
    const REAL *restrict s = c->scores + row * K;
    if (n == ABREAST)
        for (index_t k = 0; k < K; k++)
            for (int l = 0; l < ABREAST; l++) x[k * ABREAST + l] = (double)s[l * K + k];
    else
        for (index_t k = 0; k < K; k++)
            for (int l = 0; l < ABREAST; l++) x[k * ABREAST + l] = l < n ? (double)s[l * K + k] : -INFINITY;
    if (t) return;
    for (index_t l = 0; l < n; l++) {
        const REAL *first = FN(crf_first)(c, b + l);
        for (index_t k = 0; k < K; k++) x[k * ABREAST + l] += (double)first[k];
    }
}

/* The block of sequences from b on, T steps long. C (P, P, ABREAST) gathers the products of alpha and g where `counts`
 * is not NULL. exact (ABREAST) says which sequences are done. scratch: (2 T P + 2 P + 3 T) ABREAST. */
static void FN(crf_block)(const FN(chain) *c, index_t b, index_t T, const crf_factors *f, double *logZ,
                          REAL *marginals, const crf_counts *counts, int *exact, double *C, double *scratch) {
    const index_t K = c->K, P = crf_padded(K), size = P * ABREAST;
    double *const alphas = scratch, *const es = alphas + T * size, *const beta = es + T * size, *const p = beta + size;
    double *const shifts = p + size, *const scales = shifts + T * ABREAST, *const sums = scales + T * ABREAST;
    double gap[ABREAST], faintest[ABREAST], price[ABREAST] = {0}; /* price: log of 1 / Z of the factors */
    for (int l = 0; l < ABREAST; l++) gap[l] = f->gap, faintest[l] = 1;
    index_t row = b;
    for (index_t t = 0; t < T; row += c->counts[t++]) {
        double *alpha = alphas + t * size, *e = es + t * size;
        const index_t n = crf_alive(c->T, c->counts, t, b), going_on = crf_alive(c->T, c->counts, t + 1, b);
        FN(crf_load)(c, t, row, b, n, e);
        for (index_t l = going_on; l < n; l++)
            for (index_t k = 0; k < K; k++) e[k * ABREAST + l] += (double)c->end[k];
        crf_exponentials(K, e, shifts + t * ABREAST, gap);
        memset(e + K * ABREAST, 0, sizeof(double) * (P - K) * ABREAST);
        if (t)
            crf_product(K, P, alpha - size, f->E, alpha);
        else
            for (index_t x = 0; x < size; x++) alpha[x] = x < K * ABREAST;
        crf_normalise_lanes(K, alpha, e, scales + t * ABREAST, sums + t * ABREAST, faintest);
        for (index_t l = 0; l < n; l++) {
            logZ[b + l] += shifts[t * ABREAST + l] + (t ? f->largest : 0);
            price[l] += crf_log_power(scales[t * ABREAST + l]);
        }
        for (index_t l = going_on; l < n; l++) {
            price[l] -= log(sums[t * ABREAST + l]);
            logZ[b + l] -= price[l];
            exact[l] = sums[t * ABREAST + l] > 0 &&
                       (f->bounded || (faintest[l] >= exp(-CRF_FAR) &&
                                       gap[l] - (double)(t + 1) * log((double)K) - price[l] >= 50));
        }
    }
    memset(beta, 0, sizeof(double) * size);
    for (index_t t = T - 1;; t--) {
        double *alpha = alphas + t * size, *g = es + t * size, *r = scales + t * ABREAST;
        const index_t n = crf_alive(c->T, c->counts, t, b), going_on = crf_alive(c->T, c->counts, t + 1, b);
        row -= c->counts[t];
        for (index_t l = going_on; l < n; l++)
            for (index_t k = 0; k < K; k++) beta[k * ABREAST + l] = exact[l] ? 1 / sums[t * ABREAST + l] : 0;
        crf_meet(K, alpha, beta, r, p, g);
        for (index_t l = 0; l < n; l++)
            for (index_t k = 0; k < K; k++) marginals[(row + l) * K + k] = (REAL)p[k * ABREAST + l];
        if (counts)
            for (index_t l = going_on; l < n; l++)
                for (index_t k = 0; k < K; k++) counts->end[k] += p[k * ABREAST + l];
        if (!t) break;
        crf_product(K, P, g, f->transposed, beta);
    }
    if (!counts) return;
    for (index_t l = 0; l < crf_alive(c->T, c->counts, 0, b); l++) {
        const int64_t before = FN(crf_before)(c, b + l);
        double *start = before >= 0 ? counts->transitions + before * K : counts->start;
        for (index_t k = 0; k < K; k++) start[k] += p[k * ABREAST + l];
    }
    crf_outer(T - 1, P, alphas, es + size, C);
}

/* The links of the path through those sequences of the block that are done, from the alphas that crf_block left:
 *   P(y_{t-1}=i | y_t=j) = alpha_{t-1}[i] E[i,j] / sum_k alpha_{t-1}[k] E[k,j]
 * What underflowed there belongs to labels of no probability (above). */
static void FN(crf_block_links)(const FN(chain) *c, index_t b, index_t T, const crf_factors *f, const int *exact,
                                const crf_path *path, const double *alphas) {
    const index_t P = crf_padded(c->K);
    index_t row = b;
    for (index_t t = 0; t < T; row += c->counts[t++]) {
        const index_t n = crf_alive(c->T, c->counts, t, b);
        for (index_t l = 0; l < n; l++) {
            if (!exact[l]) continue;
            path->links[row + l] = 1;
            if (!t) continue;
            const double *alpha = alphas + (t - 1) * P * ABREAST + l;
            const double *E = f->transposed + path->tags[row + l] * P;
            const int64_t i = path->tags[row - c->counts[t - 1] + l];
            double sum = 0;
            for (index_t k = 0; k < c->K; k++) sum += alpha[k * ABREAST] * E[k];
            path->links[row + l] = sum > 0 ? alpha[i * ABREAST] * E[i] / sum : sum; /* NaN stays */
        }
    }
}
