"""Calibrated probabilities: the loss on held-out data is least, and no prediction moves."""

import numpy as np
import pytest

from pyneural.tagging.calibration import minimum
from pyneural.tagging.corpus import Corpus, Sentence
from pyneural.tagging.model import Options
from pyneural.tagging.tagger import Tagger
from pyneural.test.tagging.test_tagger import SMALL, sentences, trained


def mean_loss(tagger: Tagger, corpus: Corpus) -> float:
    batches = list(tagger.batches(corpus, 4).epoch(0))
    weights = [tagger.network.weight(batch) for batch in batches]
    return float(np.average([tagger.network.loss_of(batch) for batch in batches], weights=weights))


def noisy() -> Corpus:
    """With every seventh tag wrong, so that to be sure is a mistake."""
    clean, count = [], 0
    for words, tags in sentences(30):
        wrong = []
        for tag in tags:
            count += 1
            wrong.append("B-LOC" if count % 7 == 0 else tag)
        clean.append(Sentence(words, wrong))
    return Corpus(clean, "noisy.conll")


@pytest.mark.parametrize("loss", ["crf", "softmax"])
def test_the_loss_is_least_and_tags_stay(loss: str) -> None:
    tagger = trained(sentences(40), Options(loss=loss, hidden=12, word_dim=12, dropout=0.1))
    held_out = noisy()
    tags, before = tagger.tag(held_out.words), mean_loss(tagger, held_out)
    beta = tagger.calibrate(held_out)
    assert beta < 0.8
    assert mean_loss(tagger, held_out) < before
    assert tagger.tag(held_out.words) == tags
    assert tagger.calibrate(held_out) == pytest.approx(1, abs=0.01), "nothing is left to mend"


def test_tags_that_it_does_not_know_are_left_out() -> None:
    tagger = trained(sentences(20), SMALL, epochs=1)
    values = tagger.network.values.copy()
    assert tagger.calibrate(Corpus([Sentence(["a"], ["B-SHIP"]), Sentence([], [])])) == 1.0
    assert np.array_equal(values, tagger.network.values)
    assert tagger.calibrate(Corpus([Sentence(["a"], ["B-SHIP"]), Sentence(["Ada"], ["B-PER"])])) != 1.0


def test_minima_at_the_ends() -> None:
    assert minimum(lambda x: x, 2, 5) == pytest.approx(2, abs=1e-3)
    assert minimum(lambda x: -x, 2, 5) == pytest.approx(5, abs=1e-3)
