"""Cases of numbers out of text: lines that are read, and lines that stop the kernel."""

from __future__ import annotations

import numpy as np

from pyneural.test.kernels.cases.draw import Cases

# What each kernel writes.
WRITES = {"parse_rows": ("words", "numbers")}

NUMBERS = {
    "signs": "0 -0 +7 -0.25 +.5 -5. 00012.50",
    "exponents": "1e5 1E5 1e+5 -2.5e-3 1e0022 3e-0 1.5e-20",
    "many digits": "0.123456789012345678901234567890 4.180000126361846924e-01 123456789012345678901234567890 1e-38 "
    "0.00000000000000000000000000000000000000000001 100000000000000000000000000000000000000 3.4028234e38",
    "hard to round": "1.00000017881393432617187499 0.000000059604648328104525804519653 1e-45 1.1754943e-38 8.5899346e9",
}
STOPPED = [
    "", " 1 2", "a", "a 1", "a 1 2 3", "a b 1 2", "a  1 2", "a 1  2", "a\t1 2", "a 1\t2", "a 1 2\t", "a 1 x", "a x 1",
    "a 1 2x", "a 1 .", "a 1 -", "a 1 +-2", "a 1 e5", "a 1 2e", "a 1 2e+", "a 1 2e5.", "a 1 1.2.3", "a 1 nan", "a 1 inf",
    "a 1 0x10", "a 1 1_0", "a 1 1,5", "a 1 1e39", "a 1 3.4028235e38", "a 1 3.4028236e38", "a 1 1e45",
    "a 1 1e-45 2", "a 1 1e-50", "a 1 0e10000", "a 1 1e99999999999999999999", "a 1 1e-99999999999999999999",
    "a 1 16777217", "a 1 1.000000059604644775", "a 1 0." + 9_990 * "0" + "1e10000", "a 1 1e" + 9_990 * "9",
    "a 1 1e-" + 9_990 * "0" + "12", "a 1 ٣", "\r", " ", "  \r",
]  # fmt: skip


def _case(text: str | bytes, R: int, D: int, more: int = 0) -> dict[str, np.ndarray]:
    data = text if isinstance(text, bytes) else text.encode()
    return {
        "text": np.frombuffer(data, dtype=np.uint8).copy(),
        "words": np.full(len(data) + more, 7, np.uint8),
        "numbers": np.full((R, D), np.nan, np.float32),
    }


def parse_rows(dtype: type) -> Cases:
    rng = np.random.default_rng(1)
    yield "plain", _case("the 1 2 3\nof 4 5 6\n", 2, 3)
    yield "no text", _case("", 2, 3)
    yield "no line end", _case("a 1 2", 2, 2)
    yield "a last line without its end", _case("a 1 2\nb 3 4", 2, 2)
    yield "room for fewer", _case("a 1 2\nb 3 4\nc 5 6\n", 2, 2)
    yield "room for none", _case("a 1 2\n", 0, 2)
    yield "room for more", _case("a 1 2\nb 3 4\n", 5, 2, more=9)
    yield "no numbers", _case("a \nb\n", 2, 0)
    yield "blanks and returns at the end", _case("a 1 2 \nb 3 4\r\nc 5 6  \r \n", 3, 2)
    yield "words of all kinds", _case(b"\xff\xfe\x00 1\n\xc3\xa9\t\r 2\n1 3\n", 3, 1)
    for label, numbers in NUMBERS.items():
        yield label, _case(f"a {numbers}\nb {numbers}\n", 3, len(numbers.split()))
    for line in STOPPED:
        yield f"stopped by {line[:30]!r}", _case(f"a 1 2\n{line}\nb 3 4\n", 4, 2)
    values = rng.normal(size=(40, 19)) * 10.0 ** rng.integers(-20, 20, (40, 19))
    for spelled in ("{:.5g}", "{:.17g}", "{:.30f}", "{!r}"):
        lines = (f"w{i} " + " ".join(map(spelled.format, row.tolist())) for i, row in enumerate(values))
        yield f"drawn, {spelled}", _case("\n".join(lines) + "\n", 40, 19)
    for shift in (-1, 0, 1):  # next to the middle between two numbers of float32
        for k in (0, 1, 77777, 2**22):
            yield f"middle {k} {shift}", _case(f"a {1 + (2 * k + 1) / 2**24 + shift / 2**52:.60f}\n", 1, 1)
