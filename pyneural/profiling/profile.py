"""What was measured of a step: to be read, printed, drawn, or written as JSON."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyneural.neural_layer import Cost
from pyneural.profiling.machine import Machine

FORWARD, BACKWARD, BOTH = "forward", "backward", "both"
COLUMNS = {"ms": 9, "MFLOP": 9, "MB": 8, "GFLOP/s": 8, "limit": 6}
"""of the table, and their widths; "limit" is the share of the machine's limit, "step" that of the step's time"""
HALF = sum(COLUMNS.values())
SUM = "sum without the loss"


@dataclass(frozen=True)
class Part:
    """One layer, in one direction.

    name: dotted, from the network down; "" for the network itself
    kind: the layer's class
    direction: "forward", "backward", or "both" for what does both at once
    seconds: its own, without those of the layers in it; the least of all repeats
    cost: what it takes by its equations; None where the layer does not say
    """

    name: str
    kind: str
    direction: str
    seconds: float
    cost: Cost | None
    machine: Machine

    @property
    def flops_per_second(self) -> float | None:
        return self.cost.flops / self.seconds if self.cost and self.cost.flops and self.seconds else None

    @property
    def intensity(self) -> float | None:
        """FLOP a byte."""
        return self.cost.flops / self.cost.bytes if self.cost and self.cost.flops and self.cost.bytes else None

    @property
    def limit(self) -> float | None:
        """The least time that the machine could do it in, seconds."""
        return self.machine.seconds(self.cost) if self.cost and any(self.cost) else None

    @property
    def share(self) -> float | None:
        """Of the machine's limit: 1 is as fast as can be."""
        return self.limit / self.seconds if self.limit is not None and self.seconds else None

    def as_dict(self) -> dict[str, Any]:
        cost = self.cost._asdict() if self.cost else dict.fromkeys(Cost._fields)
        return {
            "name": self.name, "class": self.kind, "direction": self.direction, "seconds": self.seconds, **cost,
            "flops_per_second": self.flops_per_second, "limit_seconds": self.limit, "share_of_limit": self.share,
        }  # fmt: skip


@dataclass(frozen=True)
class Profile:
    """A training step (loss and gradient, no update of the values) on one batch, on one thread.

    parts: each layer in each direction, in the order of declaration; the network's own time last
    seconds: of the fastest whole step; the least times of the parts may add up to a little less
    rows, sequences: of the batch
    machine: the limits that the parts are held to
    """

    parts: list[Part]
    seconds: float
    rows: int
    sequences: int
    machine: Machine

    def __str__(self) -> str:
        """A table: a line a layer, what is in a layer indented below it; "–" for what does not apply."""
        lines: dict[str, dict[str, list[Part]]] = {}
        for part in self.parts:
            lines.setdefault(part.name, {})[part.direction] = [part]
        labels = {name: self._label(name, list(lines)) for name in lines}
        layers = [part for part in self.parts if part.direction != BOTH]
        lines[SUM] = {way: [part for part in layers if part.direction == way] for way in (FORWARD, BACKWARD)}
        labels[SUM] = SUM
        wide = max(map(len, labels.values()))
        heads = "".join(f"{column:>{width}}" for column, width in COLUMNS.items())
        text = [f"{'':{wide}}{FORWARD:>{HALF}}{BACKWARD:>{HALF}}", f"{'':{wide}}{heads}{heads}{'step':>6}"]
        for name, ways in lines.items():
            if BOTH in ways:
                halves = f"{_cells(ways[BOTH])}{'   (both)' if name else '':{HALF}}"
            else:
                halves = "".join(_cells(ways.get(way, [])) for way in (FORWARD, BACKWARD))
            own = sum(part.seconds for parts in ways.values() for part in parts)
            text.append(f"{labels[name]:{wide}}{halves}{_percent(own / self.seconds):>6}")
        return "\n".join([*text, "", self._summary(), str(self.machine)])

    def _label(self, name: str, names: list[str]) -> str:
        """The name within the layer around it, indented, and the class."""
        kind = next(part.kind for part in self.parts if part.name == name)
        if not name:
            return f"{kind} itself"
        around = [other for other in names if other and name.startswith(f"{other}.")]
        return f"{'  ' * len(around)}{name[len(max(around, key=len)) + 1 :] if around else name}: {kind}"

    def _summary(self) -> str:
        limit = sum(part.limit or 0 for part in self.parts)
        flops = sum(part.cost.flops for part in self.parts if part.cost)
        return (
            f"a step: {1e3 * self.seconds:.3f} ms for {self.rows:,} rows in {self.sequences:,} sequences; "
            f"{self.rows / self.seconds:,.0f} rows/s, {flops / self.seconds / 1e9:.1f} GFLOP/s; "
            f"at the limits {1e3 * limit:.3f} ms ({_percent(limit / self.seconds)})"
        )

    def as_dict(self) -> dict[str, Any]:
        """Numbers, texts and None only, for JSON; times in seconds."""
        return {
            "seconds": self.seconds,
            "rows": self.rows,
            "sequences": self.sequences,
            "machine": asdict(self.machine),
            "parts": [part.as_dict() for part in self.parts],
        }

    def plot(self, path: Path | str) -> None:
        """Draws a roofline to a file; its ending (.png, .svg, .pdf) says the format. Needs matplotlib."""
        from pyneural.profiling.roofline import draw

        draw(self, path)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _cells(parts: list[Part]) -> str:
    """The columns of one part, or of the sum of several."""
    if not parts:
        return " " * HALF
    seconds, limit = sum(part.seconds for part in parts), sum(part.limit or 0 for part in parts)
    flops = sum(part.cost.flops for part in parts if part.cost)
    moved = sum(part.cost.bytes for part in parts if part.cost)
    cells = (
        f"{1e3 * seconds:.3f}",
        f"{flops / 1e6:.2f}" if flops else "–",
        f"{moved / 1e6:.2f}" if moved else "–",
        f"{flops / seconds / 1e9:.1f}" if flops and seconds else "–",
        _percent(limit / seconds) if limit and seconds else "–",
    )
    return "".join(f" {cell:>{width - 1}}" for cell, width in zip(cells, COLUMNS.values(), strict=True))
