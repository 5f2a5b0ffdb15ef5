# cython: allow_none_for_extension_args=False
"""The order of packed rows. The specification of each kernel is its twin in reference/packing.py."""
from libc.stdint cimport int64_t
from libc.string cimport memset

from numpy cimport ndarray

from pyneural.kernels.dispatch cimport PyThreadState, check_counts, extent, integers, let_go, take_back


def packing_order(ndarray lengths, ndarray order, ndarray packed, ndarray counts):
    """Sorted by counting, in `counts` itself: see the comments."""
    cdef Py_ssize_t B = extent(lengths, 0), T = extent(counts, 0), i, t
    cdef const int64_t *given = integers(lengths, B, "lengths")
    cdef int64_t *number = integers(order, B, "order", True)
    cdef int64_t *sorted = integers(packed, B, "packed", True)
    cdef int64_t *count = integers(counts, T, "counts", True)
    cdef int64_t longer = 0, same, place, total = 0
    for i in range(B):
        if given[i] < 0 or given[i] > T:
            raise ValueError(f"lengths: expected numbers from 0 to {T}, got {given[i]}")
    cdef PyThreadState *gil = let_go(B + T)
    memset(count, 0, T * sizeof(int64_t))
    for i in range(B):  # count[n - 1]: how many are of length n
        total += given[i]
        if given[i]:
            count[given[i] - 1] += 1
    for t in range(T - 1, -1, -1):  # then how many are longer: the place of the first of that length
        same = count[t]
        count[t] = longer
        longer += same
    for i in range(B):  # then, each placed, how many are at least as long: alive at step n - 1
        if given[i]:
            place = count[given[i] - 1]
            count[given[i] - 1] += 1
        else:
            place = longer
            longer += 1
        number[place] = i
        sorted[place] = given[i]
    take_back(gil)
    return total


def row_numbers(ndarray sequences, ndarray steps, ndarray counts, ndarray out):
    cdef Py_ssize_t B = extent(sequences, 0), T = extent(steps, 0), N = extent(out, 0), i, t
    cdef const int64_t *of_sequence = integers(sequences, B, "sequences")
    cdef const int64_t *of_step = integers(steps, T, "steps")
    cdef const int64_t *count = integers(counts, T, "counts")
    cdef int64_t *row = integers(out, N, "out", True)
    check_counts(count, T, N, B)
    cdef PyThreadState *gil = let_go(N)
    for t in range(T):
        for i in range(count[t]):
            row[i] = of_sequence[i] + of_step[t]
        row += count[t]
    take_back(gil)
