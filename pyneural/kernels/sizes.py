"""Sizes of what kernels are lent to work in."""


def cell_scratch(gates: int, H: int) -> int:
    """How many numbers of scratch a cell of so many gates and H units needs: room for its recurrent weights, packed."""
    return gates * (H + 32) * (H + 32)
