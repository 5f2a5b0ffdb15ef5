"""The framework: parameters, layers, losses, and the two buffers that hold a whole network.

A layer is a class with `forward` and `backward`. Its parameters and inner layers are plain attributes; the order in
which they are declared is their order in memory. Once a network is allocated, each `Parameter` has `.value` and
`.grad`, views of the network's two contiguous buffers. Nothing else is asked of a layer: it slices no buffer and counts
no parameter.

    class Scale(Layer):
        '''y = x * s, for x of shape (N, D).'''

        def __init__(self, dim):
            self.s = Parameter(dim, init=Constant(1.0))

        def forward(self, x):
            self._x = x
            return x * self.s.value

        def backward(self, dy):
            np.sum(dy * self._x, axis=0, out=self.s.grad)
            return dy * self.s.value

Attributes that begin with an underscore are caches: they are no part of the layer's configuration, nor of its replicas.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from math import prod
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pyneural.initializers import Initializer
from pyneural.packing import Packed, Steps

Array = NDArray[np.floating]
Integers = NDArray[np.int64]


class Parameter:
    """An array that is trained (or frozen), initialised by `init`.

    sparse: the gradient touches only some rows of a matrix: the layer says which, in `rows`, after each backward pass,
        and zeroes the rows touched before. The cost of a step then does not grow with the matrix.
    """

    def __init__(self, *shape: int, init: Initializer, trainable: bool = True, sparse: bool = False) -> None:
        if not shape or any(n < 1 for n in shape):
            raise ValueError(f"shape: expected dimensions of at least 1, got {shape}")
        if sparse and len(shape) != 2:
            raise ValueError(f"shape: a sparse parameter is a matrix, got {shape}")
        self.shape = shape
        self.init = init
        self.trainable = trainable
        self.sparse = sparse
        self.rows: Integers | None = np.zeros(0, dtype=np.int64) if sparse else None
        self._value: Array | None = None
        self._grad: Array | None = None

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def value(self) -> Array:
        """View of the network's `values`."""
        if self._value is None:
            raise RuntimeError("the parameter has no value yet: call allocate() on the network it belongs to")
        return self._value

    @property
    def grad(self) -> Array:
        """View of the network's `grads`; where the parameter is frozen, an array of its own that nothing reads."""
        if self._grad is None:
            value = self.value
            if self.sparse:
                raise RuntimeError("a frozen sparse parameter has no gradient")
            self._grad = np.zeros(self.shape, dtype=value.dtype)
        return self._grad

    @grad.setter
    def grad(self, value: Array) -> None:
        if value is not self._grad:  # `grad *= 2` assigns what it has already changed in place
            raise AttributeError("grad is a view of the network's buffer: write into it, as in grad[...] = value")

    def bind(self, value: Array, grad: Array | None) -> None:
        """Called by the framework, once."""
        self._value, self._grad = value, grad
        if self.sparse:
            self.rows = np.zeros(0, dtype=np.int64)

    def __getstate__(self) -> dict[str, Any]:
        """Of a copy, which is not bound to the buffers."""
        rows = np.zeros(0, dtype=np.int64) if self.sparse else None
        return vars(self) | {"rows": rows, "_value": None, "_grad": None}


class Region(NamedTuple):
    """A stretch of the buffers, seen as a matrix of rows of `width` numbers; `rows` None means all of them."""

    start: int
    stop: int
    width: int
    rows: Integers | None


class Cost(NamedTuple):
    """What a pass through a layer takes by its equations, however it is computed.

    flops: multiplications and additions, so 2 for each term of a matrix product; beside products, what is done element
        by element is of lower order and left out
    bytes: memory traffic at the least: each input, output and parameter once, and what forward keeps for backward
    functions: exponentials, logarithms, hyperbolic tangents, logistic functions
    """

    flops: int = 0
    bytes: int = 0
    functions: int = 0


