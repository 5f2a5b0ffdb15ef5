"""Sizes of what kernels are lent to work in."""


def cell_scratch(gates: int, H: int, B: int) -> int:
    """How many numbers of scratch a cell of so many gates and H units needs for B sequences: room for its recurrent
    weights, packed, and for their products with the states."""
    return gates * (H + 32) * (H + 32) + (B + 32) * (gates * H + 16) + 16


def convolution_scratch(N: int, T: int, B: int, D: int, F: int, width: int) -> int:
    """How many numbers of scratch a convolution over N rows needs, those of B sequences of at most T steps."""
    forward = (width * D + 32) * (F + 32) + T * (F + 16) + (T + width) * D  # W packed, s and the rows of a sequence
    backward = (width * F + N + (B + 1) * (width // 2)) * (D + 16) + 16  # W turned, the rows of some
    return max(forward, backward)


def crf_scratch(T: int, K: int) -> int:
    """How many numbers of scratch a CRF of K labels needs for T steps: room for what lanes of 8 sequences keep."""
    return 8 * (T + K + 5) * (2 * K + 9)


def best_paths_room(T: int, K: int, n: int) -> tuple[int, int]:
    """(pointers, scratch) that the n best paths of T steps need: room for n nodes a step, of K candidates each."""
    nodes = T * min(n, K) + 1
    return nodes * (n + K + 2) + (T + 1) * (K + 1) + 1, crf_scratch(T, K) + nodes * (n + K) + (2 * T + K + 2) * K + 1
