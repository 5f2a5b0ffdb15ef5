"""Products in bfloat16: rounded operands, sums in float32, on whatever the processor has for them."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from pyneural.kernels import dispatch, reference
from pyneural.test.kernels.cases import CASES, WRITES
from pyneural.test.kernels.test_parity import compiled, whole

KERNELS = [name for name in reference.__all__ if "bf16" in inspect.signature(getattr(reference, name)).parameters]
CPUINFO = Path("/proc/cpuinfo")
FLAGS = set(CPUINFO.read_text().split()) if CPUINFO.exists() else set()

# The products of two rounded numbers are exact in float32, so one product differs by the order of its sums. A cell's
# state differs by as little, but where it lies between two bfloat16 numbers that may be enough to round it otherwise.
TOLERANCE = dict.fromkeys(KERNELS, 1e-5) | {name: 2e-2 for name in KERNELS if name.startswith(("rnn", "gru", "lstm"))}


def check(name: str) -> int:
    """Every case of a kernel with `bf16`, beside its twin; returns how many."""
    number = 0
    for (label, ours), (_, expected) in zip(*[CASES[name](np.float32) for _ in range(2)], strict=True):
        compiled(name)(**ours, bf16=True)
        getattr(reference, name)(**expected, bf16=True)
        for key in WRITES[name]:
            if ours[key] is not None:
                bound = TOLERANCE[name] * np.abs(whole(expected[key])).max(initial=1)
                np.testing.assert_allclose(
                    whole(ours[key]), whole(expected[key]), TOLERANCE[name], bound, err_msg=f"{name}, {label}: {key}"
                )
        number += 1
    return number


def check_sizes() -> int:
    """Products of every remainder of rows, columns and depth by the tiles'."""
    rng, number = np.random.default_rng(1), 0
    sizes = list(product((1, 7, 8, 9, 16, 17, 31, 32, 33, 70), (1, 15, 16, 17, 32, 33, 49), (1, 2, 31, 32, 33, 300)))
    for M, N, K in [*sizes, (33, 49, 700), (17, 550, 1300)]:  # the last in several parts, of depth and of columns
        a, b = rng.standard_normal((M, K), np.float32), rng.standard_normal((K, N), np.float32)
        expected = reference.linear.rounded(a, True) @ reference.linear.rounded(b, True)
        for ta, tb in product((False, True), repeat=2):
            out = np.full((M, N), np.nan, np.float32)
            x, y = np.ascontiguousarray(a.T) if ta else a, np.ascontiguousarray(b.T) if tb else b
            compiled("matmul")(x, y, out, ta, tb, bf16=True)
            np.testing.assert_allclose(out, expected, 0, 1e-5 * K**0.5, err_msg=f"{M=} {N=} {K=} {ta=} {tb=}")
            number += 1
    return number


has_them = pytest.mark.skipif(dispatch.bf16 is None, reason="this processor has no products in bfloat16")


@has_them
@pytest.mark.parametrize("name", KERNELS)
def test_parity(name: str) -> None:
    assert check(name) > 0


@has_them
def test_sizes() -> None:
    assert check_sizes() > 0


@pytest.mark.skipif(not FLAGS, reason="the system does not tell what the processor has")
@pytest.mark.skipif(any(name in os.environ for name in ("PYNEURAL_ISA", "PYNEURAL_BF16")), reason="chosen by hand")
def test_the_fastest_are_chosen() -> None:
    """Where the processor has tiles they are used: a failure here, not a skip, says that they are not."""
    expected = "amx_bf16" if "amx_bf16" in FLAGS else "avx512_bf16" if "avx512_bf16" in FLAGS else None
    assert dispatch.bf16 == expected


def elsewhere(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    code = "from pyneural.test.kernels.test_bf16 import *\n" + code
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["avx512_bf16", "amx_emulated"])
def test_every_way(name: str) -> None:
    """AMX's way is tried on tiles emulated in C as well, in the build that checks bounds."""
    run = elsewhere("print(sum(check(name) for name in KERNELS), check_sizes())", PYNEURAL_BF16=name)
    if "ImportError: PYNEURAL_BF16" in run.stderr:
        assert name == "amx_emulated" or "avx512_bf16" not in FLAGS
        pytest.skip(f"{name}: not of this build or processor")
    assert run.returncode == 0, run.stderr
    assert min(map(int, run.stdout.split())) > 0


def test_float32_to_the_bit_where_there_are_none() -> None:
    code = """
x, W = (np.random.default_rng(seed).standard_normal((40, 40), np.float32) for seed in (1, 2))
outs = [np.empty_like(x) for _ in range(2)]
for out, bf16 in zip(outs, (False, True)):
    compiled("matmul")(x, W, out, bf16=bf16)
print(dispatch.bf16, outs[0].tobytes() == outs[1].tobytes())
"""
    run = elsewhere(code, PYNEURAL_BF16="none")
    assert run.stdout.split() == ["None", "True"], run.stderr


def test_a_name_unknown() -> None:
    run = elsewhere("", PYNEURAL_BF16="bf32")
    assert "PYNEURAL_BF16: expected amx_bf16, avx512_bf16 or none" in run.stderr
    assert "'bf32'" in run.stderr
