"""Every compiled kernel does what its NumPy twin does: both types, every size, every instruction set."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pyneural.kernels import reference
from pyneural.test.kernels.cases import CASES, SCRATCH, WRITES

MODULES = ("convolution", "crf", "elementwise", "embedding", "linear", "optimisers", "packing", "recurrent", "text")
DTYPES = (np.float32, np.float64)
INSTRUCTION_SETS = ("baseline", "avx2", "avx512")  # each processor that runs one runs those before it

# Of float64, the twins differ by rounding alone: sums in another order, a multiply and an add fused, 4 ULP in
# a transcendental, carried through 30 steps. Of float32 the same, eps being 5e8 times as large, but here a
# sum that one keeps in float32 may be in float64 in the other.
TOLERANCE: dict[type, float] = {np.float64: 1e-12, np.float32: 1e-5}
# A probability is e to the difference of two scores: at 1e4, where eps is 2e-12, that error is relative to p,
# and a marginal has one for each of 30 steps. The CRF computes in float64 whatever the type.
TOLERANCE_AT_LARGE_SCORES = {"1e4": 1e-9, "1e6": 1e-7, "span": 1e-10, "far": 1e-10}
# Results that have no terms to cancel are compared one by one; elsewhere an element's error is relative to
# the terms it is made of, which 1 and the largest element of its array stand for.
ELEMENT_BY_ELEMENT = ("activation_forward", "exponential", "softmax")
EXACT = (
    "crf_best_paths",
    "crf_viterbi",
    "distinct",
    "dropout_mask",
    "gather",
    "packing_order",
    "parse_rows",
    "row_numbers",
    "zero_rows",
)


def compiled(name: str) -> Callable[..., Any]:
    """From the extension modules themselves: `pyneural.kernels` may stand for the reference."""
    modules = [importlib.import_module(f"pyneural.kernels.{module}") for module in MODULES]
    return next(getattr(module, name) for module in modules if hasattr(module, name))


def assert_close(name: str, label: str, what: str, ours: Any, expected: Any, dtype: type) -> None:
    message = f"{name}, {label}: {what}"
    if name in EXACT:
        np.testing.assert_array_equal(ours, expected, message)
        return
    tolerance = TOLERANCE[dtype]
    if name.startswith("crf"):
        tolerance = max([tolerance, *(least for kind, least in TOLERANCE_AT_LARGE_SCORES.items() if kind in label)])
    finite = np.abs(np.asarray(expected)[np.isfinite(expected)])
    largest = np.finfo(dtype).tiny if name in ELEMENT_BY_ELEMENT else finite.max(initial=1)
    with np.errstate(all="ignore"):
        # the smallest normal number is all that the compiled twins make of what is less
        np.testing.assert_allclose(
            ours, expected, tolerance, tolerance * largest + np.finfo(dtype).tiny, err_msg=message
        )


def whole(x: np.ndarray) -> np.ndarray:
    """With the columns round about, where x is a slice of some: they must stay as they are."""
    return x if x.base is None else x.base


def check_parity(name: str, dtype: type) -> int:
    """Every case of one kernel; returns how many."""
    kernel, twin = compiled(name), getattr(reference, name)
    number = 0
    for (label, ours), (_, expected), (_, before) in zip(*[CASES[name](dtype) for _ in range(3)], strict=True):
        read = [key for key, x in ours.items() if isinstance(x, np.ndarray) and key not in WRITES[name] + SCRATCH]
        for key in read:
            ours[key].flags.writeable = False
        with np.errstate(all="ignore"):
            result, expected_result = kernel(**ours), twin(**expected)
        assert type(result) is type(expected_result), f"{name}, {label}"
        if result is not None:
            assert_close(name, label, "the result", result, expected_result, dtype)
        for key in WRITES[name]:
            if ours[key] is not None:
                assert ours[key].dtype == before[key].dtype
                assert_close(name, label, key, whole(ours[key]), whole(expected[key]), dtype)
        for key in read:
            np.testing.assert_array_equal(ours[key], before[key], f"{name}, {label}: {key} is an input")
            np.testing.assert_array_equal(expected[key], before[key], f"reference {name}, {label}: {key} is an input")
        number += 1
    return number


def test_no_kernel_without_cases() -> None:
    assert set(CASES) == set(WRITES) == set(reference.__all__)


def test_no_compiled_kernel_without_a_twin() -> None:
    modules = [importlib.import_module(f"pyneural.kernels.{module}") for module in MODULES]
    public = {
        name
        for module in modules
        for name, f in vars(module).items()
        if type(f).__name__ == "cython_function_or_method"
    }
    assert public == set(reference.__all__)


@pytest.mark.parametrize("name", reference.__all__)
def test_same_signature(name: str) -> None:
    ours, twin = inspect.signature(compiled(name)), inspect.signature(getattr(reference, name))
    assert list(ours.parameters) == list(twin.parameters)
    defaults = [[p.default for p in signature.parameters.values()] for signature in (ours, twin)]
    assert defaults[0] == defaults[1]


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("name", reference.__all__)
def test_parity(name: str, dtype: type) -> None:
    assert check_parity(name, dtype) > 0


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("kind", range(4))
def test_nan_in_nan_out(kind: int, dtype: type) -> None:
    x = np.full(37, np.nan, dtype)
    x[::3] = 0.5
    bits = x.view(np.uint32 if dtype is np.float32 else np.uint64)
    bits[1] |= 1  # NaN is not one bit pattern
    bits[4] |= bits.dtype.type(1) << bits.dtype.type(8 * x.itemsize - 1)
    y, z = np.zeros_like(x), np.zeros_like(x)
    compiled("activation_forward")(x, y, kind)
    compiled("exponential")(x, z)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(x))
    np.testing.assert_array_equal(np.isnan(z), np.isnan(x))


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
def test_in_place(dtype: type) -> None:
    """Layers apply these onto their own input."""
    x = np.random.default_rng(2).normal(size=(9, 21)).astype(dtype)
    for name, *arguments in [("activation_forward", k) for k in range(4)] + [("exponential",), ("softmax",)]:
        y, z = np.empty_like(x), x.copy()
        compiled(name)(x, y, *arguments)
        compiled(name)(z, z, *arguments)
        np.testing.assert_array_equal(z, y)
    for kind in range(4):
        dy, dx = x.copy(), np.empty_like(x)
        compiled("activation_backward")(x, dy, dx, kind)
        compiled("activation_backward")(x, dy, dy, kind)
        np.testing.assert_array_equal(dy, dx)


# ---- the environment: each is read at import, so each is a process --------------------------------------

CHECK_ALL = """
from pyneural.kernels.dispatch import isa
from pyneural.test.kernels.test_parity import CASES, DTYPES, check_parity
from pyneural.test.kernels.test_vector_math import BOUND, test_error_against_mpmath
for dtype in DTYPES:
    for name in CASES:
        check_parity(name, dtype)
    for function in BOUND:
        test_error_against_mpmath(function, dtype)
