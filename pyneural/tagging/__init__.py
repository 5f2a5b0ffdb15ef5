"""Sequence tagging: corpora, features, the tagger, scores."""

from pyneural.tagging.corpus import Corpus, CorpusError, read_columns, write_columns
from pyneural.tagging.model import Options
from pyneural.tagging.schemes import recognise, spans
from pyneural.tagging.scores import Scores, score
from pyneural.tagging.sources import corpus_of, read_corpus
from pyneural.tagging.splitter import Sentence, sentences
from pyneural.tagging.tagger import Tagger
from pyneural.tagging.text import Entity
from pyneural.tagging.tokens import Token, tokenize
from pyneural.tagging.training import train

__all__ = [
    "Corpus",
    "CorpusError",
    "Entity",
    "Options",
    "Scores",
    "Sentence",
    "Tagger",
    "Token",
    "corpus_of",
    "read_columns",
    "read_corpus",
    "recognise",
    "score",
    "sentences",
    "spans",
    "tokenize",
    "train",
    "write_columns",
]
