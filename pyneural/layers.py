"""Layers made of layers. Wiring replaces subclasses: a network is these around the components.

What combines layers works on whole batches (`Packed` rows with their steps, or a named tuple of such) and so overrides
`propagate`, where a component has `forward`.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyneural import kernels
from pyneural.components.recurrent import Recurrent
from pyneural.neural_layer import Layer
from pyneural.packing import Gathered, Packed, steps_of

Array = NDArray[np.floating]


def _check_layers(name: str, layers: tuple[Any, ...]) -> None:
    for layer in layers:
        if not isinstance(layer, Layer):
            raise TypeError(f"{name}: expected layers, got {type(layer).__name__}")


class Combining(Layer):
    """A layer that passes whole batches to the layers it is made of."""

    over_time = True

    def forward(self, *args: Any) -> Any:
        """y for rows and steps, for those who call the layer by itself."""
        return self.propagate(Packed(*args), training=True).rows

    def predict(self, *args: Any) -> Any:
        return self.propagate(Packed(*args), training=False).rows


class Sequential(Combining):
    """Each layer's output is the next one's input."""

    def __init__(self, *layers: Layer) -> None:
        if not layers:
            raise ValueError("layers: expected at least one")
        _check_layers("layers", layers)
        for below, above in pairwise(layers):
            given, expected = getattr(below, "dim_out", None), getattr(above, "dim_in", None)
            if given is not None and expected is not None and given != expected:
                raise ValueError(
                    f"{type(above).__name__}: expects {expected} inputs, {type(below).__name__} below gives {given}"
                )
        self.layers = list(layers)

    @property
    def dim_in(self) -> int | None:
        return getattr(self.layers[0], "dim_in", None)

    @property
    def dim_out(self) -> int | None:
        return getattr(self.layers[-1], "dim_out", None)

    def entrances(self) -> Iterator[Layer]:
        yield from self.layers[0].entrances()

    def propagate(self, batch: Any, training: bool) -> Packed:
        for place, layer in enumerate(self.layers):
            try:
                batch = layer.propagate(batch, training)
            except (TypeError, ValueError) as error:
                error.add_note(f"in layer {place} of a Sequential: {type(layer).__name__}")
                raise
            if batch.rows.dtype.kind == "f" and batch.rows.dtype != layer.dtype:
                raise TypeError(
                    f"{type(layer).__name__} (layer {place} of a Sequential) gave {batch.rows.dtype} in a network of "
                    f"{layer.dtype}: a layer keeps the type of x"
                )
        return batch  # type: ignore[no-any-return]

    def backward(self, dy: Any) -> Any:
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy


class Bidirectional(Combining):
    """[forward(x), backward(x)] side by side: one cell walks each sequence from its start, the other from its end.

    y (N, H_forward + H_backward); the cells may differ in kind and size.
    """

    def __init__(self, forward: Recurrent, backward: Recurrent) -> None:
        for name, cell in (("forward", forward), ("backward", backward)):
            if not isinstance(cell, Recurrent):
                raise TypeError(f"{name}: expected a recurrent layer, got {type(cell).__name__}")
            if cell.carry:
                raise ValueError(f"{name}: a bidirectional layer can't carry state over: the future has not come yet")
        if forward.dim_in != backward.dim_in:
            raise ValueError(f"backward: expected {forward.dim_in} inputs, as forward; got {backward.dim_in}")
        if forward is backward:
            raise ValueError("backward: expected a cell of its own, got the forward one")
        backward.reverse = not forward.reverse
        self.rightward, self.leftward = forward, backward

    @property
    def dim_in(self) -> int:
        return self.rightward.dim_in

    @property
    def dim_out(self) -> int:
        return self.rightward.dim_hidden + self.leftward.dim_hidden

    def entrances(self) -> Iterator[Layer]:
        yield from (self.rightward, self.leftward)

    def propagate(self, batch: Packed, training: bool) -> Packed:
        H = self.rightward.dim_hidden
        y = self.work("y", len(batch.rows), self.dim_out)
        for cell, columns in ((self.rightward, y[:, :H]), (self.leftward, y[:, H:])):
            run = cell.forward if training else cell.predict
            run(batch.rows, batch.steps, out=columns)
        return Packed(y, batch.steps)

    @property
    def hidden(self) -> Array:
        """(B, dim_out) the last hidden state of each direction, in packed order."""
        return np.concatenate([self.rightward.hidden, self.leftward.hidden], axis=1)

    def backward(self, dy: Array | None, d_hidden: Array | None = None) -> Array | None:
        H = self.rightward.dim_hidden
        dx: Array | None = None
        # what the leftward cell kept was written last, and is nearest
        for cell, columns in ((self.leftward, slice(H, None)), (self.rightward, slice(0, H))):
            part = None if dy is None else dy[:, columns]
            last = None if d_hidden is None else d_hidden[:, columns]
            dx = cell.backward(part, last, dx)
        return dx


class LastStep(Combining):
    """The last hidden state of each sequence, one row a sequence: for classifying sequences, or encoding words.

    Over a bidirectional layer, each direction's own last: the one that walks leftward has read the whole sequence when
    it comes to its start. An empty sequence gives zeros.

    y (B, H), in packed order
    """

    def __init__(self, layer: Recurrent | Bidirectional) -> None:
        if not isinstance(layer, Recurrent | Bidirectional):
            raise TypeError(f"layer: expected a recurrent or bidirectional layer, got {type(layer).__name__}")
        self.layer = layer

    @property
    def dim_in(self) -> int:
        return self.layer.dim_in

    @property
    def dim_out(self) -> int:
        return self.layer.dim_out

    def entrances(self) -> Iterator[Layer]:
        yield from self.layer.entrances()

    def propagate(self, batch: Packed, training: bool) -> Packed:
        self.layer.propagate(batch, training)
        return Packed(self.layer.hidden, batch.steps.per_sequence())

    def backward(self, dy: Array) -> Array | None:
        return self.layer.backward(None, dy)


class Concatenate(Combining):
    """The outputs of several branches side by side: y (N, sum of their widths).

    Branches given by position all get the same input; branches given by name each get the input of that name, from a
    named tuple.
    """

    def __init__(self, *branches: Layer, **named: Layer) -> None:
        if bool(branches) == bool(named):
            raise ValueError("branches: expected some by position, or some by name")
        _check_layers("branches", (*branches, *named.values()))
        self.branches: dict[str, Layer] = named or {str(i): branch for i, branch in enumerate(branches)}
        self.shared = not named

    @property
    def dim_out(self) -> int | None:
        dims = [getattr(branch, "dim_out", None) for branch in self.branches.values()]
        return None if None in dims else sum(dims)  # type: ignore[arg-type]

    def entrances(self) -> Iterator[Layer]:
        for branch in self.branches.values():
            yield from branch.entrances()

    def propagate(self, batch: Any, training: bool) -> Packed:
        if not self.shared and set(getattr(batch, "_fields", ())) != set(self.branches):
            raise ValueError(
                f"inputs: expected a named tuple of {', '.join(self.branches)}; "
                f"got {', '.join(getattr(batch, '_fields', [type(batch).__name__]))}"
            )
        parts = [
            branch.propagate(batch if self.shared else getattr(batch, name), training)
            for name, branch in self.branches.items()
        ]
        heights = {name: len(part.rows) for name, part in zip(self.branches, parts, strict=True)}
        if len(set(heights.values())) > 1:
            raise ValueError(f"branches: expected as many rows from each, got {heights}")
        self._columns = np.cumsum([0] + [part.rows.shape[1] for part in parts])
        y = self.work("y", len(parts[0].rows), int(self._columns[-1]))
        for part, first, last in zip(parts, self._columns, self._columns[1:], strict=False):
            y[:, first:last] = part.rows
        self._fields = getattr(batch, "_fields", ())
        self._tuple = type(batch)
        return Packed(y, parts[0].steps)

    def backward(self, dy: Array) -> Any:
        """dx where the branches share their input, else a named tuple of each input's gradient."""
        gradients = {}
        for (name, branch), first, last in zip(self.branches.items(), self._columns, self._columns[1:], strict=False):
            part = self.work(f"dy {name}", len(dy), int(last - first))
            part[...] = dy[:, first:last]
            gradients[name] = branch.backward(part)
        if not self.shared:
            return self._tuple(*(gradients[name] for name in self._fields))
        given = [dx for dx in gradients.values() if dx is not None]
        if not given:
            return None
        total = self.work("dx", *given[0].shape)
        np.copyto(total, given[0])
        for dx in given[1:]:
            total += dx
        return total


