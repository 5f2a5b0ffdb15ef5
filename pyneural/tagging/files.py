"""A tagger's model file: the network's values, its vocabulary, and in the header what it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from pyneural import safetensors
from pyneural.checkpoint import read_metadata, save_model
from pyneural.network import check_precision
from pyneural.safetensors import FormatError
from pyneural.tagging.features import Alphabet, Features
from pyneural.tagging.model import Options
from pyneural.tagging.schemes import SCHEMES, recognise
from pyneural.tagging.vocabulary import Vocabulary

if TYPE_CHECKING:
    from pyneural.tagging.tagger import Tagger

MODEL = "model.safetensors"
Tensors = dict[str, NDArray[Any]]


class Parts(NamedTuple):
    """What a tagger is made of, beside its values; sources: the vectors it was trained with."""

    options: Options
    features: Features
    labels: list[str]
    scheme: str | None
    sources: list[str]


def write_tagger(tagger: Tagger, folder: Path, described: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    features = tagger.features
    extra: Tensors = {"vocabulary.words": features.vocabulary.as_tensor()}
    if features.alphabet is not None:
        extra["vocabulary.characters"] = features.alphabet.as_tensor()
    parts = {
        "options": asdict(tagger.options),
        "labels": tagger.labels,
        "scheme": tagger.scheme,
        "columns": features.columns,
        "vectors": tagger.sources,
    }
    save_model(tagger.network, folder / MODEL, extra=extra, tagger=parts, **described)


def read_tagger(folder: Path, precision: str, mapped: bool = False) -> tuple[Path, Parts, Tensors]:
    """The model's path, what it is made of, and its parameters."""
    check_precision(precision)
    path = folder / MODEL
    if not folder.is_dir():
        raise FormatError(f"{folder}: is no folder; expected one that holds a {MODEL}")
    if not path.is_file():
        raise FormatError(f"{folder}: is no model: it holds no {MODEL}")
    tensors, metadata = safetensors.read(path, mapped=mapped)
    described = read_metadata(path, metadata, "model")
    with damaged(path):
        parts = described["tagger"]
        options, labels, scheme = Options(**parts["options"]), parts["labels"], parts["scheme"]
        words, characters = tensors.pop("vocabulary.words"), tensors.pop("vocabulary.characters", None)
        _check_labels(labels, scheme)
        _check_size(options, tensors)
        if (characters is None) is not (options.chars == "none"):
            raise ValueError("characters: expected an alphabet where they are read, and only there")
        columns, sources = parts["columns"], parts["vectors"]
        for name, texts in (("vectors", sources), *(("columns", values) for values in columns)):
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise TypeError(f"{name}: expected lists of texts, got {texts!r}")
        alphabet = None if characters is None else Alphabet.from_tensor(characters)
        features = Features(Vocabulary.from_tensor(words), alphabet, columns)
    return path, Parts(options, features, labels, scheme, sources), tensors


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """Whatever goes wrong inside is the file's fault."""
    try:
        yield
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise FormatError(f"{path}: is not a tagger's model, or a damaged one: {error!r}") from error


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
