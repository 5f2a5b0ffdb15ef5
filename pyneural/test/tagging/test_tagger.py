from __future__ import annotations

import io
import json
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyneural import safetensors
from pyneural.batches import take
from pyneural.checkpoint import save_model
from pyneural.components import Dense
from pyneural.layers import Sequential
from pyneural.losses import Softmax
from pyneural.network import Network
from pyneural.packing import Steps
from pyneural.safetensors import FormatError
from pyneural.sgd import Adam
from pyneural.tagging.corpus import Corpus, Sentence, read_columns
from pyneural.tagging.files import MODEL
from pyneural.tagging.model import Options
from pyneural.tagging.schemes import SCHEMES, convert, spans
from pyneural.tagging.tagger import Tagger
from pyneural.training import fit

SMALL = Options(hidden=12, word_dim=12, dropout=0.1)
PEOPLE, PLACES, VERBS = ["Ada Ode", "Bo Li", "Cy"], ["Oslo", "New York", "Rome"], ["left", "saw", "likes"]
PLAIN = {"B": "NAME", "I": "NAME", "O": "WORD"}


def sentences(count: int, scheme: str | None = "IOB2") -> Corpus:
    source, found = random.Random(1), []
    for _ in range(count):
        person, place = source.choice(PEOPLE).split(), source.choice(PLACES).split()
        words = [*person, source.choice(VERBS), *place, *["at noon"] * (source.random() < 0.3), "."]
        tags = [f"{'BI'[i > 0]}-PER" for i in range(len(person))] + ["O"]
        tags += [f"{'BI'[i > 0]}-LOC" for i in range(len(place))]
        tags += ["O"] * (len(words) - len(tags))
        tags = [PLAIN[tag[0]] for tag in tags] if scheme is None else convert(tags, "IOB2", scheme)
        found.append(Sentence(words, tags))
    return Corpus(found, "made.conll")


def trained(corpus: Corpus, options: Options = SMALL, epochs: int = 12) -> Tagger:
    tagger = Tagger.for_corpus(corpus, options, seed=2)
    fit(tagger.network, tagger.batches(corpus, 8, seed=2), Adam(0.02), epochs)
    return tagger


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return trained(sentences(40))


@pytest.mark.parametrize("loss", ["crf", "softmax"])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_learns_a_tiny_corpus(cell: str, loss: str) -> None:
    corpus = sentences(40)
    scores = trained(corpus, Options(cell=cell, loss=loss, hidden=12, word_dim=12, dropout=0.1)).evaluate(corpus)
    assert (scores.f1, scores.accuracy) == (100.0, 100.0)


@pytest.mark.parametrize("loss", ["crf", "softmax"])
def test_paths_are_well_formed(loss: str) -> None:
    """Also of a network that has learned nothing."""
    corpus = sentences(40)
    tagger = Tagger.for_corpus(corpus, Options(loss=loss, hidden=12, word_dim=12))
    for [words], [tags] in (([words], tagger.tag([words])) for words in corpus.words):
        assert convert(tags, "IOB2", "IOB2") == tags
        assert [tags] == [best for best, _ in tagger.best(words, 1)] or loss == "softmax"


def test_bilou_is_scored_as_iobes() -> None:
    letters = str.maketrans("ES", "LU")
    corpus = sentences(40, "IOBES")
    renamed = Corpus(
        [Sentence(words, [tag[0].translate(letters) + tag[1:] for tag in tags]) for words, tags in corpus], "bilou"
    )
    scores = trained(renamed).evaluate(renamed)
    assert (scores.f1, scores.accuracy) == (100.0, 100.0)


def test_two_layers() -> None:
    corpus = sentences(40)
    assert trained(corpus, Options(layers=2, hidden=12, word_dim=12, dropout=0.1)).evaluate(corpus).f1 == 100.0


