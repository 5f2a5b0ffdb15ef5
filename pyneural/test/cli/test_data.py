"""`pyneural train` and `evaluate` on corpora of other kinds than columns, and what training writes down."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pyneural.tagging.corpus import read_columns
from pyneural.test.cli.cases import SMALL, files, invoke, metrics


def as_lines(data: Path, folder: Path) -> dict[str, Path]:
    """The parts as tokens and tags, an object a line."""
    found = {}
    for part in ("train", "dev", "test"):
        corpus = read_columns(data / f"{part}.conll")
        found[part] = folder / f"{part}.jsonl"
        rows = (json.dumps({"tokens": words, "ner_tags": tags}) for words, tags in corpus)
        found[part].write_text("\n".join(rows), encoding="utf-8")
    return found


def as_conllu(data: Path, folder: Path) -> dict[str, Path]:
    found = {}
    for part in ("train", "dev", "test"):
        corpus = read_columns(data / f"{part}.conll")
        found[part] = folder / f"{part}.conllu"
        lines = ["# made of columns"]
        for words, tags in corpus:
            for number, (word, tag) in enumerate(zip(words, tags, strict=True), 1):
                lines.append("\t".join([str(number), word, "_", tag, *"______"]))
            lines.append("")
        found[part].write_text("\n".join(lines), encoding="utf-8")
    return found


@pytest.mark.parametrize("kind", [as_lines, as_conllu])
def test_the_same_model_from_other_files(kind, data, tmp_path):
    invoke("train", *files(data), *SMALL, "--epochs", 2, "--out", tmp_path / "columns")
    parts = kind(data, tmp_path)
    options = [text for part, path in parts.items() for text in (f"--{part}", path)]
    invoke("train", *options, *SMALL, "--epochs", 2, "--out", tmp_path / "other")
    assert metrics(tmp_path / "other")["dev"] == metrics(tmp_path / "columns")["dev"]
    scores = json.loads(invoke("evaluate", tmp_path / "other", parts["test"], "--json").stdout)
    assert scores == json.loads(invoke("evaluate", tmp_path / "columns", data / "test.conll", "--json").stdout)


def test_quiet_and_written_down(data, tmp_path):
    pytest.importorskip("tensorboardX")
    logs = {"--csv": "log.csv", "--jsonl": "log.jsonl", "--tensorboard": "runs"}
    written = [part for option, name in logs.items() for part in (option, tmp_path / name)]
    done = invoke("train", *files(data), *SMALL, "--epochs", 2, "--quiet", "--out", tmp_path / "model", *written)
    assert done.stderr == ""
    assert "dev:" in done.stdout
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len((tmp_path / "log.jsonl").read_text().splitlines()) == 4
    assert {row["epoch"] for row in rows} == {"1.0", "2.0"}
    assert list((tmp_path / "runs").iterdir())