class Layer(ABC):
    """Rows (N, D) in, rows out. A layer that must know how they lie in time sets `over_time` and gets the steps too."""

    over_time: ClassVar[bool] = False
    dtype: np.dtype[Any]
    _bf16: bool = False
    """products are asked for in bfloat16"""
    _wants_dx: bool = True
    """whether `backward` is asked for the gradient of x; may be false for a layer that gets the network's inputs"""

    @abstractmethod
    def forward(self, *args: Any) -> Any:
        """y for x (and steps, where `over_time`); keeps what `backward` needs."""

    @abstractmethod
    def backward(self, dy: Any) -> Any:
        """Overwrites the gradients of the parameters and returns that of x (None where x is not numbers)."""

    def predict(self, *args: Any) -> Any:
        """`forward`, for inference: may keep nothing, and drops nothing out."""
        return self.forward(*args)

    def propagate(self, batch: Packed, training: bool) -> Packed:
        """One batch through the layer. What combines layers overrides this one instead of `forward`."""
        run = self.forward if training else self.predict
        y = run(batch.rows, batch.steps) if self.over_time else run(batch.rows)
        return Packed(y, batch.steps)

    def cost(self, *args: Any) -> tuple[Cost, ...]:
        """What forward and what backward take (a loss gives one: both are done at once), for the arguments of `forward`
        (of `loss_and_gradient`). Only profiles ask; () where the layer does not say."""
        return ()

    def entrances(self) -> Iterator["Layer"]:
        """The layers that get this one's input: itself, or the first of those it is made of."""
        yield self

    # ---- what the framework does for every layer

    def children(self) -> Iterator[tuple[str, "Layer | Parameter"]]:
        """Inner layers and parameters, in the order in which they were declared."""
        for name, member in vars(self).items():
            if name.startswith("_"):
                continue
            if isinstance(member, Layer | Parameter):
                yield name, member
            elif isinstance(member, list | tuple):
                yield from ((f"{name}.{i}", item) for i, item in enumerate(member) if isinstance(item, Layer))
            elif isinstance(member, dict):
                yield from ((f"{name}.{key}", item) for key, item in member.items() if isinstance(item, Layer))

    def parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every parameter below this layer, with its dotted name, in memory order."""
        for name, member in self.children():
            if isinstance(member, Parameter):
                yield name, member
            else:
                yield from ((f"{name}.{inner}", parameter) for inner, parameter in member.parameters())

    def descendants(self) -> Iterator[tuple[str, "Layer"]]:
        """This layer and every layer below it, with their dotted names ('' for this one)."""
        yield "", self
        for name, member in self.children():
            if isinstance(member, Layer):
                yield from ((f"{name}.{inner}".rstrip("."), layer) for inner, layer in member.descendants())

    def freeze(self) -> Self:
        """Its parameters are not trained. To be called before the network is allocated."""
        for name, parameter in self.parameters():
            if parameter._value is not None:
                raise RuntimeError(f"freeze: {name} is already allocated; freeze before allocate()")
            parameter.trainable = False
        return self

    def config(self) -> dict[str, Any]:
        """What the layer is: its class, its plain attributes (of an array, also one of a named tuple, its shape and a
        digest), its inner layers, and the order of its gates where it has some."""
        described: dict[str, Any] = {"class": type(self).__name__}
        if gates := getattr(self, "gates", ""):
            described["gates"] = gates
        for name, member in vars(self).items():
            if name.startswith("_"):
                continue
            if isinstance(member, str | int | float | bool | None):
                described[name] = member
            elif isinstance(member, np.ndarray):
                described[name] = _described(member)
            elif isinstance(member, tuple) and hasattr(member, "_asdict"):
                described[name] = {field: _described(array) for field, array in member._asdict().items()}
        for name, member in self.children():
            if isinstance(member, Layer):
                described[name] = member.config()
        return described

    def __repr__(self) -> str:
        parts = [f"{name}={value!r}" for name, value in self.config().items() if isinstance(value, str | int | float)]
        inner = [f"{name}: {layer!r}" for name, layer in self.children() if isinstance(layer, Layer)]
        text = f"{type(self).__name__}({', '.join(part for part in parts if not part.startswith('class='))})"
        return "\n    ".join([text, *("\n".join(inner).split("\n") if inner else [])])

    def work(self, name: str, *shape: int, dtype: DTypeLike | None = None) -> NDArray[Any]:
        """An array of this layer's own, its content undefined; it grows to the largest batch and is reused."""
        view = self._views.get(name)
        if view is not None and view.shape == shape:
            return view
        size = prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size:
            buffer = self._buffers[name] = np.empty(size, dtype=dtype or self.dtype)
        view = self._views[name] = buffer[:size].reshape(shape)
        return view

    def __getstate__(self) -> dict[str, Any]:
        """Of a copy: what the layer is, without its caches."""
        return {name: member for name, member in vars(self).items() if not name.startswith("_")}

    def bind(self, dtype: np.dtype[Any], bf16: bool = False) -> None:
        """Called by the framework when the network's buffers are: starts with empty workspaces."""
        self.dtype, self._bf16 = dtype, bf16
        self._buffers: dict[str, NDArray[Any]] = {}
        self._views: dict[str, NDArray[Any]] = {}
        self.prepare()

    def prepare(self) -> None:  # noqa: B027 - most layers have nothing to prepare
        """Sets up what must exist before the first batch; called when the network is allocated or replicated."""


def _described(array: NDArray[Any]) -> dict[str, Any]:
    import hashlib  # here, as few layers need it

    digest = hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()[:16]
    return {"shape": list(array.shape), "digest": digest}


class Loss(Layer):
    """The scalar top of a network. Where `over_time`, the steps come as the third argument."""

    reduction: str = "mean"

    @abstractmethod
    def loss_and_gradient(self, *args: Any) -> tuple[float, Any]:
        """(loss, dx) for x and target (and steps): overwrites the gradients of the loss's own parameters, if any."""

    @abstractmethod
    def weight(self, target: Any, steps: Steps) -> float:
        """What the mean is over: rows, sequences or the sum of their weights. Shares of a batch are combined by it."""

    def predict(self, x: Any, *steps: Any) -> Any:
        """What the scores x say: by default themselves."""
        return x.copy()

    def predict_loss(self, *args: Any) -> float:
        """The loss alone. The gradients of the loss's own parameters may be overwritten."""
        return self.loss_and_gradient(*args)[0]

    def forward(self, *args: Any) -> Any:
        """The loss alone."""
        return self.predict_loss(*args)

    def backward(self, dy: Any) -> Any:
        raise TypeError("a loss has no gradient above it: call loss_and_gradient")

    def scale(self, weight: float) -> float:
        """What the sum of the losses is multiplied by."""
        return 1.0 if self.reduction == "sum" or weight == 0 else 1.0 / weight

    @staticmethod
    def check_reduction(reduction: str) -> str:
        if reduction not in ("mean", "sum"):
            raise ValueError(f"reduction: expected 'mean' or 'sum', got {reduction!r}")
        return reduction
