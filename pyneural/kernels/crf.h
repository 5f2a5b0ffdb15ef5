/* Linear-chain conditional random field: score(y | s) = first[y_0] + sum_t s_t[y_t] + sum_t A[y_{t-1}, y_t] + end[y_T],
 * where `first` is the start scores, or the row of A of the label known to come before. `first` and `end` are added to
 * the scores of the first and the last row: what is left is a chain of s and A alone.
 *
 * Two ways to log Z, the marginals p and the expected counts:
 *   crf_lanes.h   in probabilities, many sequences at a time; tells where that is not certain to be exact
 *   crf_log.h     in logarithms, for any numbers, at ten times the cost: for those sequences
 * Both compute in float64 whatever REAL is. */

/* The arguments that the kernels have in common. */
typedef struct {
    index_t T, K, B;
    const int64_t *counts;                        /* T */
    const REAL *scores, *start, *transitions, *end; /* (N, K), K, (K, K), K */
    const int64_t *previous;                      /* B, or NULL */
} FN(chain);

/* The label known to come before sequence b, or -1. */
static inline int64_t FN(crf_before)(const FN(chain) *c, index_t b) { return c->previous ? c->previous[b] : -1; }

static inline const REAL *FN(crf_first)(const FN(chain) *c, index_t b) {
    const int64_t before = FN(crf_before)(c, b);
    return before >= 0 ? c->transitions + before * c->K : c->start;
}

/* The row of packed sequence b at step t is offset(t) + b; the length of b is the number of counts above b. */
static index_t FN(crf_length)(const FN(chain) *c, index_t b) {
    index_t length = 0;
    while (length < c->T && c->counts[length] > b) length++;
    return length;
}

static index_t FN(crf_rows)(const FN(chain) *c) {
    index_t N = 0;
    for (index_t t = 0; t < c->T; t++) N += c->counts[t];
    return N;
}

#ifndef PYNEURAL_CRF
#define PYNEURAL_CRF
/* Expected numbers of sequences that start with a label, of transitions, and of sequences that end with one. */
typedef struct {
    double *start, *transitions, *end; /* K, (K, K), K */
} crf_counts;

/* A path, and for each row but a sequence's first the probability of its label before, given the label there: 1 in a
 * first row, 0 where the label there has none. */
typedef struct {
    const int64_t *tags; /* N */
    double *links;       /* N */
} crf_path;

/* From here on in steps of a register: scratch that begins within one has each load take two lines of the cache. */
static double *crf_aligned(double *scratch) { return (double *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63); }
#endif

#include "crf_lanes.h"
#include "crf_log.h"

/* logZ (B) and marginals (N, K); the expected counts are added to `counts`, and the links of `path` written, where they
 * are not NULL. A sequence without any path that can be has logZ -inf and marginals 0.
 * scratch: (2 T P + 2 P + 3 T + P P) ABREAST + 2 P P. */
static void FN(crf_expect)(const FN(chain) *c, double *logZ, REAL *marginals, const crf_counts *counts,
                           const crf_path *path, double *scratch) {
    const index_t K = c->K, P = crf_padded(K);
    double *const C = scratch, *const E = C + P * P * ABREAST, *const block = E + 2 * P * P;
    crf_factors factors = {E, E + P * P, 0, 0, 0};
    FN(crf_transitions)(K, c->transitions, &factors);
    if (counts) memset(C, 0, sizeof(double) * P * P * ABREAST);
    for (index_t b = 0; b < c->B; b++) logZ[b] = 0;
    for (index_t b = 0; b < c->B; b += ABREAST) {
        int exact[ABREAST];
        const index_t T = FN(crf_length)(c, b);
        if (T) FN(crf_block)(c, b, T, &factors, logZ, marginals, counts, exact, C, block);
        if (T && path) FN(crf_block_links)(c, b, T, &factors, exact, path, block);
        for (index_t l = 0; l < crf_alive(c->T, c->counts, 0, b); l++)
            if (!exact[l]) FN(crf_log)(c, b + l, logZ, marginals, counts, path, block);
    }
    if (!counts) return;
    for (index_t i = 0; i < K; i++)
        for (index_t j = 0; j < K; j++) {
            double total = 0;
            SIMD_SUM(total) for (int l = 0; l < ABREAST; l++) total += C[(i * P + j) * ABREAST + l];
            counts->transitions[i * K + j] += E[i * P + j] * total;
        }
}

