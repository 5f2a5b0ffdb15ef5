"""The records as a table and as a plot."""

import json
from pathlib import Path
from typing import Any

COLUMNS = ("torch", "pytorch-crf", "jax", "dynet")
NAMES = {"torch": "PyTorch", "pytorch-crf": "pytorch-crf as is", "jax": "JAX", "dynet": "DyNet"}
COLOURS = {"torch": "#d9823b", "pytorch-crf": "#efbd8a", "jax": "#5b8fc9", "dynet": "#8a6fb0", "pyneural": "#2f7d5b"}

Record = dict[str, Any]


def milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def heading() -> str:
    peers = "".join(f"{NAMES[name]:>19}" for name in COLUMNS)
    return f"{'case':30}{'threads':>8}{'pyneural ms':>13}{'floor %':>9}{peers}"


def line(record: Record) -> str:
    """One row of the table: milliseconds, and how many times pyneural's they are."""
    row = f"{record['case']:30}{record['threads']:>8}"
    if "skipped" in record:
        return f"{row}  skipped: {record['skipped']}"
    if record["pyneural_ms"] is None and "megabytes" not in record:
        return f"{row}  failed"
    if "megabytes" in record:
        parts = ", ".join(f"{part} {size:g}" for part, size in record["parts"].items())
        return f"{row}  {record['megabytes']:g} MB: {parts}"
    share = f"{100 * record['floor_share']:.0f}" if record.get("floor_share") else "–"
    row += f"{milliseconds(record['pyneural_ms']):>13}{share:>9}"
    for name in COLUMNS:
        ms = record["peers"].get(name)
        ratio = record.get("ratios", {}).get(name)
        row += f"{milliseconds(ms) + (f' ({ratio:.2f}x)' if ratio else ''):>19}"
    return row


def remarks(records: list[Record]) -> list[str]:
    """What was absent, what went wrong, and what a row has no column for."""
    found = []
    absent = {(peer, why) for record in records for peer, why in record.get("absent", {}).items() if "installed" in why}
    found += [f"{peer}: {why}" for peer, why in sorted(absent)]
    for record in records:
        name = f"{record['case']}, threads {record['threads']}"
        found += [f"{name}: pyneural: {record['error']}"] if "error" in record else []
        found += [f"{name}: {peer}: {error.strip()}" for peer, error in record.get("errors", {}).items()]
        busy = [peer for peer, cores in record.get("cores", {}).items() if cores > record["threads"] + 0.2]
        found += [f"{name}: {peer} used {record['cores'][peer]} cores" for peer in busy]
        if note := record.get("note"):
            found.append(f"{name}: {note}")
        if rate := record.get("tokens_per_second"):
            found.append(f"{name}: {rate:,} tokens a second")
        if small := record.get("pyneural_v5k_ms"):
            found.append(f"{name}: with V = 5,000 {milliseconds(small)} ms")
    return found


def write_json(records: list[Record], path: Path) -> None:
    path.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")


def plot(records: list[Record], path: Path) -> None:
    """How many times longer than pyneural each peer takes, a group of bars a case, and the floor as a mark."""
    from matplotlib.figure import Figure

    shown = [record for record in records if record.get("ratios")][::-1]
    rows = sum(len(record["ratios"]) for record in shown) + 1.0 * len(shown)
    figure = Figure(figsize=(10, 1.6 + 0.19 * rows), layout="constrained")
    axes = figure.add_subplot()
    y, ticks = 0.0, []
    for record in shown:
        peers = [name for name in COLUMNS[::-1] if name in record["ratios"]]
        bottom = y
        for name in peers:
            ratio = record["ratios"][name]
            axes.barh(y, ratio - 1, left=1, height=0.82, color=COLOURS[name])
            text = f" {ratio:.1f}×  {milliseconds(record['peers'][name])} ms"
            axes.text(max(ratio, 1.0), y, text, va="center", fontsize=7, color="#333333")
            y += 1
        if share := record.get("floor_share"):
            axes.plot([share, share], [bottom - 0.45, y - 0.55], color=COLOURS["pyneural"], linewidth=2.5)
        ticks.append(((bottom + y - 1) / 2, record))
        y += 0.9
    labels = [
        f"{r['case']}\n{milliseconds(r['pyneural_ms'])} ms, {r['threads']} thread{'s'[: r['threads'] > 1]}"
        for _, r in ticks
    ]
    axes.set_yticks([place for place, _ in ticks], labels, fontsize=7.5)
    axes.axvline(1, color=COLOURS["pyneural"], linewidth=1.5)
    axes.text(1, y - 0.2, "pyneural", ha="center", fontsize=8, color=COLOURS["pyneural"])
    axes.set_xscale("log")
    axes.set_xlim(0.3, 2.2 * max([2.0, *(ratio for r in shown for ratio in r["ratios"].values())]))
    ticks_x = [tick for tick in (0.5, 1, 2, 4, 8, 16, 32, 64, 128) if tick < axes.get_xlim()[1]]
    axes.set_xticks(ticks_x, [f"{tick:g}×" for tick in ticks_x])
    axes.minorticks_off()
    axes.set_ylim(-1, y + 0.6)
    axes.grid(axis="x", color="#e4e4e4")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_title(
        "Time of a step, as a multiple of pyneural's (shortest of interleaved runs)", loc="left", fontsize=10
    )
    for name in COLUMNS:
        axes.barh(0, 0, color=COLOURS[name], label=NAMES[name])
    axes.plot([], [], color=COLOURS["pyneural"], linewidth=2.5, label="floor: the arithmetic alone")
    figure.legend(loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    figure.savefig(path, dpi=150)
