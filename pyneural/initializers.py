"""Initial values of parameters. An initialiser is called with the parameter's view and a random generator, and fills
the view in place, so that what it draws does not depend on the number type.

`blocks` says how many matrices stand side by side in one parameter, as the gates of a cell do: each is initialised as
a matrix of its own.
"""

from __future__ import annotations  # np.random costs as much to import as all of ours: not for an annotation

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]


class Initializer(ABC):
    """Fills `value` in place."""

    @abstractmethod
    def __call__(self, value: Array, rng: np.random.Generator) -> None: ...


@dataclass(frozen=True)
class Constant(Initializer):
    """Every value is `constant`."""

    constant: float

    def __call__(self, value: Array, rng: np.random.Generator) -> None:
        value[...] = self.constant


def Zeros() -> Constant:
    """Every value is 0: biases."""
    return Constant(0.0)


@dataclass(frozen=True)
class Normal(Initializer):
    """Independent normal draws with mean 0 and standard deviation `scale`."""

    scale: float = 0.1

    def __call__(self, value: Array, rng: np.random.Generator) -> None:
        value[...] = rng.standard_normal(value.shape) * self.scale


@dataclass(frozen=True)
class Uniform(Initializer):
    """Independent uniform draws from [-bound, bound]."""

    bound: float

    def __call__(self, value: Array, rng: np.random.Generator) -> None:
        value[...] = rng.uniform(-self.bound, self.bound, value.shape)


@dataclass(frozen=True)
class _Blocks(Initializer):
    """Column blocks of a matrix, each filled by `block`."""

    blocks: int = 1

    def __call__(self, value: Array, rng: np.random.Generator) -> None:
        if value.ndim != 2 or value.shape[1] % self.blocks:
            raise ValueError(f"{type(self).__name__}: expected a matrix of {self.blocks} blocks, got {value.shape}")
        for block in np.split(value, self.blocks, axis=1):
            block[...] = self.block(block.shape[0], block.shape[1], rng)

    @abstractmethod
    def block(self, rows: int, columns: int, rng: np.random.Generator) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class Glorot(_Blocks):
    """Uniform on ±sqrt(6 / (rows + columns)) in each block (Glorot and Bengio 2010)."""

    def block(self, rows: int, columns: int, rng: np.random.Generator) -> NDArray[np.float64]:
        bound = np.sqrt(6 / (rows + columns))
        return rng.uniform(-bound, bound, (rows, columns))


@dataclass(frozen=True)
class Orthogonal(_Blocks):
    """Each block has orthonormal rows or columns, uniformly distributed over such matrices (Saxe et al. 2014)."""

    def block(self, rows: int, columns: int, rng: np.random.Generator) -> NDArray[np.float64]:
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q *= np.sign(np.diagonal(r))  # makes the distribution uniform (Mezzadri 2007)
        return q if rows >= columns else q.T


@dataclass(frozen=True)
class Identity(_Blocks):
    """Each block is `scale` times the identity: recurrent weights of relu cells (Le, Jaitly and Hinton 2015)."""

    scale: float = 1.0

    def block(self, rows: int, columns: int, rng: np.random.Generator) -> NDArray[np.float64]:
        return self.scale * np.eye(rows, columns)


@dataclass(frozen=True)
class Gates(Initializer):
    """A bias whose blocks each have one constant, as the LSTM's forget gate starts at 1."""

    constants: tuple[float, ...]

    def __call__(self, value: Array, rng: np.random.Generator) -> None:
        value.reshape(len(self.constants), -1)[...] = np.array(self.constants)[:, None]


class Given(Initializer):
    """The values given, as pretrained word vectors; copied once, at allocation."""

    def __init__(self, values: ArrayLike) -> None:
        self.values: NDArray[Any] = np.asarray(values)
        if not np.issubdtype(self.values.dtype, np.number):
            raise TypeError(f"values: expected numbers, got {self.values.dtype}")

    def __call__(self, value: Array, rng: np.random.Generator) -> None:
        if self.values.shape != value.shape:
            raise ValueError(f"values: expected shape {value.shape}, got {self.values.shape}")
        value[...] = self.values
