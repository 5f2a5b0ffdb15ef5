"""Times taken in turns, so that what else the machine does falls on all cases alike."""

import time
from collections.abc import Callable


def interleaved(cases: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The shortest time of each case in seconds."""
    best = dict.fromkeys(cases, float("inf"))
    for _ in range(rounds):
        for name, run in cases.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    return best
