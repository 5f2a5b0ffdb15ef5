# cython: allow_none_for_extension_args=False
"""The three cells, a whole batch of uneven sequences in one call. The specification is reference/recurrent.py."""
from libc.stdint cimport int64_t

from numpy cimport ndarray

from pyneural.kernels.dispatch cimport (
    check_counts, extent, in_matrix, in_vector, integers, kernels_any, kernels_of, out_matrix,
    out_vector, strided,
)
from pyneural.kernels.sizes import cell_scratch


cdef void *scratch_of(ndarray like, ndarray scratch, Py_ssize_t gates, Py_ssize_t H, Py_ssize_t B) except? NULL:
    cdef Py_ssize_t size = cell_scratch(gates, H, B)
    if extent(scratch, 0) < size:
        raise ValueError(f"scratch: expected room for {size} numbers, got {extent(scratch, 0)}")
    return out_vector(like, scratch, extent(scratch, 0), "scratch")


cdef int check_kind(int kind) except -1:
    if not 0 <= kind <= 2:
        raise ValueError(f"kind: expected 0 (tanh), 1 (sigmoid) or 2 (relu), got {kind}")
    return 0


def rnn_forward(ndarray a, ndarray U, ndarray h, ndarray counts, bint reverse, int kind, ndarray y, h_prev,
                ndarray scratch, bint bf16=False):
    cdef const kernels_any *k = kernels_of(a, "a")
    cdef Py_ssize_t N = extent(a, 0), H = extent(U, 0), B = extent(h, 0), T = extent(counts, 0), ldy
    cdef const int64_t *pn = integers(counts, T, "counts")
    cdef const void *pU = in_matrix(a, U, H, H, "U")
    check_kind(kind)
    cdef const void *pa = in_matrix(a, a, N, H, "a")
    cdef void *ph = out_matrix(a, h, B, H, "h")
    cdef void *py = strided(a, y, N, H, "y", True, &ldy)
    cdef void *pp = out_matrix(a, h_prev, N, H, "h_prev")
    cdef void *ps = scratch_of(a, scratch, 1, H, B)
    check_counts(pn, T, N, B)
    with nogil:
        k.rnn_forward(T, H, pn, reverse, bf16, kind, pa, pU, ph, py, ldy, pp, ps)


def rnn_backward(dy, ndarray y, ndarray U, ndarray dh, ndarray counts, bint reverse, int kind, Py_ssize_t bptt,
                 ndarray da, ndarray scratch, bint bf16=False):
    cdef const kernels_any *k = kernels_of(y, "y")
    cdef Py_ssize_t N = extent(y, 0), H = extent(U, 0), B = extent(dh, 0), T = extent(counts, 0), lddy, ldy
    cdef const int64_t *pn = integers(counts, T, "counts")
    cdef const void *pU = in_matrix(y, U, H, H, "U")
    check_kind(kind)
    cdef const void *pdy = strided(y, dy, N, H, "dy", False, &lddy)
    cdef const void *py = strided(y, y, N, H, "y", False, &ldy)
    cdef void *pdh = out_matrix(y, dh, B, H, "dh")
    cdef void *pda = out_matrix(y, da, N, H, "da")
    cdef void *ps = scratch_of(y, scratch, 1, H, B)
    check_counts(pn, T, N, B)
    with nogil:
        k.rnn_backward(T, H, pn, reverse, bf16, kind, bptt, pdy, lddy, py, ldy, pU, pdh, pda, ps)


def gru_forward(ndarray gates, ndarray U, c, ndarray h, ndarray counts, bint reverse, ndarray y, h_prev, ndarray m,
                ndarray scratch, bint bf16=False):
    cdef const kernels_any *k = kernels_of(gates, "gates")
    cdef Py_ssize_t N = extent(gates, 0), H = extent(U, 0), B = extent(h, 0), T = extent(counts, 0), ldy
    cdef bint reset_after = c is not None
    cdef const int64_t *pn = integers(counts, T, "counts")
    cdef const void *pU = in_matrix(gates, U, H, 3 * H, "U")
    cdef void *pg = out_matrix(gates, gates, N, 3 * H, "gates")
    cdef const void *pc = in_vector(gates, c, H, "c")
    cdef void *ph = out_matrix(gates, h, B, H, "h")
    cdef void *py = strided(gates, y, N, H, "y", True, &ldy)
    cdef void *pp = out_matrix(gates, h_prev, N, H, "h_prev")
    cdef void *pm = out_matrix(gates, m, N, H, "m")
    cdef void *ps = scratch_of(gates, scratch, 3, H, B)
    check_counts(pn, T, N, B)
    with nogil:
        k.gru_forward(T, H, pn, reverse, bf16, reset_after, pg, pU, pc, ph, py, ldy, pp, pm, ps)


