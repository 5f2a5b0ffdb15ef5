"""Numbers read from text are those of exact arithmetic, rounded once; and hardly any are left to others."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from pyneural import kernels


def read(number: str) -> np.float32 | None:
    numbers = np.empty((1, 1), np.float32)
    line = np.frombuffer(f"a {number}\n".encode(), dtype=np.uint8)
    rows, _, _ = kernels.parse_rows(line, np.empty_like(line), numbers)
    return np.float32(numbers[0, 0]) if rows else None


def is_nearest(value: np.float32, exact: Fraction) -> bool:
    error = abs(Fraction(float(value)) - exact)
    around = [np.nextafter(value, np.float32(side)) for side in (-np.inf, np.inf)]
    return all(error <= abs(Fraction(float(other)) - exact) for other in around if np.isfinite(other))


@pytest.mark.parametrize("spelled", ["{:.4g}", "{:.9g}", "{!r}", "{:.18e}", "{:.40f}"])
@pytest.mark.parametrize("scale", [1e-22, 1e-5, 1.0, 1e7, 1e37])
def test_correctly_rounded(spelled: str, scale: float) -> None:
    rng = np.random.default_rng(1)
    texts = [spelled.format(float(x)) for x in scale * rng.normal(size=150)]
    values = [read(text) for text in texts]
    kept = [(text, value) for text, value in zip(texts, values, strict=True) if value is not None]
    assert len(kept) >= 0.98 * len(texts)
    for text, value in kept:
        assert is_nearest(value, Fraction(text)), text


def test_middles_are_left_to_others_or_right() -> None:
    for k in (0, 1, 12345, 2**23 - 1):
        for shift in range(-8, 9):
            exact = 1 + Fraction(2 * k + 1, 2**24) + Fraction(shift, 2**54)
            digits = exact.numerator * 10**60 // exact.denominator
            text = f"{digits // 10**60}.{digits % 10**60:060d}"
            value = read(text)
            assert value is None or is_nearest(value, Fraction(text)), text
    assert read(f"{1 + 2.0**-24:.30f}") is None


def test_signed_zero_and_the_ends_of_the_range() -> None:
    zero = read("-0.0")
    assert zero == 0
    assert np.signbit(zero)
    assert read("3.4028234e38") == np.finfo(np.float32).max
    assert read("3.4028237e38") is None
    assert read("1.4e-43") == np.float32(1.4e-43)
    assert read("1e-44") == np.float32(1e-44)
