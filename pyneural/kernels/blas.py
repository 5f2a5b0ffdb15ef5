"""The BLAS behind the kernels: which library, and how many threads it uses.

`PYNEURAL_BLAS` in the environment chooses it when the kernels are imported:

    openblas   the default: the OpenBLAS that the build put beside the kernels
    mkl        Intel's, of the package `mkl` (the `mkl` extra)
    scipy      the one that SciPy uses
    a path     a shared library with Fortran's BLAS in it, integers of 32 bits: conda's, Accelerate, a vendor's

Threads within the products of a small network win little, and where several trainings run side by side they get in
each other's way. So the library is set to one thread, unless the
environment names a number: OMP_NUM_THREADS, or the library's own variable, OPENBLAS_NUM_THREADS or MKL_NUM_THREADS.
NumPy has a BLAS of its own, which is left as it is.
"""

import ctypes
import os
import sys
from pathlib import Path
from typing import Any

BUNDLED = Path(__file__).parent / "openblas"  # setup.py fills it
PRODUCTS = ("sgemm", "dgemm")
FORMS = ("scipy_{}_", "{}_", "{}")  # how libraries write Fortran's names
THREADS = (  # functions that set and tell their number, and what the user sets
    ("scipy_openblas_set_num_threads", "scipy_openblas_get_num_threads", "OPENBLAS_NUM_THREADS"),
    ("openblas_set_num_threads", "openblas_get_num_threads", "OPENBLAS_NUM_THREADS"),
    ("MKL_Set_Num_Threads", "MKL_Get_Max_Threads", "MKL_NUM_THREADS"),
)


class Library:
    """A BLAS library loaded: `name` as PYNEURAL_BLAS has it, `path`, and the addresses of its `products`."""

    def __init__(self, name: str, path: str) -> None:
        self.name, self.path = name, path
        try:
            self._library = ctypes.CDLL(path)
        except OSError as error:
            raise ImportError(f"PYNEURAL_BLAS={name}: can't load the library {path}: {error}") from error
        if set_interface := self._function("MKL_Set_Interface_Layer"):
            set_interface(0)  # integers of 32 bits; heeded only before every other call
        self.products = self._products()
        known = [names for names in THREADS if self._function(names[0])]
        self._set_threads, self._get_threads, self.threads_variable = known[0] if known else ("", "", "")

    def _function(self, name: str) -> Any:
        """The function of that name, None where there is none."""
        try:
            return self._library[name]
        except AttributeError:
            return None

    def _products(self) -> dict[str, int]:
        for form in FORMS:
            *functions, dot = (self._function(form.format(name)) for name in (*PRODUCTS, "ddot"))
            if dot and all(functions):
                self._check_integers(dot)
                addresses = (ctypes.cast(function, ctypes.c_void_p).value or 0 for function in functions)
                return dict(zip(PRODUCTS, addresses, strict=True))
        raise ImportError(
            f"PYNEURAL_BLAS={self.name}: expected a library with Fortran's {', '.join(PRODUCTS)} and ddot "
            f"(integers of 32 bits), but {self.path} lacks some"
        )

    def _check_integers(self, dot: Any) -> None:
        """A product of two vectors of length 2, the 2 followed by a -1 in memory: who reads 64 bits sees a negative
        length, and says 0. Such a library would take all our sizes for nonsense."""
        dot.restype = ctypes.c_double
        length, step = (ctypes.c_int32 * 2)(2, -1), (ctypes.c_int32 * 2)(1, 0)
        x = (ctypes.c_double * 2)(1, 2)
        if dot(length, x, step, x, step) != 5:
            raise ImportError(f"PYNEURAL_BLAS={self.name}: {self.path} has integers of 64 bits, expected 32 (LP64)")

    @property
    def version(self) -> str:
        """What the library says of itself; empty where it says nothing that we know how to ask for."""
        for name in ("scipy_openblas_get_config", "openblas_get_config"):
            if config := self._function(name):
                config.restype = ctypes.c_char_p
                return str(config().decode().strip())
        if version := self._function("MKL_Get_Version_String"):
            version(text := ctypes.create_string_buffer(256), len(text))
            return text.value.decode().strip()
        return ""

    @property
    def threads(self) -> int | None:
        """How many threads it uses; None where only the library knows."""
        return int(self._function(self._get_threads)()) if self._get_threads else None

    def set_threads(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"count: expected at least 1, got {count}")
        if not self._set_threads:
            raise ValueError(f"count: the threads of {self.path} can't be set from here; see its own documentation")
        self._function(self._set_threads)(count)


def choose(name: str) -> Library:
    """The library that PYNEURAL_BLAS names."""
    if name == "openblas":
        found = BUNDLED.glob("*scipy_openblas*")
        missing = "the build had no package scipy-openblas32 to take it from: build again where it is, or name another"
    elif name == "mkl":
        import site  # here, as only this library needs it

        bases = [Path(sys.prefix), Path(site.getuserbase())]
        found = (
            file for base in bases for place in ("lib/lib", "Library/bin/") for file in base.glob(f"{place}mkl_rt.*")
        )
        missing = f"no libmkl_rt under {sys.prefix}: install the `mkl` extra, pip install '.[mkl]'"
    elif name == "scipy":
        # the extension's file leads to the BLAS it was linked with; importing SciPy would take ten times as long
        from importlib.util import find_spec

        spec = find_spec("scipy")
        folders = [Path(folder, "linalg") for folder in (spec and spec.submodule_search_locations) or []]
        found = (file for folder in folders for file in folder.glob("cython_blas.*"))
        missing = "SciPy is not installed"
    elif os.sep in name or "/" in name:
        return Library(name, name)
    else:
        raise ImportError(f"PYNEURAL_BLAS: expected openblas, mkl, scipy or the path of a shared library, got {name!r}")
    path = min((str(file) for file in found if file.suffix not in (".pxd", ".pyi")), default=None)
    if path is None:
        raise ImportError(f"PYNEURAL_BLAS={name}: {missing}")
    return Library(name, path)


def set_threads(count: int) -> None:
    """Sets the threads of the BLAS behind the kernels."""
    library.set_threads(count)


library = choose(os.environ.get("PYNEURAL_BLAS") or "openblas")
if library.threads is not None and not {"OMP_NUM_THREADS", library.threads_variable} & os.environ.keys():
    set_threads(1)