def test_plain_labels_are_scored_by_accuracy() -> None:
    corpus = sentences(40, scheme=None)
    tagger = trained(corpus)
    assert (tagger.scheme, tagger.labels) == (None, ["NAME", "WORD"])
    scores = tagger.evaluate(corpus)
    assert (scores.main, scores.accuracy, scores.f1) == (100.0, 100.0, None)
    assert tagger.tag([["Ada", "left"]]) == [["NAME", "WORD"]]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_tags_come_back_in_the_scheme_they_came_in(scheme: str) -> None:
    corpus = sentences(40, scheme)
    tagger = trained(corpus)
    assert tagger.scheme == scheme
    assert tagger.tag(corpus.words) == corpus.tags


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_corpus_in_another_scheme_is_scored_alike(tagger: Tagger, scheme: str) -> None:
    scores = tagger.evaluate(sentences(40, scheme))
    assert (scores.f1, scores.accuracy) == (100.0, 100.0)


def test_sentences_come_back_in_order(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyneural.tagging.tagger.BATCH", 7)
    words = [["Ada", "Ode"] * (7 * i % 11) for i in range(40)]
    together = tagger.tag(words)
    assert [len(tags) for tags in together] == [len(sentence) for sentence in words]
    assert together == [tagger.tag([sentence])[0] for sentence in words]


def test_nothing_and_empty_sentences(tagger: Tagger) -> None:
    assert tagger.tag([]) == []
    assert tagger.tag([[]]) == tagger.tag([()]) == [[]]
    assert tagger.tag([[], ["Oslo"], []]) == [[], ["B-LOC"], []]
    assert len(tagger.tag([["", "\u2028", "😀"]])[0]) == 3


def test_a_text_is_no_list_of_words(tagger: Tagger) -> None:
    with pytest.raises(TypeError, match="expected a raw text, or a list of words for each sentence; got 'Ada left'"):
        tagger.tag(["Ada left"])


def test_entities_of_a_text(tagger: Tagger) -> None:
    text = "Ada Ode left  New York.\n\nCy saw Oslo.\n"
    found = tagger.tag(text)
    assert [(entity.text, entity.type) for entity in found] == [
        ("Ada Ode", "PER"), ("New York", "LOC"), ("Cy", "PER"), ("Oslo", "LOC")
    ]  # fmt: skip
    assert all(text[entity.start : entity.end] == entity.text for entity in found)
    assert all(entity.probability is not None and 0.5 < entity.probability <= 1 for entity in found)
    again = list(tagger.entities(iter(text.splitlines(keepends=True)), ahead=1))
    assert [entity[:4] for entity in again] == [entity[:4] for entity in found]
    assert tagger.tag("") == tagger.tag(" \n") == []


def test_best_taggings_and_marginals_agree_with_the_entities_probabilities(tagger: Tagger) -> None:
    words = ["Ada", "Ode", "likes", "York"]
    taggings = tagger.best(words, 10_000)
    assert taggings[0][0] == tagger.tag([words])[0]
    assert [p for _, p in taggings] == sorted((p for _, p in taggings), reverse=True)
    assert sum(p for _, p in taggings) == pytest.approx(1, abs=1e-5)
    for entity in tagger.tag(" ".join(words)):
        first = " ".join(words)[: entity.start].count(" ")
        span = (first, first + entity.text.count(" ") + 1, entity.type)
        assert entity.probability == pytest.approx(sum(p for tags, p in taggings if span in spans(tags, "IOB2")))
    [marginals] = tagger.marginals([words])
    assert marginals.shape == (4, len(tagger.labels))
    assert marginals.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert tagger.marginals([]) == []
    assert len(tagger.best(words, 3)) == 3


def test_tags_that_training_had_not(tagger: Tagger) -> None:
    corpus = Corpus([Sentence(["Ada", "x"], ["B-PER", "B-SHIP"])], "dev.conll")
    with pytest.raises(ValueError, match=r"^dev\.conll: has tags that the tagger does not know: S-SHIP$"):
        tagger.batches(corpus)
    assert tagger.unseen(corpus) == ["SHIP"]
    assert tagger.unseen(sentences(5)) == []
    scores = tagger.evaluate(corpus)
    assert (scores.per_type["SHIP"].recall, scores.gold) == (0.0, 2)


def test_tags_of_another_kind_are_refused(tagger: Tagger) -> None:
    with pytest.raises(ValueError, match=r"^made\.conll: expected chunk tags, as the tagger's IOB2, got NAME, WORD$"):
        tagger.evaluate(sentences(5, scheme=None))
    plain = Tagger.for_corpus(sentences(5, scheme=None), SMALL)
    with pytest.raises(ValueError, match=r"^made\.conll: the tagger knows none of its tags, B-LOC, .*O$"):
        plain.evaluate(sentences(5))


def test_plain_labels_that_look_like_chunk_tags_now_and_then() -> None:
    """Punctuation to restore: a sentence of O alone would be recognised as IOB2."""
    tagger = Tagger.for_corpus(Corpus([Sentence(["a", "b"], ["O", "COMMA"])]), SMALL)
    assert tagger.evaluate(Corpus([Sentence(["a"], ["O"])])).scheme is None
    assert tagger.unseen(Corpus([Sentence(["a", "b"], ["O", "DOT"])])) == ["DOT"]


def test_saved_and_loaded_it_is_the_same(tagger: Tagger, tmp_path: Path) -> None:
    tagger.save(tmp_path / "new" / "folder", seed=1)
    tagger.save(tmp_path / "again", seed=1)
    assert (tmp_path / "again" / MODEL).read_bytes() == (tmp_path / "new" / "folder" / MODEL).read_bytes()
    assert [path.name for path in (tmp_path / "again").iterdir()] == [MODEL]
    loaded = Tagger.load(str(tmp_path / "again"))
    assert (loaded.options, loaded.labels, loaded.scheme) == (tagger.options, tagger.labels, tagger.scheme)
    assert loaded.vocabulary.words == tagger.vocabulary.words
    assert loaded.network.values.tobytes() == tagger.network.values.tobytes()
    words = tagger.features([["Ada", "saw", "Verzhinsky"]])
    packed = take(words, np.arange(1), Steps([3]))
    scores = [model.network.body.propagate(packed, training=False).rows.tobytes() for model in (tagger, loaded)]
    assert scores[0] == scores[1]
    assert loaded.tag(sentences(40).words) == tagger.tag(sentences(40).words)


def test_precision_is_the_callers_not_the_models(tagger: Tagger, tmp_path: Path) -> None:
    tagger.save(tmp_path)
    loaded = Tagger.load(tmp_path, precision="bf16")
    assert (tagger.network.precision, loaded.network.precision) == ("full", "bf16")
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again" / MODEL).read_bytes() == (tmp_path / MODEL).read_bytes()
    assert loaded.evaluate(sentences(40)).f1 == 100.0
    with pytest.raises(ValueError, match="precision: expected 'full' or 'bf16', got 'half'") as caught:
        Tagger.load(tmp_path, precision="half")
    assert not isinstance(caught.value, FormatError), "there is nothing wrong with the file"


def test_no_folder_no_model_no_safetensors(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"missing: is no folder"):
        Tagger.load(tmp_path / "missing")
    with pytest.raises(FormatError, match=r"is no model: it holds no model\.safetensors"):
        Tagger.load(tmp_path)
    path = tmp_path / MODEL
    path.touch()
    with pytest.raises(FormatError, match="is no folder"):
        Tagger.load(path)
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    for content, said in (
        (b"", "is not a safetensors file"),
        (b"x" * 1000, "is not a safetensors file"),
        (pickle.dumps({"a": 1}), "looks like a pickle"),
        (pickle.dumps({"a": 1}, protocol=0), "is not a safetensors file"),
        (buffer.getvalue(), "looks like a pickle or a zip"),
    ):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=f"^{path}: {said}"):
            Tagger.load(tmp_path)


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "run",)

    for protocol in range(6):
        (tmp_path / MODEL).write_bytes(pickle.dumps(Bomb(), protocol=protocol))
        with pytest.raises(FormatError):
            Tagger.load(tmp_path)
    assert not (tmp_path / "run").exists()


