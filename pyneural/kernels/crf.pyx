# cython: allow_none_for_extension_args=False
"""The linear-chain CRF, a whole batch in one call. The specification of each kernel is its twin in reference/crf.py."""
from libc.stdint cimport int64_t

from numpy cimport NPY_INT64, ndarray

from pyneural.kernels.dispatch cimport (
    PyThreadState, check_counts, double_matrix, doubles, extent, in_matrix, in_vector, integers, kernels_any,
    kernels_of, let_go, matrix, out_matrix, out_vector, take_back,
)

from pyneural.kernels.sizes import best_paths_room, crf_scratch


cdef struct chain:
    Py_ssize_t T, K, B, N
    const int64_t *counts
    const void *scores
    const void *start
    const void *transitions
    const void *end
    const int64_t *previous


cdef chain checked(ndarray scores, start, transitions, end, ndarray counts, previous, Py_ssize_t B) except *:
    """What the kernels have in common. `previous` (B,) holds labels, -1 for none."""
    cdef chain c
    cdef Py_ssize_t b
    if scores.ndim != 2 or scores.shape[1] < 1:
        raise ValueError(f"scores: expected shape (N, K) of at least one label, got {(<object> scores).shape}")
    c.N = scores.shape[0]
    c.K = scores.shape[1]
    c.B = B
    c.T = extent(counts, 0)
    c.counts = integers(counts, c.T, "counts")
    check_counts(c.counts, c.T, c.N, c.B)
    c.scores = in_matrix(scores, scores, c.N, c.K, "scores")
    c.start = in_vector(scores, start, c.K, "start")
    c.transitions = in_matrix(scores, transitions, c.K, c.K, "transitions")
    c.end = in_vector(scores, end, c.K, "end")
    c.previous = integers(previous, c.B, "previous")
    if c.previous != NULL:
        for b in range(c.B):
            if c.previous[b] < -1 or c.previous[b] >= c.K:
                raise ValueError(f"previous: expected labels from -1 to {c.K - 1}, got {c.previous[b]}")
    return c


cdef double *room(ndarray scratch, chain c) except NULL:
    cdef double *numbers = doubles(scratch, extent(scratch, 0), "scratch")
    enough(scratch, crf_scratch(c.T, c.K), "scratch")
    return numbers


cdef int enough(ndarray work, Py_ssize_t needed, str name) except -1:
    if extent(work, 0) < needed:
        raise ValueError(f"{name}: expected room for {needed} numbers, got {extent(work, 0)}")


cdef int refuse(tags, int64_t row, Py_ssize_t K) except -1:
    raise ValueError(f"tags: expected labels from 0 to {K - 1}, got {tags[row]} in row {row}")


def crf_marginals(ndarray scores, ndarray start, ndarray transitions, ndarray end, ndarray counts, previous,
                  ndarray logZ, ndarray marginals, ndarray scratch):
    cdef const kernels_any *k = kernels_of(scores, "scores")
    cdef chain c = checked(scores, start, transitions, end, counts, previous, extent(logZ, 0))
    cdef double *pz = doubles(logZ, c.B, "logZ")
    cdef void *pm = out_matrix(scores, marginals, c.N, c.K, "marginals")
    cdef double *ps = room(scratch, c)
    cdef PyThreadState *gil = let_go(c.N * c.K * c.K)
    k.crf_marginals(c.T, c.K, c.B, c.counts, c.scores, c.start, c.transitions, c.end, c.previous, pz, pm, ps)
    take_back(gil)


