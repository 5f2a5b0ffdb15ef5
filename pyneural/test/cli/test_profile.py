"""`pyneural profile`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pyneural.test.cli.cases import call, invoke, run


def test_of_a_model(data: Path, model: Path, tmp_path: Path) -> None:
    status, stdout, stderr = run("profile", model, data / "dev.conll", "--repeats", 2, "--plot", tmp_path / "roof.png")
    assert (status, stderr) == (0, "")
    assert "rightward: Gru" in stdout
    assert "loss: Crf" in stdout
    assert "limits measured: float32" in stdout
    assert (tmp_path / "roof.png").read_bytes().startswith(b"\x89PNG")
    assert invoke("profile", model, data / "dev.plain").exit_code == 0, "tags it doesn't know"


def test_without_a_model(data: Path) -> None:
    result = invoke("profile", data / "dev.turned", "--word-column", 2, "--tag-column", 0, "--json", "--batch-size", 4,
                    "--precision", "bf16")  # fmt: skip
    told = json.loads(result.stdout)
    assert told["sequences"] == 4
    assert {"Embedding", "Gru", "Dense", "Crf"} <= {part["class"] for part in told["parts"]}


def test_errors(data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for given in ([], [model, data / "dev.conll", "x"], [data / "dev.conll", "--repeats", 0]):
        assert call("profile", *given)[0] == 2
    for given, wrong in (
        ([tmp_path / "none"], "none: no such file"),
        ([tmp_path, data / "dev.conll"], "is no model"),
    ):
        status, stdout, stderr = call("profile", *given)
        assert (status, stdout) == (1, "")
        assert wrong in stderr
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    status, stdout, stderr = call("profile", data / "dev.conll", "--plot", tmp_path / "roof.png")
    assert (status, stdout) == (1, "")
    assert "`plot` extra" in stderr
