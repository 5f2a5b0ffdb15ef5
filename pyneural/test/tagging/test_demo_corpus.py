"""The claims made for the corpus that comes with the package."""

from __future__ import annotations

import re
from importlib import resources
from itertools import pairwise

import pytest

from pyneural.tagging.corpus import Corpus, read_columns
from pyneural.tagging.schemes import recognise, spans

FOLDER = resources.files("pyneural") / "data" / "demo"
PARTS = ("train", "dev", "test")
TAG = re.compile(r"O|[BI]-(PER|LOC|ORG|MISC)")


@pytest.fixture(scope="module")
def parts() -> dict[str, Corpus]:
    result = {}
    for part in PARTS:
        with resources.as_file(FOLDER / f"{part}.conll") as path:
            result[part] = read_columns(path)
    return result


def entities(corpus: Corpus) -> list[str]:
    return [
        " ".join(words[span.start : span.stop]).casefold() for words, tags in corpus for span in spans(tags, "IOB2")
    ]


def test_at_least_600_distinct_sentences(parts: dict[str, Corpus]) -> None:
    sentences = [tuple(word.casefold() for word in words) for corpus in parts.values() for words in corpus.words]
    assert len(sentences) == len(set(sentences)) >= 600
    lengths = [len(words) for words in sentences]
    assert 3 <= min(lengths) <= max(lengths) <= 60


@pytest.mark.parametrize("part", PARTS)
def test_well_formed_iob2(parts: dict[str, Corpus], part: str) -> None:
    for number, (words, tags) in enumerate(parts[part]):
        for before, tag in pairwise(["O", *tags]):
            assert TAG.fullmatch(tag), (number, tag)
            assert tag[0] != "I" or before[1:] == tag[1:], f"{number}: {before} {tag} in {' '.join(words)}"
    assert recognise(parts[part].tags) == "IOB2"
    assert {tag[2:] for tags in parts[part].tags for tag in tags if tag != "O"} == {"PER", "LOC", "ORG", "MISC"}


@pytest.mark.parametrize("part", PARTS)
def test_clean_text(part: str) -> None:
    text = (FOLDER / f"{part}.conll").read_bytes().decode("utf-8")
    assert "\r" not in text
    assert text.endswith("\n")
    for line in text.split("\n"):
        assert re.fullmatch(r"(\S+\t\S+)?", line), line


@pytest.mark.parametrize("letters_only", [False, True], ids=["tokens", "without punctuation"])
def test_no_two_sentences_share_a_run_of_six_words(parts: dict[str, Corpus], letters_only: bool) -> None:
    seen: dict[tuple[str, ...], tuple[str, int]] = {}
    for part, corpus in parts.items():
        for number, words in enumerate(corpus.words):
            folded = [word.casefold() for word in words if not letters_only or any(map(str.isalnum, word))]
            for run in {tuple(folded[i : i + 6]) for i in range(len(folded) - 5)}:
                assert run not in seen, f"{part} {number} and {seen[run]}: {' '.join(run)}"
                seen[run] = part, number


def test_most_entities_of_the_test_part_never_occur_in_training(parts: dict[str, Corpus]) -> None:
    known = set(entities(parts["train"]))
    mentions = entities(parts["test"])
    new = sum(entity not in known for entity in mentions) / len(mentions)
    distinct = len(set(mentions) - known) / len(set(mentions))
    assert new >= 5 / 6, f"{new:.1%} of the mentions are new"  # 84.6 % when this was written
    assert distinct >= 0.8, f"{distinct:.1%} of the distinct entities are new"


def test_figures_of_the_readme(parts: dict[str, Corpus]) -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (train|dev|test) \| (.*) \|$", page, re.MULTILINE))
    for part, corpus in parts.items():
        figures = [int(figure.replace(",", "")) for figure in rows[part].split(" | ")]
        assert figures == [len(corpus), corpus.token_count, len(entities(corpus))], part
    assert page.split("\n\n")[1].startswith(f"{sum(map(len, parts.values())):,} English sentences")
    assert "for trying things out" in page
