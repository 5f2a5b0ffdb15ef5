"""Fixtures of the parity tests."""

from typing import Any

import numpy as np
import pytest
from numpy.random import Generator


@pytest.fixture
def rng() -> Generator:
    return np.random.default_rng(7)


@pytest.fixture(autouse=True)
def float64() -> Any:
    torch = pytest.importorskip("torch")  # here, as pytest loads this file where there is no torch too
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)
