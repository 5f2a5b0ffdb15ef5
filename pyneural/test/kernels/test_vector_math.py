"""The errors that vector_math.h states, in units in the last place: exp 2, sigmoid and tanh 4."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest

from pyneural.kernels.elementwise import activation_forward, exponential

BOUND = {"exp": 2, "sigmoid": 4, "tanh": 4}
KIND = {"tanh": 0, "sigmoid": 1}
DTYPES = (np.float32, np.float64)

both_types = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
every_function = pytest.mark.parametrize("function", BOUND)


def evaluate(function: str, x: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    if function == "exp":
        exponential(x, y)
    else:
        activation_forward(x, y, KIND[function])
    return y


def truth(function: str, x: np.ndarray) -> np.ndarray:
    """The same function in a type of at least 10 bits more; mpmath is too slow for dense grids."""
    wide = x.astype(np.longdouble)
    with np.errstate(all="ignore"):
        if function == "exp":
            return np.exp(wide)
        return np.tanh(wide) if function == "tanh" else 1 / (1 + np.exp(-wide))


def exact(function: str, x: float) -> mpmath.mpf:
    if function == "exp":
        return mpmath.exp(x)
    return mpmath.tanh(x) if function == "tanh" else 1 / (1 + mpmath.exp(-x))


def limits(dtype: type) -> tuple[float, float]:
    """e^x is a normal number between these."""
    info = np.finfo(dtype)
    return float(mpmath.log(float(info.tiny))), float(mpmath.log(float(info.max)))


def grid(dtype: type, points: int) -> np.ndarray:
    """The whole range and beyond, the range where all happens, 0 from either side down to the least denormal,
    every place where the power of two changes, and the neighbours of the limits."""
    info = np.finfo(dtype)
    low, high = limits(dtype)
    to_zero = np.geomspace(float(info.smallest_subnormal) * (1 if dtype is np.float32 else 2), 1, points)
    halves = (np.arange(int(low / np.log(2)), int(high / np.log(2))) + 0.5) * np.log(2)
    edges = np.array([low, high, -low, -high, 20.0, -20.0], dtype)
    near = np.concatenate([edges + k * np.spacing(np.abs(edges)) for k in range(-40, 41)])
    far = np.linspace(low - 20, high + 20, points), np.linspace(-22, 22, points)
    return np.concatenate([*(part.astype(dtype) for part in (*far, to_zero, -to_zero, halves)), near]).astype(dtype)


def worst(function: str, x: np.ndarray, true: np.ndarray) -> float:
    """The largest error of the normal results, in ULP of the true one."""
    info = np.finfo(x.dtype)
    normal = (np.abs(true) >= info.tiny) & (np.abs(true) <= info.max)
    ulp = np.spacing(np.abs(true[normal]).astype(x.dtype)).astype(true.dtype)
    error = np.abs(evaluate(function, x)[normal].astype(true.dtype) - true[normal]) / ulp
    return float(error.max())


@both_types
@every_function
def test_error_on_dense_grids(function: str, dtype: type) -> None:
    if np.finfo(np.longdouble).nmant < np.finfo(dtype).nmant + 10:
        pytest.skip("long double is no wider than double here")
    x = grid(dtype, 200_000)
    assert worst(function, x, truth(function, x)) <= BOUND[function]


@both_types
@every_function
def test_error_against_mpmath(function: str, dtype: type) -> None:
    """Far fewer points, wherever the library runs."""
    x = np.random.default_rng(3).permutation(grid(dtype, 4_000))[:4_000]
    info = np.finfo(dtype)
    with mpmath.workprec(120):
        for at, y in zip(x.tolist(), evaluate(function, x).tolist(), strict=True):
            true = exact(function, at)
            if info.tiny <= abs(true) <= info.max:
                ulp = mpmath.ldexp(1, mpmath.frexp(true)[1] - info.nmant - 1)
                assert abs(y - true) <= BOUND[function] * ulp, (function, at)


@both_types
@every_function
def test_below_the_smallest_normal_number(function: str, dtype: type) -> None:
    low, _ = limits(dtype)
    tiny, least = np.finfo(dtype).tiny, np.finfo(dtype).smallest_subnormal
    if function == "tanh":
        x = np.array([least, 2 * least, tiny / 2, tiny, -least, -tiny / 2], dtype)
        np.testing.assert_array_equal(evaluate("tanh", x), x)
        return
    x = np.concatenate([low * np.geomspace(1.0001, 1e30, 50), [-np.inf, np.finfo(dtype).min]]).astype(dtype)
    y = evaluate(function, x)
    if function == "exp":
        np.testing.assert_array_equal(y, np.zeros_like(x))
    else:  # as near as x itself can come to the limit
        assert (y == y[0]).all()
        assert tiny <= y[0] <= tiny * (1 + 2 * np.spacing(dtype(-low)))


@both_types
def test_special_values(dtype: type) -> None:
    high = limits(dtype)[1]
    x = np.array([0, -0.0, np.inf, np.finfo(dtype).max, high * 1.001, np.nan, -np.nan], dtype)
    expected: dict[str, Callable[[], list[float]]] = {
        "exp": lambda: [1, 1, np.inf, np.inf, np.inf, np.nan, np.nan],
        "sigmoid": lambda: [0.5, 0.5, 1, 1, 1, np.nan, np.nan],
        "tanh": lambda: [0, 0, 1, 1, 1, np.nan, np.nan],
    }
    for function, values in expected.items():
        np.testing.assert_array_equal(evaluate(function, x), np.array(values(), dtype), function)
    np.testing.assert_array_equal(evaluate("tanh", np.array([-np.inf, -1e4], dtype)), [-1, -1])


@both_types
def test_within_their_ranges(dtype: type) -> None:
    x = grid(dtype, 50_000)
    sigmoid, tanh = evaluate("sigmoid", x), evaluate("tanh", x)
    assert sigmoid.min() > 0
    assert sigmoid.max() <= 1
    assert np.abs(tanh).max() <= 1
    np.testing.assert_array_equal(evaluate("tanh", -x), -tanh)  # odd to the last bit


@both_types
@every_function
def test_each_place_in_a_vector(function: str, dtype: type) -> None:
    """The end of an array, which fills no whole vector register, is computed alike."""
    x = np.linspace(-3, 3, 70, dtype=dtype)
    one_by_one = np.concatenate([evaluate(function, x[i : i + 1]) for i in range(len(x))])
    for n in range(len(x)):
        ulp = np.spacing(np.abs(one_by_one[:n]))
        assert (np.abs(evaluate(function, x[:n].copy()) - one_by_one[:n]) <= ulp).all()
