"""A tagger and pretrained vectors: of its own words, and of those beyond its vocabulary."""

import logging
from pathlib import Path

import numpy as np
import pytest

from pyneural.tagging.corpus import Corpus, Sentence
from pyneural.tagging.model import Options
from pyneural.tagging.tagger import Tagger
from pyneural.tagging.vectors import Vectors, write_vectors

TABLE = Vectors(["oslo", "rain", "snow", "Rome"], [[1, 2], [3, 4], [5, 7], [8, 9]])
OPTIONS = Options(hidden=3, char_hidden=2)


@pytest.fixture
def tagger() -> Tagger:
    corpus = Corpus([Sentence(["Oslo", "rain", "fog"], ["B-LOC", "O", "O"])])
    return Tagger.for_corpus(corpus, OPTIONS, vectors=TABLE)


def embedded(tagger: Tagger, *words: str) -> list[list[float]]:
    """What the network makes of the words in inference."""
    numbers = tagger.features([words]).words.values
    rows: list[list[float]] = tagger._embedding.predict(numbers).tolist()
    return rows


def test_vectors_are_where_words_start(tagger: Tagger) -> None:
    assert tagger.options.word_dim == 2
    assert embedded(tagger, "Oslo", "rain") == [[1, 2], [3, 4]]
    assert len(tagger._embedding.table.value) == len(tagger.vocabulary)
    assert {"oslo", "rain", "fog"} <= tagger.vocabulary.ids.keys()
    assert not {"snow", "Oslo", "Rome"} & tagger.vocabulary.ids.keys()


def test_words_beyond_the_vocabulary_are_looked_up_in_the_table(tagger: Tagger) -> None:
    tagger._embedding.table.value[tagger.vocabulary["rain"]] = [-1, -1]  # as if trained
    assert embedded(tagger, "snow", "RAIN", "OSLO", "Rome", "rain") == [[5, 7], [-1, -1], [1, 2], [8, 9], [-1, -1]]
    assert embedded(tagger, "rome") != [[8, 9]]
    tagger.know(None)
    assert embedded(tagger, "snow") == embedded(tagger, "frost")
    with pytest.raises(ValueError, match=r"expected shape \(n, 2\), got \(1, 3\)"):
        tagger.know(Vectors(["a"], [[1, 2, 3]]))


def test_extended_it_needs_no_table(tagger: Tagger) -> None:
    larger = tagger.extended(["snow", "snow", "Rome", "fog", "unheard-of"])
    assert larger.vocabulary.words == [*tagger.vocabulary.words, "snow", "Rome"]
    words = [["Oslo", "snow", "rain", "fog", "Rome", "never"]]
    features = tagger.features(words), larger.features(words)
    rows = [one.network.predict(columns) for one, columns in zip((tagger, larger), features, strict=True)]
    assert np.array_equal(*rows)
    larger.know(None)
    assert embedded(larger, "snow", "Rome") == [[5, 7], [8, 9]]
    with pytest.raises(ValueError, match="knows a table of vectors"):
        larger.extended(["x"])


def test_a_model_remembers_its_vectors_and_says_where_they_are_gone(
    tagger: Tagger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "table.safetensors"
    write_vectors(path, TABLE)
    tagger.sources = [str(path)]
    tagger.save(tmp_path)
    assert embedded(Tagger.load(tmp_path), "snow") == [[5, 7]]
    assert embedded(Tagger.load(tmp_path, vectors=None), "snow") != [[5, 7]]
    assert embedded(Tagger.load(tmp_path, vectors=Vectors(["snow"], [[0, 1]])), "snow") == [[0, 1]]
    assert not caplog.records
    write_vectors(path, Vectors(["snow"], [[1, 2, 3]]))
    with caplog.at_level(logging.WARNING, "pyneural"):
        Tagger.load(tmp_path)
    assert "expected 2 numbers a word, as in the model; got 3" in caplog.text
    path.unlink()
    caplog.clear()
    with caplog.at_level(logging.WARNING, "pyneural"):
        loaded = Tagger.load(tmp_path)
    assert "known by their spelling alone" in caplog.text
    assert embedded(loaded, "Oslo") == [[1, 2]]


def test_further_columns_are_learned_from(tmp_path: Path) -> None:
    words, speech = ["a", "b"], ["N", "V"]
    sentences = [Sentence(words, ["O", "B-X"]), Sentence(words, ["B-X", "O"])]
    corpus = Corpus(sentences, features=[(speech,), (speech[::-1],)])
    tagger = Tagger.for_corpus(corpus, OPTIONS)
    assert tagger.features.columns == [["N", "V"]]
    batch = next(tagger.batches(corpus, 2).epoch(0))
    assert sorted(batch.inputs.column0.rows.tolist()) == [1, 1, 2, 2]
    assert tagger.features([["a"]], [(["?"],)]).column0.values.tolist() == [0]
    with pytest.raises(ValueError, match="features: expected 1 columns beside the words"):
        tagger.tag([["a"]])
    tagger.save(tmp_path)
    loaded = Tagger.load(tmp_path)
    assert loaded.features.columns == [["N", "V"]]
    assert loaded.tag(corpus.words, corpus.features) == tagger.tag(corpus.words, corpus.features)


def test_a_raw_text_has_no_further_columns() -> None:
    corpus = Corpus([Sentence(["a"], ["B-X"])], features=[(["N"],)])
    tagger = Tagger.for_corpus(corpus, OPTIONS)
    with pytest.raises(ValueError, match="trained on further columns, of which a raw text has none"):
        tagger.tag("a")
    with pytest.raises(ValueError, match="feature_columns: expected a corpus with the columns"):
        Tagger.for_corpus(Corpus([Sentence(["a"], ["B-X"])]), Options(feature_columns=(1,)))
    plain = Tagger.for_corpus(Corpus([Sentence(["a"], ["B-X"])]), OPTIONS)
    with pytest.raises(ValueError, match="expected 0 columns"):
        plain.tag([["a"]], [(["N"],)])
