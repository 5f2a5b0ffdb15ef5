"""What the three recurrent cells share.

A cell maps the state before a step and the step's input to the state after it. All that does not depend on the state
is taken out of the loop; one call of a kernel does all of forward, another all of backward:

    forward    a = x W + b                     one product over all rows, before the loop
               the loop: h U and the gates
    backward   the loop: da from dy and dh
               dW = xᵀ da   db = Σ da          one product each over all rows, after the loop
               dU = h₋₁ᵀ da   dx = da Wᵀ

where h₋₁ (N, H), the state that each row started from, was kept by the forward loop. Rows are packed, so uneven
sequences cost nothing: step t works on the first counts[t] rows of the state.

With `reverse` the same rows are walked from the last step down, each sequence joining at its own end.
"""

from abc import abstractmethod
from typing import ClassVar, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyneural import kernels
from pyneural.initializers import Glorot, Initializer, Orthogonal, Zeros
from pyneural.neural_layer import Cost, Layer, Parameter
from pyneural.packing import Steps

Array = NDArray[np.floating]
Integers = NDArray[np.int64]


class Options(TypedDict, total=False):
    """What every recurrent layer takes by name: see `Recurrent`."""

    reverse: bool
    carry: bool
    bptt_steps: int
    init: Initializer | None
    init_recurrent: Initializer | None
    init_bias: Initializer | None


