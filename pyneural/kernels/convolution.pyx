# cython: allow_none_for_extension_args=False
"""A convolution over time and its maximum. The specification of each kernel is its twin in reference/convolution.py."""
from libc.stdint cimport int64_t

from numpy cimport NPY_INT64, ndarray

from pyneural.kernels.dispatch cimport (
    check_counts, extent, in_matrix, in_vector, integers, kernels_any, kernels_of, matrix, out_matrix, out_vector,
)
from pyneural.kernels.sizes import convolution_scratch


cdef void *scratch_of(ndarray like, ndarray scratch, Py_ssize_t N, Py_ssize_t T, Py_ssize_t B, Py_ssize_t D,
                      Py_ssize_t F, Py_ssize_t width) except? NULL:
    cdef Py_ssize_t size = convolution_scratch(N, T, B, D, F, width)
    if extent(scratch, 0) < size:
        raise ValueError(f"scratch: expected room for {size} numbers, got {extent(scratch, 0)}")
    return out_vector(like, scratch, extent(scratch, 0), "scratch")


cdef int check_width(Py_ssize_t width) except -1:
    if width < 1 or width % 2 == 0:
        raise ValueError(f"width: expected an odd number from 1 on, got {width}")
    return 0


def convolution_forward(ndarray x, ndarray W, ndarray b, ndarray counts, Py_ssize_t width, ndarray y, winners,
                        ndarray scratch, bint bf16=False):
    cdef const kernels_any *k = kernels_of(x, "x")
    cdef Py_ssize_t N = extent(x, 0), D = extent(x, 1), T = extent(counts, 0), B = extent(y, 0), F = extent(b, 0)
    check_width(width)
    cdef const void *px = in_matrix(x, x, N, D, "x")
    cdef const void *pW = in_matrix(x, W, width * D, F, "W")
    cdef const void *pb = in_vector(x, b, F, "b")
    cdef const int64_t *pn = integers(counts, T, "counts")
    cdef void *py = out_matrix(x, y, B, F, "y")
    cdef int64_t *pt = <int64_t *> matrix(winners, NPY_INT64, B, F, "winners", True)
    check_counts(pn, T, N, B)
    cdef void *ps = scratch_of(x, scratch, N, T, B, D, F, width)
    with nogil:
        k.convolution_forward(T, B, D, F, width, pn, bf16, px, pW, pb, py, pt, ps)


def convolution_backward(ndarray x, ndarray g, ndarray winners, ndarray W, ndarray counts, Py_ssize_t width,
                         ndarray dW, ndarray db, dx, ndarray scratch, ndarray links):
    cdef const kernels_any *k = kernels_of(x, "x")
    cdef Py_ssize_t N = extent(x, 0), D = extent(x, 1), T = extent(counts, 0), B = extent(g, 0), F = extent(g, 1)
    check_width(width)
    cdef const void *px = in_matrix(x, x, N, D, "x")
    cdef const void *pg = in_matrix(x, g, B, F, "g")
    cdef const int64_t *pt = <const int64_t *> matrix(winners, NPY_INT64, B, F, "winners", False)
    cdef const void *pW = in_matrix(x, W, width * D, F, "W")
    cdef const int64_t *pn = integers(counts, T, "counts")
    cdef void *pdW = out_matrix(x, dW, width * D, F, "dW")
    cdef void *pdb = out_vector(x, db, F, "db")
    cdef void *pdx = out_matrix(x, dx, N, D, "dx")
    check_counts(pn, T, N, B)
    cdef void *ps = scratch_of(x, scratch, N, T, B, D, F, width)
    cdef int64_t *pl = integers(links, extent(links, 0), "links", True)
    cdef int64_t bad
    if extent(links, 0) < T + F:
        raise ValueError(f"links: expected room for {T + F} numbers, got {extent(links, 0)}")
    with nogil:
        bad = k.convolution_backward(T, B, D, F, width, pn, px, pg, pt, pW, pdW, pdb, pdx, ps, pl)
    if bad >= 0:
        raise ValueError(f"winners: expected steps that the sequence has, got {winners[bad]} for sequence {bad}")
