"""Training from the command line, in part through real processes."""

from __future__ import annotations

import math
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from pyneural import kernels
from pyneural.cli.main import commands
from pyneural.tagging.experiment import Experiment
from pyneural.tagging.model import Options
from pyneural.tagging.tagger import Tagger
from pyneural.test.cli.cases import COMMAND, SMALL, call, files, invoke, made, metrics, run

KEYS = ["dev", "test", "epochs", "train_seconds", "tokens_per_second", "seed", "versions"]
SCORES = {"metric", "f1", "precision", "recall", "accuracy", "per_type"}


def test_what_training_leaves_and_says(data: Path, tmp_path: Path) -> None:
    status, stdout, stderr = run("train", *files(data), "--out", tmp_path / "a" / "b", *SMALL, "--seed", 7)
    assert status == 0
    assert "\r" not in stdout + stderr, "no line is rewritten where there is no terminal"
    assert re.search(r"train\.conll: 60 sentences, \d+ tokens\n", stderr)
    assert len(re.findall(r"^epoch +\d\.00/2 +loss .* tokens/s +dev +\d+\.\d\d", stderr, re.MULTILINE)) == 2
    assert len(re.findall(r"^processed \d+ tokens with \d+ phrases", stdout, re.MULTILINE)) == 2
    assert {path.name for path in (tmp_path / "a" / "b").iterdir()} == {
        "model.safetensors",
        "metrics.json",
        "checkpoints",
    }
    figures = metrics(tmp_path / "a" / "b")
    assert figures.keys() == {*KEYS, "best_epoch", "threads", "precision"}
    for part in ("dev", "test"):
        assert figures[part].keys() == SCORES
        assert figures[part]["per_type"].keys() == {"LOC", "PER"}
        for scores in (figures[part], *figures[part]["per_type"].values()):
            assert all(0 <= scores[name] <= 100 for name in ("f1", "precision", "recall"))
    assert [figures[name] for name in ("epochs", "seed", "threads", "precision")] == [2, 7, 1, "full"]
    assert 0 < figures["train_seconds"] < 60
    assert 0 < figures["tokens_per_second"] < math.inf
    assert figures["versions"].keys() == {"pyneural", "python", "numpy", "kernels", "blas"}


@pytest.mark.parametrize(
    "options",
    [
        ["--cell", "rnn", "--loss", "softmax"],
        ["--cell", "lstm", "--layers", 2],
        ["--embeddings", "vectors.txt"],
        ["--threads", 2, "--batch-size", 8, "--dropout", 0, "--patience", 1],
    ],
    ids=lambda options: options[0],
)
def test_options(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[Any]) -> None:
    monkeypatch.chdir(data)
    result = invoke("train", *files(data), "--out", tmp_path, *SMALL, *options)
    assert result.exit_code == 0
    assert invoke("evaluate", tmp_path, data / "test.conll").stdout.strip() in result.stdout


def test_precision(data: Path, tmp_path: Path) -> None:
    """It is how a command computes, not what the model is: either serves in the other."""
    models = []
    for precision in ("full", "bf16"):
        result = invoke("train", *files(data), "--out", tmp_path / precision, *SMALL, "--precision", precision)
        assert ("no products in bfloat16" in result.stderr) == (precision == "bf16" and kernels.bf16 is None)
        assert metrics(tmp_path / precision)["precision"] == precision
        assert Tagger.load(tmp_path / precision, precision="bf16").network.precision == "bf16"
        models.append((tmp_path / precision / "model.safetensors").read_bytes())
        for other in ("full", "bf16"):
            evaluated = invoke("evaluate", tmp_path / precision, data / "test.conll", "--precision", other).stdout
            assert other != precision or evaluated.strip() in result.stdout
            status, tagged, _ = call("predict", tmp_path / precision, "--precision", other, given=b"Ada left .")
            assert (status, tagged.count("left")) == (0, 1)
    assert len(models[0]) == len(models[1])
    assert (models[0] == models[1]) == (kernels.bf16 is None)


def test_no_products_in_bfloat16_is_told(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "bf16", None)
    result = invoke("train", *files(data), "--out", tmp_path, *SMALL, "--precision", "bf16")
    assert "precision: no products in bfloat16 on this processor, computing them in float32" in result.stderr


def test_columns_may_stand_anywhere(data: Path, tmp_path: Path) -> None:
    columns = ["--word-column", 2, "--tag-column", 0]
    invoke("train", *files(data, "turned"), "--out", tmp_path / "turned", *SMALL, *columns)
    invoke("train", *files(data), "--out", tmp_path / "usual", *SMALL)
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("turned", "usual")]
    assert models[0] == models[1]
    tables = [invoke("evaluate", tmp_path / "turned", data / "test.turned", *columns).stdout,
              invoke("evaluate", tmp_path / "usual", data / "test.conll").stdout]  # fmt: skip
    assert tables[0] == tables[1]
    tagged = invoke("predict", tmp_path / "turned", data / "test.turned", "--format", "conll", "--word-column", -1)
    assert tagged.stdout.startswith(made(1, 2)[0].words[0] + "\t")


