"""Corpora of all kinds: CoNLL-U, lines of JSON, data sets, data frames."""

import gzip
import json
import logging

import pytest

from pyneural.tagging import corpus_of, read_corpus, spans
from pyneural.tagging.corpus import CorpusError

CONLLU = """\
# sent_id = 1
# text = Don't go.
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\tVB\t_\t3\taux\t_\t_
2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_
3\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_
3.1\tanywhere\tanywhere\tADV\t_\t_\t_\t_\t_\t_
4\t.\t.\tPUNCT\t.\t_\t3\tpunct\t_\t_

# sent_id = 2
1\t#\t#\tSYM\tNFP\t_\t0\troot\t_\t_

"""


@pytest.fixture
def conllu(tmp_path):
    path = tmp_path / "some.conllu"
    path.write_text(CONLLU, encoding="utf-8")
    return path


def written(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


# ---- CoNLL-U


def test_conllu(conllu):
    corpus = read_corpus(conllu)
    assert corpus.words == [["Do", "n't", "go", "."], ["#"]]
    assert corpus.tags == [["AUX", "PART", "VERB", "PUNCT"], ["SYM"]]


def test_columns_of_conllu_by_name_and_number(conllu):
    corpus = read_corpus(conllu, "lemma", "XPOS", feature_columns=["upos", 7])
    assert corpus.words[0] == ["do", "not", "go", "."]
    assert corpus.tags[0] == ["VB", "RB", "VB", "."]
    assert corpus.features[0] == (["AUX", "PART", "VERB", "PUNCT"], ["aux", "advmod", "root", "punct"])
    with pytest.raises(CorpusError, match="column: expected a number or one of id, form, lemma"):
        read_corpus(conllu, tag_column="pos")


def test_conllu_in_gzip(tmp_path):
    path = tmp_path / "some.conllu.gz"
    path.write_bytes(gzip.compress(CONLLU.encode()))
    assert read_corpus(path).words[1] == ["#"]


# ---- columns


def test_conll_columns_are_numbers(tmp_path):
    path = tmp_path / "some.txt"
    path.write_text("Ada NNP B-PER\nsang VBD O\n", encoding="utf-8")
    assert read_corpus(path).tags == [["B-PER", "O"]]
    assert read_corpus(path, "0", "1").tags == [["NNP", "VBD"]]
    with pytest.raises(CorpusError, match="tag_column: expected the number of a CoNLL column, got 'ner'"):
        read_corpus(path, tag_column="ner")


# ---- spans


def test_spans(tmp_path):
    rows = [
        {"text": "Ada Ode flew to New York. She slept.", "spans": [{"start": 0, "end": 7, "label": "PER"},
                                                                   {"start": 16, "end": 24, "label": "LOC"}]},
        {"text": "Nothing here", "entities": []},
        {"text": "In Oslo", "label": [[3, 7, "LOC"]]},
    ]  # fmt: skip
    corpus = read_corpus(written(tmp_path / "some.jsonl", *rows))
    assert corpus.words[:2] == [["Ada", "Ode", "flew", "to", "New", "York", "."], ["She", "slept", "."]]
    assert corpus.tags == [
        ["B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC", "O"], ["O", "O", "O"], ["O", "O"], ["O", "B-LOC"],
    ]  # fmt: skip
    assert corpus.documents == [0, 2, 3]


def test_a_span_across_sentences_joins_them(tmp_path):
    text = "We saw Who? What? Where? there."
    row = {"text": text, "spans": [{"start": 7, "end": 24, "type": "WORK"}]}
    corpus = read_corpus(written(tmp_path / "some.jsonl", row))
    assert [len(spans(tags, "IOB2")) for tags in corpus.tags if "B-WORK" in tags] == [1]
    assert sum(len(words) for words in corpus.words) == 10


def test_spans_within_words(tmp_path, caplog):
    row = {
        "text": "Oslo-based xyzzy",
        "spans": [{"start": 11, "end": 13, "label": "A"}, {"start": 14, "end": 16, "label": "B"}],
    }
    with caplog.at_level(logging.WARNING, logger="pyneural"):
        corpus = read_corpus(written(tmp_path / "some.jsonl", row))
    assert corpus.tags[0][-1] == "B-A"
    messages = [record.getMessage() for record in caplog.records]
    assert any("1 spans begin or end within a word" in message for message in messages)
    assert any("1 spans have no word of their own, and are left out" in message for message in messages)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "Ada"}, r":1: expected a text and its spans, got the fields text"),
        ({"text": "Ada", "spans": [{"start": 0, "end": 4, "label": "PER"}]}, "expected 0 <= start < end <= 3"),
        ({"text": "Ada", "spans": [{"start": 0, "end": 3}]}, "expected a label for the span 0 to 3, got None"),
        ({"text": "Ada", "spans": [[0, 3]]}, "expected a span as start, end and label"),
        ({"text": "Ada Ode", "spans": [[0, 5, "A"], [4, 7, "B"]]}, "spans overlap"),
        ({"text": "", "spans": []}, "the corpus is empty"),
    ],
)
def test_wrong_spans(tmp_path, row, message):
    with pytest.raises(CorpusError, match=message):
        read_corpus(written(tmp_path / "some.jsonl", row))