static void FN(crf_marginals)(index_t T, index_t K, index_t B, const int64_t *counts, const REAL *scores,
                              const REAL *start, const REAL *transitions, const REAL *end, const int64_t *previous,
                              double *logZ, REAL *marginals, double *scratch) {
    const FN(chain) c = {T, K, B, counts, scores, start, transitions, end, previous};
    FN(crf_expect)(&c, logZ, marginals, NULL, NULL, crf_aligned(scratch));
}

/* The first of N rows whose tag is not in [0, K), or -1. */
static int64_t FN(crf_unknown)(index_t N, index_t K, const int64_t *tags) {
    for (index_t i = 0; i < N; i++)
        if (tags[i] < 0 || tags[i] >= K) return i;
    return -1;
}

/* As crf_marginals, and the links (N) of the path `tags`. Returns what crf_unknown does, and then writes nothing. */
static int64_t FN(crf_links)(index_t T, index_t K, index_t B, const int64_t *counts, const REAL *scores,
                             const REAL *start, const REAL *transitions, const REAL *end, const int64_t *previous,
                             const int64_t *tags, double *logZ, REAL *marginals, double *links, double *scratch) {
    const FN(chain) c = {T, K, B, counts, scores, start, transitions, end, previous};
    const crf_path path = {tags, links};
    const int64_t unknown = FN(crf_unknown)(FN(crf_rows)(&c), K, tags);
    if (unknown < 0) FN(crf_expect)(&c, logZ, marginals, NULL, &path, crf_aligned(scratch));
    return unknown;
}

/* From logZ, marginals and expected counts to -log p of the given tags and its gradient: the path's score and its own
 * counts are taken off. */
static void FN(crf_take_path)(const FN(chain) *c, const int64_t *tags, double *logZ, REAL *marginals,
                              const crf_counts *expected) {
    const index_t K = c->K;
    for (index_t t = 0, row = 0; t < c->T; row += c->counts[t++]) {
        const index_t going_on = t + 1 < c->T ? c->counts[t + 1] : 0;
        for (index_t b = 0; b < c->counts[t]; b++) {
            const int64_t tag = tags[row + b];
            const int64_t before = t ? tags[row - c->counts[t - 1] + b] : FN(crf_before)(c, b);
            double score = (double)c->scores[(row + b) * K + tag];
            marginals[(row + b) * K + tag] -= 1;
            if (before >= 0) {
                score += (double)c->transitions[before * K + tag];
                expected->transitions[before * K + tag] -= 1;
            } else {
                score += (double)c->start[tag];
                expected->start[tag] -= 1;
            }
            if (b >= going_on) {
                score += (double)c->end[tag];
                expected->end[tag] -= 1;
            }
            logZ[b] -= score;
        }
    }
}

static void FN(crf_scaled)(index_t n, double scale, const double *restrict x, REAL *restrict out) {
    SIMD for (index_t k = 0; k < n; k++) out[k] = (REAL)(scale * x[k]);
}

/* losses (B) = log Z - score(tags), and `scale` times the gradient of their sum. Returns what crf_unknown does, and then
 * writes nothing. */
static int64_t FN(crf_gradient)(index_t T, index_t K, index_t B, const int64_t *counts, const REAL *scores,
                                const REAL *start, const REAL *transitions, const REAL *end,
                                const int64_t *previous, const int64_t *tags, double scale, double *losses,
                                REAL *dscores, REAL *dstart, REAL *dtransitions, REAL *dend, double *scratch) {
    const FN(chain) c = {T, K, B, counts, scores, start, transitions, end, previous};
    const crf_counts expected = {scratch, scratch + K, scratch + K + K * K};
    const index_t N = FN(crf_rows)(&c), size = K * K + 2 * K;
    const int64_t unknown = FN(crf_unknown)(N, K, tags);
    if (unknown >= 0) return unknown;
    memset(scratch, 0, sizeof(double) * size);
    FN(crf_expect)(&c, losses, dscores, &expected, NULL, crf_aligned(scratch + size));
    FN(crf_take_path)(&c, tags, losses, dscores, &expected);
    SIMD for (index_t i = 0; i < N * K; i++) dscores[i] *= (REAL)scale;
    FN(crf_scaled)(K, scale, expected.start, dstart);
    FN(crf_scaled)(K * K, scale, expected.transitions, dtransitions);
    FN(crf_scaled)(K, scale, expected.end, dend);
    return -1;
}
