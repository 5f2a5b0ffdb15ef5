# cython: allow_none_for_extension_args=False
"""One fused pass of each update rule. The specification of each kernel is its twin in reference/optimisers.py.

`values`, `grads` and the states are matrices (R, D); where `rows` is given only those are visited. `terms` is
(scale, clip, l2): the rule sees clip(g scale) + l2 w. Each returns the sum of the squares of the update."""
from libc.stdint cimport int64_t

from numpy cimport ndarray

from pyneural.kernels.dispatch cimport (
    PyThreadState, let_go, take_back, extent, gradient_terms, in_matrix, integers, kernels_any, kernels_of, out_matrix,
)


cdef struct place:
    Py_ssize_t R, V, D
    const int64_t *rows


cdef place visited(ndarray x, str name, rows) except *:
    cdef place p
    cdef Py_ssize_t i
    if x.ndim != 2:
        raise ValueError(f"{name}: expected a matrix, got shape {(<object> x).shape}")
    p.V = x.shape[0]
    p.D = x.shape[1]
    p.R = extent(rows, 0) if isinstance(rows, ndarray) else p.V
    p.rows = integers(rows, p.R, "rows")
    if p.rows != NULL:
        for i in range(p.R):
            if p.rows[i] < 0 or p.rows[i] >= p.V:
                raise ValueError(f"rows: expected numbers from 0 to {p.V - 1}, got {p.rows[i]}")
    return p


cdef gradient_terms read(terms) except *:
    cdef gradient_terms t
    try:
        t.scale, t.clip, t.l2 = terms
    except (TypeError, ValueError) as error:
        raise type(error)(f"terms: expected three numbers (scale, clip, l2), got {terms!r}") from error
    return t


def add_rows(ndarray total, ndarray part, rows, double scale, double weight):
    cdef const kernels_any *k = kernels_of(total, "total")
    cdef place p = visited(total, "total", rows)
    cdef void *pt = out_matrix(total, total, p.V, p.D, "total")
    cdef const void *pp = in_matrix(total, part, p.V, p.D, "part")
    cdef PyThreadState *gil = let_go(p.R * p.D)
    k.add_rows(p.R, p.D, p.rows, scale, pt, weight, pp)
    take_back(gil)


def sum_of_squares(ndarray x, rows):
    cdef const kernels_any *k = kernels_of(x, "x")
    cdef place p = visited(x, "x", rows)
    cdef const void *px = in_matrix(x, x, p.V, p.D, "x")
    cdef double total
    cdef PyThreadState *gil = let_go(p.R * p.D)
    total = k.sum_of_squares(p.R, p.D, p.rows, px)
    take_back(gil)
    return total


def sgd_step(ndarray values, ndarray grads, rows, terms, double rate):
    cdef const kernels_any *k = kernels_of(values, "values")
    cdef place p = visited(values, "values", rows)
    cdef gradient_terms t = read(terms)
    cdef void *pw = out_matrix(values, values, p.V, p.D, "values")
    cdef const void *pg = in_matrix(values, grads, p.V, p.D, "grads")
    cdef double total
    cdef PyThreadState *gil = let_go(p.R * p.D)
    total = k.sgd_step(p.R, p.D, p.rows, pw, pg, &t, rate)
    take_back(gil)
    return total


def momentum_step(ndarray values, ndarray grads, ndarray velocity, rows, terms, double rate, double momentum,
                  bint nesterov):
    cdef const kernels_any *k = kernels_of(values, "values")
    cdef place p = visited(values, "values", rows)
    cdef gradient_terms t = read(terms)
    cdef void *pw = out_matrix(values, values, p.V, p.D, "values")
    cdef const void *pg = in_matrix(values, grads, p.V, p.D, "grads")
    cdef void *pv = out_matrix(values, velocity, p.V, p.D, "velocity")
    cdef double total
    cdef PyThreadState *gil = let_go(p.R * p.D)
    total = k.momentum_step(p.R, p.D, p.rows, pw, pg, pv, &t, rate, momentum, nesterov)
    take_back(gil)
    return total


def adam_step(ndarray values, ndarray grads, ndarray mean, ndarray variance, rows, terms, double rate, double beta1,
              double beta2, double epsilon, double correction1, double correction2):
    cdef const kernels_any *k = kernels_of(values, "values")
    cdef place p = visited(values, "values", rows)
    cdef gradient_terms t = read(terms)
    cdef void *pw = out_matrix(values, values, p.V, p.D, "values")
    cdef const void *pg = in_matrix(values, grads, p.V, p.D, "grads")
    cdef void *pm = out_matrix(values, mean, p.V, p.D, "mean")
    cdef void *pv = out_matrix(values, variance, p.V, p.D, "variance")
    cdef double total
    cdef PyThreadState *gil = let_go(p.R * p.D)
    total = k.adam_step(p.R, p.D, p.rows, pw, pg, pm, pv, &t, rate, beta1, beta2, epsilon, correction1,
                        correction2)
    take_back(gil)
    return total