def gru_backward(dy, ndarray gates, ndarray m, ndarray h_prev, ndarray U, ndarray dh, ndarray counts, bint reverse,
                 bint reset_after, Py_ssize_t bptt, ndarray da, ndarray dm, ndarray scratch, bint bf16=False):
    cdef const kernels_any *k = kernels_of(gates, "gates")
    cdef Py_ssize_t N = extent(gates, 0), H = extent(U, 0), B = extent(dh, 0), T = extent(counts, 0), lddy
    cdef const int64_t *pn = integers(counts, T, "counts")
    cdef const void *pU = in_matrix(gates, U, H, 3 * H, "U")
    cdef const void *pdy = strided(gates, dy, N, H, "dy", False, &lddy)
    cdef const void *pg = in_matrix(gates, gates, N, 3 * H, "gates")
    cdef const void *pm = in_matrix(gates, m, N, H, "m")
    cdef const void *pp = in_matrix(gates, h_prev, N, H, "h_prev")
    cdef void *pdh = out_matrix(gates, dh, B, H, "dh")
    cdef void *pda = out_matrix(gates, da, N, 3 * H, "da")
    cdef void *pdm = out_matrix(gates, dm, N, H, "dm")
    cdef void *ps = scratch_of(gates, scratch, 3, H, B)
    check_counts(pn, T, N, B)
    with nogil:
        k.gru_backward(T, H, pn, reverse, bf16, reset_after, bptt, pdy, lddy, pg, pm, pp, pU, pdh, pda, pdm, ps)


def lstm_forward(ndarray gates, ndarray U, ndarray h, ndarray c, ndarray counts, bint reverse, ndarray y, h_prev,
                 c_prev, ndarray tanh_c, ndarray scratch, bint bf16=False):
    cdef const kernels_any *k = kernels_of(gates, "gates")
    cdef Py_ssize_t N = extent(gates, 0), H = extent(U, 0), B = extent(h, 0), T = extent(counts, 0), ldy
    cdef const int64_t *pn = integers(counts, T, "counts")
    cdef const void *pU = in_matrix(gates, U, H, 4 * H, "U")
    if (h_prev is None) != (c_prev is None):
        raise ValueError("h_prev, c_prev: expected both arrays or both None")
    cdef void *pg = out_matrix(gates, gates, N, 4 * H, "gates")
    cdef void *ph = out_matrix(gates, h, B, H, "h")
    cdef void *pc = out_matrix(gates, c, B, H, "c")
    cdef void *py = strided(gates, y, N, H, "y", True, &ldy)
    cdef void *php = out_matrix(gates, h_prev, N, H, "h_prev")
    cdef void *pcp = out_matrix(gates, c_prev, N, H, "c_prev")
    cdef void *pt = out_matrix(gates, tanh_c, N, H, "tanh_c")
    cdef void *ps = scratch_of(gates, scratch, 4, H, B)
    check_counts(pn, T, N, B)
    with nogil:
        k.lstm_forward(T, H, pn, reverse, bf16, pg, pU, ph, pc, py, ldy, php, pcp, pt, ps)


def lstm_backward(dy, ndarray gates, ndarray c_prev, ndarray tanh_c, ndarray U, ndarray dh, ndarray dc,
                  ndarray counts, bint reverse, Py_ssize_t bptt, ndarray da, ndarray scratch, bint bf16=False):
    cdef const kernels_any *k = kernels_of(gates, "gates")
    cdef Py_ssize_t N = extent(gates, 0), H = extent(U, 0), B = extent(dh, 0), T = extent(counts, 0), lddy
    cdef const int64_t *pn = integers(counts, T, "counts")
    cdef const void *pU = in_matrix(gates, U, H, 4 * H, "U")
    cdef const void *pdy = strided(gates, dy, N, H, "dy", False, &lddy)
    cdef const void *pg = in_matrix(gates, gates, N, 4 * H, "gates")
    cdef const void *pcp = in_matrix(gates, c_prev, N, H, "c_prev")
    cdef const void *pt = in_matrix(gates, tanh_c, N, H, "tanh_c")
    cdef void *pdh = out_matrix(gates, dh, B, H, "dh")
    cdef void *pdc = out_matrix(gates, dc, B, H, "dc")
    cdef void *pda = out_matrix(gates, da, N, 4 * H, "da")
    cdef void *ps = scratch_of(gates, scratch, 4, H, B)
    check_counts(pn, T, N, B)
    with nogil:
        k.lstm_backward(T, H, pn, reverse, bf16, bptt, pdy, lddy, pg, pcp, pt, pU, pdh, pdc, pda, ps)
