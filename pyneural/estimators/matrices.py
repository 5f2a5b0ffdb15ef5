"""Tagging the steps of series: what `pyneural.tagging.Tagger` is for words.

x (N, D) → [Dropout, Bidirectional] … → Dropout → Dense(K) → Crf or Softmax
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyneural import safetensors
from pyneural.batches import Batches
from pyneural.checkpoint import fill, read_metadata, save_model, values_for
from pyneural.components import Dense, Dropout
from pyneural.layers import Bidirectional, Sequential
from pyneural.losses import Crf, Softmax
from pyneural.network import Network
from pyneural.neural_layer import Layer
from pyneural.packing import Ragged
from pyneural.safetensors import FormatError
from pyneural.tagging import Options, Scores, recognise, score
from pyneural.tagging.files import MODEL, damaged
from pyneural.tagging.model import CELLS

KIND = "matrix_tagger"  # in a model file's header
BATCH = 64  # series that are tagged together


class Tagged(NamedTuple):
    """Series, and a tag for each of their steps."""

    x: Ragged
    tags: list[list[str]]


class MatrixTagger:
    """Tags the steps of series of D features each.

    labels: the tags; options: cell, hidden, layers, loss and dropout, as of the tagger of words
    """

    def __init__(
        self,
        options: Options,
        dim: int,
        labels: Sequence[str],
        scheme: str | None,
        *,
        seed: int = 1,
        precision: str = "full",
        values: NDArray[np.floating] | None = None,
    ) -> None:
        self.options, self.dim, self.labels, self.scheme = options, dim, list(labels), scheme
        self._numbers = {label: number for number, label in enumerate(self.labels)}
        layers: list[Layer] = []
        for number in range(options.layers):
            if number:
                layers.append(Dropout(options.dropout, locked=True))
            layers.append(Bidirectional(*(CELLS[options.cell](dim, options.hidden) for _ in range(2))))
            dim = 2 * options.hidden
        layers += [Dropout(options.dropout, locked=True), Dense(dim, len(self.labels))]
        loss = Crf(len(self.labels)) if options.loss == "crf" else Softmax()
        self.network = Network(Sequential(*layers), loss).allocate(seed, precision=precision, values=values)

    @classmethod
    def for_corpus(cls, corpus: Tagged, options: Options, *, seed: int, precision: str) -> "MatrixTagger":
        labels = sorted({tag for tags in corpus.tags for tag in tags})
        return cls(options, corpus.x.values.shape[1], labels, recognise(corpus.tags), seed=seed, precision=precision)

    def batches(self, corpus: Tagged, size: int, *, seed: int = 1) -> Batches:
        """Raises ValueError where a tag is unknown."""
        unknown = sorted({tag for tags in corpus.tags for tag in tags} - self._numbers.keys())
        if unknown:
            raise ValueError(f"y: has tags that the tagger does not know: {', '.join(unknown)}")
        targets = Ragged.of([[self._numbers[tag] for tag in tags] for tags in corpus.tags], dtype=np.int64)
        return Batches(corpus.x, targets, size, seed=seed)

    def tag(self, x: Ragged) -> list[list[str]]:
        return [[self.labels[number] for number in path] for path in self._in_parts(x, self.network.predict)]

    def marginals(self, x: Ragged) -> list[NDArray[np.floating]]:
        """(T, K) for each series"""
        return self._in_parts(x, self.network.probabilities)

    @staticmethod
    def _in_parts(x: Ragged, ask: Any) -> list[Any]:
        series = list(x)
        return [answer for start in range(0, len(x), BATCH) for answer in ask(series[start : start + BATCH])]

    def evaluator(self, corpus: Tagged) -> Callable[[], Scores]:
        """The scores of its tags for a corpus, each time it is called."""
        return lambda: score(corpus.tags, self.tag(corpus.x), self.scheme)

    # ---- files

    def save(self, folder: Path | str) -> None:
        """Writes the model to the folder."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        parts: Any = {"options": asdict(self.options), "dim": self.dim, "labels": self.labels, "scheme": self.scheme}
        save_model(self.network, Path(folder) / MODEL, matrix_tagger=parts)

    @classmethod
    def load(cls, folder: Path | str, *, mapped: bool = False) -> "MatrixTagger":
        """Reads a model from the folder. Raises FormatError."""
        path = Path(folder) / MODEL
        parts: Any = _described(path).get(KIND)
        tensors, _ = safetensors.read(path, mapped=mapped)
        values = values_for(tensors, np.float32, path, mapped=mapped)
        with damaged(path):
            options = Options(**parts["options"])
            tagger = cls(options, parts["dim"], parts["labels"], parts["scheme"], values=values)
        fill(tagger.network, tensors, path, mapped=mapped)
        return tagger


def is_of_matrices(folder: Path | str) -> bool:
    """Whether the model in a folder tags series of features, not words. Raises FormatError where there is none."""
    return KIND in _described(Path(folder) / MODEL)


def _described(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FormatError(f"{path.parent}: is no model: it holds no {MODEL}")
    _, metadata = safetensors.read(path, mapped=True)
    return read_metadata(path, metadata, "model")
