"""The tagger trained in PyTorch, as `benchmarks.tagger` does, is the one that pyneural trains."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from pyneural import Adam, fit
from pyneural.schedules import InverseTime
from pyneural.tagging import Corpus, Tagger
from pyneural.tagging.corpus import Sentence
from pyneural.tagging.model import Options

ROOT = Path(__file__).parents[3]
pytestmark = [
    pytest.mark.parity,
    pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="no checkout: the benchmarks are not here"),
]

SENTENCES = [
    ("Mara Lindqvist flew from Oslo", "B-PER I-PER O O B-LOC"),
    ("Oslo", "B-LOC"),
    ("Ode saw Mara in rainy Lisbon today", "B-PER O B-PER O O B-LOC O"),
    ("it rained", "O O"),
]
CORPUS = Corpus([Sentence(words.split(), tags.split()) for words, tags in SENTENCES])


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(ROOT)
    pytest.importorskip("torchcrf")
    return importlib.import_module("benchmarks.peers.torch_training")


def tagger_of(**options: Any) -> Tagger:
    return Tagger.for_corpus(CORPUS, Options(hidden=5, char_hidden=3, word_dim=6, shape_dim=2, **options), seed=3)


def optimiser() -> Adam:
    return Adam(InverseTime(0.05, decay=0.1), clip_norm=1.0)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_every_way_agrees(training: Any, cell: str, layers: int) -> None:
    """Numbers trained, loss and gradients, in every way that there is to write it."""
    tagger = tagger_of(cell=cell, layers=layers)
    ways = importlib.import_module("benchmarks.peers.torch_tagger").WAYS
    way, times = training.fastest(tagger.network, tagger.batches(CORPUS, 3), optimiser(), 5.0, ways)
    assert way in ways
    assert set(times) == {each.name for each in ways}


@pytest.mark.parametrize("averaging", [0.0, 3.0])
@pytest.mark.parametrize("way", range(8))
def test_training(training: Any, way: int, averaging: float) -> None:
    """The same weights and scores after some epochs without dropout: of one batch each, which touches every word, and
    with LSTMs, as the GRU's second bias moves its sum with the first twice as far. SparseAdam has its ε elsewhere."""
    ours, theirs = (tagger_of(cell="lstm", layers=1, dropout=0.0, word_dropout=0.0) for _ in range(2))
    chosen = importlib.import_module("benchmarks.peers.torch_tagger").WAYS[way]
    expected = fit(
        ours.network,
        ours.batches(CORPUS, 9),
        optimiser(),
        30,
        evaluate=lambda _: ours.evaluate(CORPUS).accuracy,
        averaging=averaging,
        patience=30,
    )
    trainer = training.Trainer(theirs.network, chosen, optimiser(), averaging)
    found = training.fit(
        theirs.network,
        trainer,
        theirs.batches(CORPUS, 9),
        30,
        evaluate=lambda _: theirs.evaluate(CORPUS).accuracy,
        patience=30,
    )
    assert found.scores == expected.scores
    assert found.position.best_epoch == expected.position.best_epoch
    assert found.position.best_epoch > 1
    np.testing.assert_allclose(theirs.network.values, ours.network.values, rtol=0, atol=1e-4)


def test_folding_the_second_bias_changes_nothing(training: Any) -> None:
    tagger = tagger_of(cell="gru")
    ways = importlib.import_module("benchmarks.peers.torch_tagger").WAYS
    trainer = training.Trainer(tagger.network, ways[0], optimiser(), 0.0)
    batch = next(tagger.batches(CORPUS, 9).epoch(0))
    for _ in range(3):
        trainer.step(batch, 0.0)
    before = trainer.model.eval().scores(batch.inputs).detach().numpy()
    trainer.model.fold_biases()
    after = trainer.model.scores(batch.inputs).detach().numpy()
    np.testing.assert_allclose(after, before, rtol=1e-9)
    assert not any(one.bias_hh_l0[: 2 * one.hidden_size].any() for one in [trainer.model.reader.both])


def test_both_are_trained(training: Any, tmp_path: Path) -> None:
    tagger = importlib.import_module("benchmarks.tagger")
    file, records = tmp_path / "corpus.conll", tmp_path / "tagger.json"
    lines = ("\n".join(f"{word} {tag}" for word, tag in zip(*one, strict=True)) for one in CORPUS)
    file.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("mara 1 2\nflew 0 1\nOslo 2 2\nParis 1 0\n", encoding="utf-8")
    dev = tmp_path / "dev.conll"
    dev.write_text("Mara B-PER\nsaw O\nParis B-LOC\n", encoding="utf-8")  # Paris is known by its vector alone
    arguments = [file, dev, "--test", file, "--embeddings", vectors, "--seeds", "1,2", "--epochs", "2", "--hidden", "4"]
    run = CliRunner().invoke(tagger.main, [*map(str, arguments), "--json", str(records)], catch_exceptions=False)
    assert run.exit_code == 0, run.output
    record = json.loads(records.read_text(encoding="utf-8"))
    assert [(one["side"], one["seed"]) for one in record["runs"]] == [
        (side, seed) for seed in (1, 2) for side in ("pyneural", "torch")
    ]
    assert len({one["parameters"] for one in record["runs"]}) == 1
    assert all({"dev", "test", "seconds", "tokens_per_second"} <= one.keys() for one in record["runs"])
    first, second = (one for one in record["runs"] if one["side"] == "torch")
    assert first["way"] == second["way"]
    assert len(first["ways_ms"]) == 8
    assert len(second["ways_ms"]) == 1
    assert record["summary"]["torch"]["ratio"] > 0
