"""The code in the documents runs, and says what the documents say of it."""

import re
from pathlib import Path

import numpy as np
import pytest

from pyneural import Dense, Network
from pyneural.test.gradient_check import check_gradients

ROOT = Path(__file__).parents[2]


def blocks(document: str) -> list[str]:
    """The Python code of a document at the root of the checkout, block by block."""
    path = ROOT / document
    if not path.exists():
        pytest.skip(f"{document} is not here: this is no checkout")
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def test_readme(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first, second, third, estimators, looking, profile = blocks("README.md")
    monkeypatch.chdir(tmp_path)
    assert len(first.strip().splitlines()) <= 32
    exec(first, {})
    printed = capsys.readouterr().out
    found = re.search(r"held-out accuracy (\d\.\d+)", printed)
    assert found is not None
    assert float(found[1]) > 0.9
    exec(second, {})
    assert float(capsys.readouterr().out) < 1e-7
    exec(third, {})
    assert capsys.readouterr().out.endswith("True\n")
    exec(profile, {})
    assert re.search(r"^ +rightward: Gru( +[\d.]+){4} +\d+ %", capsys.readouterr().out, re.MULTILINE)
    pytest.importorskip("sklearn")
    exec(estimators, {})
    printed = capsys.readouterr().out
    assert all(float(score) > 0.85 for score in re.findall(r": (0\.\d+)$", printed, re.MULTILINE)), printed
    assert "[['B-PER', 'O']]" in printed
    assert (tmp_path / "tagger" / "model.safetensors").exists()
    pytest.importorskip("matplotlib")
    exec(looking, {})
    assert "in all" in capsys.readouterr().out
    assert (tmp_path / "log.csv").exists()
    assert (tmp_path / "history.png").stat().st_size > 5000


def test_a_layer_and_a_loss_written_by_the_contributing_page() -> None:
    names: dict[str, object] = {}
    layer, loss = blocks("CONTRIBUTING.md")
    exec(layer, names)
    exec(loss, names)
    norm, huber = names["LayerNorm"], names["Huber"]
    assert isinstance(norm, type)
    assert isinstance(huber, type)
    rng = np.random.default_rng(0)
    assert check_gradients(norm(4), rng.standard_normal((5, 4))) < 1e-7
    network = Network(Dense(3, 2), huber())
    assert check_gradients(network, rng.standard_normal((6, 3)), 3 * rng.standard_normal((6, 2))) < 1e-7
    assert network.predict(np.zeros((4, 3))).shape == (4, 2)
