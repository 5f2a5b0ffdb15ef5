# cython: allow_none_for_extension_args=False
"""The three cells, a whole batch of uneven sequences in one call: what does not depend on the state is one product over
all rows, before the loop through time or after it. The specification is reference/recurrent.py."""
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


cdef inline void *column(void *matrix, ndarray like, Py_ssize_t j) noexcept:
    """Where column j starts; also a place among columns of a matrix whose rows are longer than what is looked at."""
    return <char *> matrix + j * like.descr.itemsize


def rnn_forward(ndarray x, ndarray W, ndarray b, ndarray U, ndarray h, ndarray counts, bint reverse, int kind,
                ndarray a, ndarray y, h_prev, ndarray scratch, bint bf16=False):
    cdef const kernels_any *k = kernels_of(x, "x")
    cdef Py_ssize_t N = extent(x, 0), D = extent(W, 0), H = extent(U, 0), B = extent(h, 0), T = extent(counts, 0), ldy
    cdef const int64_t *pn = integers(counts, T, "counts")
    check_kind(kind)
    cdef const void *px = in_matrix(x, x, N, D, "x")
    cdef const void *pW = in_matrix(x, W, D, H, "W")
    cdef const void *pb = in_vector(x, b, H, "b")
    cdef const void *pU = in_matrix(x, U, H, H, "U")
    cdef void *ph = out_matrix(x, h, B, H, "h")
    cdef void *pa = out_matrix(x, a, N, H, "a")
    cdef void *py = strided(x, y, N, H, "y", True, &ldy)
    cdef void *pp = out_matrix(x, h_prev, N, H, "h_prev")
    cdef void *ps = scratch_of(x, scratch, 1, H, B)
    check_counts(pn, T, N, B)
    with nogil:
        k.affine(N, D, H, px, pW, pb, bf16, pa)
        k.rnn_forward(T, H, pn, reverse, bf16, kind, pa, pU, ph, py, ldy, pp, ps)


def rnn_backward(dy, ndarray x, ndarray y, ndarray h_prev, ndarray W, ndarray U, ndarray dh, ndarray counts,
                 bint reverse, int kind, Py_ssize_t bptt, ndarray da, ndarray dW, ndarray db, ndarray dU, dx, ndarray scratch,
                 bint accumulate=False, bint bf16=False):
    cdef const kernels_any *k = kernels_of(x, "x")
    cdef Py_ssize_t N = extent(x, 0), D = extent(W, 0), H = extent(U, 0), B = extent(dh, 0), T = extent(counts, 0)
    cdef Py_ssize_t lddy, ldy
    cdef const int64_t *pn = integers(counts, T, "counts")
    check_kind(kind)
    cdef const void *pdy = strided(x, dy, N, H, "dy", False, &lddy)
    cdef const void *px = in_matrix(x, x, N, D, "x")
    cdef const void *py = strided(x, y, N, H, "y", False, &ldy)
    cdef const void *pp = in_matrix(x, h_prev, N, H, "h_prev")
    cdef const void *pW = in_matrix(x, W, D, H, "W")
    cdef const void *pU = in_matrix(x, U, H, H, "U")
    cdef void *pdh = out_matrix(x, dh, B, H, "dh")
    cdef void *pda = out_matrix(x, da, N, H, "da")
    cdef void *pdW = out_matrix(x, dW, D, H, "dW")
    cdef void *pdb = out_vector(x, db, H, "db")
    cdef void *pdU = out_matrix(x, dU, H, H, "dU")
    cdef void *pdx = out_matrix(x, dx, N, D, "dx")
    cdef void *ps = scratch_of(x, scratch, 1, H, B)
    check_counts(pn, T, N, B)
    with nogil:
        k.rnn_backward(T, H, pn, reverse, bf16, kind, bptt, pdy, lddy, py, ldy, pU, pdh, pda, ps)
        k.affine_backward(N, H, H, pp, pda, H, NULL, bf16, pdU, H, NULL, 0, NULL)
        k.affine_backward(N, D, H, px, pda, H, pW, bf16, pdW, H, pdb, accumulate, pdx)


