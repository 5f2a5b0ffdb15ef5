"""The tutorials run, reach what they say they reach, and draw the pictures that they show."""

import importlib.util
import re
from pathlib import Path

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

FOLDER = Path(__file__).parents[2] / "docs" / "tutorials"


def tutorials():
    """The module beside them that runs them."""
    path = FOLDER / "run.py"
    if not path.exists():
        pytest.skip("docs/tutorials is not here: this is no checkout")
    spec = importlib.util.spec_from_file_location("tutorials", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def between(low, high, value):
    assert low <= value <= high


REACHED = {
    "diabetes": lambda found: (
        between(0.48, 0.5, found["scores"]["NeuralRegressor"]),
        between(-0.01, 0.02, found["scores"]["ridge regression"] - found["scores"]["NeuralRegressor"]),
        between(0.1, 1, found["scores"]["NeuralRegressor"] - found["curve"][-1]),
    ),
    "digits": lambda found: (
        between(0.965, 0.99, found["accuracy"]),
        between(0, len(found["wrong"]) // 2, len(found["left"])),
    ),
    "grid_search": lambda found: (
        between(0.6, 0.8, found["f1"]),
        between(0.6, 0.8, found["search"].best_score_),
        between(2, 2, ["none", "rnn", "cnn"].index(found["search"].best_params_["chars"]) and 2),
    ),
    "japanese_vowels": lambda found: (
        between(0.955, 0.985, found["accuracy"]),
        between(0.96, 0.985, sum(found["several"]) / 5),
        between(0.4, 0.7, found["accuracies"][0]),
    ),
    "layer": lambda found: (
        between(0, 1e-9, found["error"]),
        between(0.98, 1, found["right"]),
        between(0, 0, 0 if re.match(r"body\.c: coordinate \d: analytic gradient", found["caught"]) else 1),
    ),
}


def test_each_is_checked():
    assert sorted(REACHED) == tutorials().names()
    listed = re.findall(r"\((\w+)\.md\)", (FOLDER / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(REACHED)


@pytest.mark.parametrize("name", REACHED)
def test_tutorial(name, tmp_path, monkeypatch, capsys):
    module = tutorials()
    if "sktime" in module.code(name):
        pytest.importorskip("sktime")
    monkeypatch.chdir(tmp_path)
    REACHED[name](module.run(name))
    pictures = module.pictures(name)
    assert pictures
    assert module.code(name).rstrip().splitlines()[-1].startswith("figure.savefig(")  # it ends in the picture
    for picture in pictures:
        assert (tmp_path / picture).stat().st_size > 10_000
        assert (FOLDER / picture).exists()
    capsys.readouterr()
