"""What this installation is, and what it runs on: `pyneural info` prints it."""

import os
from typing import Any

import numpy as np

from pyneural import kernels

__version__ = "0.1.0"


def info() -> dict[str, Any]:
    """Versions, processor, kernels, BLAS and threads, ready for JSON.

    pyneural, python, numpy: versions
    platform: operating system and machine
    processor: its `name` and, of what kernels could use, the `features` that it and the operating system have; None
        where the kernels are NumPy's, which choose for themselves
    kernels: their `kind` ("compiled" or "reference"), and of the compiled ones the `isa` chosen, and what does products
        in bfloat16 (`bf16`, None for nothing)
    blas: `name` as PYNEURAL_BLAS has it, `version` as the library tells it, `path`, and `threads` (None where only
        the library knows); None where the kernels are NumPy's, which has a BLAS of its own
    cores: how many this process may run on
    """
    import platform  # here, as it is not needed to train

    facts: dict[str, Any] = {
        "pyneural": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": None,
        "kernels": {"kind": "reference", "isa": None, "bf16": None},
        "blas": None,
        "cores": _cores(),
    }
    if kernels.kind == "compiled":
        from pyneural.kernels import blas
        from pyneural.kernels.dispatch import bf16, isa, processor

        name, features = processor()
        library = blas.library
        facts["processor"] = {"name": name or platform.processor(), "features": features}
        facts["kernels"] = {"kind": "compiled", "isa": isa, "bf16": bf16}
        facts["blas"] = {
            "name": library.name,
            "version": library.version,
            "path": library.path,
            "threads": library.threads,
        }
    return facts


def _cores() -> int:
    """How many this process may run on; not every system lets a process ask that, only how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
