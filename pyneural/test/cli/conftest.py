from __future__ import annotations

from pathlib import Path

import pytest

from pyneural.tagging.corpus import write_columns
from pyneural.test.cli.cases import files, invoke, made


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for seed, (part, count) in enumerate({"train": 60, "dev": 15, "test": 15}.items()):
        write_columns(folder / f"{part}.conll", made(count, seed))
        write_columns(folder / f"{part}.plain", made(count, seed, plain=True))
        rows = ([list(words), list(tags), ["x"] * len(words)] for words, tags in made(count, seed))
        write_columns(folder / f"{part}.turned", ([tags, blank, words] for words, tags, blank in rows), separator=" ")
    (folder / "vectors.txt").write_text("oslo 1 2 3\nleft 4 5 6\nnever 7 8 9\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def model(data: Path) -> Path:
    out = data / "model"
    assert invoke("train", *files(data), "--out", out, "--hidden", 16, "--epochs", 8, "--rate", 0.02).exit_code == 0
    return out
