# cython: allow_none_for_extension_args=False
"""Activations, softmax and random masks. The specification of each kernel is its twin in reference/elementwise.py."""
from libc.stdint cimport int64_t, uint64_t

from numpy cimport PyArray_DATA, PyArray_ISCARRAY_RO, PyArray_ISWRITEABLE, ndarray

from pyneural.kernels.dispatch cimport (
    PyThreadState, let_go, take_back, doubles, extent, in_matrix, in_vector, integers, kernels_any, kernels_of, out_matrix,
)


cdef int check_alike(ndarray x, ndarray y, str name, bint written) except -1:
    cdef int axis
    if x.descr.type_num != y.descr.type_num or x.ndim != y.ndim:
        raise ValueError(
            f"{name}: expected shape and type {(<object> x).shape} {x.dtype}, got {(<object> y).shape} {y.dtype}"
        )
    for axis in range(x.ndim):
        if x.shape[axis] != y.shape[axis]:
            raise ValueError(f"{name}: expected shape {(<object> x).shape}, got {(<object> y).shape}")
    if not PyArray_ISCARRAY_RO(y):
        raise ValueError(
            f"{name}: expected a C-contiguous, aligned array in native byte order, got {y.dtype} with strides "
            f"{(<object> y).strides}"
        )
    if written and not PyArray_ISWRITEABLE(y):
        raise ValueError(f"{name}: is read-only, and the kernel writes it")
    return 0


cdef int check_kind(int kind) except -1:
    if kind < 0 or kind > 3:
        raise ValueError(f"kind: expected 0 (tanh), 1 (sigmoid), 2 (relu) or 3 (clipped relu), got {kind}")
    return 0


def activation_forward(ndarray x, ndarray y, int kind, double ceiling=1.0):
    cdef const kernels_any *k = kernels_of(x, "x")
    cdef Py_ssize_t n = x.size
    check_kind(kind)
    check_alike(x, x, "x", False)
    check_alike(x, y, "y", True)
    cdef const void *px = PyArray_DATA(x)
    cdef void *py = PyArray_DATA(y)
    cdef PyThreadState *gil = let_go(n)
    k.activation_forward(n, kind, ceiling, px, py)
    take_back(gil)


def activation_backward(ndarray y, ndarray dy, ndarray dx, int kind, double ceiling=1.0):
    cdef const kernels_any *k = kernels_of(y, "y")
    cdef Py_ssize_t n = y.size
    check_kind(kind)
    check_alike(y, y, "y", False)
    check_alike(y, dy, "dy", False)
    check_alike(y, dx, "dx", True)
    cdef const void *py = PyArray_DATA(y)
    cdef const void *pdy = PyArray_DATA(dy)
    cdef void *pdx = PyArray_DATA(dx)
    cdef PyThreadState *gil = let_go(n)
    k.activation_backward(n, kind, ceiling, py, pdy, pdx)
    take_back(gil)


def exponential(ndarray x, ndarray y):
    cdef const kernels_any *k = kernels_of(x, "x")
    cdef Py_ssize_t n = x.size
    check_alike(x, x, "x", False)
    check_alike(x, y, "y", True)
    cdef const void *px = PyArray_DATA(x)
    cdef void *py = PyArray_DATA(y)
    cdef PyThreadState *gil = let_go(n)
    k.exponential(n, px, py)
    take_back(gil)


def dropout_mask(ndarray places, uint64_t key, double rate, ndarray mask):
    cdef const kernels_any *k = kernels_of(mask, "mask")
    cdef Py_ssize_t N = extent(places, 0), D = extent(mask, 1)
    if not 0 <= rate < 1:
        raise ValueError(f"rate: expected a number in [0, 1), got {rate}")
    cdef const int64_t *pp = integers(places, N, "places")
    cdef void *pm = out_matrix(mask, mask, N, D, "mask")
    cdef PyThreadState *gil = let_go(N * D)
    k.dropout_mask(N, D, pp, key, rate, pm)
    take_back(gil)


def softmax(ndarray scores, ndarray out):
    cdef const kernels_any *k = kernels_of(scores, "scores")
    cdef Py_ssize_t N = extent(scores, 0), K = extent(scores, 1)
    cdef const void *ps = in_matrix(scores, scores, N, K, "scores")
    cdef void *po = out_matrix(scores, out, N, K, "out")
    if N and not K:
        raise ValueError(f"scores: expected at least one column, got shape {(<object> scores).shape}")
    cdef PyThreadState *gil = let_go(N * K)
    k.softmax(N, K, ps, po)
    take_back(gil)


def softmax_gradient(ndarray scores, ndarray targets, weights, double smoothing, double scale, ndarray losses,
                     ndarray dscores):
    cdef const kernels_any *k = kernels_of(scores, "scores")
    cdef Py_ssize_t N = extent(scores, 0), K = extent(scores, 1)
    cdef const void *ps = in_matrix(scores, scores, N, K, "scores")
    cdef const int64_t *pt = integers(targets, N, "targets")
    cdef const void *pw = in_vector(scores, weights, K, "weights")
    cdef double *pl = doubles(losses, N, "losses")
    cdef void *pd = out_matrix(scores, dscores, N, K, "dscores")
    cdef int64_t bad
    cdef PyThreadState *gil = let_go(N * K)
    bad = k.softmax_gradient(N, K, ps, pt, pw, smoothing, scale, pl, pd)
    take_back(gil)
    if bad >= 0:
        raise ValueError(f"targets: expected labels from 0 to {K - 1}, got {targets[bad]} in row {bad}")