class Gather(Combining):
    """What `layer` makes of the sequences of another batch, brought to this one's rows: y_n = layer(source)[ids_n].

    A character encoder so runs once for each distinct word. Input: `Gathered`; `layer` gives one row a sequence.
    Backward is scatter-add: the gradient of a row is the sum over the places it was brought to.
    """

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    @property
    def dim_out(self) -> int | None:
        return getattr(self.layer, "dim_out", None)

    def entrances(self) -> Iterator[Layer]:
        yield from self.layer.entrances()

    def propagate(self, batch: Any, training: bool) -> Packed:
        if not isinstance(batch, Gathered):
            raise TypeError(f"inputs: expected Gathered(source, ids, steps), got {type(batch).__name__}")
        rows = self.layer.propagate(batch.source, training).rows
        source = steps_of(batch.source)
        if len(batch.ids) and int(batch.ids.min()) < 0:
            raise ValueError(f"ids: expected numbers from 0 to {source.sequences - 1}, got {batch.ids.min()}")
        if len(rows) != source.sequences:
            raise ValueError(f"layer: expected one row for each of {source.sequences} sequences, got {len(rows)}")
        self._ids, self._sources = source.packed_of[batch.ids], len(rows)
        y = self.work("y", len(batch.ids), rows.shape[1])
        kernels.gather(rows, self._ids, y)
        return Packed(y, batch.steps)

    def backward(self, dy: Array) -> Any:
        d_rows = self.work("d_rows", self._sources, dy.shape[1])
        d_rows[...] = 0
        kernels.scatter_add(self._ids, dy, d_rows)
        return self.layer.backward(d_rows)
