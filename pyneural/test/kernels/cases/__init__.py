"""Arguments for every kernel: CASES[name](dtype) yields (label, arguments by name), the same at every call.

An array that a kernel must overwrite comes filled with NaN, so that an element left out shows. Each module here
holds a family of kernels: a function of the kernel's name, and what the kernel writes in the module's WRITES.
"""

from __future__ import annotations

from collections.abc import Callable

from pyneural.test.kernels.cases import (
    convolution,
    crf,
    elementwise,
    embedding,
    linear,
    optimisers,
    packing,
    recurrent,
    text,
)
from pyneural.test.kernels.cases.draw import Arguments, Cases

__all__ = ["CASES", "SCRATCH", "WRITES", "Arguments"]

_FAMILIES = (linear, elementwise, embedding, convolution, recurrent, crf, optimisers, packing, text)

# What each kernel writes; all other arrays are read only. Scratch is written too, with nothing anybody reads.
WRITES: dict[str, tuple[str, ...]] = {name: each for family in _FAMILIES for name, each in family.WRITES.items()}
SCRATCH = ("scratch", "links", "pointers")

CASES: dict[str, Callable[[type], Cases]] = {name: vars(family)[name] for family in _FAMILIES for name in family.WRITES}