def test_models_of_another_kind(tmp_path: Path) -> None:
    save_model(Network(Sequential(Dense(2, 2)), Softmax()).allocate(seed=1), tmp_path / MODEL)
    with pytest.raises(FormatError, match="is not a tagger's model"):
        Tagger.load(tmp_path)
    safetensors.write(tmp_path / MODEL, {"a": np.zeros(3)}, {"format": "pt"})
    with pytest.raises(FormatError, match="is not a pyneural model"):
        Tagger.load(tmp_path)


UNFIT: list[tuple[str, Any]] = [
    ("options", None), ("options", {"cell": "gru"}), ("options", {"colour": "red"}), ("options.cell", "elman"),
    ("options.cell", []), ("options.hidden", 10**9), ("options.hidden", 13), ("options.hidden", 12.5),
    ("options.hidden", "12"), ("options.hidden", -1), ("options.layers", 10**9), ("options.layers", 3),
    ("options.word_dim", 10**12), ("options.shape_dim", 11), ("options.loss", "softmax"), ("options.dropout", 7),
    ("labels", None), ("labels", []), ("labels", "OBI"), ("labels", ["O"] * 9), ("labels", list(range(9))),
    ("labels", ["O", "B-PER"]), ("labels", [f"N{i}" for i in range(9)]), ("labels", {"O": 1}), ("scheme", "IOB3"),
    ("scheme", ["IOB2"]), ("scheme", 1),
    ("words", np.zeros(0, dtype=np.uint8)), ("words", np.frombuffer(b"<unknown>\na", dtype=np.uint8)),
    ("words", np.array([0xFF], dtype=np.uint8)), ("words", np.zeros((2, 2), dtype=np.float32)), ("words", None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), UNFIT, ids=[f"{name}-{str(value)[:20]}" for name, value in UNFIT])
