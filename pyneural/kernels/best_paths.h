/* The n best paths (recursive enumeration: Jimenez and Marzal 1999). Of all paths that end in label j at step t, which is
 * the node (t, j), the m-th best goes on from one of the best that end in some i a step before:
 *   delta_t[j][m] = s_t[j] + the m-th largest of delta_{t-1}[i][place] + A[i,j] over labels i and places
 * A node has one candidate for each i, and its next path is looked for only when one is asked for that goes on from
 * it. Then no candidate is new but that of the i of its last path, for which that node is asked in turn: for each path T
 * nodes and K comparisons at each, where to keep n paths at every node takes K times as many. The first of each node is
 * Viterbi's. Past the last step stands one node more, of all paths, whose A[i,j] are the end scores. Of equal scores the
 * lowest i comes first, and of the paths of an i the better one. */

#ifndef PYNEURAL_BEST_PATHS
#define PYNEURAL_BEST_PATHS
/* A sequence of T steps, and those of its nodes that have been asked for, in the order in which they were: at most
 * n at a step. Node (t, j) has the address t K + j, and the last one, of step T, T K + K. */
typedef struct {
    index_t K, n, nodes;
    const double *scores, *deltas, *into; /* s by address, 0 for the last; (T, K) of the best; (K + 1, K) A transposed */
    int64_t *number;   /* of a node, by address; -1 if not asked for */
    int64_t *label;    /* (T + 1) on the way from node to node */
    int64_t *found;    /* of each node: its paths */
    int64_t *last;     /* the i that its last path came from, or -1 if there are no more */
    int64_t *place;    /* (., K) of the candidates */
    int64_t *back;     /* (., n) of each path, i n + its place there */
    double *candidate; /* (., K) delta[i][place] + A[i,j], or -inf */
    double *delta;     /* (., n) */
} best_nodes;

/* The best candidate becomes the next path of a node whose score is s. */
static void best_take(best_nodes *q, int64_t node, double s) {
    double *candidate = q->candidate + node * q->K, top = -INFINITY;
    int64_t best = -1;
    for (index_t i = 0; i < q->K; i++) {
        best = candidate[i] > top ? i : best;
        top = candidate[i] > top ? candidate[i] : top;
    }
    q->last[node] = best;
    if (best < 0) return;
    const index_t m = node * q->n + q->found[node]++;
    candidate[best] = -INFINITY;
    q->back[m] = best * q->n + q->place[node * q->K + best];
    q->delta[m] = top + s;
}

/* The number of node (t, j), which has its first path. */
static int64_t best_node(best_nodes *q, index_t t, index_t j) {
    const index_t K = q->K;
    int64_t *number = q->number + t * K + j;
    if (*number >= 0) return *number;
    const int64_t node = *number = q->nodes++;
    q->found[node] = t == 0, q->last[node] = -1;
    if (!t) return node;
    for (index_t i = 0; i < K; i++) {
        q->candidate[node * K + i] = q->deltas[(t - 1) * K + i] + q->into[j * K + i];
        q->place[node * K + i] = 0;
    }
    best_take(q, node, q->scores[t * K + j]);
    return node;
}

/* One path more for the last node, if there is one. */
static void best_extend(best_nodes *q, index_t T) {
    const index_t K = q->K;
    index_t t = T, j = K;
    for (;; t--) { /* down the last path, to where the next candidate is known, or known not to be */
        q->label[t] = j;
        const int64_t node = best_node(q, t, j), i = q->last[node];
        if (i < 0 || q->found[best_node(q, t - 1, i)] > q->place[node * K + i] + 1) break;
        j = i;
    }
    for (; t <= T; t++) { /* and up again */
        j = q->label[t];
        const int64_t node = q->number[t * K + j], i = q->last[node];
        if (i < 0) continue;
        const int64_t before = q->number[(t - 1) * K + i], m = ++q->place[node * K + i];
        if (q->found[before] > m) q->candidate[node * K + i] = q->delta[before * q->n + m] + q->into[j * K + i];
        best_take(q, node, q->scores[t * K + j]);
    }
}
#endif

/* tags (n, N): the paths, best first, -1 where there are fewer, whose scores (n, B) then are -inf. pointers and scratch:
 * best_paths_room in sizes.py. */
static void FN(crf_best_paths)(index_t T, index_t K, index_t B, const int64_t *counts, const REAL *scores,
                               const REAL *start, const REAL *transitions, const REAL *end, const int64_t *previous,
                               index_t n, int64_t *tags, double *path_scores, int64_t *pointers, double *scratch) {
    const FN(chain) c = {T, K, B, counts, scores, start, transitions, end, previous};
    const index_t P = crf_padded(K), N = FN(crf_rows)(&c), nodes = T * (n < K ? n : K) + 1;
    double *const s = crf_aligned(scratch), *const of_lanes = s + P * ABREAST, *const A = of_lanes + T * P * ABREAST;
    double *const end_scores = A + K * P, *const own = end_scores + K, *const deltas = own + (T + 1) * K + 1;
    double *const into = deltas + T * K, *const candidate = into + (K + 1) * K;
    int64_t *const label = pointers + (T + 1) * K + 1, *const found = label + T + 1, *const last = found + nodes;
    int64_t *const place = last + nodes, *const back = place + nodes * K;
    best_nodes q = {K,     n,    0,     own,  deltas,    into, pointers, label,
                    found, last, place, back, candidate, candidate + nodes * K};
    FN(viterbi_moves)(&c, A, end_scores);
    for (index_t j = 0; j < K; j++)
        for (index_t i = 0; i < K; i++) into[j * K + i] = A[i * P + j];
    memcpy(into + K * K, end_scores, sizeof(double) * K);
    index_t from = 0, lanes = 0;
    for (index_t b = 0; b < B; b++) {
        const index_t length = FN(crf_length)(&c, b);
        if (b == from + lanes) from = b, lanes = FN(viterbi_forward)(&c, b, length, A, of_lanes, s);
        index_t end_row = b, m = 0;
        for (index_t t = 0; t < length; end_row += counts[t++])
            for (index_t k = 0; k < K; k++) {
                own[t * K + k] = (double)scores[end_row * K + k];
                deltas[t * K + k] = of_lanes[(t * P + k) * lanes + b - from];
            }
        own[length * K + K] = 0;
        memset(pointers, -1, sizeof(int64_t) * ((length + 1) * K + 1));
        q.nodes = 0;
        for (; length && m < n; m++) {
            int64_t node = best_node(&q, length, K), at = m;
            if (m) best_extend(&q, length);
            if (q.found[node] == m) break;
            path_scores[m * B + b] = q.delta[node * n + m];
            for (index_t t = length, row = end_row; t; t--) {
                at = q.back[node * n + at];
                row -= counts[t - 1];
                tags[m * N + row] = at / n;
                node = best_node(&q, t - 1, at / n);
                at %= n;
            }
        }
        if (!length) path_scores[b] = 0, m = 1; /* the empty path */
        for (; m < n; m++) {
            path_scores[m * B + b] = -INFINITY;
            for (index_t t = 0, row = b; t < length; row += counts[t++]) tags[m * N + row] = -1;
        }
    }
}