@pytest.mark.parametrize(
    ("line", "message"), [("{", ":1: is not JSON"), ("[1]", ":1: expected a JSON object"), ("", "none of the columns")]
)
def test_wrong_json(tmp_path, line, message):
    path = tmp_path / "some.jsonl"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(CorpusError, match=message):
        read_corpus(path)


def test_texts_beside_tokens_and_without_spans(tmp_path):
    both = {"text": "Ada sang", "tokens": ["Ada", "sang"], "tags": ["B-PER", "O"]}
    assert read_corpus(written(tmp_path / "both.jsonl", both)).tags == [["B-PER", "O"]]
    none = {"text": "Rain fell", "spans": None}
    assert read_corpus(written(tmp_path / "none.jsonl", none)).tags == [["O", "O"]]
    with pytest.raises(CorpusError, match=r"texts with spans have no columns, got \['pos'\]"):
        read_corpus(tmp_path / "none.jsonl", tag_column="pos")


# ---- tokens and tags


def test_tokens_and_tags_in_lines(tmp_path):
    path = written(tmp_path / "some.jsonl", {"tokens": ["Ada", "sang"], "ner_tags": ["B-PER", "O"], "pos": ["N", "V"]})
    corpus = read_corpus(path)
    assert (corpus.words, corpus.tags) == ([["Ada", "sang"]], [["B-PER", "O"]])
    assert read_corpus(path, "tokens", "pos", feature_columns=["ner_tags"]).features == [(["B-PER", "O"],)]
    with pytest.raises(CorpusError, match="tag_column: expected one of tokens, ner_tags, pos; got 'chunks'"):
        read_corpus(path, tag_column="chunks")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "sentence 0: expected lists of one length in tokens, tags"),
        ({"tokens": "a b", "tags": ["O", "O"]}, "sentence 0: expected lists of one length"),
        ({"tokens": ["a", 3], "tags": ["O", "O"]}, "expected words and tags that are texts and not empty, got 3"),
        ({"tokens": [], "tags": []}, "the corpus is empty"),
    ],
)
def test_wrong_tokens(row, message):
    with pytest.raises(CorpusError, match=message):
        corpus_of([row])


def test_a_frame_of_words():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"sentence_id": [7, 7, 3], "word": ["Ada", "sang", "Rain"], "tag": ["B-PER", "O", "O"]})
    corpus = corpus_of(frame)
    assert (corpus.words, corpus.tags) == ([["Ada", "sang"], ["Rain"]], [["B-PER", "O"], ["O"]])
    frame["sentence_id"] = ["s1", None, "s2"]  # as some tables have it
    assert corpus_of(frame).words == corpus.words
    with pytest.raises(CorpusError, match="none of the columns word, tag is that of the sentences"):
        corpus_of(frame[["word", "tag"]])


