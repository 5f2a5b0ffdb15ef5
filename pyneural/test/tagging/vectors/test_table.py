"""How words are found in tables, what is kept of them, and several side by side."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pyneural.tagging.vectors import Vectors, VectorsError, concatenate, find

FORMS = ("McKay-19", "mckay-19", "McKay-00", "mckay-00", "McKay-##", "mckay-##")


@pytest.mark.parametrize("best", range(len(FORMS)))
def test_fallback_goes_in_order(best: int) -> None:
    rows = {form: row for row, form in enumerate(FORMS) if row >= best}
    assert find("McKay-19", rows) == best


def test_no_fallback_where_nothing_is_folded() -> None:
    assert find("Oslo", {"OSLO": 0, "Oslo0": 1}) is None
    assert find("7", {"#": 0}) == 0
    assert find("0", {"#": 0}) == 0
    assert find("٣", {"0": 0, "#": 1}) is None, "digits of other scripts are letters to the tables"
    assert find("", {}) is None


def table(words: str, *columns: list[float], source: str = "t") -> Vectors:
    return Vectors(words.split(), np.array(columns, dtype=np.float32).T, source)


def test_rows_of_many_words() -> None:
    found = table("the oslo 00", [1, 2, 3]).rows_of(["Oslo", "fog", "the", "17", "The"])
    assert found.dtype == np.int64
    assert found.tolist() == [1, -1, 0, 2, 0]
    assert table("the", [1]).rows_of([]).tolist() == []


def test_a_word_that_comes_again_is_passed_over_with_its_vector() -> None:
    again = table("a b a c b", [1, 2, 3, 4, 5])
    assert (again.words, again.matrix.tolist()) == (["a", "b", "c"], [[1], [2], [4]])
    assert [again.row_of(word) for word in "abc"] == [0, 1, 2]


@pytest.mark.parametrize("matrix", [np.zeros((2, 3)), np.zeros(1), np.zeros((1, 2, 2))])
def test_one_row_for_each_word(matrix: np.ndarray) -> None:
    with pytest.raises(VectorsError, match=f"here: expected a row for each of 1 words.*{re.escape(str(matrix.shape))}"):
        Vectors(["a"], matrix, "here")


def test_take_gives_copies_and_the_mean_where_there_is_none() -> None:
    some = table("the oslo", [1, 3], [5, 9])
    taken = some.take(["Oslo", "fog", "the"])
    assert taken.tolist() == [[3, 9], [2, 7], [1, 5]]
    assert taken.dtype == np.float32
    taken[...] = 0
    assert some.take(["Oslo"]).tolist() == [[3, 9]]
    assert some.take([]).shape == some.only([]).take([]).shape == (0, 2)
    with pytest.raises(VectorsError, match=r"^t: holds no word vectors"):
        some.only([]).take(["the"])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_found_when_taken(wrong: float) -> None:
    some = table("the oslo fog", [1, wrong, 2])
    assert some.take(["the"]).tolist() == [[1]]
    with pytest.raises(VectorsError, match=r"^t: the vector of 'Oslo' has a number that is not finite"):
        some.take(["fog", "Oslo"])
    with pytest.raises(VectorsError, match=r"^t: has numbers that are not finite"):
        some.take(["snow"])
    assert some.only(["the"], frequent=1).words == ["the"]
    with pytest.raises(VectorsError, match="not finite"):
        some.only([], frequent=2)


def test_only_keeps_what_words_reach_and_the_first() -> None:
    some = table("the of Oslo rain 00 snow", [0, 1, 2, 3, 4, 5])
    kept = some.only({"Rain", "fog", "17", "of"}, frequent=2)
    assert kept.words == ["the", "of", "rain", "00"], "in the order of the table"
    assert kept.matrix.ravel().tolist() == [0, 1, 3, 4]
    assert kept.row_of("42") == 3
    assert some.only(["snow"]).words == ["snow"]
    assert some.only([], frequent=99).words == some.words
    assert some.only([]).matrix.shape == (0, 1)
    with pytest.raises(ValueError, match="frequent: expected at least 0, got -1"):
        some.only([], frequent=-1)


def test_only_reads_no_more_than_it_keeps() -> None:
    """Rows that are not kept may be anything."""
    some = table("a b c d", [1, np.nan, 3, np.nan])
    assert some.only(["C"], frequent=1).matrix.ravel().tolist() == [1, 3]


def test_concatenated_tables_are_asked_each_in_its_own_way() -> None:
    small = table("the oslo 0", [1, 2, 6], source="small")
    large = table("Oslo The # fog", [10, 20, 30, 40], [5, 6, 7, 8], source="large")
    both = concatenate([small, large])
    assert both.words == ["the", "Oslo", "oslo", "The", "0", "#", "fog"], "by their best place in any"
    assert both.source == "small + large"
    vectors = dict(zip(both.words, both.matrix.tolist(), strict=True))
    assert vectors["Oslo"] == [2, 10, 5]
    assert vectors["oslo"] == [2, 25, 6.5], "nothing in the second stands for the word in lower case: its mean"
    assert vectors["The"] == [1, 20, 6]
    assert vectors["0"] == [6, 30, 7]
    assert vectors["fog"] == [3, 40, 8], "the mean of the first"


def test_concatenated_tables_keep_what_words_reach() -> None:
    tables = [table("the oslo rain", [1, 2, 3]), table("of Oslo snow", [4, 5, 6])]
    kept = concatenate(tables, ["OSLO", "Snow", "fog"], frequent=1)
    assert (kept.words, kept.matrix.tolist()) == (["the", "oslo", "snow"], [[1, 5], [2, 5], [2, 6]])
    assert concatenate(tables, ["Oslo"]).matrix.tolist() == [[2, 5]]
    assert concatenate(tables, frequent=1).words == concatenate(tables, [], frequent=6).words
    with pytest.raises(ValueError, match="tables: expected at least one"):
        concatenate([])
