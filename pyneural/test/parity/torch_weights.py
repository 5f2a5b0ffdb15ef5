"""A pyneural network's weights in PyTorch's modules, and PyTorch's gradients back in pyneural's layout.

How the two hold the same cell (H hidden, D inputs, G gates):

    pyneural                         PyTorch                        relation
    recurrent W (D, G·H)             weight_ih (G·H, D)             transposed
    recurrent U (H, G·H)             weight_hh (G·H, H)             transposed
    recurrent b (G·H)                bias_ih + bias_hh              b is bias_ih, and bias_hh is zero
    Gru c (H)                        the n part of bias_hh          the same: it stands inside r ⊙ (h U_n + c)
    Bidirectional rightward          suffix l0                      stacked layers: l1, l2, …
    Bidirectional leftward           suffix l0_reverse
    Dense W (D, H), b                weight (H, D), bias            transposed; the same
    ConvolutionMax W (width·D, F), b weight (F, D, width), bias     axes the other way round; the same
    Embedding table (V, D)           weight                         the same
    Crf start, transitions, end      start_transitions, transitions, end_transitions (pytorch-crf)   the same

Gates lie in the same order in memory: GRU r z n, LSTM i f g o. The GRU's update h' = (1 - z) n + z h is the
same as PyTorch's, so nothing changes sign or side. As bias_hh enters as bias_ih does, its gradient is that of
bias_ih (but for the GRU's n): an optimiser that trains both moves their sum twice as far as it moves b.

Nothing here imports torch: a tensor on the CPU shares its memory with the array that `numpy()` returns.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyneural.components import ConvolutionMax, Dense, Embedding, Gru, Recurrent
from pyneural.layers import Bidirectional, LastStep, Sequential
from pyneural.losses import Crf
from pyneural.neural_layer import Layer, Parameter

Array = NDArray[np.floating]


class Tie(NamedTuple):
    """A pyneural parameter and the tensor (or its rows from `first` on) that stands for it in PyTorch."""

    name: str
    parameter: Parameter
    tensor: Any
    transposed: bool = False
    first: int = 0

    def _ours(self, array: Array) -> Array:
        part = array[self.first :]
        return part.T if self.transposed else part

    def give_value(self) -> None:
        """The parameter's value into the tensor."""
        ours = self._ours(self.tensor.detach().numpy())
        ours[...] = self.parameter.value.reshape(ours.shape)

    @property
    def value(self) -> Array:
        """The tensor's value in the parameter's layout."""
        return self._ours(self.tensor.detach().numpy()).reshape(self.parameter.shape)

    @property
    def gradient(self) -> Array:
        """The tensor's gradient in the parameter's layout."""
        gradient = self.tensor.grad
        if gradient is None:  # what the loss does not depend on
            return np.zeros(self.parameter.shape, dtype=self.parameter.value.dtype)
        ours = self._ours((gradient.to_dense() if gradient.is_sparse else gradient).numpy())
        return ours.reshape(self.parameter.shape)


def _tie_cell(cell: Recurrent, module: Any, suffix: str) -> list[Tie]:
    ties = [
        Tie(f"W {suffix}", cell.W, getattr(module, f"weight_ih_{suffix}"), transposed=True),
        Tie(f"U {suffix}", cell.U, getattr(module, f"weight_hh_{suffix}"), transposed=True),
        Tie(f"b {suffix}", cell.b, getattr(module, f"bias_ih_{suffix}")),
    ]
    recurrent_bias = getattr(module, f"bias_hh_{suffix}")
    recurrent_bias.detach().zero_()
    if isinstance(cell, Gru):
        if cell.c is None:
            raise ValueError("cell: PyTorch's GRU resets after the product, this one before")
        ties.append(Tie(f"c {suffix}", cell.c, recurrent_bias, first=2 * cell.dim_hidden))
    return ties


def tie(layer: Layer, module: Any, number: int = 0) -> list[Tie]:
    """Ties the parameters of an allocated layer to those of its PyTorch twin, and gives it their values.

    layer: a component, a bidirectional pair, a stack of recurrent layers (`Sequential`), or a `Crf`
    module: nn.Linear, nn.Conv1d, nn.Embedding, nn.RNN, nn.GRU, nn.LSTM or torchcrf.CRF: same sizes and dtype,
        on the CPU
    number: which layer of a stacked recurrent module
    """
    match layer:
        case Sequential():
            return [one for i, inner in enumerate(layer.layers) for one in tie(inner, module, i)]
        case LastStep():
            return tie(layer.layer, module, number)
        case Bidirectional():
            ties = _tie_cell(layer.rightward, module, f"l{number}")
            ties += _tie_cell(layer.leftward, module, f"l{number}_reverse")
        case Recurrent():
            ties = _tie_cell(layer, module, f"l{number}")
        case Dense() | ConvolutionMax():
            ties = [Tie("W", layer.W, module.weight, transposed=True), Tie("b", layer.b, module.bias)]
        case Embedding():
            ties = [Tie("table", layer.table, module.weight)]
        case Crf():
            ties = [
                Tie("start", layer.start, module.start_transitions),
                Tie("transitions", layer.transitions, module.transitions),
                Tie("end", layer.end, module.end_transitions),
            ]
        case _:
            raise TypeError(f"layer: no PyTorch twin is known of {type(layer).__name__}")
    give_values(ties)
    return ties


def give_values(ties: Iterable[Tie]) -> None:
    """The weights of the network into the tensors, once more: after they were trained or set anew."""
    for one in ties:
        one.give_value()