def gru_forward(ndarray x, ndarray W, ndarray b, ndarray U, c, ndarray h, ndarray counts, bint reverse, ndarray gates,
                ndarray y, h_prev, ndarray m, ndarray scratch, bint bf16=False):
    cdef const kernels_any *k = kernels_of(x, "x")
    cdef Py_ssize_t N = extent(x, 0), D = extent(W, 0), H = extent(U, 0), B = extent(h, 0), T = extent(counts, 0), ldy
    cdef bint reset_after = c is not None
    cdef const int64_t *pn = integers(counts, T, "counts")
    cdef const void *px = in_matrix(x, x, N, D, "x")
    cdef const void *pW = in_matrix(x, W, D, 3 * H, "W")
    cdef const void *pb = in_vector(x, b, 3 * H, "b")
    cdef const void *pU = in_matrix(x, U, H, 3 * H, "U")
    cdef const void *pc = in_vector(x, c, H, "c")
    cdef void *ph = out_matrix(x, h, B, H, "h")
    cdef void *pg = out_matrix(x, gates, N, 3 * H, "gates")
    cdef void *py = strided(x, y, N, H, "y", True, &ldy)
    cdef void *pp = out_matrix(x, h_prev, N, H, "h_prev")
    cdef void *pm = out_matrix(x, m, N, H, "m")
    cdef void *ps = scratch_of(x, scratch, 3, H, B)
    check_counts(pn, T, N, B)
    with nogil:
        k.affine(N, D, 3 * H, px, pW, pb, bf16, pg)
        k.gru_forward(T, H, pn, reverse, bf16, reset_after, pg, pU, pc, ph, py, ldy, pp, pm, ps)


def gru_backward(dy, ndarray x, ndarray gates, ndarray m, ndarray h_prev, ndarray W, ndarray U, ndarray dh,
                 ndarray counts, bint reverse, Py_ssize_t bptt, dm, ndarray dW, ndarray db, ndarray dU, dc, dx,
                 ndarray scratch, bint accumulate=False, bint bf16=False):
    cdef const kernels_any *k = kernels_of(x, "x")
    cdef Py_ssize_t N = extent(x, 0), D = extent(W, 0), H = extent(U, 0), B = extent(dh, 0), T = extent(counts, 0), lddy
    cdef bint reset_after = dc is not None
    if reset_after == (dm is not None):
        raise ValueError("dc, dm: expected one array and one None: dc where the reset comes after, else dm")
    cdef const int64_t *pn = integers(counts, T, "counts")
    cdef const void *pdy = strided(x, dy, N, H, "dy", False, &lddy)
    cdef const void *px = in_matrix(x, x, N, D, "x")
    cdef void *pg = out_matrix(x, gates, N, 3 * H, "gates")
    cdef void *pm = out_matrix(x, m, N, H, "m")
    cdef const void *pp = in_matrix(x, h_prev, N, H, "h_prev")
    cdef const void *pW = in_matrix(x, W, D, 3 * H, "W")
    cdef const void *pU = in_matrix(x, U, H, 3 * H, "U")
    cdef void *pdh = out_matrix(x, dh, B, H, "dh")
    cdef void *pdm = out_matrix(x, dm, N, H, "dm")
    cdef void *pdW = out_matrix(x, dW, D, 3 * H, "dW")
    cdef void *pdb = out_vector(x, db, 3 * H, "db")
    cdef void *pdU = out_matrix(x, dU, H, 3 * H, "dU")
    cdef void *pdc = out_vector(x, dc, H, "dc")
    cdef void *pdx = out_matrix(x, dx, N, D, "dx")
    cdef void *ps = scratch_of(x, scratch, 3, H, B)
    check_counts(pn, T, N, B)
    cdef void *pdU_n = column(pdU, x, 2 * H)
    cdef void *pda_n = column(pg, x, 2 * H)
    with nogil:
        k.gru_backward(T, H, pn, reverse, bf16, reset_after, bptt, pdy, lddy, pg, pm, pp, pU, pdh, pg,
                       pm if reset_after else pdm, ps)
        k.affine_backward(N, H, 2 * H, pp, pg, 3 * H, NULL, bf16, pdU, 3 * H, NULL, 0, NULL)
        if reset_after:
            k.affine_backward(N, H, H, pp, pm, H, NULL, bf16, pdU_n, 3 * H, pdc, 0, NULL)
        else:
            k.affine_backward(N, H, H, pm, pda_n, 3 * H, NULL, bf16, pdU_n, 3 * H, NULL, 0, NULL)
        k.affine_backward(N, D, 3 * H, px, pg, 3 * H, pW, bf16, pdW, 3 * H, pdb, accumulate, pdx)


