"""PYNEURAL_BLAS chooses the library: each that is installed gives the same products, what is wrong is said clearly."""

import _ctypes
import ctypes
import sys
from pathlib import Path

import pytest

from pyneural import kernels
from pyneural.kernels import blas
from pyneural.test.kernels.test_parity import run

PRODUCTS = """
import numpy as np
from pyneural.kernels import blas, matmul
for dtype in (np.float32, np.float64):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((800, 700)).astype(dtype), rng.standard_normal((700, 500)).astype(dtype)
    for rows in (1, 800):  # the second is large enough for BLAS
        out = np.empty((rows, 500), dtype)
        matmul(a[:rows], b, out)
        bound = 700 * np.finfo(dtype).eps * (abs(a[:rows]) @ abs(b))  # of the rounding of a sum of 700 terms
        assert (abs(out - a[:rows] @ b) <= bound).all()
print(blas.library.name, blas.library.path, blas.library.version, blas.library.threads, sep="|")
"""


def choose(name: str) -> list[str]:
    """What the program above prints with that library, field by field."""
    ran = run(PRODUCTS, PYNEURAL_KERNELS="compiled", PYNEURAL_BLAS=name)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()[-1].split("|")


def test_the_bundled_openblas_is_the_default() -> None:
    name, path, version, threads = choose("")
    assert (name, Path(path).parent, threads) == ("openblas", blas.BUNDLED, "1")
    assert version.startswith("OpenBLAS")
    assert choose("openblas")[1] == path


def test_a_path() -> None:
    expected = choose("openblas")
    assert choose(expected[1]) == [expected[1], *expected[1:]]


def test_scipy() -> None:
    pytest.importorskip("scipy")
    name, path, _, _ = choose("scipy")
    assert name == "scipy"
    assert "cython_blas" in path


def test_mkl() -> None:
    try:
        blas.choose("mkl")
    except ImportError as error:
        pytest.skip(str(error))
    name, _, version, threads = choose("mkl")
    assert (name, threads) == ("mkl", "1")
    assert "Math Kernel Library" in version


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("opneblas", "PYNEURAL_BLAS: expected openblas, mkl, scipy or the path of a shared library, got 'opneblas'"),
        ("./nowhere/libblas.so", r"PYNEURAL_BLAS=./nowhere/libblas.so: can't load the library"),
        (kernels.__file__, "PYNEURAL_BLAS=.*: can't load the library"),
        (_ctypes.__file__, "PYNEURAL_BLAS=.*: expected a library with Fortran's sgemm, dgemm and ddot"),
    ],
)
def test_what_is_no_blas(name: str, message: str) -> None:
    with pytest.raises(ImportError, match=message):
        blas.choose(name)


@pytest.mark.parametrize(
    ("name", "message"), [("openblas", "scipy-openblas32"), ("mkl", "the `mkl` extra"), ("scipy", "not installed")]
)
def test_what_is_not_installed(name: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(blas, "BUNDLED", tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr("site.getuserbase", lambda: str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=f"PYNEURAL_BLAS={name}: .*{message}"):
        blas.choose(name)


def test_integers_of_64_bits_are_refused() -> None:
    """As a library of them would answer: a length whose upper half is all ones is below 0, and the product 0."""

    @ctypes.CFUNCTYPE(ctypes.c_double, *5 * [ctypes.c_void_p])
    def dot(n: int, x: int, step_x: int, y: int, step_y: int) -> float:
        length = ctypes.c_int64.from_address(n).value
        return float(max(length, 0))

    with pytest.raises(ImportError, match="integers of 64 bits, expected 32"):
        blas.library._check_integers(dot)


def test_threads() -> None:
    assert blas.library.threads is not None
    before = blas.library.threads
    try:
        blas.set_threads(2)
        assert blas.library.threads == 2
    finally:
        blas.set_threads(before)


@pytest.mark.parametrize(
    ("variables", "threads"),
    [({}, "1"), ({"OMP_NUM_THREADS": "2"}, "2"), ({"OPENBLAS_NUM_THREADS": "2"}, "2"), ({"MKL_NUM_THREADS": "2"}, "1")],
)
def test_threads_by_the_environment(variables: dict[str, str], threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    ran = run("from pyneural.kernels import blas; print(blas.library.threads)", PYNEURAL_BLAS="openblas", **variables)
    assert ran.stdout.strip() == threads, ran.stderr
