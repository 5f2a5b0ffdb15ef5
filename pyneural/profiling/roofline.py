"""The roofline of a step (Williams, Waterman and Patterson 2009): FLOP/s over FLOP a byte, under the machine's limits.

A layer right of where a slope meets the flat roof is bound by arithmetic, one left of it by memory traffic. The bar
above a point is the layer's own limit, which heeds what the roofs do not show: exponentials, and the cache it fits.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pyneural.profiling.profile import Part, Profile

COLOURS = {"forward": "#1f77b4", "backward": "#d62728", "both": "#2ca02c"}
MARKS = {"forward": ">", "backward": "<", "both": "o"}
LINE = 0.2  # inches from one label to the next
LONGEST = 32  # letters of a name


def figure_class() -> Any:
    """matplotlib's, imported only where something is drawn. Raises ImportError, which names the extra."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plotting needs matplotlib: install the `plot` extra, pip install '.[plot]'") from error
    return Figure


def draw(profile: "Profile", path: Path | str) -> None:
    """Draws the profile to a file. Labels stand in a column beside the roofs, in the order of their points."""
    points = [part for part in profile.parts if part.intensity and part.flops_per_second]
    points.sort(key=lambda part: part.flops_per_second or 0)
    height = max(5.8, 1.2 * LINE * len(points) + 1.3)
    figure = figure_class()(figsize=(10.5, height), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log", ylabel="GFLOP/s")
    x = np.array([part.intensity for part in points], dtype=np.float64)
    y = np.array([part.flops_per_second for part in points], dtype=np.float64) / 1e9
    _roofs(axes, profile, x, y)
    for direction, colour in COLOURS.items():
        some = [i for i, part in enumerate(points) if part.direction == direction]
        if some:
            areas = [40 + 1500 * points[i].seconds / profile.seconds for i in some]
            axes.scatter(x[some], y[some], areas, colour, marker=MARKS[direction], alpha=0.6, linewidths=0, zorder=3)
            axes.scatter([], [], 60, colour, marker=MARKS[direction], alpha=0.6, linewidths=0, label=direction)
            limits = [y[i] / (points[i].share or 1) for i in some]
            axes.vlines(x[some], y[some], limits, colour, linewidth=0.8, alpha=0.5)
            axes.scatter(x[some], limits, 90, colour, marker="_")
    _labels(axes, points, x, y, LINE / (height - 1.3))
    others = sum(part.seconds for part in profile.parts) - sum(part.seconds for part in points)
    hidden = f"{1e3 * others:.3f} ms, {100 * others / profile.seconds:.0f} %"
    axes.set_xlabel(f"FLOP / byte; what does no arithmetic is not shown: {hidden}")
    axes.set_title(
        f"a step of {profile.rows:,} rows: {1e3 * profile.seconds:.2f} ms on one thread, {profile.machine.dtype}; "
        "areas are times, percentages shares of the limit",
        fontsize="medium",
        loc="left",
    )
    figure.legend(loc="outside lower center", ncols=5, frameon=False)
    axes.grid(alpha=0.15, which="both")
    figure.savefig(path, dpi=150)


def _roofs(axes: Any, profile: "Profile", x: Any, y: Any) -> None:
    machine = profile.machine
    peak, memory = machine.products / 1e9, max(machine.copies)
    left, right = min([*x, 0.2]) / 2, max([*x, 10, 2e9 * peak / machine.bandwidth(memory)]) * 2
    axes.set_xlim(left, right)
    axes.set_ylim(min([*y, left * machine.bandwidth(memory) / 1e9]) / 2, 3 * peak)
    for name, size, style in (("cache", 0, "-"), ("memory", memory, "--")):
        rate = machine.bandwidth(size) / 1e9
        axes.plot([left, peak / rate, right], [rate * left, peak, peak], "k", linestyle=style, linewidth=1.2,
                  label=f"copies in {name}: {rate:.0f} GB/s")  # fmt: skip
    axes.annotate(f"products: {peak:.0f} GFLOP/s", (right, peak), (-6, 4), textcoords="offset points", ha="right")


def _labels(axes: Any, points: list["Part"], x: Any, y: Any, apart: float) -> None:
    """Right of the axes, each as near to the height of its point as its neighbours let it be: at least `apart` above
    the one below, in shares of the axes."""
    low, high = np.log10(axes.get_ylim())
    heights, ranks = (np.log10(y) - low) / (high - low), apart * np.arange(len(y))
    upward = np.maximum.accumulate(heights - ranks) + ranks
    downward = np.minimum.accumulate((heights - ranks)[::-1])[::-1] + ranks
    for part, place, height in zip(points, zip(x, y, strict=True), (upward + downward) / 2, strict=True):
        share = f", {100 * part.share:.0f} %" if part.share is not None else ""
        axes.annotate(
            f"{_ending(part.name.removeprefix('body.'))} {part.kind}: {1e3 * part.seconds:.3f} ms{share}",
            place,
            (1.03, height),
            textcoords="axes fraction",
            va="center",
            fontsize="small",
            color=COLOURS[part.direction],
            arrowprops={
                "arrowstyle": "-", "color": COLOURS[part.direction], "alpha": 0.35, "linewidth": 0.8,
                "relpos": (0, 0.5),
            },
        )  # fmt: skip


def _ending(name: str) -> str:
    """A long name without its first parts."""
    return name if len(name) <= LONGEST else f"…{name[-LONGEST:].partition('.')[2]}"
