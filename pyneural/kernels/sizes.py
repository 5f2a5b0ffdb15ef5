"""Sizes of what kernels are lent to work in."""


def cell_scratch(gates: int, H: int) -> int:
    """How many numbers of scratch a cell of so many gates and H units needs: room for its recurrent weights, packed."""
    return gates * (H + 32) * (H + 32)


def convolution_scratch(N: int, T: int, B: int, D: int, F: int, width: int) -> int:
    """How many numbers of scratch a convolution over N rows needs, those of B sequences of at most T steps."""
    forward = (width * D + 32) * (F + 32) + T * (F + 16) + (T + width) * D  # W packed, s and the rows of a sequence
    backward = (width * F + N + (B + 1) * (width // 2)) * (D + 16) + 16  # W turned, the rows of some
    return max(forward, backward)
