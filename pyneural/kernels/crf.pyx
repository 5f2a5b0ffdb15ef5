# cython: allow_none_for_extension_args=False
"""The linear-chain CRF, a whole batch in one call. The specification of each kernel is its twin in reference/crf.py."""
from libc.stdint cimport int64_t

from numpy cimport ndarray

from pyneural.kernels.dispatch cimport (
    check_counts, double_matrix, doubles, extent, in_matrix, in_vector, integers, kernels_any, kernels_of, out_matrix,
)


cdef struct chain:
    Py_ssize_t T, K, B, N
    const int64_t *counts
    const void *scores
    const void *start
    const void *transitions
    const void *end
    const int64_t *previous


cdef chain checked(ndarray scores, start, transitions, end, ndarray counts, previous, ndarray of_sequences,
                   str name) except *:
    """What the three kernels have in common. `previous` (B,) holds labels, -1 for none. `of_sequences` has B numbers."""
    cdef chain c
    cdef Py_ssize_t b
    if scores.ndim != 2 or scores.shape[1] < 1:
        raise ValueError(f"scores: expected shape (N, K) of at least one label, got {(<object> scores).shape}")
    c.N = scores.shape[0]
    c.K = scores.shape[1]
    c.B = extent(of_sequences, 0)
    doubles(of_sequences, c.B, name)
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


def crf_marginals(ndarray scores, ndarray start, ndarray transitions, ndarray end, ndarray counts, previous,
                  ndarray logZ, ndarray marginals, dstart, dtransitions, dend, ndarray scratch):
    cdef const kernels_any *k = kernels_of(scores, "scores")
    cdef chain c = checked(scores, start, transitions, end, counts, previous, logZ, "logZ")
    cdef double *pz = doubles(logZ, c.B, "logZ")
    cdef void *pm = out_matrix(scores, marginals, c.N, c.K, "marginals")
    cdef double *ds = doubles(dstart, c.K, "dstart")
    cdef double *dt = double_matrix(dtransitions, c.K, c.K, "dtransitions")
    cdef double *de = doubles(dend, c.K, "dend")
    cdef double *ps = doubles(scratch, extent(scratch, 0), "scratch")
    if extent(scratch, 0) < 3 * c.K + (c.T + 1) * c.K * c.K:
        raise ValueError(f"scratch: expected room for 3 K + (T + 1) K K numbers, got {extent(scratch, 0)}")
    if (ds == NULL) != (dt == NULL) or (ds == NULL) != (de == NULL):
        raise ValueError("dstart, dtransitions, dend: expected all three arrays or None for all")
    with nogil:
        k.crf_marginals(c.T, c.K, c.B, c.counts, c.scores, c.start, c.transitions, c.end, c.previous, pz, pm, ds, dt,
                        de, ps)


def crf_path_scores(ndarray scores, ndarray start, ndarray transitions, ndarray end, ndarray counts, previous,
                    ndarray tags, ndarray path_scores, marginals, dstart, dtransitions, dend):
    cdef const kernels_any *k = kernels_of(scores, "scores")
    cdef chain c = checked(scores, start, transitions, end, counts, previous, path_scores, "path_scores")
    cdef const int64_t *pt = integers(tags, c.N, "tags")
    cdef double *pp = doubles(path_scores, c.B, "path_scores")
    cdef void *pm = out_matrix(scores, marginals, c.N, c.K, "marginals")
    cdef double *ds = doubles(dstart, c.K, "dstart")
    cdef double *dt = double_matrix(dtransitions, c.K, c.K, "dtransitions")
    cdef double *de = doubles(dend, c.K, "dend")
    cdef int64_t bad
    if marginals is not None and (ds == NULL or dt == NULL or de == NULL):
        raise ValueError("dstart, dtransitions, dend: expected arrays where marginals is given")
    with nogil:
        bad = k.crf_path_scores(c.T, c.K, c.B, c.counts, c.scores, c.start, c.transitions, c.end, c.previous, pt, pp,
                                pm, ds, dt, de)
    if bad >= 0:
        raise ValueError(f"tags: expected labels from 0 to {c.K - 1}, got {tags[bad]} in row {bad}")


def crf_viterbi(ndarray scores, ndarray start, ndarray transitions, ndarray end, ndarray counts, previous,
                ndarray tags, ndarray path_scores, ndarray scratch, ndarray pointers):
    cdef const kernels_any *k = kernels_of(scores, "scores")
    cdef chain c = checked(scores, start, transitions, end, counts, previous, path_scores, "path_scores")
    cdef int64_t *pt = integers(tags, c.N, "tags", True)
    cdef double *pp = doubles(path_scores, c.B, "path_scores")
    cdef double *ps = doubles(scratch, extent(scratch, 0), "scratch")
    cdef int64_t *pb = integers(pointers, extent(pointers, 0), "pointers", True)
    if extent(scratch, 0) < 2 * c.K or extent(pointers, 0) < c.T * c.K:
        raise ValueError(
            f"scratch, pointers: expected room for 2 K = {2 * c.K} and T K = {c.T * c.K} numbers, got "
            f"{extent(scratch, 0)} and {extent(pointers, 0)}"
        )
    with nogil:
        k.crf_viterbi(c.T, c.K, c.B, c.counts, c.scores, c.start, c.transitions, c.end, c.previous, pt, pp, ps, pb)
