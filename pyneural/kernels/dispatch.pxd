"""The C records of kernels, and the checks every compiled kernel makes of its arrays before it lets go of the GIL."""
from libc.stdint cimport int64_t, uint64_t

from numpy cimport ndarray


cdef extern from "dispatch.h" nogil:
    ctypedef Py_ssize_t index_t
    ctypedef struct gradient_terms:
        double scale
        double clip
        double l2

    ctypedef struct kernels_any:
        void (*matmul)(int, int, index_t, index_t, index_t, const void *, index_t, const void *, index_t, int,
                       int, void *, index_t) noexcept nogil
        void (*affine)(index_t, index_t, index_t, const void *, const void *, const void *, int, void *) noexcept nogil
        void (*affine_backward)(index_t, index_t, index_t, const void *, const void *, index_t, const void *, int,
                                void *, index_t, void *, int, void *) noexcept nogil
        void (*column_sums)(index_t, index_t, const void *, index_t, void *) noexcept nogil
        void (*activation_forward)(index_t, int, double, const void *, void *) noexcept nogil
        void (*activation_backward)(index_t, int, double, const void *, const void *, void *) noexcept nogil
        void (*dropout_mask)(index_t, index_t, const int64_t *, uint64_t, double, void *) noexcept nogil
        void (*exponential)(index_t, const void *, void *) noexcept nogil
        void (*softmax)(index_t, index_t, const void *, void *) noexcept nogil
        int64_t (*softmax_gradient)(index_t, index_t, const void *, const int64_t *, const void *, double, double,
                                    double *, void *) noexcept nogil
        int64_t (*gather)(index_t, index_t, index_t, const void *, const int64_t *, void *) noexcept nogil
        int64_t (*scatter_add)(index_t, index_t, index_t, const void *, const int64_t *, void *) noexcept nogil
        void (*zero_rows)(index_t, index_t, const int64_t *, void *) noexcept nogil
        void (*convolution_forward)(index_t, index_t, index_t, index_t, index_t, const int64_t *, int, const void *,
                                    const void *, const void *, void *, int64_t *, void *) noexcept nogil
        int64_t (*convolution_backward)(index_t, index_t, index_t, index_t, index_t, const int64_t *, const void *,
                                        const void *, const int64_t *, const void *, void *, void *, void *, void *,
                                        int64_t *) noexcept nogil
        void (*rnn_forward)(index_t, index_t, const int64_t *, int, int, int, const void *, const void *, void *, void *,
                            index_t, void *, void *) noexcept nogil
        void (*rnn_backward)(index_t, index_t, const int64_t *, int, int, int, index_t, const void *, index_t,
                             const void *, index_t, const void *, void *, void *, void *) noexcept nogil
        void (*gru_forward)(index_t, index_t, const int64_t *, int, int, int, void *, const void *, const void *, void *,
                            void *, index_t, void *, void *, void *) noexcept nogil
        void (*gru_backward)(index_t, index_t, const int64_t *, int, int, int, index_t, const void *, index_t,
                             const void *, const void *, const void *, const void *, void *, void *, void *,
                             void *) noexcept nogil
        void (*lstm_forward)(index_t, index_t, const int64_t *, int, int, void *, const void *, void *, void *, void *,
                             index_t, void *, void *, void *, void *) noexcept nogil
        void (*lstm_backward)(index_t, index_t, const int64_t *, int, int, index_t, const void *, index_t, const void *,
                              const void *, const void *, const void *, void *, void *, void *,
                              void *) noexcept nogil
        void (*crf_marginals)(index_t, index_t, index_t, const int64_t *, const void *, const void *, const void *,
                              const void *, const int64_t *, double *, void *, double *) noexcept nogil
        int64_t (*crf_gradient)(index_t, index_t, index_t, const int64_t *, const void *, const void *, const void *,
                                const void *, const int64_t *, const int64_t *, double, double *, void *, void *,
                                void *, void *, double *) noexcept nogil
        void (*crf_viterbi)(index_t, index_t, index_t, const int64_t *, const void *, const void *, const void *,
                            const void *, const int64_t *, int64_t *, double *, double *) noexcept nogil
        int64_t (*crf_links)(index_t, index_t, index_t, const int64_t *, const void *, const void *, const void *,
                             const void *, const int64_t *, const int64_t *, double *, void *, double *,
                             double *) noexcept nogil
        void (*crf_best_paths)(index_t, index_t, index_t, const int64_t *, const void *, const void *, const void *,
                               const void *, const int64_t *, index_t, int64_t *, double *, int64_t *,
                               double *) noexcept nogil
        void (*add_rows)(index_t, index_t, const int64_t *, double, void *, double, const void *) noexcept nogil
        double (*sum_of_squares)(index_t, index_t, const int64_t *, const void *) noexcept nogil
        double (*sgd_step)(index_t, index_t, const int64_t *, void *, const void *, const gradient_terms *,
                           double) noexcept nogil
        double (*momentum_step)(index_t, index_t, const int64_t *, void *, const void *, void *,
                                const gradient_terms *, double, double, int) noexcept nogil
        double (*adam_step)(index_t, index_t, const int64_t *, void *, const void *, void *, void *,
                            const gradient_terms *, double, double, double, double, double, double) noexcept nogil


