"""Every sample learns: on a small budget its losses fall, and it beats its baseline on held-out data."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import pyneural.samples
from pyneural.samples import curve, plot
from pyneural.samples.gradients_by_hand import largest_error


class Budget(NamedTuple):
    """Arguments of `train`, and by how much the score must beat the baseline's."""

    sample: str
    arguments: dict[str, Any]
    margin: float


# The margins are about half of what is reached with these arguments, so that no seed or build misses them.
BUDGETS = [
    Budget("digits_classifier", {"epochs": 8}, 0.7),
    Budget("diabetes_regression", {"epochs": 20}, 0.3),
    Budget("sequence_classification", {"epochs": 5}, 0.7),
    Budget("character_language_model", {"epochs": 3, "hidden": 48}, 0.5),
    Budget("character_language_model", {"epochs": 3, "hidden": 48, "cell": "rnn"}, 0.5),
    Budget("embedding_gru_softmax", {"epochs": 8}, 0.03),
    Budget("crf_tagger", {"epochs": 5}, 20.0),
    Budget("gradients_by_hand", {"epochs": 8}, 0.4),
]
NOT_A_SAMPLE = {"__init__", "bundled", "demo_corpus"}
FOLDER = Path(pyneural.samples.__file__).parent


def test_every_sample_is_tested() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} - NOT_A_SAMPLE == {budget.sample for budget in BUDGETS}


@pytest.mark.parametrize("budget", BUDGETS, ids=[f"{sample}-{cell.get('cell', '')}" for sample, cell, _ in BUDGETS])
def test_learns(budget: Budget) -> None:
    outcome = import_module(f"pyneural.samples.{budget.sample}").train(seed=3, **budget.arguments)
    assert len(outcome.losses) == budget.arguments["epochs"]
    assert outcome.losses[-1] < 0.85 * outcome.losses[0]
    assert outcome.gain > budget.margin, outcome


def test_same_seed_same_run() -> None:
    train = import_module("pyneural.samples.crf_tagger").train
    first, again, other = train(epochs=1, seed=1), train(epochs=1, seed=1), train(epochs=1, seed=2)
    assert first == again
    assert first.losses != other.losses


def test_gradients_by_hand_are_right() -> None:
    assert largest_error() < 1e-7


def test_a_wrong_gradient_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = import_module("pyneural.samples.gradients_by_hand").LayerNorm
    monkeypatch.setattr(layer, "backward", lambda self, dy: self.s.value * dy / self._sigma)  # forgets μ and σ
    with pytest.raises(AssertionError, match="analytic gradient"):
        largest_error()


def _run(sample: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"pyneural.samples.{sample}", *arguments]
    environment = {**os.environ, "PYTHONUTF8": "1"}
    return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=120, check=False)


@pytest.mark.parametrize("sample", ["digits_classifier", "crf_tagger"])
def test_runs_as_a_module(sample: str) -> None:
    done = _run(sample, "--epochs", "1", "--seed", "2")
    assert done.returncode == 0, done.stderr
    assert "epoch   1  loss" in done.stdout
    assert "held-out" in done.stdout
    assert "baseline" in done.stdout
    assert "items/s" in done.stderr  # the log


def test_help_is_the_documentation() -> None:
    done = _run("character_language_model", "--help")
    assert done.returncode == 0, done.stderr
    assert "State is carried from batch to batch" in done.stdout
    assert "--cell {gru,rnn,lstm}" in done.stdout


def test_curve_keeps_to_its_lines() -> None:
    lines = curve(list(np.linspace(2, 1, 101)), lines=10, width=30).splitlines()
    assert len(lines) <= 11
    assert lines[0].endswith("#" * 30)
    assert lines[-1].startswith("epoch 101  loss  1.0000")
    assert curve([]) == ""


def test_plot_without_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="`plot` extra"):
        plot([2.0, 1.0], str(tmp_path / "loss.svg"), "title")


def test_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "loss.svg"
    plot([2.0, 1.0], str(file), "title")
    assert "<svg" in file.read_text(encoding="utf-8")
