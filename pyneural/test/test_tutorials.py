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


def diabetes(found):
    scores = found["scores"]
    assert 0.48 < scores["NeuralRegressor"] < 0.5
    assert abs(scores["ridge regression"] - scores["NeuralRegressor"]) < 0.02
    assert found["curve"][-1] < scores["NeuralRegressor"] - 0.1  # too plain


def digits(found):
    assert 0.965 < found["accuracy"] < 0.99
    assert len(found["left"]) <= len(found["wrong"]) // 2


def grid_search(found):
    assert 0.6 < found["f1"] < 0.8
    assert 0.6 < found["search"].best_score_ < 0.8
    assert found["search"].best_params_["loss"] == "crf"


def japanese_vowels(found):
    assert 0.955 < found["accuracy"] < 0.985
    assert 0.96 < sum(found["several"]) / 5 < 0.985
    assert 0.4 < found["accuracies"][0] < 0.7


def layer(found):
    assert found["error"] < 1e-9
    assert found["right"] > 0.98
    assert re.match(r"body\.c: coordinate \d: analytic gradient", found["caught"])


REACHED = {check.__name__: check for check in (diabetes, digits, grid_search, japanese_vowels, layer)}


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
