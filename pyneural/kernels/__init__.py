"""Kernels: arrays in, arrays out. No classes, no allocation of results; the compiled ones let go of the GIL.

`reference` is the specification of each; the compiled twins have the same names and signatures. With
`PYNEURAL_KERNELS=reference` in the environment everything runs on NumPy. `PYNEURAL_ISA` (avx512, avx2 or
baseline) narrows the instruction set that the compiled kernels would choose; `PYNEURAL_BLAS` names the library that
does matrix products for them (blas.py).
"""

import os
from typing import TYPE_CHECKING

from pyneural.kernels.sizes import best_paths_room as best_paths_room
from pyneural.kernels.sizes import cell_scratch as cell_scratch
from pyneural.kernels.sizes import convolution_scratch as convolution_scratch
from pyneural.kernels.sizes import crf_scratch as crf_scratch

kind = os.environ.get("PYNEURAL_KERNELS", "compiled")
if TYPE_CHECKING or kind == "reference":
    from pyneural.kernels.reference import *  # noqa: F403
    from pyneural.kernels.reference import __all__

    bf16: str | None = "numpy"  # the twins round to bfloat16 themselves
elif kind == "compiled":
    # ruff: noqa: F401
    try:
        from pyneural.kernels.convolution import convolution_backward, convolution_forward
        from pyneural.kernels.crf import crf_best_paths, crf_gradient, crf_links, crf_marginals, crf_viterbi
        from pyneural.kernels.dispatch import bf16, isa
        from pyneural.kernels.elementwise import (
            activation_backward,
            activation_forward,
            dropout_mask,
            exponential,
            softmax,
            softmax_gradient,
        )
        from pyneural.kernels.embedding import distinct, gather, scatter_add, zero_rows
        from pyneural.kernels.linear import affine, affine_backward, column_sums, matmul
        from pyneural.kernels.optimisers import adam_step, add_rows, momentum_step, sgd_step, sum_of_squares
        from pyneural.kernels.packing import packing_order, row_numbers
        from pyneural.kernels.recurrent import (
            gru_backward,
            gru_forward,
            lstm_backward,
            lstm_forward,
            rnn_backward,
            rnn_forward,
        )
        from pyneural.kernels.text import parse_rows
    except ModuleNotFoundError as error:
        raise ImportError(
            f"pyneural's compiled kernels are missing ({error}): build them with `pip install -e .`, or set "
            "PYNEURAL_KERNELS=reference to run everything, slowly, on NumPy"
        ) from error
    from pyneural.kernels.reference import __all__
else:
    raise ImportError(f"PYNEURAL_KERNELS: expected 'compiled' or 'reference', got {kind!r}")
