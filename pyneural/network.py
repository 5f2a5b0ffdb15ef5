"""A whole network: a body of layers, a loss on top, and the two buffers that hold its values and its gradient."""

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pyneural.batches import Distinct
from pyneural.components.dropout import RandomLayer
from pyneural.components.recurrent import Recurrent
from pyneural.neural_layer import Layer, Loss, Parameter, Region
from pyneural.packing import Batch, Gathered, Packed, Ragged, Steps, pack, steps_of, unpack
from pyneural.profiling import Machine, Profile, profile
from pyneural.summary import as_html, as_text

Array = NDArray[np.floating]
PRECISIONS = ("full", "bf16")
RECENT = ("grads", "input_gradient")  # of the last batch: no part of a network that is copied


class Slot(NamedTuple):
    """Where a parameter lies in the buffers."""

    name: str
    parameter: Parameter
    start: int
    stop: int


def _key(*numbers: int) -> int:
    """64 bits mixed from the numbers (splitmix64): masks are indexed from the key on, so none may be neighbours."""
    key, whole = 0, 0xFFFFFFFFFFFFFFFF
    for number in numbers:
        key = (key + number + 0x9E3779B97F4A7C15) & whole
        key = (key ^ key >> 30) * 0xBF58476D1CE4E5B9 & whole
        key = (key ^ key >> 27) * 0x94D049BB133111EB & whole
        key ^= key >> 31
    return key


def check_precision(precision: str) -> None:
    if precision not in PRECISIONS:
        raise ValueError(f"precision: expected 'full' or 'bf16', got {precision!r}")


