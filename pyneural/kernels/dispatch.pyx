"""Chooses the instruction set, hands BLAS to the C kernels, and checks arrays."""
import os

from numpy cimport (
    NPY_DOUBLE, NPY_FLOAT, NPY_INT64, PyArray_DATA, PyArray_ISWRITEABLE, import_array, ndarray,
)
from scipy.linalg cimport cython_blas

import_array()


cdef extern from "dispatch.h" nogil:
    ctypedef struct kernels_f32:
        pass
    ctypedef struct kernels_f64:
        pass
    ctypedef struct kernel_set:
        const char *isa
        const kernels_f32 *f32
        const kernels_f64 *f64
    ctypedef struct blas_table:
        void *sgemm
        void *dgemm
        void *sgemv
        void *dgemv
    blas_table kernels_blas
    const kernel_set *kernels_choose(const char *isa)


kernels_blas.sgemm = <void *> cython_blas.sgemm
kernels_blas.dgemm = <void *> cython_blas.dgemm
kernels_blas.sgemv = <void *> cython_blas.sgemv
kernels_blas.dgemv = <void *> cython_blas.dgemv

cdef const kernel_set *chosen = NULL
_wanted = os.environ.get("PYNEURAL_ISA", "").encode()
chosen = kernels_choose(<const char *> _wanted if _wanted else NULL)
if chosen == NULL:
    raise ImportError(
        f"PYNEURAL_ISA: expected avx512, avx2 or baseline, and one that this processor runs; got {_wanted.decode()!r}"
    )
isa = chosen.isa.decode()


cdef const kernels_any *kernels_of(ndarray x) except NULL:
    """The record for x's type. The two records differ only in what their pointers point at."""
    if x.descr.type_num == NPY_FLOAT:
        return <const kernels_any *> chosen.f32
    if x.descr.type_num == NPY_DOUBLE:
        return <const kernels_any *> chosen.f64
    raise TypeError(f"expected an array of float32 or float64, got {x.dtype}")


cdef str described(Py_ssize_t rows, Py_ssize_t columns):
    return f"({rows},)" if columns < 0 else f"({rows}, {columns})"


cdef void *pointer(ndarray x, int type_number, Py_ssize_t rows, Py_ssize_t columns, str name, bint written) except? NULL:
    """The data of x, NULL for None; columns < 0 asks for a vector."""
    if x is None:
        return NULL
    if x.descr.type_num != type_number:
        raise TypeError(f"{name}: got {x.dtype}, not the type of the other arrays")
    if (
        x.ndim != (1 if columns < 0 else 2) or x.shape[0] != rows or (columns >= 0 and x.shape[1] != columns)
    ):
        raise ValueError(f"{name}: expected shape {described(rows, columns)}, got {(<object> x).shape}")
    if not x.flags.c_contiguous:
        raise ValueError(f"{name}: expected a C-contiguous array, got strides {(<object> x).strides}")
    if written and not PyArray_ISWRITEABLE(x):
        raise ValueError(f"{name}: is read-only, and the kernel writes it")
    return PyArray_DATA(x)


cdef Py_ssize_t leading(ndarray x, str name) except -1:
    """The distance between rows of a matrix whose rows are contiguous, counted in numbers."""
    if x.ndim != 2:
        raise ValueError(f"{name}: expected a matrix, got shape {(<object> x).shape}")
    if x.shape[1] > 1 and x.strides[1] != x.descr.itemsize or x.strides[0] < 0:
        raise ValueError(f"{name}: expected contiguous rows, got strides {(<object> x).strides}")
    # BLAS wants a leading dimension of at least one row, also where there is only one row or none
    return max(1, x.shape[1], x.strides[0] // x.descr.itemsize if x.shape[0] > 1 else 0)


cdef int64_t *integers(object x, Py_ssize_t size, str name, bint written=False) except? NULL:
    return <int64_t *> pointer(x, NPY_INT64, size, -1, name, written)


cdef double *doubles(object x, Py_ssize_t rows, Py_ssize_t columns, str name) except? NULL:
    return <double *> pointer(x, NPY_DOUBLE, rows, columns, name, True)


cdef int check_counts(const int64_t *counts, Py_ssize_t T, Py_ssize_t N, Py_ssize_t B) except -1:
    """A wrong count would make the kernel run past its arrays."""
    cdef Py_ssize_t t
    cdef int64_t total = 0, before = B
    for t in range(T):
        if counts[t] < 1 or counts[t] > before:
            raise ValueError(f"counts: step {t} has {counts[t]} sequences, expected from 1 to {before}")
        before = counts[t]
        total += before
    if total != N:
        raise ValueError(f"counts: sum to {total}, expected the number of rows, {N}")
    return 0
