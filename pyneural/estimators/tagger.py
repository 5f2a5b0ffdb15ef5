"""The estimator that tags sequences."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from pyneural.estimators.matrices import MatrixTagger, Tagged, is_of_matrices
from pyneural.estimators.neural import among, at_least, print_record, real
from pyneural.estimators.series import read_series
from pyneural.network import PRECISIONS
from pyneural.packing import Ragged
from pyneural.progress import History
from pyneural.sgd import Adam
from pyneural.tagging import Corpus, Options, Tagger, recognise, score, train
from pyneural.tagging.corpus import Sentence
from pyneural.tagging.model import CELLS, CHARS
from pyneural.tagging.vectors import read_each


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceTagger(BaseEstimator):
    """Tags each step of a sequence: X is a list of sentences, each a list of words, or a list of arrays (T_i, D) of
    features; y a list of lists of tags. Methods and names are those that users of sklearn-crfsuite know.

    Tags of a chunking scheme (IOB1, IOB2, IOBES) are recognised and scored by entity F1; others are plain labels, and
    scored by accuracy.

    cell: "gru", "lstm" or "rnn"; hidden_size: units of each direction; num_layers: bidirectional layers
    loss: "crf" or "softmax"
    chars: how the characters of words are read: "rnn", "cnn" or "none"
    embeddings: names or files of word vectors, as `pyneural train --embeddings` takes them
    dropout, word_dropout: below, between and above the recurrent layers; of words seen once
    alpha: weight decay: the weight of ½ ‖w‖²
    batch_size, learning_rate_init, max_iter: sequences in a batch, Adam's rate at the start, epochs
    averaging: epochs that the running average of the weights goes back, which is the model; 0 for the last weights
    early_stopping: where there are no X_dev and y_dev, hold out validation_fraction of the sequences instead
    n_iter_no_change: epochs in a row without a better score on what is held out that end training
    random_state: of the first weights, the batches, dropout, and what is held out
    warm_start: `fit` goes on from the tagger of the `fit` before
    threads, precision: as of `Network` and `Threads`
    verbose, callbacks: print a line an epoch; see `pyneural.callbacks`

    Attributes after `fit`: tagger_, classes_ (the tags), loss_curve_, validation_scores_ (of held-out data, in per
    cent), n_iter_, history_; of features, n_features_in_.

    >>> X = [["Ada", "flew", "to", "Oslo"], ["it", "rained"]] * 8
    >>> y = [["B-PER", "O", "O", "B-LOC"], ["O", "O"]] * 8
    >>> tagger = SequenceTagger(hidden_size=8, num_layers=1, chars="none", batch_size=4, random_state=1).fit(X, y)
    >>> tagger.predict([["it", "flew", "to", "Oslo"]])
    [['O', 'O', 'O', 'B-LOC']]
    """

    cell: str = "gru"
    hidden_size: int = 100
    num_layers: int = 2
    loss: str = "crf"
    chars: str = "rnn"
    embeddings: str | Sequence[str] = ()
    dropout: float = 0.35
    word_dropout: float = 0.5
    alpha: float = 0.0
    batch_size: int = 16
    learning_rate_init: float = 3e-3
    max_iter: int = 30
    averaging: float = 1.0
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    random_state: Any = None
    warm_start: bool = False
    threads: int = 1
    precision: str = "full"
    verbose: bool = False
    callbacks: Sequence[Callable[[Any], Any]] | None = None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.target_tags.required = True
        return tags

    # ---- training

    def fit(self, X: Any, y: Any, X_dev: Any = None, y_dev: Any = None) -> Self:
        """Trains on the sequences X with their tags y; X_dev and y_dev are scored after each epoch, and the best is
        kept."""
        if (X_dev is None) is not (y_dev is None):
            raise ValueError("X_dev, y_dev: expected both or neither")
        goes_on = self.warm_start and hasattr(self, "tagger_")
        self._check_parameters(goes_on)
        X, y = _listed("X", X), _listed("y", y)
        rng = check_random_state(self.random_state)
        seed = int(rng.randint(2**31 - 1))
        if X_dev is None and self.early_stopping:
            if not 2 <= round(self.validation_fraction * len(X)) < len(X):
                raise ValueError(
                    f"early_stopping: expected to hold out two sequences at least, and to keep some; "
                    f"validation_fraction is {self.validation_fraction} of {len(X)}"
                )
            parts = train_test_split(np.arange(len(X)), test_size=self.validation_fraction, random_state=rng)
            (X, X_dev), (y, y_dev) = ([[column[i] for i in part] for part in parts] for column in (X, y))
        corpus = self._corpus(X, y, goes_on)
        if not goes_on:
            self._start(corpus, seed)
            self.loss_curve_: list[float] = []
            self.n_iter_ = 0
        dev = None if X_dev is None else self._corpus(X_dev, y_dev, True)
        return self._train(corpus, dev, seed, epochs=self.max_iter, averaging=self.averaging)

    def partial_fit(self, X: Any, y: Any) -> Self:
        """One epoch of training on X and y, at a rate that does not fall and without averaging, going on from where
        training stands. Tags and words are those of the first call."""
        first = not hasattr(self, "tagger_")
        self._check_parameters(not first)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        corpus = self._corpus(_listed("X", X), _listed("y", y), not first)
        if first:
            self._start(corpus, seed)
            self.loss_curve_, self.n_iter_ = [], 0
        if not hasattr(self, "optimizer_"):
            self.optimizer_ = Adam(self.learning_rate_init, clip_norm=5.0, l2=self.alpha)
        return self._train(corpus, None, seed + self.n_iter_, epochs=1, averaging=0.0, optimiser=self.optimizer_)

    def _train(self, corpus: Any, dev: Any, seed: int, **given: Any) -> Self:
        history: History = train(
            self.tagger_,
            corpus,
            dev,
            batch_size=self.batch_size,
            rate=self.learning_rate_init,
            l2=self.alpha,
            patience=self.n_iter_no_change,
            seed=seed,
            threads=self.threads,
            callbacks=[*([print_record] if self.verbose else []), *(self.callbacks or ())],
            **given,
        )
        self.history_ = history
        self.loss_curve_ += history.losses
        self.n_iter_ += len(history.losses)
        self.validation_scores_ = [score for _, score in history.scores]
        return self

    def _options(self) -> Options:
        return Options(
            cell=self.cell,
            hidden=self.hidden_size,
            layers=self.num_layers,
            loss=self.loss,
            chars=self.chars,
            dropout=self.dropout,
            word_dropout=self.word_dropout,
        )

    def _check_parameters(self, goes_on: bool) -> None:
        for name, known in (
            ("cell", CELLS),
            ("loss", ("crf", "softmax")),
            ("chars", CHARS),
            ("precision", PRECISIONS),
        ):
            among(name, getattr(self, name), known)
        for name in ("hidden_size", "num_layers", "batch_size", "max_iter", "n_iter_no_change", "threads"):
            at_least(name, getattr(self, name), 1)
        for name in ("alpha", "learning_rate_init", "averaging"):
            real(name, getattr(self, name), 0, math.inf)
        for name in ("dropout", "word_dropout", "validation_fraction"):
            real(name, getattr(self, name), 0, 1)
        if self.callbacks is not None and not isinstance(self.callbacks, list | tuple):
            raise TypeError(f"callbacks: expected a list of them, got {type(self.callbacks).__name__}")
        if goes_on:
            built, now = self.tagger_.options, self._options()
            if replace(now, word_dim=built.word_dim, tune=built.tune) != built:
                raise ValueError(
                    "warm_start, partial_fit: expected the layers of the fit before, their parameters changed"
                )

    def _start(self, corpus: Any, seed: int) -> None:
        self.__dict__.pop("optimizer_", None)
        options = self._options()
        if isinstance(corpus, Tagged):
            self.n_features_in_ = corpus.x.values.shape[1]
            self.tagger_: Tagger | MatrixTagger = MatrixTagger.for_corpus(
                corpus, options, seed=seed, precision=self.precision
            )
        else:
            sources = (self.embeddings,) if isinstance(self.embeddings, str) else tuple(self.embeddings)
            self.tagger_ = Tagger.for_corpus(
                corpus, options, vectors=read_each(sources), seed=seed, precision=self.precision
            )
        self.classes_ = np.array(sorted(set(map(self._outer, self.tagger_.labels))))

    # ---- data

    def _corpus(self, X: Any, y: Any, known: bool) -> Corpus | Tagged:
        """X and y as the tagger takes them."""
        x = self._read(X, known)
        if y is None:
            raise ValueError("SequenceTagger requires y to be passed, but the target y is None")
        tags = [_tags(number, given) for number, given in enumerate(y)]
        lengths = [len(sequence) for sequence in x]
        if len(x) != len(tags):
            raise ValueError(f"y: expected the tags of {len(x)} sequences, got those of {len(tags)}")
        for number, (length, given) in enumerate(zip(lengths, tags, strict=True)):
            if length != len(given):
                raise ValueError(f"y: expected {length} tags for sequence {number}, got {len(given)}")
        if isinstance(x, Ragged):
            return Tagged(x, tags)
        return Corpus((Sentence(words, given) for words, given in zip(x, tags, strict=True)), path="y")

    def _read(self, X: Any, known: bool) -> list[list[str]] | Ragged:
        """X as lists of words, or as a column of series."""
        if isinstance(X, str) or (not hasattr(X, "__array__") and any(isinstance(item, str) for item in X)):
            raise ValueError("X: expected a list of sentences, each a list of words; got a text, or a list of texts")
        if known and not any(len(sequence) for sequence in X):  # nothing, of what it was fitted to
            of_words = isinstance(self.tagger_, Tagger)
        else:
            of_words = _of_words(X)
        if known and of_words is not isinstance(self.tagger_, Tagger):
            raise ValueError(f"X: expected {'features' if of_words else 'words'}, as it was fitted to")
        if not of_words:
            return read_series(X, np.float32, self.n_features_in_ if known else None)
        return [_words(number, sentence) for number, sentence in enumerate(X)]

    # ---- use

    def predict(self, X: Any) -> list[list[str]]:
        """The tags of each sequence."""
        check_is_fitted(self, "tagger_")
        X = _listed("X", X)
        if not len(X):
            return []
        answer: list[list[str]] = self.tagger_.tag(self._read(X, True))  # type: ignore[arg-type]
        return answer

    def predict_single(self, x: Any) -> list[str]:
        """The tags of one sequence."""
        return self.predict([x])[0]

    def predict_proba(self, X: Any) -> list[NDArray[np.floating]]:
        """(T, K) for each sequence: the probability of each tag, in the order of classes_, at each step, given all of
        the sequence. Of tags in IOB1, "B-" is that an entity begins and "I-" that one goes on, as in IOB2."""
        check_is_fitted(self, "tagger_")
        of_class = np.searchsorted(self.classes_, [self._outer(label) for label in self.tagger_.labels])
        X = _listed("X", X)
        if not len(X):
            return []
        told = np.eye(len(self.classes_), dtype=np.float32)[of_class]
        return [p @ told for p in self.tagger_.marginals(self._read(X, True))]  # type: ignore[arg-type]

    def predict_marginals(self, X: Any) -> list[list[dict[str, float]]]:
        """`predict_proba` as a dict of tag to probability for each step."""
        names = self.classes_.tolist()
        return [[dict(zip(names, row, strict=True)) for row in p.tolist()] for p in self.predict_proba(X)]

    def predict_marginals_single(self, x: Any) -> list[dict[str, float]]:
        """The same of one sequence."""
        return self.predict_marginals([x])[0]

    def score(self, X: Any, y: Any) -> float:
        """Entity F1 of chunk tags, accuracy of others, from 0 to 1."""
        gold = [_tags(number, given) for number, given in enumerate(y)]
        scheme = self.tagger_.scheme if recognise(gold) else None
        return score(gold, self.predict(X), scheme).main / 100

    # ---- files

    def save(self, folder: Path | str) -> None:
        """Writes the model to a folder. That of a tagger of words is as `pyneural train` makes it: `pyneural predict`,
        `evaluate` and `Tagger.load` take it."""
        check_is_fitted(self, "tagger_")
        self.tagger_.save(folder)

    @classmethod
    def load(cls, folder: Path | str, *, mapped: bool = False) -> Self:
        """Reads a model from a folder; its layers are the estimator's parameters then, the rest are defaults. `mapped`
        as of `Tagger.load`. Raises FormatError where there is none."""
        kind = MatrixTagger if is_of_matrices(folder) else Tagger
        tagger: Tagger | MatrixTagger = kind.load(folder, mapped=mapped)
        options = tagger.options
        estimator = cls(
            cell=options.cell, hidden_size=options.hidden, num_layers=options.layers, loss=options.loss,
            chars=options.chars, dropout=options.dropout, word_dropout=options.word_dropout,
        )  # fmt: skip
        estimator.tagger_ = tagger
        if isinstance(tagger, MatrixTagger):
            estimator.n_features_in_ = tagger.dim
        else:
            estimator.embeddings = tuple(tagger.sources)
        estimator.classes_ = np.array(sorted(set(map(estimator._outer, tagger.labels))))
        estimator.loss_curve_, estimator.n_iter_ = [], 0
        return estimator

    def _outer(self, label: str) -> str:
        """A label of the tagger's as a tag: of a scheme that has no "S-" and "E-", these are "B-" and "I-"."""
        if isinstance(self.tagger_, MatrixTagger) or self.tagger_.scheme in (None, "IOBES"):
            return label
        return {"S": "B", "E": "I"}.get(label[:1], label[:1]) + label[1:]


