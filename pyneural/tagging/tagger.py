"""The sequence tagger: from words to tags, trained, saved, loaded, used."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from pyneural.batches import Batches
from pyneural.checkpoint import fill, values_for
from pyneural.components import Embedding
from pyneural.losses.paths import best_allowed
from pyneural.packing import Packed, Ragged, unpack
from pyneural.safetensors import FormatError
from pyneural.tagging.calibration import calibrate
from pyneural.tagging.corpus import Corpus
from pyneural.tagging.features import Alphabet, Features
from pyneural.tagging.files import damaged, read_tagger, write_tagger
from pyneural.tagging.html import Entities
from pyneural.tagging.model import Options, network
from pyneural.tagging.schemes import allowed, convert, recognise, spans
from pyneural.tagging.scores import Scores, score
from pyneural.tagging.splitter import sentences
from pyneural.tagging.text import Entity, chunks_of, entities_of
from pyneural.tagging.vectors import Vectors, VectorsError, read_each
from pyneural.tagging.vocabulary import Vocabulary

logger = logging.getLogger("pyneural")
BATCH = 64  # sentences that are tagged together


class Tagger:
    """Tags sentences of words.

    labels: the network's labels, in the scheme it works in (IOBES where the corpus has chunks)
    scheme: the user's scheme, in which tags come in and go out; None for plain labels
    precision: of matrix products, as in `Network.allocate`; no part of the model, whose values are float32 either way
    """

    INNER = "IOBES"

    def __init__(
        self,
        options: Options,
        features: Features,
        labels: Sequence[str],
        scheme: str | None,
        *,
        substitutes: NDArray[np.int64] | None = None,
        seed: int = 1,
        precision: str = "full",
        values: NDArray[np.floating] | None = None,
    ) -> None:
        if not labels:
            raise ValueError("labels: expected at least one")
        self.options, self.features, self.labels, self.scheme = options, features, list(labels), scheme
        self.label_ids = {label: number for number, label in enumerate(self.labels)}
        if substitutes is None:
            substitutes = np.arange(len(features.vocabulary))
        self._moves = allowed(self.labels, self.INNER) if scheme else None
        self.network = network(options, features, self.labels, self._moves, substitutes)
        self.network.allocate(seed=seed, precision=precision, values=values)
        self.sources: list[str] = []
        """the names or files of the vectors it was trained with"""

    @classmethod
    def for_corpus(
        cls,
        corpus: Corpus,
        options: Options,
        *,
        vectors: Vectors | None = None,
        seed: int = 1,
        precision: str = "full",
    ) -> "Tagger":
        """An untrained tagger for the words, the tags and the further columns of a training corpus. Words that it has
        not are known by `vectors`."""
        if options.feature_columns and len(options.feature_columns) != len(corpus.features[0]):
            raise ValueError(
                f"feature_columns: expected a corpus with the columns {options.feature_columns} beside words and tags, "
                f"got {len(corpus.features[0])}"
            )
        scheme = recognise(corpus.tags)
        vocabulary = Vocabulary.of(corpus.words, vectors.rows if vectors else {})
        alphabet = None
        if options.chars != "none":
            alphabet = Alphabet.of(word for words in corpus.words for word in words)
        columns = [
            sorted({value for sentence in corpus.features for value in sentence[place]})
            for place in range(len(corpus.features[0]))
        ]
        inner = [convert(tags, scheme, cls.INNER) if scheme else tags for tags in corpus.tags]
        labels = sorted({tag for tags in inner for tag in tags})
        if scheme:  # all tags of every type: unseen ones may come in decoding, and the order does not depend on luck
            types = sorted({label.partition("-")[2] for label in labels if label != "O"})
            labels = ["O"] + [f"{prefix}-{kind}" if kind else prefix for kind in types for prefix in "BIES"]
        if vectors is not None:
            options = replace(options, word_dim=vectors.dim)
        tagger = cls(
            options,
            Features(vocabulary, alphabet, columns),
            labels,
            scheme,
            substitutes=vocabulary.substitutes(corpus.words),
            seed=seed,
            precision=precision,
        )
        if vectors is not None:
            tagger._place(vectors)
            tagger.know(vectors)
        return tagger

    @property
    def vocabulary(self) -> Vocabulary:
        return self.features.vocabulary

    @property
    def _embedding(self) -> Embedding:
        """Of words."""
        return self.network.body.layers[0].branches["words"].layers[1]  # type: ignore[attr-defined, no-any-return]

    def _place(self, vectors: Vectors) -> None:
        """The pretrained vectors as the start of the word embeddings."""
        table = self._embedding.table.value
        rows = vectors.rows_of(self.vocabulary.words)
        found = np.flatnonzero(rows >= 0)
        if not len(found):
            return
        matrix = vectors.take([self.vocabulary.words[number] for number in found])
        table *= float(matrix.std()) / float(table.std())  # words without a vector start at the spread of the others
        table[found] = matrix

    # ---- words beyond the vocabulary

    def know(self, vectors: Vectors | None) -> None:
        """Looks up in this table the words that are not in its vocabulary; they are no part of the model."""
        self._embedding.know(None if vectors is None else vectors.matrix)
        self.features.vectors = vectors

    def extended(self, words: Iterable[str]) -> "Tagger":
        """The same tagger with these words in its own vocabulary, where the table that it knows (see `know`) has them:
        a model that needs no table beside it."""
        vectors, options = self.features.vectors, self.options
        if vectors is None:
            raise ValueError("extended: expected a tagger that knows a table of vectors; call know(vectors)")
        new = [word for word in dict.fromkeys(words) if word in vectors.rows and word not in self.vocabulary.ids]
        features = Features(Vocabulary([*self.vocabulary.words, *new]), self.features.alphabet, self.features.columns)
        more = options.word_dim * len(new)
        room = np.empty(len(self.network.values) + more, dtype=self.network.dtype)
        tagger = Tagger(options, features, self.labels, self.scheme, precision=self.network.precision, values=room)
        for old, slot in zip(self.network.slots, tagger.network.slots, strict=True):
            slot.parameter.value[: old.parameter.shape[0]] = old.parameter.value
        tagger._embedding.table.value[len(self.vocabulary) :] = vectors.take(new)
        tagger.sources = self.sources
        tagger.know(vectors)
        return tagger

    # ---- data

    def batches(self, corpus: Corpus, size: int = 32, *, seed: int = 1) -> Batches:
        """A tagged corpus as batches to train on. Raises ValueError where it has a tag that training had not."""
        inner = self._inner(corpus)
        unknown = sorted({tag for tags in inner for tag in tags} - set(self.label_ids))
        if unknown:
            raise ValueError(f"{corpus.path}: has tags that the tagger does not know: {', '.join(unknown)}")
        targets = Ragged.of([[self.label_ids[tag] for tag in tags] for tags in inner], dtype=np.int64)
        return Batches(self.features(corpus.words, corpus.features), targets, size, seed=seed)

    def _inner(self, corpus: Corpus) -> list[list[str]]:
        """Its tags in the scheme that the tagger works in."""
        if self.scheme is None:
            return corpus.tags
        scheme = recognise(corpus.tags) or self.scheme
        return [convert(tags, scheme, self.INNER) for tags in corpus.tags]

    def calibrate(self, corpus: Corpus) -> float:
        """Fits its probabilities to a held-out corpus (see `calibration`); its tags stay as they are. Sentences with
        tags that it does not know are left out. Returns what its scores were multiplied by."""
        known = [n for n, tags in enumerate(self._inner(corpus)) if tags and self.label_ids.keys() >= set(tags)]
        if not known:
            return 1.0
        part = Corpus([corpus[n] for n in known], corpus.path, features=[corpus.features[n] for n in known])
        return calibrate(self.network, self.network.body.layers[-1], self.batches(part, 64))  # type: ignore[attr-defined]

    # ---- use

    @overload
    def tag(self, given: str) -> Entities: ...  # type: ignore[overload-overlap] # a text is a sequence of texts

    @overload
    def tag(
        self, given: Sequence[Sequence[str]], further: Sequence[Sequence[Sequence[str]]] = ()
    ) -> list[list[str]]: ...

    def tag(
        self, given: str | Sequence[Sequence[str]], further: Sequence[Sequence[Sequence[str]]] = ()
    ) -> Entities | list[list[str]]:
        """The entities of a raw text (see `entities`), or the tags of sentences of words, in the user's scheme.

        further: for sentences of words, what the columns beside them say, where the tagger was trained with such: see
            `Corpus.features`
        """
        if isinstance(given, str):
            return Entities(given, self.entities(given))
        return [tags for tags, _ in self._tagged(given, further)]

    def entities(self, text: str | Iterable[str], *, by_line: bool = False, ahead: int = 512) -> Iterator[Entity]:
        """The entities of a raw text, whole or in pieces, one after the other: each with its place in the text, in
        characters, and its probability, which is that the model gives to just this entity. Of a tagger of plain labels
        every word is one. Time is linear in the text, of which no more is held than the sentences ahead.

        by_line: each line is a sentence, and nothing else is; ahead: sentences that are read and tagged together
        """
        if self.features.columns:
            raise ValueError(
                "text: the tagger was trained on further columns, of which a raw text has none; tag words and columns"
            )
        for group in chunks_of(sentences(text, by_line=by_line), ahead):
            answers = self._tagged([sentence.words for sentence in group], probable=True)
            for sentence, (tags, probabilities) in zip(group, answers, strict=True):
                yield from entities_of(sentence, tags, self.scheme, probabilities)

    def best(
        self, words: Sequence[str], n: int, further: Sequence[Sequence[str]] = ()
    ) -> list[tuple[list[str], float]]:
        """The n most probable taggings of a sentence, with their probabilities, best first; fewer where there are no
        more."""
        y = self._scores([words], [further] if further else ())
        paths = self.network.loss.best_paths(y.rows, y.steps, n)  # type: ignore[attr-defined]
        found = zip(paths.labels, paths.probabilities[:, 0], strict=True)
        return [(self._outer(path), float(p)) for path, p in found if p > 0]

    def marginals(
        self, sentences: Sequence[Sequence[str]], further: Sequence[Sequence[Sequence[str]]] = ()
    ) -> list[NDArray[np.floating]]:
        """For each sentence of T words, the probability of each of `labels` for each word (T, K)."""
        if not sentences:
            return []
        answer: list[NDArray[np.floating]] = self.network.probabilities(self.features(sentences, further))
        return answer

    def _scores(self, sentences: Sequence[Sequence[str]], further: Sequence[Sequence[Sequence[str]]]) -> Packed:
        packed = self.network.pack(self.features(sentences, further))
        return self.network.body.propagate(packed, training=False)

    def _tagged(
        self,
        sentences: Sequence[Sequence[str]],
        further: Sequence[Sequence[Sequence[str]]] = (),
        probable: bool = False,
    ) -> list[tuple[list[str], list[float] | None]]:
        """The tags of each sentence, in the user's scheme, and where asked for, its chunks' probabilities."""
        text = next((words for words in sentences if isinstance(words, str)), None)
        if text is not None:
            raise TypeError(f"given: expected a raw text, or a list of words for each sentence; got {text[:40]!r}")
        return self._answers(self._packed(sentences, further), len(sentences), probable)

    def _packed(
        self, sentences: Sequence[Sequence[str]], further: Sequence[Sequence[Sequence[str]]]
    ) -> Iterator[tuple[NDArray[np.int64], Any]]:
        """Sentences of similar length by their numbers, and what the network takes of them."""
        by_length = np.argsort([len(words) for words in sentences], kind="stable")
        for start in range(0, len(sentences), BATCH):
            chosen = by_length[start : start + BATCH]
            beside = [further[i] for i in chosen] if further else ()
            yield chosen, self.network.pack(self.features([sentences[i] for i in chosen], beside))

    def _answers(
        self, packed: Iterable[tuple[NDArray[np.int64], Any]], count: int, probable: bool
    ) -> list[tuple[list[str], list[float] | None]]:
        answers: list[Any] = [None] * count
        for chosen, inputs in packed:
            y = self.network.body.propagate(inputs, training=False)
            labels = self._decoded(y)
            paths = unpack(labels, y.steps)
            chances = self._probabilities(y, labels, paths) if probable else [None] * len(chosen)
            for i, path, chance in zip(chosen, paths, chances, strict=True):
                answers[i] = self._outer(path), chance
        return answers

    def _decoded(self, y: Packed) -> NDArray[np.int64]:
        """The best well-formed path of each sequence."""
        loss = self.network.loss
        if loss.over_time or self._moves is None:
            labels: NDArray[np.int64] = loss.predict(y.rows, *[y.steps] * loss.over_time)
            return labels
        return best_allowed(y.rows, y.steps, self._moves)

    def _outer(self, path: NDArray[np.int64]) -> list[str]:
        """A path of labels as tags in the user's scheme."""
        tags = [self.labels[number] for number in path]
        return convert(tags, self.INNER, self.scheme) if self.scheme else tags

    def _probabilities(self, y: Packed, labels: NDArray[np.int64], paths: list[NDArray[np.int64]]) -> list[list[float]]:
        """Of the chunks of each sentence, or of its words where the labels are plain."""
        found: list[tuple[int, int, int]] = []
        counts = []
        for sequence, path in zip(y.steps.packed_of.tolist(), paths, strict=True):
            chunks = [(t, t + 1) for t in range(len(path))]
            if self.scheme:
                chunks = [span[:2] for span in spans([self.labels[number] for number in path], self.INNER)]
            counts.append(len(chunks))
            found += [(sequence, start, stop) for start, stop in chunks]
        places = np.array(found, dtype=np.int64).reshape(-1, 3)
        chances = self.network.loss.span_probabilities(y.rows, y.steps, labels, places)  # type: ignore[attr-defined]
        return [part.tolist() for part in np.split(chances, np.cumsum(counts)[:-1])]

    def evaluate(self, corpus: Corpus, predicted: Sequence[Sequence[str]] | None = None) -> Scores:
        """The scores of its tags for a tagged corpus, whose scheme may be another. Raises the error of `unseen`.

        predicted: what `tag` gives for the words of the corpus, where that is at hand
        """
        if predicted is None:
            return self.evaluator(corpus)()
        return score(self._gold(corpus), predicted, self.scheme)

    def evaluator(self, corpus: Corpus) -> Callable[[], Scores]:
        """`evaluate`, to be called again whenever the weights have changed: what does not change is worked out once."""
        gold, packed = self._gold(corpus), list(self._packed(corpus.words, corpus.features))
        return lambda: score(gold, [tags for tags, _ in self._answers(packed, len(corpus), False)], self.scheme)

    def _gold(self, corpus: Corpus) -> list[list[str]]:
        """Its tags in the tagger's scheme. Raises the error of `unseen`."""
        self.unseen(corpus)
        gold, scheme = corpus.tags, recognise(corpus.tags)
        if self.scheme and scheme and scheme != self.scheme:
            gold = [convert(tags, scheme, self.scheme) for tags in gold]
        elif self.scheme and any(tag[:1] in "LUMW" for tags in gold for tag in tags):  # IOBES by other letters
            gold = [convert(tags, self.scheme, self.scheme) for tags in gold]
        return gold

    def unseen(self, corpus: Corpus) -> list[str]:
        """The labels, or types of chunks, of a tagged corpus that the tagger never gives.

        Raises ValueError where its tags are of another kind altogether: not chunks, or not one known label.
        """
        tags = {tag for tags in corpus.tags for tag in tags}
        if self.scheme is None:
            if tags.isdisjoint(self.labels):
                raise ValueError(f"{corpus.path}: the tagger knows none of its tags, {_some(tags)}")
            return sorted(tags.difference(self.labels))
        odd = {tag for tag in tags if recognise([[tag, "O"]]) is None}
        if odd:
            raise ValueError(f"{corpus.path}: expected chunk tags, as the tagger's {self.scheme}, got {_some(odd)}")
        return sorted({_type(tag) for tag in tags}.difference(map(_type, self.labels)))

    # ---- files

    def save(self, folder: Path | str, **described: Any) -> None:
        """Writes the model to the folder; `described` goes to the file's header."""
        write_tagger(self, Path(folder), described)

    @classmethod
    def load(
        cls,
        folder: Path | str,
        *,
        precision: str = "full",
        vectors: Vectors | Literal["recorded"] | None = "recorded",
        mapped: bool = False,
    ) -> "Tagger":
        """Reads a model from the folder. Raises FormatError or FileNotFoundError where there is none.

        vectors: for words beyond the model's own; by default those that it was trained with, where they are at hand (a
            warning is logged where they are not), None for none
        mapped: its values are the file itself, mapped to memory: processes that do so have one copy of it between them;
            such a tagger can't be trained on
        """
        path, parts, tensors = read_tagger(Path(folder), precision, mapped)
        room = values_for(tensors, np.float32, path, mapped=mapped)
        with damaged(path):
            tagger = cls(parts.options, parts.features, parts.labels, parts.scheme, precision=precision, values=room)
        if unused := tensors.keys() - {slot.name for slot in tagger.network.slots}:
            raise FormatError(
                f"{path}: is not a tagger's model, or a damaged one: no use for {', '.join(sorted(unused))}"
            )
        fill(tagger.network, tensors, path, mapped=mapped)
        tagger.sources = parts.sources
        if vectors != "recorded":
            tagger.know(vectors)
            return tagger
        try:
            table = read_each(parts.sources)
            if table is not None and table.dim != parts.options.word_dim:
                raise VectorsError(
                    f"{table.source}: expected {parts.options.word_dim} numbers a word, as in the model; "
                    f"got {table.dim}"
                )
            tagger.know(table)
        except VectorsError as error:
            logger.warning("%s; words that the model does not hold are known by their spelling alone", error)
        return tagger


def _type(tag: str) -> str:
    return tag.partition("-")[2]


def _some(tags: set[str]) -> str:
    return ", ".join(sorted(tags)[:5]) + (", …" if len(tags) > 5 else "")
