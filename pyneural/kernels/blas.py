"""How many threads the BLAS behind the kernels uses: one, unless told otherwise.

Threads within the products of a small network win little (`python -m benchmarks.blas_threads` measures it), and where
several trainings run side by side they get in each other's way. So SciPy's OpenBLAS is set to one thread when the
kernels are imported, unless the environment names a number (OPENBLAS_NUM_THREADS or OMP_NUM_THREADS). NumPy has a BLAS
of its own, which is left as it is.
"""

import os
from typing import Any

import scipy.linalg  # noqa: F401 - loads the library that is looked for
from threadpoolctl import ThreadpoolController


def controllers() -> list[Any]:
    """threadpoolctl's handles of the BLAS libraries of this process."""
    return list(ThreadpoolController().select(user_api="blas").lib_controllers)


def libraries() -> list[dict[str, Any]]:
    """The BLAS libraries of this process: API, version, threads, file."""
    return [library.info() for library in controllers()]


def set_threads(count: int) -> None:
    """Sets the threads of the BLAS behind the kernels."""
    if count < 1:
        raise ValueError(f"count: expected at least 1, got {count}")
    for library in controllers():
        if "numpy.libs" not in library.filepath:
            library.set_num_threads(count)


if not any(name in os.environ for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")):
    set_threads(1)
