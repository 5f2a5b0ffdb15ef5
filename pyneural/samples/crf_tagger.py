"""A tagger of named entities: two inputs, dropout, a bidirectional GRU, and a conditional random field.

    words  (N,)  ->  Embedding, Dropout (N, 48) ┐
    shapes (N,)  ->  Embedding          (N, 8)  ┴>  Bidirectional(Gru, Gru) (N, 96)  ->  Dense (N, K)  ->  Crf

The CRF scores a path of tags as a whole, so that what one word is called depends on what its neighbours are:
it learns that I-LOC does not follow B-PER. A network of several inputs takes a named tuple of them, whose
names are those of the branches.

Data: the demo corpus (see `demo_corpus`). Training stops when the development part says so, and the test
part is scored once.

Score: F1 of whole entities, both ends and the type right, as the CoNLL shared tasks count. Baseline: each
word is tagged as it was most often tagged in training, a word never seen there O. Five in six of the test
part's entities are new, so that finds few. Expect 64 to 69 against 24; pretrained word vectors, characters
and more text are what would come next.
"""

from collections import Counter, defaultdict
from typing import Any, NamedTuple

import numpy as np

from pyneural import (
    Adam,
    Batches,
    Bidirectional,
    Concatenate,
    Crf,
    Dense,
    Dropout,
    Embedding,
    Gru,
    Network,
    Sequential,
    fit,
)
from pyneural.samples import Outcome, run
from pyneural.samples.demo_corpus import SHAPES, Tags, Vocabulary, read, shape
from pyneural.tagging.corpus import Corpus
from pyneural.tagging.scores import Scores, score


class Token(NamedTuple):
    """The inputs of the network: a list of arrays (T,) each, one a sentence."""

    word: Any
    shape: Any


def memorised(corpus: Corpus, test: Corpus) -> list[list[str]]:
    """The tags of the baseline: each word's most frequent in training."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for words, tags in corpus:
        for word, tag in zip(words, tags, strict=True):
            counts[word][tag] += 1
    most_frequent = {word: tags.most_common(1)[0][0] for word, tags in counts.items()}
    return [[most_frequent.get(word, "O") for word in words] for words in test.words]


def train(epochs: int = 15, seed: int = 1) -> Outcome:
    """Trains the tagger, and scores it on the test part."""
    corpus, dev, test = read("train"), read("dev"), read("test")
    vocabulary, tags = Vocabulary(corpus.words), Tags(corpus.tags)

    def encode(part: Corpus) -> Token:
        shapes = [np.array([SHAPES.index(shape(word)) for word in words]) for words in part.words]
        return Token([vocabulary.encode(words) for words in part.words], shapes)

    network = Network(
        body=Sequential(
            Concatenate(
                word=Sequential(Embedding(len(vocabulary), 48), Dropout(0.5)),
                shape=Embedding(len(SHAPES), 8),
            ),
            Bidirectional(Gru(56, 48), Gru(56, 48)),
            Dense(96, len(tags)),
        ),
        loss=Crf(len(tags)),
    ).allocate(seed=seed)

    def scores(network: Network, part: Corpus) -> Scores:
        predicted = [tags.decode(path) for path in network.predict(encode(part))]
        return score(part.tags, predicted, "IOB2")

    batches = Batches(encode(corpus), [tags.encode(sentence) for sentence in corpus.tags], 16, seed=seed)
    history = fit(
        network,
        batches,
        Adam(5e-3, clip_norm=5.0),
        epochs,
        evaluate=lambda network: scores(network, dev).main,
        patience=5,
    )

    reached = scores(network, test)
    return Outcome(
        losses=history.losses,
        score=reached.main,
        baseline=score(test.tags, memorised(corpus, test), "IOB2").main,
        score_name="entity F1",
        notes=reached.table(),
    )


if __name__ == "__main__":
    run(train, __doc__)