cdef const kernels_any *kernels_of(ndarray x, str name) except NULL
cdef void *matrix(object x, int type_number, Py_ssize_t rows, Py_ssize_t columns, str name, bint written) except? NULL
cdef void *vector(object x, int type_number, Py_ssize_t size, str name, bint written) except? NULL
cdef Py_ssize_t leading(ndarray x, str name) except -1
cdef void *strided(ndarray like, object x, Py_ssize_t rows, Py_ssize_t columns, str name, bint written,
                   Py_ssize_t *distance) except? NULL
cdef int check_counts(const int64_t *counts, Py_ssize_t T, Py_ssize_t N, Py_ssize_t B) except -1

# The length along an axis; -1, which no array has, where x has no such axis: the check of its shape then fails.
cdef inline Py_ssize_t extent(ndarray x, int axis) noexcept:
    return x.shape[axis] if axis < x.ndim else -1

# A matrix or vector read (`in_`) or written (`out_`) by a kernel; `like` gives the number type. None is NULL.
cdef inline const void *in_matrix(ndarray like, object x, Py_ssize_t rows, Py_ssize_t columns, str name) except? NULL:
    return matrix(x, like.descr.type_num, rows, columns, name, False)

cdef inline void *out_matrix(ndarray like, object x, Py_ssize_t rows, Py_ssize_t columns, str name) except? NULL:
    return matrix(x, like.descr.type_num, rows, columns, name, True)

cdef inline const void *in_vector(ndarray like, object x, Py_ssize_t size, str name) except? NULL:
    return vector(x, like.descr.type_num, size, name, False)

cdef inline void *out_vector(ndarray like, object x, Py_ssize_t size, str name) except? NULL:
    return vector(x, like.descr.type_num, size, name, True)

cdef int64_t *integers(object x, Py_ssize_t size, str name, bint written=*) except? NULL
cdef double *doubles(object x, Py_ssize_t size, str name) except? NULL
cdef double *double_matrix(object x, Py_ssize_t rows, Py_ssize_t columns, str name) except? NULL

cdef extern from "Python.h":
    ctypedef struct PyThreadState:
        pass
    PyThreadState *PyEval_SaveThread() noexcept nogil
    void PyEval_RestoreThread(PyThreadState *) noexcept nogil

# Lets go of the GIL for work on so many numbers. For less than some ten microseconds' it is kept: where threads contend,
# to get it back takes longer.
cdef inline PyThreadState *let_go(double numbers) noexcept:
    return PyEval_SaveThread() if numbers > 100_000 else NULL

cdef inline void take_back(PyThreadState *state) noexcept:
    if state != NULL:
        PyEval_RestoreThread(state)