class Recurrent(Layer):
    """y_t = state after step t, for x of shape (N, dim_in) in packed rows, y of shape (N, dim_hidden).

    reverse: walk each sequence from its end to its start
    carry: start each sequence from the state in which the one at the same place of the batch before ended (truncated
        back-propagation through time); a state is reset where `steps.ends` says that the document ended
    bptt_steps: cut the gradient (not the state) every so many steps within a sequence; 0 for never
    init, init_recurrent, init_bias: initialisers of W, U and b

    The state of a sequence is `states` · dim_hidden numbers (LSTM: h, then c). States are arrays (B, states · H) in
    the user's order of sequences.
    """

    over_time = True
    gates: str = ""
    """the column blocks of W, U and b in memory"""
    blocks: ClassVar[int] = 1
    """how many column blocks W, U and b have"""
    states: ClassVar[int] = 1
    kept: ClassVar[int] = 1
    """numbers that forward keeps for backward, beside y, for each unit and row"""

    def __init__(
        self,
        dim_in: int,
        dim_hidden: int,
        *,
        reverse: bool = False,
        carry: bool = False,
        bptt_steps: int = 0,
        init: Initializer | None = None,
        init_recurrent: Initializer | None = None,
        init_bias: Initializer | None = None,
    ) -> None:
        if bptt_steps < 0:
            raise ValueError(f"bptt_steps: expected at least 0, got {bptt_steps}")
        self.dim_in, self.dim_hidden, self.dim_out = dim_in, dim_hidden, dim_hidden
        self.reverse, self.carry, self.bptt_steps = reverse, carry, bptt_steps
        blocks = self.blocks
        self.W = Parameter(dim_in, blocks * dim_hidden, init=init or Glorot(blocks))
        self.U = Parameter(dim_hidden, blocks * dim_hidden, init=init_recurrent or Orthogonal(blocks))
        self.b = Parameter(blocks * dim_hidden, init=init_bias or Zeros())

    @property
    def functions(self) -> int:
        """Exponentials and the like (see `Cost`) for each unit and row."""
        return self.blocks

    def prepare(self) -> None:
        self._carried: dict[bool, Array] = {}
        self._kept = False  # whether the last pass was a forward, and no backward has used it up
        self._initial: Array | None = None

    # ---- the cell's own part

    @abstractmethod
    def run(self, x: Array, state: Array, y: Array, h_prev: Array | None) -> None:
        """All that forward does: `state` (states, B, H) enters as the initial, leaves as the final states."""

    @abstractmethod
    def run_back(self, dy: Array | None, dstate: Array, dx: Array | None, accumulate: bool) -> None:
        """All that backward does: the gradients of the parameters and of x, added to what dx holds where `accumulate`;
        `dstate` enters as the gradient of the final, leaves as that of the initial states."""

    def scratch(self) -> Array:
        """Room in which the loops pack U, and take its products with the states."""
        return self.work("scratch", kernels.cell_scratch(self.blocks, self.dim_hidden, self._steps.sequences))

    # ---- states

    def set_state(self, state: ArrayLike | None) -> None:
        """The initial state (B, states · H) of the sequences of the batches to come; None for zeros."""
        self._initial = None if state is None else np.asarray(state, dtype=self.dtype)

    def reset_state(self, training: bool | None = None) -> None:
        """Forgets what was carried over, as at the start of a stream: in training, in inference, or by default both."""
        for kind in (True, False) if training is None else (training,):
            self._carried.pop(kind, None)

    @property
    def final_state(self) -> Array:
        """The states (B, states · H) after the last batch, in the user's order."""
        return self._in_users_order(self._state)

    @property
    def initial_gradient(self) -> Array:
        """The gradient (B, states · H) of the initial states of the last batch, in the user's order."""
        return self._in_users_order(self._dstate)

    @property
    def hidden(self) -> Array:
        """(B, H) the hidden part of the final states, in packed order."""
        return np.asarray(self._state[0])

    def _in_users_order(self, packed: Array) -> Array:
        states, B, H = packed.shape
        result = np.empty((B, states * H), dtype=packed.dtype)
        result[self._steps.order] = packed.transpose(1, 0, 2).reshape(B, states * H)
        return result

    def _into(self, packed: Array, given: Array | None, steps: Steps, name: str) -> None:
        if given is None:
            packed[...] = 0
            return
        states, B, H = packed.shape
        if given.shape != (B, states * H):
            raise ValueError(f"{name}: expected shape {(B, states * H)}, one row a sequence; got {given.shape}")
        packed[...] = given[steps.order].reshape(B, states, H).transpose(1, 0, 2)

    # ---- the layer

    # out: where y shall be written, perhaps columns of a wider matrix; by default an array of the layer's own

    def forward(self, x: Array, steps: Steps, out: Array | None = None) -> Array:
        self._h_prev = self.work("h_prev", len(x), self.dim_hidden)
        return self._through(x, steps, self._h_prev, out, training=True)

    def predict(self, x: Array, steps: Steps, out: Array | None = None) -> Array:
        return self._through(x, steps, None, out, training=False)

    def _through(self, x: Array, steps: Steps, h_prev: Array | None, out: Array | None, training: bool) -> Array:
        N, B, H = len(x), steps.sequences, self.dim_hidden
        self._x, self._steps = x, steps
        self._a, self._kept = self.work("a", N, self.blocks * H), training
        y = self._y = self.work("y", N, H) if out is None else out
        state = self._state = self.work("state", self.states, B, H)
        carried = self._carried.get(training) if self.carry else None
        self._into(state, carried if carried is not None else self._initial, steps, "initial state")
        self.run(x, state, y, h_prev)
        if self.carry:
            kept = self.final_state
            if steps.ends is not None:
                kept[steps.ends] = 0
            self._carried[training] = kept
        return y

    def backward(self, dy: Array | None, d_hidden: Array | None = None, add_to: Array | None = None) -> Array | None:
        """dx. What forward kept is used up: gradients take its place.

        d_hidden (B, H), in packed order, is the gradient of the final hidden states where they are used; either
        gradient may be None for zeros. add_to: what dx is added to, and returned in
        """
        if not self._kept:
            raise RuntimeError("backward: expected a forward before each; what the last one kept has become gradients")
        dstate = self._dstate = self.work("dstate", self.states, self._steps.sequences, self.dim_hidden)
        dstate[...] = 0
        if d_hidden is not None:
            dstate[0] = d_hidden
        dx = add_to
        if dx is None and self._wants_dx:
            dx = self.work("dx", len(self._x), self.dim_in)
        self.run_back(dy, dstate, dx, add_to is not None)
        self._kept = False
        return dx

    def cost(self, x: Array, steps: Steps) -> tuple[Cost, ...]:
        """Forward x W and h U; backward, for each of the two, the product of its weights' gradient and that of its
        input's. The states of the sequences are left out: they are as many as rows of one step."""
        N, D, H = len(x), self.dim_in, self.dim_hidden
        products, size = 2 * N * (D + H) * self.blocks * H, self.dtype.itemsize
        parameters = sum(parameter.size for _, parameter in self.parameters())
        forward = N * (D + H + self.kept * H) + parameters
        backward = N * (2 * D + H + self.kept * H) + 2 * parameters  # reads x, dy and what was kept; writes dx
        return Cost(products, size * forward, self.functions * N * H), Cost(2 * products, size * backward)
