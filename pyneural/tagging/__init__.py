"""Sequence tagging: corpora, features, the tagger, scores."""

from pyneural.tagging.corpus import Corpus, CorpusError, read_columns, write_columns
from pyneural.tagging.model import Options
from pyneural.tagging.schemes import recognise, spans
from pyneural.tagging.scores import Scores, score
from pyneural.tagging.tagger import Tagger

__all__ = [
    "Corpus",
    "CorpusError",
    "Options",
    "Scores",
    "Tagger",
    "read_columns",
    "recognise",
    "score",
    "spans",
    "write_columns",
]
