"""Pretrained word vectors: tables of them, and the files they come in."""

from pyneural.tagging.vectors.files import NAMED, read_each, read_vectors, write_vectors
from pyneural.tagging.vectors.table import Vectors, VectorsError, concatenate, find, form_of

__all__ = [
    "NAMED",
    "Vectors",
    "VectorsError",
    "concatenate",
    "find",
    "form_of",
    "read_each",
    "read_vectors",
    "write_vectors",
]