class Network(Layer):
    """A body and a loss, trained as one.

    values: (P,) every parameter, trained ones first in the order of declaration, frozen ones after them
    grads: the gradient of the trained ones, in the same order; always the true gradient of the last loss

    Layers hold views into both, bound by `allocate`; nothing is ever copied out of them or put in their place.

    A network's layers keep what they computed last, so one network is for one thread at a time: other threads, also
    those that only predict, use a `replica()`, which shares the values.
    """

    values: Array
    grads: Array
    input_gradient: Any
    """where `loss_and_gradient` was asked for it, the gradient of the inputs of the last batch, in packed order (None
    for whole numbers)"""

    def __init__(self, body: Layer, loss: Loss) -> None:
        for name, part, kind in (("body", body, Layer), ("loss", loss, Loss)):
            if not isinstance(part, kind):
                raise TypeError(f"{name}: expected a {kind.__name__}, got {type(part).__name__}")
        given, expected = getattr(body, "dim_out", None), getattr(loss, "dim_in", None)
        if given is not None and expected is not None and given != expected:
            raise ValueError(f"loss: {type(loss).__name__} expects {expected} inputs, the body gives {given}")
        self.body, self.loss = body, loss
        seen: dict[int, str] = {}
        for name, layer in self.descendants():
            if id(layer) in seen:
                raise ValueError(f"{name}: is the same object as {seen[id(layer)]}; a layer has one place in a network")
            seen[id(layer)] = name

    # ---- buffers

    def allocate(
        self,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
        precision: str = "full",
        values: Array | None = None,
        grads: Array | None = None,
    ) -> Self:
        """Binds every layer to the two buffers, and initialises the values.

        precision: "full", or "bf16": matrix products of operands rounded to bfloat16, summed in float32, where the
            processor has instructions for them (`kernels.bf16` names them, `pyneural info` tells), and in float32
            elsewhere. Values, gradients and everything but products stay float32.
        values: the caller's own buffer (shared memory, a memory map), taken as it is and not initialised
        grads: the caller's own buffer
        """
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise TypeError(f"dtype: expected float32 or float64, got {self.dtype}")
        check_precision(precision)
        if precision == "bf16" and self.dtype != np.float32:
            raise ValueError(f"precision: bf16 goes with dtype float32, got {self.dtype}")
        self.precision = precision
        total = sum(parameter.size for _, parameter in self.parameters())
        trained = sum(parameter.size for _, parameter in self.parameters() if parameter.trainable)
        self.seed = seed
        initialise = values is None
        self._bind(
            np.zeros(total, self.dtype) if values is None else self._own("values", values, total),
            np.zeros(trained, self.dtype) if grads is None else self._own("grads", grads, trained),
        )
        if initialise:
            rng = np.random.default_rng(seed)
            for _, parameter in self.parameters():
                parameter.init(parameter.value, rng)
        return self

    def _own(self, name: str, buffer: Array, size: int) -> Array:
        if buffer.dtype != self.dtype or buffer.shape != (size,) or not buffer.flags.c_contiguous:
            raise ValueError(
                f"{name}: expected a contiguous {self.dtype} array of shape ({size},), "
                f"got {buffer.dtype} {buffer.shape}"
            )
        if name == "grads":
            buffer[...] = 0
        return buffer

    def _bind(self, values: Array, grads: Array) -> None:
        self.values, self.grads = values, grads
        self._slots: list[Slot] = []
        self._random: list[RandomLayer] = []
        start = 0
        for trainable in (True, False):
            for name, parameter in self.parameters():
                if parameter.trainable is not trainable:
                    continue
                stop = start + parameter.size
                grad = grads[start:stop].reshape(parameter.shape) if trainable else None
                parameter.bind(values[start:stop].reshape(parameter.shape), grad)
                self._slots.append(Slot(name, parameter, start, stop))
                start = stop
        for _, layer in self.descendants():
            layer.bind(self.dtype, self.precision == "bf16")
            if isinstance(layer, RandomLayer):
                self._random.append(layer)
        self.draws = 0

    @property
    def slots(self) -> list[Slot]:
        """Every parameter with its place in the buffers, in memory order."""
        self._check_allocated()
        return self._slots

    def _check_allocated(self) -> None:
        if "_slots" not in self.__dict__:
            raise RuntimeError("the network has no buffers yet: call allocate()")

    def regions(self) -> Iterator[Region]:
        """The stretches of the buffers that the last gradient touched: dense ones whole, sparse ones by their rows."""
        start = 0
        for slot in self.slots:
            if not slot.parameter.sparse or not slot.parameter.trainable:
                continue
            if slot.start > start:
                yield Region(start, slot.start, slot.start - start, None)
            yield Region(slot.start, slot.stop, slot.parameter.shape[1], slot.parameter.rows)
            start = slot.stop
        if len(self.grads) > start:
            yield Region(start, len(self.grads), len(self.grads) - start, None)

    def replica(self) -> Self:
        """A network that shares this one's values, and has gradients and caches of its own."""
        self._check_allocated()
        state = self.__getstate__()
        values = state.pop("values")
        twin = object.__new__(type(self))
        twin.__dict__ |= copy.deepcopy(state)
        twin._bind(values, np.zeros_like(self.grads))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """Of a copy, which has the same values in a buffer of its own (so that a process can be handed a network)."""
        return {name: member for name, member in super().__getstate__().items() if name not in RECENT}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        if "values" in state:
            trained = sum(parameter.size for _, parameter in self.parameters() if parameter.trainable)
            self._bind(self.values, np.zeros(trained, self.dtype))
            self.draws = state["draws"]

    def __str__(self) -> str:
        """A table of the layers: what they give, their parameters and bytes, and the work of a row."""
        return as_text(self)

    def _repr_html_(self) -> str:
        """The same in notebooks."""
        return as_html(self, type(self).__name__)

    def config(self) -> dict[str, Any]:
        return {"class": "Network", "body": self.body.config(), "loss": self.loss.config()}

    # ---- training

    def loss_and_gradient(self, batch: Batch, input_gradient: bool = False) -> float:
        """The loss of a batch; `grads` becomes its gradient.

        input_gradient: the attribute of that name becomes the gradient of the inputs (a product more)
        """
        self._check_allocated()
        for layer in self.body.entrances():
            layer._wants_dx = input_gradient
        for number, layer in enumerate(self._random):
            layer.draw(_key(self.seed, self.draws, number))
        self.draws += 1
        y = self.body.propagate(self.pack(batch.inputs), training=True)
        loss, dy = self.loss.loss_and_gradient(*self._with_target(y, batch))
        dx = self.body.backward(dy)
        self.input_gradient = dx if input_gradient else None
        return loss

    def loss_of(self, batch: Batch) -> float:
        """The loss of a batch without dropout and without a gradient: for held-out data."""
        self._check_allocated()
        y = self.body.propagate(self.pack(batch.inputs), training=False)
        return float(self.loss.predict_loss(*self._with_target(y, batch)))

    def _with_target(self, y: Packed, batch: Batch) -> tuple[Any, ...]:
        targets = batch.targets
        if isinstance(targets, Packed):
            targets = self._typed(targets.rows)
        elif isinstance(targets, tuple):
            targets = type(targets)(*(self._typed(part.rows) for part in targets))
        return (y.rows, targets, y.steps) if self.loss.over_time else (y.rows, targets)

    def weight(self, batch: Batch) -> float:
        """What the mean loss of the batch is over: see `Loss.weight`."""
        targets = self._with_target(Packed(None, steps_of(batch.inputs)), batch)[1]
        return self.loss.weight(targets, steps_of(batch.inputs))

    def profile(self, batch: Batch, *, repeats: int = 30, machine: Machine | None = None) -> Profile:
        """Where a training step on the batch goes: each layer's time, work and share of what the machine can do, to be
        printed or drawn (`plot`). A replica is timed, on one thread; this network stays as it is.

        repeats: the step is run so often, after two that are not counted; of each time the least is taken
        machine: limits measured before (`Profile.machine`); by default they are measured, before and after the steps
        """
        return profile(self.replica(), batch, repeats, machine)

    # ---- inference

    def predict(self, inputs: Any, **options: Any) -> Any:  # type: ignore[override]
        """The loss layer's prediction for inputs as the user has them, in the user's order.

        inputs: a list of arrays (sequences), an array (N, …) of rows, or a named tuple of such
        options: given to the loss layer's `predict`; for a Crf, `previous`: the label before each sequence, or -1

        Recurrent layers with `carry` go on from the call before; `reset_state()` starts afresh.
        """
        return self._answer("predict", inputs, options)

    def probabilities(self, inputs: Any, **options: Any) -> Any:
        """The probability of every label: of each row, or of each step of a sequence."""
        return self._answer("probabilities", inputs, options)

    def scores(self, inputs: Any) -> Any:
        """What the body gives to the loss."""
        return self._answer("", inputs, {})

    def _answer(self, method: str, inputs: Any, options: dict[str, Any]) -> Any:
        self._check_allocated()
        packed = self.pack(inputs)
        steps = steps_of(packed)
        y = self.body.propagate(packed, training=False)
        options = {name: np.asarray(value)[steps.order] for name, value in options.items() if value is not None}
        args = (y.rows, y.steps) if self.loss.over_time else (y.rows,)
        answer = getattr(self.loss, method)(*args, **options) if method else y.rows.copy()
        if y.steps is not steps:  # one row a sequence is left
            rows = np.empty_like(answer)
            rows[steps.order] = answer
            return rows
        return answer if self._is_rows(inputs) else unpack(answer, steps)

    @staticmethod
    def _is_rows(inputs: Any) -> bool:
        """Whether the inputs are plain rows, no sequences."""
        if isinstance(inputs, Packed | Gathered):
            return False
        if isinstance(inputs, tuple):
            return Network._is_rows(inputs[0])
        return isinstance(inputs, np.ndarray) and inputs.dtype != object

    def pack(self, inputs: Any) -> Any:
        """Inputs as the user has them, as the layers take them: packed, and in the network's number type."""
        if isinstance(inputs, Gathered):
            return Gathered(self.pack(inputs.source), inputs.ids, inputs.steps)
        if isinstance(inputs, Packed):
            return Packed(self._typed(inputs.rows), inputs.steps)
        if isinstance(inputs, tuple):
            return self._pack_together(inputs)
        if isinstance(inputs, Ragged | Distinct):
            return self.pack(inputs.take(np.arange(len(inputs)), Steps(inputs.lengths)))
        packed = pack(inputs)
        return Packed(self._typed(packed.rows), packed.steps)

    def _pack_together(self, inputs: Any) -> Any:
        """The parts of a named tuple, in the packed order of the first: sequences as long as its own, or an array of
        one row for each of its sequences."""
        if not hasattr(inputs, "_fields"):
            raise TypeError("inputs: expected a named tuple of inputs, got a tuple without names")
        parts = [self.pack(inputs[0])]
        steps = steps_of(parts[0])
        for name, part in zip(inputs._fields[1:], inputs[1:], strict=True):
            if self._is_rows(part) and not self._is_rows(inputs[0]):
                if len(part) != steps.sequences:
                    raise ValueError(f"{name}: expected {steps.sequences} rows, one a sequence, got {len(part)}")
                parts.append(Packed(self._typed(part[steps.order]), steps.per_sequence()))
                continue
            packed = self.pack(part)
            if isinstance(packed, Packed | Gathered) and packed.steps is not steps:
                lengths, expected = packed.steps.lengths_as_given, steps.lengths_as_given
                if np.array_equal(lengths, expected):
                    packed = packed._replace(steps=steps)
                elif not isinstance(part, Packed):
                    raise ValueError(
                        f"{name}: expected sequences of lengths {expected}, as {inputs._fields[0]}; got {lengths}"
                    )
            parts.append(packed)
        return type(inputs)(*parts)

    def _typed(self, rows: NDArray[Any]) -> NDArray[Any]:
        if rows.dtype.kind == "f":
            return np.ascontiguousarray(rows, dtype=self.dtype)
        if rows.dtype.kind in "iub":
            return np.ascontiguousarray(rows, dtype=np.int64)
        raise TypeError(f"inputs: expected numbers, got an array of {rows.dtype}")

    def forward(self, inputs: Any) -> Packed:
        return self.body.propagate(inputs, training=True)

    def backward(self, dy: Array) -> Any:
        return self.body.backward(dy)

    def reset_state(self, training: bool | None = None) -> None:
        """Recurrent layers forget what they carry over: in training, in inference, or by default both."""
        for _, layer in self.descendants():
            if isinstance(layer, Recurrent):
                layer.reset_state(training)