def lstm_forward(ndarray x, ndarray W, ndarray b, ndarray U, ndarray h, ndarray c, ndarray counts, bint reverse,
                 ndarray gates, ndarray y, h_prev, c_prev, ndarray tanh_c, ndarray scratch, bint bf16=False):
    cdef const kernels_any *k = kernels_of(x, "x")
    cdef Py_ssize_t N = extent(x, 0), D = extent(W, 0), H = extent(U, 0), B = extent(h, 0), T = extent(counts, 0), ldy
    cdef const int64_t *pn = integers(counts, T, "counts")
    if (h_prev is None) != (c_prev is None):
        raise ValueError("h_prev, c_prev: expected both arrays or both None")
    cdef const void *px = in_matrix(x, x, N, D, "x")
    cdef const void *pW = in_matrix(x, W, D, 4 * H, "W")
    cdef const void *pb = in_vector(x, b, 4 * H, "b")
    cdef const void *pU = in_matrix(x, U, H, 4 * H, "U")
    cdef void *ph = out_matrix(x, h, B, H, "h")
    cdef void *pc = out_matrix(x, c, B, H, "c")
    cdef void *pg = out_matrix(x, gates, N, 4 * H, "gates")
    cdef void *py = strided(x, y, N, H, "y", True, &ldy)
    cdef void *php = out_matrix(x, h_prev, N, H, "h_prev")
    cdef void *pcp = out_matrix(x, c_prev, N, H, "c_prev")
    cdef void *pt = out_matrix(x, tanh_c, N, H, "tanh_c")
    cdef void *ps = scratch_of(x, scratch, 4, H, B)
    check_counts(pn, T, N, B)
    with nogil:
        k.affine(N, D, 4 * H, px, pW, pb, bf16, pg)
        k.lstm_forward(T, H, pn, reverse, bf16, pg, pU, ph, pc, py, ldy, php, pcp, pt, ps)


def lstm_backward(dy, ndarray x, ndarray gates, ndarray h_prev, ndarray c_prev, ndarray tanh_c, ndarray W, ndarray U,
                  ndarray dh, ndarray dc, ndarray counts, bint reverse, Py_ssize_t bptt, ndarray dW, ndarray db,
                  ndarray dU, dx, ndarray scratch, bint accumulate=False, bint bf16=False):
    cdef const kernels_any *k = kernels_of(x, "x")
    cdef Py_ssize_t N = extent(x, 0), D = extent(W, 0), H = extent(U, 0), B = extent(dh, 0), T = extent(counts, 0), lddy
    cdef const int64_t *pn = integers(counts, T, "counts")
    cdef const void *pdy = strided(x, dy, N, H, "dy", False, &lddy)
    cdef const void *px = in_matrix(x, x, N, D, "x")
    cdef void *pg = out_matrix(x, gates, N, 4 * H, "gates")
    cdef const void *php = in_matrix(x, h_prev, N, H, "h_prev")
    cdef const void *pcp = in_matrix(x, c_prev, N, H, "c_prev")
    cdef const void *pt = in_matrix(x, tanh_c, N, H, "tanh_c")
    cdef const void *pW = in_matrix(x, W, D, 4 * H, "W")
    cdef const void *pU = in_matrix(x, U, H, 4 * H, "U")
    cdef void *pdh = out_matrix(x, dh, B, H, "dh")
    cdef void *pdc = out_matrix(x, dc, B, H, "dc")
    cdef void *pdW = out_matrix(x, dW, D, 4 * H, "dW")
    cdef void *pdb = out_vector(x, db, 4 * H, "db")
    cdef void *pdU = out_matrix(x, dU, H, 4 * H, "dU")
    cdef void *pdx = out_matrix(x, dx, N, D, "dx")
    cdef void *ps = scratch_of(x, scratch, 4, H, B)
    check_counts(pn, T, N, B)
    with nogil:
        k.lstm_backward(T, H, pn, reverse, bf16, bptt, pdy, lddy, pg, pcp, pt, pU, pdh, pdc, pg, ps)
        k.affine_backward(N, H, 4 * H, php, pg, 4 * H, NULL, bf16, pdU, 4 * H, NULL, 0, NULL)
        k.affine_backward(N, D, 4 * H, px, pg, 4 * H, pW, bf16, pdW, 4 * H, pdb, accumulate, pdx)
