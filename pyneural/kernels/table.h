/* One record of kernels for one number type: included by dispatch.h once with REAL = float, once with
 * double, and once with void, the last being the same record for callers (Cython) who know the type
 * only at run time. Shapes are in the comments; arrays are row-major. `rows` or an array marked `?` may
 * be NULL. bf16: products of operands rounded to bfloat16, where the processor has them. counts[t] is the number of
 * sequences alive at step t, T the number of steps. */

typedef struct {
    /* linear.h */
    void (*matmul)(int transpose_a, int transpose_b, index_t M, index_t N, index_t K, const REAL *a, index_t lda,
                   const REAL *b, index_t ldb, int accumulate, int bf16, REAL *c, index_t ldc);
    void (*affine)(index_t N, index_t D, index_t H, const REAL *x, const REAL *W, const REAL *b /*?*/, int bf16,
                   REAL *y);
    void (*affine_backward)(index_t N, index_t D, index_t H, const REAL *x, const REAL *g, index_t ldg,
                            const REAL *W /*?*/, int bf16, REAL *dW, index_t lddw, REAL *db /*?*/, int accumulate,
                            REAL *dx /*?*/);
    void (*column_sums)(index_t N, index_t D, const REAL *x, index_t ldx, REAL *out);
    /* elementwise.h */
    void (*activation_forward)(index_t n, int kind, double ceiling, const REAL *x, REAL *y);
    void (*activation_backward)(index_t n, int kind, double ceiling, const REAL *y, const REAL *dy, REAL *dx);
    void (*dropout_mask)(index_t N, index_t D, const int64_t *places, uint64_t key, double rate, REAL *mask);
    void (*exponential)(index_t n, const REAL *x, REAL *y);
    /* softmax.h */
    void (*softmax)(index_t N, index_t K, const REAL *scores, REAL *out);
    int64_t (*softmax_gradient)(index_t N, index_t K, const REAL *scores, const int64_t *targets,
                                const REAL *weights /*? K*/, double smoothing, double scale, double *losses,
                                REAL *dscores);
    /* embedding.h */
    int64_t (*gather)(index_t N, index_t V, index_t D, const REAL *table, const int64_t *ids, REAL *out);
    int64_t (*scatter_add)(index_t N, index_t V, index_t D, const REAL *dy, const int64_t *ids, REAL *grad);
    void (*zero_rows)(index_t R, index_t D, const int64_t *rows, REAL *grad);
    /* convolution.h: winners (B, F) is the step of each maximum, and g (B, F) its gradient. scratch: what
     * convolution_scratch in sizes.py says; links: room for T + F */
    void (*convolution_forward)(index_t T, index_t B, index_t D, index_t F, index_t width, const int64_t *counts,
                                int bf16, const REAL *x, const REAL *W, const REAL *b, REAL *y, int64_t *winners /*?*/,
                                REAL *scratch);
    int64_t (*convolution_backward)(index_t T, index_t B, index_t D, index_t F, index_t width, const int64_t *counts,
                                    const REAL *x, const REAL *g, const int64_t *winners, const REAL *W, REAL *dW,
                                    REAL *db, REAL *dx /*?*/, REAL *scratch, int64_t *links);
    /* recurrent.h, gru.h, lstm.h: state h (B, H) and its gradient dh (B, H) run in place through the steps. The rows
     * of y and dy are ldy and lddy numbers apart. scratch: what cell_scratch in sizes.py says */
    void (*rnn_forward)(index_t T, index_t H, const int64_t *counts, int reverse, int bf16, int kind, const REAL *a,
                        const REAL *U, REAL *h, REAL *y, index_t ldy, REAL *h_prev /*?*/, REAL *scratch);
    void (*rnn_backward)(index_t T, index_t H, const int64_t *counts, int reverse, int bf16, int kind, index_t bptt,
                         const REAL *dy /*?*/, index_t lddy, const REAL *y, index_t ldy, const REAL *U, REAL *dh,
                         REAL *da, REAL *scratch);
    void (*gru_forward)(index_t T, index_t H, const int64_t *counts, int reverse, int bf16, int reset_after,
                        REAL *gates, const REAL *U, const REAL *c /*?*/, REAL *h, REAL *y, index_t ldy,
                        REAL *h_prev /*?*/, REAL *m, REAL *scratch);
    void (*gru_backward)(index_t T, index_t H, const int64_t *counts, int reverse, int bf16, int reset_after,
                         index_t bptt, const REAL *dy /*?*/, index_t lddy, const REAL *gates, const REAL *m,
                         const REAL *h_prev, const REAL *U, REAL *dh, REAL *da, REAL *dm, REAL *scratch);
    void (*lstm_forward)(index_t T, index_t H, const int64_t *counts, int reverse, int bf16, REAL *gates, const REAL *U,
                         REAL *h, REAL *c, REAL *y, index_t ldy, REAL *h_prev /*?*/, REAL *c_prev /*?*/, REAL *tanh_c,
                         REAL *scratch);
    void (*lstm_backward)(index_t T, index_t H, const int64_t *counts, int reverse, int bf16, index_t bptt,
                          const REAL *dy /*?*/, index_t lddy, const REAL *gates, const REAL *c_prev, const REAL *tanh_c,
                          const REAL *U, REAL *dh, REAL *dc, REAL *da, REAL *scratch);
    /* crf.h, viterbi.h, best_paths.h. scratch and pointers: what crf_scratch and best_paths_room in sizes.py say */
    void (*crf_marginals)(index_t T, index_t K, index_t B, const int64_t *counts, const REAL *scores, const REAL *start,
                          const REAL *transitions, const REAL *end, const int64_t *previous /*? B*/, double *logZ,
                          REAL *marginals, double *scratch);
    int64_t (*crf_gradient)(index_t T, index_t K, index_t B, const int64_t *counts, const REAL *scores,
                            const REAL *start, const REAL *transitions, const REAL *end,
                            const int64_t *previous /*? B*/, const int64_t *tags, double scale, double *losses,
                            REAL *dscores, REAL *dstart, REAL *dtransitions, REAL *dend, double *scratch);
    void (*crf_viterbi)(index_t T, index_t K, index_t B, const int64_t *counts, const REAL *scores, const REAL *start,
                        const REAL *transitions, const REAL *end, const int64_t *previous /*? B*/, int64_t *tags,
                        double *path_scores, double *scratch);
    int64_t (*crf_links)(index_t T, index_t K, index_t B, const int64_t *counts, const REAL *scores, const REAL *start,
                         const REAL *transitions, const REAL *end, const int64_t *previous /*? B*/,
                         const int64_t *tags, double *logZ, REAL *marginals, double *links, double *scratch);
    void (*crf_best_paths)(index_t T, index_t K, index_t B, const int64_t *counts, const REAL *scores,
                           const REAL *start, const REAL *transitions, const REAL *end, const int64_t *previous /*? B*/,
                           index_t n, int64_t *tags, double *path_scores, int64_t *pointers, double *scratch);
    /* optimisers.h: R rows of D numbers; `rows` NULL means rows 0..R-1. Each returns the sum of the
     * squares of the update, for reports. */
    void (*add_rows)(index_t R, index_t D, const int64_t *rows /*?*/, double scale, REAL *total, double weight,
                     const REAL *part);
    double (*sum_of_squares)(index_t R, index_t D, const int64_t *rows /*?*/, const REAL *x);
    double (*sgd_step)(index_t R, index_t D, const int64_t *rows /*?*/, REAL *values, const REAL *grads,
                       const gradient_terms *terms, double rate);
    double (*momentum_step)(index_t R, index_t D, const int64_t *rows /*?*/, REAL *values, const REAL *grads,
                            REAL *velocity, const gradient_terms *terms, double rate, double momentum, int nesterov);
    double (*adam_step)(index_t R, index_t D, const int64_t *rows /*?*/, REAL *values, const REAL *grads, REAL *mean,
                        REAL *variance, const gradient_terms *terms, double rate, double beta1, double beta2,
                        double epsilon, double correction1, double correction2);
} TABLE;