def test_a_frame_whose_sentences_are_scattered():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"Sentence #": [1, 2, 1], "Word": ["Ada", "Rain", "sang"], "Tag": ["B-PER", "O", "O"]})
    with pytest.raises(
        CorpusError, match="the words of a sentence must stand together: sort the frame by 'Sentence #'"
    ):
        corpus_of(frame)
    assert corpus_of(frame.sort_values("Sentence #", kind="stable")).words == [["Ada", "sang"], ["Rain"]]
    frame.loc[0, "Word"] = None
    with pytest.raises(CorpusError, match="expected words and tags that are texts"):
        corpus_of(frame.sort_values("Sentence #", kind="stable"))


def test_a_frame_of_sentences():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"tokens": [["Ada", "sang"], ["Rain"]], "tags": [["B-PER", "O"], ["O"]]})
    assert corpus_of(frame).words == [["Ada", "sang"], ["Rain"]]


# ---- data sets


@pytest.fixture
def data_set(tmp_path, monkeypatch):
    """A folder that Hugging Face's own loader reads, without a network."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    names = datasets.ClassLabel(names=["O", "B-PER", "I-PER"])
    kinds = datasets.Features({"id": datasets.Value("string"), "tokens": datasets.List(datasets.Value("string")),
                               "ner_tags": datasets.List(names)})  # fmt: skip
    folder = tmp_path / "data"
    for part, words in (("train", ["Ada", "sang"]), ("validation", ["Bo", "slept"]), ("test", ["Cy", "ran"])):
        rows = {"id": ["0", "1"], "tokens": [words, []], "ner_tags": [[1, 0], []]}
        (folder / part).mkdir(parents=True)
        datasets.Dataset.from_dict(rows, features=kinds).to_parquet(folder / part / "0.parquet")
    return folder


@pytest.mark.filterwarnings("ignore")
def test_a_data_set_by_name(data_set):
    for split, name in (("train", "Ada"), ("dev", "Bo"), ("test", "Cy")):
        corpus = read_corpus(f"hf:{data_set}", split=split)
        assert corpus.words[0][0] == name
        assert corpus.tags == [["B-PER", "O"]]


@pytest.mark.filterwarnings("ignore")
def test_a_data_set_at_hand(data_set):
    datasets = pytest.importorskip("datasets")
    rows = datasets.load_dataset(str(data_set), split="train")
    assert corpus_of(rows).tags == [["B-PER", "O"]]


@pytest.mark.filterwarnings("ignore")
def test_labels_that_have_no_name_and_all_of_a_data_set(data_set):
    datasets = pytest.importorskip("datasets")
    with pytest.raises(CorpusError, match="expected one part of a data set, got all of train, validation, test"):
        corpus_of(datasets.load_dataset(str(data_set)))
    names = datasets.ClassLabel(names=["O", "B-PER"])
    kinds = datasets.Features({"tokens": datasets.List(datasets.Value("string")), "tags": datasets.List(names)})
    rows = datasets.Dataset.from_dict({"tokens": [["Ada", "sang"]], "tags": [[-1, 0]]}, features=kinds)
    with pytest.raises(CorpusError, match="sentence 0: expected numbers of tags from 0 to 1, got -1"):
        corpus_of(rows)


@pytest.mark.filterwarnings("ignore")
def test_texts_with_spans_of_a_data_set_and_a_frame():
    datasets, pandas = pytest.importorskip("datasets"), pytest.importorskip("pandas")
    rows = {"text": ["In Oslo", "Rain"], "spans": [[{"start": 3, "end": 7, "label": "LOC"}], []]}
    for data in (datasets.Dataset.from_dict(rows), pandas.DataFrame(rows)):
        assert corpus_of(data).tags == [["O", "B-LOC"], ["O"]]


@pytest.mark.filterwarnings("ignore")
def test_a_data_set_without_a_part(tmp_path, data_set):
    for part in ("validation", "test"):
        (data_set / part / "0.parquet").unlink()
    with pytest.raises(CorpusError, match="has no part for dev: its parts are train"):
        read_corpus(f"hf:{data_set}", split="dev")


@pytest.mark.filterwarnings("ignore")
def test_no_such_data_set(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    with pytest.raises(CorpusError, match="cannot be loaded"):
        read_corpus(f"hf:{tmp_path / 'nowhere'}")


def test_data_sets_name_their_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r"the `datasets` extra brings it: pip install '\.\[datasets\]'"):
        read_corpus("hf:anything")
