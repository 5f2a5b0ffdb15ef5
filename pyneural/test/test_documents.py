"""The code in the documents runs, and says what the documents say of it."""

import re
from pathlib import Path

import numpy as np
import pytest

from pyneural.test.gradient_check import check_gradients

ROOT = Path(__file__).parents[2]


def blocks(document: str) -> list[str]:
    """The Python code of a document at the root of the checkout, block by block."""
    path = ROOT / document
    if not path.exists():
        pytest.skip(f"{document} is not here: this is no checkout")
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def test_readme(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    first, second = blocks("README.md")
    assert len(first.strip().splitlines()) <= 32
    exec(first, names)
    printed = capsys.readouterr().out
    found = re.search(r"held-out accuracy (\d\.\d+)", printed)
    assert found is not None
    assert float(found[1]) > 0.9
    exec(second, names)
    assert float(capsys.readouterr().out) < 1e-7


def test_a_layer_written_by_the_contributing_page() -> None:
    names: dict[str, object] = {}
    (layer,) = blocks("CONTRIBUTING.md")
    exec(layer, names)
    norm = names["LayerNorm"]
    assert isinstance(norm, type)
    assert check_gradients(norm(4), np.random.default_rng(0).standard_normal((5, 4))) < 1e-7