def _listed(name: str, given: Any) -> Any:
    """Once through what may be read but once; sequences by their place, whatever index a data frame's column has."""
    if given is None or isinstance(given, str | np.ndarray):
        return given
    if not hasattr(given, "__iter__"):
        raise TypeError(f"{name}: expected a list of sequences, got {type(given).__name__}")
    return list(given)


def _of_words(X: Any) -> bool:
    """Whether the first thing in X is a word."""
    first = next((sequence for sequence in X if len(sequence)), None)
    if first is None:
        raise ValueError("X: expected at least one sequence with something in it (0 sample(s))")
    if isinstance(first[0], dict):
        raise ValueError("X: expected words or rows of numbers, got a dict of features; a DictVectorizer makes rows")
    return isinstance(first[0], str)


def _words(number: int, sentence: Any) -> list[str]:
    odd = next((word for word in sentence if not isinstance(word, str) or not word), None)
    if odd is not None:
        raise ValueError(f"X: expected words that are not empty in sentence {number}, got {odd!r}")
    return [str(word) for word in sentence]


def _tags(number: int, tags: Any) -> list[str]:
    if isinstance(tags, str):
        raise ValueError(f"y: expected a list of tags for sequence {number}, got the text {tags!r}")
    odd = next((tag for tag in tags if not isinstance(tag, str)), None)
    if odd is not None:
        raise ValueError(f"y: expected tags that are texts in sequence {number}, got {odd!r}")
    return [str(tag) for tag in tags]
