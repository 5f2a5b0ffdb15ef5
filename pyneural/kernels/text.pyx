# cython: allow_none_for_extension_args=False
"""Numbers out of text. The specification of the kernel is its twin in reference/text.py."""
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memchr, memcpy

from numpy cimport NPY_FLOAT, NPY_UINT8, ndarray

from pyneural.kernels.dispatch cimport PyThreadState, extent, let_go, matrix, take_back, vector

cdef double[23] POWERS = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
]
cdef uint64_t ENOUGH = 1_000_000_000_000_000_000  # one digit more still fits 64 bits
cdef double ERROR = 2.0**-50
cdef double LARGEST = 3.4028234663852886e38  # of float32


cdef const uint8_t *decimal(const uint8_t *p, float *out) noexcept nogil:
    """Reads the number at p, which some other character must follow; returns where it ends, NULL if it does not."""
    cdef uint64_t number = 0
    cdef Py_ssize_t power = 0
    cdef int given = 0, digits = 0
    cdef double value, low, high
    cdef bint negative = p[0] == b"-", less
    if p[0] == b"-" or p[0] == b"+":
        p += 1
    while <uint8_t> (p[0] - 48) < 10:
        digits = 1
        if number < ENOUGH:
            number = 10 * number + <uint8_t> (p[0] - 48)
        else:
            power += 1
        p += 1
    if p[0] == b".":
        p += 1
        while <uint8_t> (p[0] - 48) < 10:
            digits = 1
            if number < ENOUGH:
                number = 10 * number + <uint8_t> (p[0] - 48)
                power -= 1
            p += 1
    if not digits:
        return NULL
    if p[0] == b"e" or p[0] == b"E":
        p += 1
        less = p[0] == b"-"
        if p[0] == b"-" or p[0] == b"+":
            p += 1
        if <uint8_t> (p[0] - 48) >= 10:
            return NULL
        while <uint8_t> (p[0] - 48) < 10:
            given = 10 * given + <uint8_t> (p[0] - 48)
            if given > 9999:
                return NULL
            p += 1
        power += -given if less else given
    value = <double> number
    if power < -44 or power > 44:
        return NULL
    if power < 0:
        value = value / POWERS[-power] if power >= -22 else value / 1e22 / POWERS[-power - 22]
    elif power > 0:
        value = value * POWERS[power] if power <= 22 else value * 1e22 * POWERS[power - 22]
    low, high = value * (1 - ERROR), value * (1 + ERROR)
    if high > LARGEST or <float> low != <float> high:
        return NULL
    out[0] = -<float> low if negative else <float> low
    return p


cdef const uint8_t *row(const uint8_t *p, const uint8_t *end, Py_ssize_t D, float *out) noexcept nogil:
    """Reads so many numbers, a blank before each, up to a line's end; returns whether they are all there is."""
    cdef Py_ssize_t i
    for i in range(D):
        if p[0] != b" ":
            return NULL
        p = decimal(p + 1, out + i)
        if p == NULL:
            return NULL
    while p[0] == b" " or p[0] == b"\r":
        p += 1
    return p if p == end else NULL


def parse_rows(ndarray text, ndarray words, ndarray numbers):
    cdef Py_ssize_t n = extent(text, 0), R = extent(numbers, 0), D = extent(numbers, 1)
    cdef const uint8_t *start = <const uint8_t *> vector(text, NPY_UINT8, n, "text", False)
    cdef uint8_t *word = <uint8_t *> vector(words, NPY_UINT8, extent(words, 0), "words", True)
    cdef float *number = <float *> matrix(numbers, NPY_FLOAT, R, D, "numbers", True)
    if extent(words, 0) < n:
        raise ValueError(f"words: expected room for {n} bytes, got {extent(words, 0)}")
    cdef const uint8_t *line = start
    cdef const uint8_t *end
    cdef const uint8_t *blank
    cdef Py_ssize_t rows = 0, written = 0
    cdef PyThreadState *gil = let_go(n)
    while rows < R:
        end = <const uint8_t *> memchr(line, 10, start + n - line)
        if end == NULL:
            break
        blank = <const uint8_t *> memchr(line, 32, end - line)
        if blank == NULL or blank == line or row(blank, end, D, number + rows * D) == NULL:
            break
        memcpy(word + written, line, blank - line)
        written += blank - line
        word[written] = 10
        written += 1
        line = end + 1
        rows += 1
    take_back(gil)
    return rows, written, line - start