print(isa)
"""


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("isa", INSTRUCTION_SETS)
def test_parity_of_instruction_set(isa: str) -> None:
    chosen = importlib.import_module("pyneural.kernels.dispatch").isa
    if isa == chosen:
        return  # which is what test_parity has run
    ran = run(CHECK_ALL, PYNEURAL_ISA=isa)
    if ran.returncode and INSTRUCTION_SETS.index(isa) > INSTRUCTION_SETS.index(chosen):
        assert f"one that this processor runs; got '{isa}'" in ran.stderr
        pytest.skip(f"this processor does not run {isa}")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == f"{isa}\n"


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("PYNEURAL_ISA", "ImportError: PYNEURAL_ISA: expected avx512, avx2 or baseline"),
        (
            "PYNEURAL_KERNELS",
            "ImportError: PYNEURAL_KERNELS: expected 'compiled' or 'reference', got 'nonsense'",
        ),
    ],
)
def test_nonsense_in_the_environment(variable: str, message: str) -> None:
    ran = run("import pyneural.kernels", **{"PYNEURAL_KERNELS": "compiled", variable: "nonsense"})
    assert ran.returncode != 0
    assert message in ran.stderr


def test_reference_kernels_need_no_compiled_module() -> None:
    program = (
        "import sys, pyneural.kernels as k; from pyneural.kernels import reference as r;"
        "assert all(getattr(k, name) is getattr(r, name) for name in r.__all__);"
        "assert 'pyneural.kernels.dispatch' not in sys.modules"
    )
    ran = run(program, PYNEURAL_KERNELS="reference")
    assert ran.returncode == 0, ran.stderr