def crf_gradient(ndarray scores, ndarray start, ndarray transitions, ndarray end, ndarray counts, previous,
                 ndarray tags, double scale, ndarray losses, ndarray dscores, ndarray dstart, ndarray dtransitions,
                 ndarray dend, ndarray scratch):
    cdef const kernels_any *k = kernels_of(scores, "scores")
    cdef chain c = checked(scores, start, transitions, end, counts, previous, extent(losses, 0))
    cdef const int64_t *pt = integers(tags, c.N, "tags")
    cdef double *pl = doubles(losses, c.B, "losses")
    cdef void *dx = out_matrix(scores, dscores, c.N, c.K, "dscores")
    cdef void *ds = out_vector(scores, dstart, c.K, "dstart")
    cdef void *dt = out_matrix(scores, dtransitions, c.K, c.K, "dtransitions")
    cdef void *de = out_vector(scores, dend, c.K, "dend")
    cdef double *ps = room(scratch, c)
    cdef int64_t bad
    cdef PyThreadState *gil = let_go(c.N * c.K * c.K)
    bad = k.crf_gradient(c.T, c.K, c.B, c.counts, c.scores, c.start, c.transitions, c.end, c.previous, pt, scale,
                         pl, dx, ds, dt, de, ps)
    take_back(gil)
    if bad >= 0:
        refuse(tags, bad, c.K)


def crf_viterbi(ndarray scores, ndarray start, ndarray transitions, ndarray end, ndarray counts, previous,
                ndarray tags, ndarray path_scores, ndarray scratch):
    cdef const kernels_any *k = kernels_of(scores, "scores")
    cdef chain c = checked(scores, start, transitions, end, counts, previous, extent(path_scores, 0))
    cdef int64_t *pt = integers(tags, c.N, "tags", True)
    cdef double *pp = doubles(path_scores, c.B, "path_scores")
    cdef double *ps = room(scratch, c)
    cdef PyThreadState *gil = let_go(c.N * c.K * c.K)
    k.crf_viterbi(c.T, c.K, c.B, c.counts, c.scores, c.start, c.transitions, c.end, c.previous, pt, pp, ps)
    take_back(gil)


def crf_links(ndarray scores, ndarray start, ndarray transitions, ndarray end, ndarray counts, previous,
              ndarray tags, ndarray logZ, ndarray marginals, ndarray links, ndarray scratch):
    cdef const kernels_any *k = kernels_of(scores, "scores")
    cdef chain c = checked(scores, start, transitions, end, counts, previous, extent(logZ, 0))
    cdef const int64_t *pt = integers(tags, c.N, "tags")
    cdef double *pz = doubles(logZ, c.B, "logZ")
    cdef void *pm = out_matrix(scores, marginals, c.N, c.K, "marginals")
    cdef double *pl = doubles(links, c.N, "links")
    cdef double *ps = room(scratch, c)
    cdef int64_t bad
    cdef PyThreadState *gil = let_go(c.N * c.K * c.K)
    bad = k.crf_links(c.T, c.K, c.B, c.counts, c.scores, c.start, c.transitions, c.end, c.previous, pt, pz, pm, pl, ps)
    take_back(gil)
    if bad >= 0:
        refuse(tags, bad, c.K)


def crf_best_paths(ndarray scores, ndarray start, ndarray transitions, ndarray end, ndarray counts, previous,
                   ndarray tags, ndarray path_scores, ndarray pointers, ndarray scratch):
    cdef const kernels_any *k = kernels_of(scores, "scores")
    cdef chain c = checked(scores, start, transitions, end, counts, previous, extent(path_scores, 1))
    cdef Py_ssize_t n = extent(tags, 0)
    cdef int64_t *pt = <int64_t *> matrix(tags, NPY_INT64, n, c.N, "tags", True)
    cdef double *pp = double_matrix(path_scores, n, c.B, "path_scores")
    cdef int64_t *back = integers(pointers, extent(pointers, 0), "pointers", True)
    cdef double *ps = doubles(scratch, extent(scratch, 0), "scratch")
    if n < 1:
        raise ValueError("tags: expected shape (n, N) of at least one path")
    numbers, scores_room = best_paths_room(c.T, c.K, n)
    enough(pointers, numbers, "pointers")
    enough(scratch, scores_room, "scratch")
    cdef PyThreadState *gil = let_go(c.N * c.K * c.K)
    k.crf_best_paths(c.T, c.K, c.B, c.counts, c.scores, c.start, c.transitions, c.end, c.previous, n, pt, pp, back, ps)
    take_back(gil)
