# cython: allow_none_for_extension_args=False
"""Rows of a table and their gradients. The specification of each kernel is its twin in reference/embedding.py."""
from libc.stdint cimport int64_t, uint8_t

from numpy cimport NPY_BOOL, ndarray

from pyneural.kernels.dispatch cimport (
    PyThreadState, extent, in_matrix, integers, kernels_any, kernels_of, let_go, out_matrix, take_back, vector,
)


def gather(ndarray table, ndarray ids, ndarray out):
    cdef const kernels_any *k = kernels_of(table, "table")
    cdef Py_ssize_t N = extent(ids, 0), V = extent(table, 0), D = extent(table, 1)
    cdef const void *pt = in_matrix(table, table, V, D, "table")
    cdef const int64_t *pi = integers(ids, N, "ids")
    cdef void *po = out_matrix(table, out, N, D, "out")
    cdef int64_t bad
    cdef PyThreadState *gil = let_go(N * D)
    bad = k.gather(N, V, D, pt, pi, po)
    take_back(gil)
    if bad >= 0:
        raise ValueError(f"ids: expected numbers from 0 to {V - 1}, got {ids[bad]} in row {bad}")


def scatter_add(ndarray ids, ndarray dy, ndarray grad):
    cdef const kernels_any *k = kernels_of(grad, "grad")
    cdef Py_ssize_t N = extent(ids, 0), V = extent(grad, 0), D = extent(grad, 1)
    cdef const int64_t *pi = integers(ids, N, "ids")
    cdef const void *pd = in_matrix(grad, dy, N, D, "dy")
    cdef void *pg = out_matrix(grad, grad, V, D, "grad")
    cdef int64_t bad
    cdef PyThreadState *gil = let_go(N * D)
    bad = k.scatter_add(N, V, D, pd, pi, pg)
    take_back(gil)
    if bad >= 0:
        raise ValueError(f"ids: expected numbers from 0 to {V - 1}, got {ids[bad]} in row {bad}")


def zero_rows(ndarray rows, ndarray grad):
    cdef const kernels_any *k = kernels_of(grad, "grad")
    cdef Py_ssize_t R = extent(rows, 0), V = extent(grad, 0), D = extent(grad, 1), i
    cdef const int64_t *pr = integers(rows, R, "rows")
    cdef void *pg = out_matrix(grad, grad, V, D, "grad")
    for i in range(R):
        if pr[i] < 0 or pr[i] >= V:
            raise ValueError(f"rows: expected numbers from 0 to {V - 1}, got {pr[i]}")
    cdef PyThreadState *gil = let_go(R * D)
    k.zero_rows(R, D, pr, pg)
    take_back(gil)


def distinct(ndarray ids, ndarray seen, ndarray rows):
    """The distinct ids, in order of first appearance, to the head of `rows`; returns how many.

    `seen` (V,) is all False before and after: marks set on the way are taken back."""
    cdef Py_ssize_t N = extent(ids, 0), V = extent(seen, 0), i, count = 0
    cdef const int64_t *pi = integers(ids, N, "ids")
    cdef uint8_t *ps = <uint8_t *> vector(seen, NPY_BOOL, V, "seen", True)
    cdef int64_t *pr = integers(rows, extent(rows, 0), "rows", True)
    if extent(rows, 0) < N:
        raise ValueError(f"rows: expected room for {N} ids, got {extent(rows, 0)}")
    for i in range(N):
        if pi[i] < 0 or pi[i] >= V:
            raise ValueError(f"ids: expected numbers from 0 to {V - 1}, got {pi[i]} in row {i}")
    for i in range(N):
        if not ps[pi[i]]:
            ps[pi[i]] = 1
            pr[count] = pi[i]
            count += 1
    for i in range(count):
        ps[pr[i]] = 0
    return count
