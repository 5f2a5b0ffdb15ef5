# cython: allow_none_for_extension_args=False
"""Matrix products and column sums. The specification of each kernel is its twin in reference/linear.py."""
from numpy cimport PyArray_DATA, ndarray

from pyneural.kernels.dispatch cimport (
    PyThreadState, extent, in_matrix, in_vector, kernels_any, kernels_of, leading, let_go, out_matrix, out_vector,
    strided, take_back,
)


def matmul(ndarray a, ndarray b, ndarray out, bint transpose_a=False, bint transpose_b=False, bint accumulate=False,
           bint bf16=False):
    cdef const kernels_any *k = kernels_of(a, "a")
    cdef Py_ssize_t lda = leading(a, "a"), ldb = leading(b, "b"), ldc = leading(out, "out")
    cdef Py_ssize_t M = a.shape[1 if transpose_a else 0], K = a.shape[0 if transpose_a else 1]
    cdef Py_ssize_t N = b.shape[0 if transpose_b else 1], K_b = b.shape[1 if transpose_b else 0]
    if a.descr.type_num != b.descr.type_num or a.descr.type_num != out.descr.type_num:
        raise TypeError(f"matmul: types differ: a {a.dtype}, b {b.dtype}, out {out.dtype}")
    if K != K_b or out.shape[0] != M or out.shape[1] != N:
        raise ValueError(
            f"matmul: a {(<object> a).shape}{' transposed' if transpose_a else ''} times b {(<object> b).shape}"
            f"{' transposed' if transpose_b else ''} does not give out {(<object> out).shape}"
        )
    if not out.flags.writeable:
        raise ValueError("out: is read-only, and the kernel writes it")
    cdef const void *pa = PyArray_DATA(a)
    cdef const void *pb = PyArray_DATA(b)
    cdef void *pc = PyArray_DATA(out)
    cdef PyThreadState *gil = let_go(M * N * K // 8)
    k.matmul(transpose_a, transpose_b, M, N, K, pa, lda, pb, ldb, accumulate, bf16, pc, ldc)
    take_back(gil)


def affine(ndarray x, ndarray W, b, ndarray y, bint bf16=False):
    cdef const kernels_any *k = kernels_of(x, "x")
    cdef Py_ssize_t N = extent(x, 0), D = extent(W, 0), H = extent(W, 1)
    cdef const void *pW = in_matrix(x, W, D, H, "W")
    cdef const void *px = in_matrix(x, x, N, D, "x")
    cdef const void *pb = in_vector(x, b, H, "b")
    cdef void *py = out_matrix(x, y, N, H, "y")
    cdef PyThreadState *gil = let_go(N * D * H // 8)
    k.affine(N, D, H, px, pW, pb, bf16, py)
    take_back(gil)


def affine_backward(ndarray x, ndarray g, W, ndarray dW, db, dx, bint accumulate=False, bint bf16=False):
    cdef const kernels_any *k = kernels_of(x, "x")
    cdef Py_ssize_t N = extent(x, 0), D = extent(x, 1), H = extent(g, 1), ldg, lddw
    cdef const void *px = in_matrix(x, x, N, D, "x")
    cdef const void *pg = strided(x, g, N, H, "g", False, &ldg)
    cdef const void *pW = in_matrix(x, W, D, H, "W")
    cdef void *pdW = strided(x, dW, D, H, "dW", True, &lddw)
    cdef void *pdb = out_vector(x, db, H, "db")
    cdef void *pdx = out_matrix(x, dx, N, D, "dx")
    if pdx != NULL and pW == NULL:
        raise ValueError("W: expected an array where dx is wanted, got None")
    cdef PyThreadState *gil = let_go(N * D * H // 8)
    k.affine_backward(N, D, H, px, pg, ldg, pW, bf16, pdW, lddw, pdb, accumulate, pdx)
    take_back(gil)


def column_sums(ndarray x, ndarray out):
    cdef const kernels_any *k = kernels_of(x, "x")
    cdef Py_ssize_t N = extent(x, 0), D = extent(x, 1)
    cdef const void *px = in_matrix(x, x, N, D, "x")
    cdef void *po = out_vector(x, out, D, "out")
    cdef PyThreadState *gil = let_go(N * D)
    k.column_sums(N, D, px, D, po)
    take_back(gil)
