"""NumPy: the specification of every kernel, with the same names and signatures as the compiled twins.

Written to be read next to the equations, not to be fast. Outputs are arrays that the caller supplies. Packed rows:
`counts[t]` sequences are alive at step t, longest sequence first, so the rows of step t are
`offset[t] : offset[t] + counts[t]` and belong to sequences 0 .. counts[t] - 1.
"""

from pyneural.kernels.reference.convolution import convolution_backward, convolution_forward
from pyneural.kernels.reference.crf import crf_best_paths, crf_gradient, crf_links, crf_marginals, crf_viterbi
from pyneural.kernels.reference.elementwise import (
    activation_backward,
    activation_forward,
    dropout_mask,
    exponential,
    softmax,
    softmax_gradient,
)
from pyneural.kernels.reference.embedding import distinct, gather, scatter_add, zero_rows
from pyneural.kernels.reference.linear import affine, affine_backward, column_sums, matmul
from pyneural.kernels.reference.optimisers import adam_step, add_rows, momentum_step, sgd_step, sum_of_squares
from pyneural.kernels.reference.packing import packing_order, row_numbers
from pyneural.kernels.reference.recurrent import (
    gru_backward,
    gru_forward,
    lstm_backward,
    lstm_forward,
    rnn_backward,
    rnn_forward,
)
from pyneural.kernels.reference.text import parse_rows

__all__ = [
    "activation_backward",
    "activation_forward",
    "adam_step",
    "add_rows",
    "affine",
    "affine_backward",
    "column_sums",
    "convolution_backward",
    "convolution_forward",
    "crf_best_paths",
    "crf_gradient",
    "crf_links",
    "crf_marginals",
    "crf_viterbi",
    "distinct",
    "dropout_mask",
    "exponential",
    "gather",
    "gru_backward",
    "gru_forward",
    "lstm_backward",
    "lstm_forward",
    "matmul",
    "momentum_step",
    "packing_order",
    "parse_rows",
    "rnn_backward",
    "rnn_forward",
    "row_numbers",
    "scatter_add",
    "sgd_step",
    "softmax",
    "softmax_gradient",
    "sum_of_squares",
    "zero_rows",
]
