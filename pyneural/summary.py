"""A network at a glance: its layers, what they give, what they hold, what a row costs.

A row costs two operations for each number of a matrix that it is multiplied by, a multiplication and an addition. Rows
of an embedding are looked up, which is none; what is done element by element is of lower order and left out.
"""

from typing import NamedTuple

import numpy as np

from pyneural.neural_layer import Layer, Parameter

HEADS = ("layer", "gives", "shapes", "parameters", "bytes", "FLOP a row")
SIDES = "<><>>>"  # left or right


class Line(NamedTuple):
    """A layer without the layers in it. `depth`: how many layers are around it."""

    name: str
    kind: str
    depth: int
    gives: str
    shapes: str
    parameters: int
    bytes: int
    flops: int


def lines_of(network: Layer) -> list[Line]:
    """Every layer of an allocated network, the network itself left out."""
    found: list[Line] = []
    names: list[str] = []
    for name, layer in network.descendants():
        if not name:
            continue
        around = [other for other in names if name.startswith(f"{other}.")]
        names.append(name)
        own = {part: member for part, member in layer.children() if isinstance(member, Parameter)}
        size = sum(parameter.size for parameter in own.values())
        products = sum(
            parameter.size for parameter in own.values() if len(parameter.shape) > 1 and not parameter.sparse
        )
        width = getattr(layer, "dim_out", None) or getattr(layer, "dim_hidden", None)
        shapes = (f"{part} {'×'.join(map(str, parameter.shape))}" for part, parameter in own.items())
        found.append(
            Line(
                name=name[len(max(around, key=len)) + 1 :] if around else name,
                kind=type(layer).__name__,
                depth=len(around),
                gives=str(width or "–"),
                shapes=", ".join(shapes),
                parameters=size,
                bytes=size * getattr(layer, "dtype", np.dtype(np.float32)).itemsize,
                flops=2 * products,
            )
        )
    return found


def _sum(lines: list[Line]) -> Line:
    numbers = (sum(column) for column in zip(*(line[5:] for line in lines), strict=True))
    return Line("in all", "", 0, "", "", *numbers)


def _cells(line: Line) -> tuple[str, ...]:
    numbers = (f"{number:,}" if number else "–" for number in line[5:])
    return f"{line.name}: {line.kind}" if line.kind else line.name, line.gives, line.shapes, *numbers


def as_text(network: Layer) -> str:
    """A table in text."""
    lines = lines_of(network)
    rows = [HEADS, *(_cells(line) for line in [*lines, _sum(lines)])]
    labels = [HEADS[0], *("  " * line.depth + row[0] for line, row in zip(lines, rows[1:-1], strict=True)), rows[-1][0]]
    widths = [max(map(len, labels)), *(max(len(row[column]) for row in rows) for column in range(1, len(HEADS)))]
    table = [
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip([label, *row[1:]], SIDES, widths, strict=True))
        for label, row in zip(labels, rows, strict=True)
    ]
    rule = "─" * len(table[0])
    return "\n".join([table[0], rule, *table[1:-1], rule, table[-1]])


def as_html(network: Layer, title: str) -> str:
    """The same as HTML, for notebooks."""
    from html import escape  # here, as only notebooks need it

    lines = lines_of(network)

    def row(cells: tuple[str, ...], depth: int = 0, tag: str = "td") -> str:
        first, *others = map(escape, cells)
        styles = [f"text-align:{'left' if side == '<' else 'right'};padding:0.1em 0.6em" for side in SIDES]
        styles[0] += f";padding-left:{0.5 + 1.5 * depth}em"
        filled = (
            f'<{tag} style="{style}">{cell}</{tag}>' for style, cell in zip(styles, [first, *others], strict=True)
        )
        return f"<tr>{''.join(filled)}</tr>"

    body = "".join(row(_cells(line), line.depth) for line in lines)
    return (
        f"<table><caption>{escape(title)}</caption><thead>{row(HEADS, tag='th')}</thead><tbody>{body}</tbody>"
        f"<tfoot>{row(_cells(_sum(lines)), tag='th')}</tfoot></table>"
    )


__all__ = ["Line", "as_html", "as_text", "lines_of"]
