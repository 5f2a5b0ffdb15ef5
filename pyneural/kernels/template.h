/* Every kernel for one REAL, then the record of them. Read in this order. */
#include "vectors.h"
#include "vector_math.h"
#include "product.h"
#include "narrow.h"
#include "packed.h"
#include "linear.h"
#include "elementwise.h"
#include "softmax.h"
#include "embedding.h"
#include "convolution.h"
#include "recurrent.h"
#include "gru.h"
#include "lstm.h"
#include "crf.h"
#include "viterbi.h"
#include "best_paths.h"
#include "optimisers.h"

#if DOUBLE
static const kernels_f64
#else
static const kernels_f32
#endif
    FN(table) = {
        .matmul = FN(matmul),
        .affine = FN(affine),
        .affine_backward = FN(affine_backward),
        .column_sums = FN(column_sums),
        .activation_forward = FN(activation_forward),
        .activation_backward = FN(activation_backward),
        .dropout_mask = FN(dropout_mask),
        .exponential = FN(exponential),
        .softmax = FN(softmax),
        .softmax_gradient = FN(softmax_gradient),
        .gather = FN(gather),
        .scatter_add = FN(scatter_add),
        .zero_rows = FN(zero_rows),
        .convolution_forward = FN(convolution_forward),
        .convolution_backward = FN(convolution_backward),
        .rnn_forward = FN(rnn_forward),
        .rnn_backward = FN(rnn_backward),
        .gru_forward = FN(gru_forward),
        .gru_backward = FN(gru_backward),
        .lstm_forward = FN(lstm_forward),
        .lstm_backward = FN(lstm_backward),
        .crf_marginals = FN(crf_marginals),
        .crf_gradient = FN(crf_gradient),
        .crf_viterbi = FN(crf_viterbi),
        .crf_links = FN(crf_links),
        .crf_best_paths = FN(crf_best_paths),
        .add_rows = FN(add_rows),
        .sum_of_squares = FN(sum_of_squares),
        .sgd_step = FN(sgd_step),
        .momentum_step = FN(momentum_step),
        .adam_step = FN(adam_step),
};
