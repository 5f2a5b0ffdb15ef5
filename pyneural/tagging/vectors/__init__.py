"""Pretrained word vectors: tables of them, and the files they come in."""

from pyneural.tagging.vectors.files import NAMED, read_vectors, write_vectors
from pyneural.tagging.vectors.table import Vectors, VectorsError, concatenate, find

__all__ = ["NAMED", "Vectors", "VectorsError", "concatenate", "find", "read_vectors", "write_vectors"]
