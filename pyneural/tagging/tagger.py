"""The sequence tagger: from words to tags, trained, saved, loaded, used."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyneural import safetensors
from pyneural.batches import Batches, take
from pyneural.checkpoint import fill, read_metadata, save_model
from pyneural.network import check_precision
from pyneural.packing import Ragged, Steps
from pyneural.safetensors import FormatError
from pyneural.tagging.corpus import Corpus
from pyneural.tagging.features import Alphabet, Features
from pyneural.tagging.model import Options, network
from pyneural.tagging.schemes import SCHEMES, convert, recognise
from pyneural.tagging.scores import Scores, score
from pyneural.tagging.vectors import Vectors
from pyneural.tagging.vocabulary import Vocabulary

MODEL = "model.safetensors"


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
        vocabulary: Vocabulary,
        alphabet: Alphabet | None,
        labels: Sequence[str],
        scheme: str | None,
        *,
        vectors: Vectors | None = None,
        substitutes: NDArray[np.int64] | None = None,
        seed: int = 1,
        precision: str = "full",
    ) -> None:
        if not labels:
            raise ValueError("labels: expected at least one")
        self.options, self.vocabulary, self.alphabet = options, vocabulary, alphabet
        self.labels, self.scheme = list(labels), scheme
        self.label_ids = {label: number for number, label in enumerate(self.labels)}
        self.features = Features(vocabulary, alphabet)
        self.network = network(
            options,
            len(vocabulary),
            np.arange(len(vocabulary)) if substitutes is None else substitutes,
            0 if alphabet is None else len(alphabet),
            len(self.labels),
        ).allocate(seed=seed, precision=precision)
        if vectors is not None:
            self._place(vectors)

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
        """An untrained tagger for the words and tags of a training corpus."""
        scheme = recognise(corpus.tags)
        vocabulary = Vocabulary.of(corpus.words, vectors.words if vectors else ())
        inner = [convert(tags, scheme, cls.INNER) if scheme else tags for tags in corpus.tags]
        labels = sorted({tag for tags in inner for tag in tags})
        if scheme:  # all tags of every type: unseen ones may come in decoding, and the order does not depend on luck
            types = sorted({label.partition("-")[2] for label in labels if label != "O"})
            labels = ["O"] + [f"{prefix}-{kind}" if kind else prefix for kind in types for prefix in "BIES"]
        if vectors is not None:
            options = Options(**asdict(options) | {"word_dim": vectors.matrix.shape[1]})
        substitutes = vocabulary.substitutes(corpus.words)
        return cls(
            options,
            vocabulary,
            None if options.chars == "none" else Alphabet.of(word for words in corpus.words for word in words),
            labels,
            scheme,
            vectors=vectors,
            substitutes=substitutes,
            seed=seed,
            precision=precision,
        )

    def _place(self, vectors: Vectors) -> None:
        """The pretrained vectors as the start of the word embeddings; a word that has none in its own case starts
        with that of its lower case."""
        table = next(s.parameter.value for s in self.network.slots if s.name.endswith("words.layers.1.table"))
        rows = {word: row for row, word in enumerate(vectors.words)}
        found = [(number, rows.get(word, rows.get(word.lower()))) for word, number in self.vocabulary.ids.items()]
        places = np.array([(number, row) for number, row in found if row is not None], dtype=np.int64).reshape(-1, 2)
        matrix = vectors.matrix[places[:, 1]]
        # words without a vector start at the spread of those that have one
        table *= float(matrix.std()) / float(table.std())
        table[places[:, 0]] = matrix

    # ---- data

    def batches(self, corpus: Corpus, size: int = 32, *, seed: int = 1) -> Batches:
        """A tagged corpus as batches to train on. Raises ValueError where it has a tag that training had not."""
        inner = [convert(tags, self.scheme, self.INNER) if self.scheme else tags for tags in corpus.tags]
        unknown = sorted({tag for tags in inner for tag in tags} - set(self.label_ids))
        if unknown:
            raise ValueError(f"{corpus.path}: has tags that the tagger does not know: {', '.join(unknown)}")
        targets = Ragged.of([[self.label_ids[tag] for tag in tags] for tags in inner], dtype=np.int64)
        return Batches(self.features(corpus.words), targets, size, seed=seed)

    # ---- use

    def tag(self, sentences: Sequence[Sequence[str]], *, batch_size: int = 64) -> list[list[str]]:
        """The tags of each sentence (a list of words), in the user's scheme."""
        text = next((words for words in sentences if isinstance(words, str)), None)
        if text is not None:
            raise TypeError(f"sentences: expected a list of words for each, got the text {text[:40]!r}")
        by_length = np.argsort([len(words) for words in sentences], kind="stable")
        answers: list[list[str]] = [[] for _ in sentences]
        for start in range(0, len(sentences), batch_size):
            chosen = by_length[start : start + batch_size]
            some = self.features([sentences[i] for i in chosen])
            packed = take(some, np.arange(len(chosen)), Steps(some.words.lengths))
            for i, numbers in zip(chosen, self.network.predict(packed), strict=True):
                tags = [self.labels[number] for number in numbers]
                answers[i] = convert(tags, self.INNER, self.scheme) if self.scheme else tags
        return answers

    def evaluate(self, corpus: Corpus, predicted: Sequence[Sequence[str]] | None = None) -> Scores:
        """The scores of its tags for a tagged corpus, whose scheme may be another. Raises the error of `unseen`.

        predicted: what `tag` gives for the words of the corpus, where that is at hand
        """
        self.unseen(corpus)
        gold, scheme = corpus.tags, recognise(corpus.tags)
        if self.scheme and scheme and scheme != self.scheme:
            gold = [convert(tags, scheme, self.scheme) for tags in gold]
        return score(gold, self.tag(corpus.words) if predicted is None else predicted, self.scheme)

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
        """Writes the model to the folder."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        save_model(
            self.network,
            Path(folder) / MODEL,
            extra={"vocabulary.words": self.vocabulary.as_tensor()}
            | ({} if self.alphabet is None else {"vocabulary.characters": self.alphabet.as_tensor()}),
            tagger={"options": asdict(self.options), "labels": self.labels, "scheme": self.scheme},
            **described,
        )

    @classmethod
    def load(cls, folder: Path | str, *, precision: str = "full") -> "Tagger":
        """Reads a model from the folder. Raises FormatError or FileNotFoundError where there is none."""
        check_precision(precision)
        path = Path(folder) / MODEL
        if not Path(folder).is_dir():
            raise FormatError(f"{folder}: is no folder; expected one that holds a {MODEL}")
        if not path.is_file():
            raise FormatError(f"{folder}: is no model: it holds no {MODEL}")
        tensors, metadata = safetensors.read(path)
        described = read_metadata(path, metadata, "model")
        try:
            options, labels = Options(**described["tagger"]["options"]), described["tagger"]["labels"]
            vocabulary = Vocabulary.from_tensor(tensors.pop("vocabulary.words"))
            characters = tensors.pop("vocabulary.characters", None)
            alphabet = None if characters is None else Alphabet.from_tensor(characters)
            if (alphabet is None) is not (options.chars == "none"):
                raise ValueError("characters: expected an alphabet where they are read, and only there")
            scheme = described["tagger"]["scheme"]
            _check_labels(labels, scheme)
            _check_size(options, tensors)
            tagger = cls(options, vocabulary, alphabet, labels, scheme, precision=precision)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise FormatError(f"{path}: is not a tagger's model, or a damaged one: {error!r}") from error
        if unused := tensors.keys() - {slot.name for slot in tagger.network.slots}:
            raise FormatError(
                f"{path}: is not a tagger's model, or a damaged one: no use for {', '.join(sorted(unused))}"
            )
        fill(tagger.network, tensors, path)
        return tagger


def _type(tag: str) -> str:
    return tag.partition("-")[2]


def _some(tags: set[str]) -> str:
    return ", ".join(sorted(tags)[:5]) + (", …" if len(tags) > 5 else "")


def _check_labels(labels: Any, scheme: Any) -> None:
    """Of a model file."""
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise TypeError(f"labels: expected a list of texts, got {labels!r}")
    if len(set(labels)) < len(labels):
        raise ValueError("labels: one comes twice")
    if scheme is not None and recognise([[*labels, "O"]]) is None:
        raise ValueError(f"labels: expected chunk tags, got {labels}")
    if scheme not in (None, *SCHEMES):
        raise ValueError(f"scheme: expected one of {', '.join(SCHEMES)} or none, got {scheme!r}")


def _check_size(options: Options, tensors: dict[str, NDArray[Any]]) -> None:
    """That the options are no larger than the tensors, before memory is taken for them."""
    held = sum(tensor.size for tensor in tensors.values())
    if options.layers * options.hidden**2 > held or max(options.word_dim, options.shape_dim) > held:
        raise ValueError(f"{options}: needs more parameters than there are")