def test_plain_labels(data: Path, tmp_path: Path) -> None:
    result = invoke("train", *files(data, "plain"), "--out", tmp_path, *SMALL)
    assert "plain labels" in result.stderr
    figures = metrics(tmp_path)["test"]
    assert figures.keys() == SCORES
    assert (figures["metric"], figures["f1"], figures["per_type"].keys()) == ("accuracy", None, {"N", "X"})
    assert 0 < figures["accuracy"] <= 100
    assert re.fullmatch(r"Ada/[NX] left/[NX]\n", run("predict", tmp_path, given="Ada left")[1])


def test_same_seed_same_bytes_and_only_then(data: Path, tmp_path: Path) -> None:
    found = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert run("train", *files(data), "--out", tmp_path / name, *SMALL, "--seed", seed)[0] == 0
        found.append((tmp_path / name / "model.safetensors").read_bytes())
    assert found[0] == found[1]
    assert found[0] != found[2]


def started(*arguments: Any) -> subprocess.Popen[bytes]:
    """A process that trains and has just written its first checkpoint."""
    process = subprocess.Popen([*COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while not list(arguments[-1].glob("checkpoints/step-*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.001)
    return process


def test_ctrl_c_says_how_to_go_on(data: Path, tmp_path: Path) -> None:
    process = started("train", *files(data), "--epochs", 500, "--patience", 500, "--out", tmp_path)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (130, b"")
    assert b"with --resume goes on from the last checkpoint" in stderr
    assert stderr.endswith(b"goes on from the last checkpoint\n")
    assert b"Traceback" not in stderr


def test_an_interrupted_run_is_resumed_to_the_bit(data: Path, tmp_path: Path) -> None:
    train = ["train", *files(data), "--hidden", 8, "--epochs", 100, "--patience", 100]
    invoke(*train, "--out", tmp_path / "whole")
    process = started(*train, "--out", tmp_path / "cut")
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it had ended before it was killed"
    assert not (tmp_path / "cut" / "metrics.json").exists()
    status, _, stderr = run(*train, "--out", tmp_path / "cut", "--resume")
    assert status == 0
    assert "resumed from step-" in stderr
    whole, cut = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut"))
    assert whole == cut
    figures = metrics(tmp_path / "whole"), metrics(tmp_path / "cut")
    assert all(figures[0][name] == figures[1][name] for name in ("dev", "test", "epochs", "best_epoch"))


def test_resuming_with_nothing_to_resume_starts(data: Path, tmp_path: Path) -> None:
    invoke("train", *files(data), "--out", tmp_path / "a", *SMALL)
    assert invoke("train", *files(data), "--out", tmp_path / "b", *SMALL, "--resume").exit_code == 0
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in "ab")
    assert first == second


def test_more_epochs_by_resuming(data: Path, tmp_path: Path) -> None:
    invoke("train", *files(data), "--out", tmp_path, *SMALL)
    assert invoke("train", *files(data), "--out", tmp_path, "--hidden", 8, "--epochs", 3, "--resume").exit_code == 0
    assert metrics(tmp_path)["epochs"] == 3


@pytest.mark.parametrize(
    "changed",
    [["--hidden", 9], ["--seed", 2], ["--cell", "lstm"], ["--loss", "softmax"], ["--rate", 0.1],
     ["--precision", "bf16"], ["--train", "dev.conll"], ["--embeddings", "vectors.txt"]],
    ids=lambda changed: changed[0],
)  # fmt: skip
def test_resuming_another_run_is_refused(
    data: Path, model: Path, monkeypatch: pytest.MonkeyPatch, changed: list[Any]
) -> None:
    monkeypatch.chdir(data)
    before = (model / "model.safetensors").read_bytes()
    settings = ["--hidden", 16, "--epochs", 8, "--rate", 0.02]
    status, _, stderr = call("train", *files(data), "--out", model, *settings, *changed, "--resume")
    assert status == 1
    assert re.search(
        rf"^Error: .*run\.json: a run is resumed as it was started.*{changed[0][2:]} \(", stderr, re.MULTILINE
    )
    assert (model / "model.safetensors").read_bytes() == before


def test_in_process_runs_leave_logging_as_it_was(data: Path, tmp_path: Path) -> None:
    first, second = (invoke("train", *files(data), "--out", tmp_path, *SMALL).stderr for _ in range(2))
    assert first.count("train.conll:") == second.count("train.conll:") == 1


def test_defaults_are_those_of_the_experiment_and_its_options() -> None:
    parameters = {option.name: option for option in commands.commands["train"].params}
    known = vars(Experiment(Path(), Path(), Path())) | vars(Options())
    compared = {name for name in parameters.keys() & known.keys() if not parameters[name].multiple}
    assert compared >= {"cell", "hidden", "layers", "chars", "loss", "dropout", "epochs", "rate", "averaging"}
    for name in compared - {"train", "dev", "test", "out"}:
        assert parameters[name].default == known[name], name
