"""Chooses the instruction set, hands BLAS to the C kernels, and checks arrays."""
import os

from numpy cimport (
    NPY_DOUBLE, NPY_FLOAT, NPY_INT64, PyArray_DATA, PyArray_ISALIGNED, PyArray_ISCARRAY_RO, PyArray_ISNOTSWAPPED,
    PyArray_ISWRITEABLE, import_array, ndarray,
)

from pyneural.kernels import blas

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
    blas_table kernels_blas
    ctypedef struct bf16_products:
        const char *name
    const bf16_products *kernels_bf16
    const kernel_set *kernels_choose(const char *isa)
    int kernels_choose_bf16(const char *name)
    int cpu_has(const char *feature)
    const char *cpu_feature(int number)
    void cpu_name(char *name)


kernels_blas.sgemm = <void *> <size_t> blas.library.products["sgemm"]
kernels_blas.dgemm = <void *> <size_t> blas.library.products["dgemm"]


def processor():
    """What the processor is called, and which features it has of those that could matter here."""
    cdef char name[49]
    cdef int number = 0
    features = []
    while cpu_feature(number) != NULL:
        if cpu_has(cpu_feature(number)):
            features.append(cpu_feature(number).decode())
        number += 1
    cpu_name(name)
    return name.decode("latin-1").strip(), features


cdef const kernel_set *chosen = NULL
_wanted = os.environ.get("PYNEURAL_ISA", "").encode()
chosen = kernels_choose(<const char *> _wanted if _wanted else NULL)
if chosen == NULL:
    raise ImportError(
        f"PYNEURAL_ISA: expected avx512, avx2 or baseline, and one that this processor runs; got {_wanted.decode()!r}"
    )
isa = chosen.isa.decode()

_wanted = os.environ.get("PYNEURAL_BF16", "").encode()
if not _wanted and isa == "avx512":
    kernels_choose_bf16(NULL)
elif _wanted and not kernels_choose_bf16(_wanted):
    raise ImportError(
        "PYNEURAL_BF16: expected amx_bf16, avx512_bf16 or none, and one that this processor runs; got "
        f"{_wanted.decode()!r}"
    )
bf16 = kernels_bf16.name.decode() if kernels_bf16 != NULL else None
"""The products in bfloat16, by name; None where there are none and `precision="bf16"` computes in float32."""


cdef const kernels_any *kernels_of(ndarray x, str name) except NULL:
    """The record for x's type. The two records differ only in what their pointers point at."""
    if x.descr.type_num == NPY_FLOAT:
        return <const kernels_any *> chosen.f32
    if x.descr.type_num == NPY_DOUBLE:
        return <const kernels_any *> chosen.f64
    raise TypeError(f"{name}: expected float32 or float64, got {x.dtype}")


cdef void *checked(ndarray x, int type_number, bint fits, str expected, str name, bint written) except? NULL:
    if x.descr.type_num != type_number:
        raise TypeError(f"{name}: got {x.dtype}, not the type that the other arrays ask for")
    if not fits:
        raise ValueError(f"{name}: expected shape {expected}, got {(<object> x).shape}")
    if not PyArray_ISCARRAY_RO(x):
        raise ValueError(
            f"{name}: expected a C-contiguous, aligned array in native byte order, got {x.dtype} with strides "
            f"{(<object> x).strides}"
        )
    if written and not PyArray_ISWRITEABLE(x):
        raise ValueError(f"{name}: is read-only, and the kernel writes it")
    return PyArray_DATA(x)


cdef void *matrix(object x, int type_number, Py_ssize_t rows, Py_ssize_t columns, str name, bint written) except? NULL:
    """The data of x, NULL for None. A size of -1 comes from an argument that is no matrix, and fits nothing."""
    if x is None:
        return NULL
    if not isinstance(x, ndarray):
        raise TypeError(f"{name}: expected an array, got {type(x).__name__}")
    cdef ndarray a = x
    cdef bint fits = a.ndim == 2 and a.shape[0] == rows and a.shape[1] == columns
    cdef str expected = "" if fits else f"({'?' if rows < 0 else rows}, {'?' if columns < 0 else columns})"
    return checked(a, type_number, fits, expected, name, written)


cdef void *vector(object x, int type_number, Py_ssize_t size, str name, bint written) except? NULL:
    if x is None:
        return NULL
    if not isinstance(x, ndarray):
        raise TypeError(f"{name}: expected an array, got {type(x).__name__}")
    cdef ndarray a = x
    cdef bint fits = a.ndim == 1 and a.shape[0] == size
    return checked(a, type_number, fits, "" if fits else f"({'?' if size < 0 else size},)", name, written)


cdef Py_ssize_t leading(ndarray x, str name) except -1:
    """The distance between rows of a matrix whose rows are contiguous, counted in numbers."""
    cdef Py_ssize_t item = x.descr.itemsize
    if x.ndim != 2:
        raise ValueError(f"{name}: expected a matrix, got shape {(<object> x).shape}")
    if not PyArray_ISALIGNED(x) or not PyArray_ISNOTSWAPPED(x):
        raise ValueError(f"{name}: expected an aligned array in native byte order, got {x.dtype}")
    if x.shape[0] and x.shape[1] and (  # strides of an empty array mean nothing, and may be 0
        x.shape[1] > 1 and x.strides[1] != item
        or x.shape[0] > 1 and (x.strides[0] < x.shape[1] * item or x.strides[0] % item)
    ):
        raise ValueError(
            f"{name}: expected contiguous rows, one after the other, got strides {(<object> x).strides}"
        )
    # BLAS wants a leading dimension of at least one row, also where there is only one row or none
    return max(1, x.shape[1], x.strides[0] // item if x.shape[0] > 1 and x.shape[1] else 0)


cdef void *strided(ndarray like, object x, Py_ssize_t rows, Py_ssize_t columns, str name, bint written,
                   Py_ssize_t *distance) except? NULL:
    """The data of a matrix whose rows may lie apart, as columns of a wider one do, and their distance; NULL for None."""
    distance[0] = columns
    if x is None:
        return NULL
    if not isinstance(x, ndarray):
        raise TypeError(f"{name}: expected an array, got {type(x).__name__}")
    cdef ndarray a = x
    if a.descr.type_num != like.descr.type_num:
        raise TypeError(f"{name}: got {a.dtype}, not the type that the other arrays ask for")
    if a.ndim != 2 or a.shape[0] != rows or a.shape[1] != columns:
        raise ValueError(f"{name}: expected shape ({rows}, {columns}), got {x.shape}")
    if written and not PyArray_ISWRITEABLE(a):
        raise ValueError(f"{name}: is read-only, and the kernel writes it")
    distance[0] = leading(a, name)
    return PyArray_DATA(a)


cdef int64_t *integers(object x, Py_ssize_t size, str name, bint written=False) except? NULL:
    return <int64_t *> vector(x, NPY_INT64, size, name, written)


cdef double *doubles(object x, Py_ssize_t size, str name) except? NULL:
    return <double *> vector(x, NPY_DOUBLE, size, name, True)


cdef double *double_matrix(object x, Py_ssize_t rows, Py_ssize_t columns, str name) except? NULL:
    return <double *> matrix(x, NPY_DOUBLE, rows, columns, name, True)


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