def test_parts_that_do_not_fit_are_a_format_error(tagger: Tagger, tmp_path: Path, name: str, value: Any) -> None:
    tagger.save(tmp_path)
    tensors, metadata = safetensors.read(tmp_path / MODEL)
    described = json.loads(metadata["tagger"])
    if name == "words":
        del tensors["vocabulary.words"]
        tensors |= {} if value is None else {"vocabulary.words": value}
    else:
        *outer, inner = name.split(".")
        (described[outer[0]] if outer else described)[inner] = value
    safetensors.write(tmp_path / MODEL, tensors, metadata | {"tagger": json.dumps(described)})
    with pytest.raises(FormatError, match=f"^{tmp_path / MODEL}: "):
        Tagger.load(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", "{", '{"options": {}}', "[" * 100_000])
def test_damaged_descriptions_are_a_format_error(tagger: Tagger, tmp_path: Path, text: str) -> None:
    tagger.save(tmp_path)
    tensors, metadata = safetensors.read(tmp_path / MODEL)
    safetensors.write(tmp_path / MODEL, tensors, metadata | {"tagger": text})
    with pytest.raises(FormatError, match=f"^{tmp_path / MODEL}: "):
        Tagger.load(tmp_path)


def test_models_cut_short_anywhere(tagger: Tagger, tmp_path: Path) -> None:
    tagger.save(tmp_path)
    content = (tmp_path / MODEL).read_bytes()
    for length in range(0, len(content), len(content) // 60):
        (tmp_path / MODEL).write_bytes(content[:length])
        with pytest.raises(FormatError):
            Tagger.load(tmp_path)


def test_options_and_labels_are_checked() -> None:
    for wrong in ({"cell": "elman"}, {"loss": "hinge"}, {"hidden": 0}, {"layers": 0}, {"word_dim": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Options(**wrong)
    with pytest.raises(ValueError, match="labels"):
        Tagger(SMALL, Tagger.for_corpus(sentences(2), SMALL).features, [], None)


def test_words_read_without_tags_can_be_tagged(tagger: Tagger, tmp_path: Path) -> None:
    (tmp_path / "words").write_text("Ada\nleft\n", encoding="utf-8")
    assert tagger.tag(read_columns(tmp_path / "words", tag_column=None).words) == [["B-PER", "O"]]
