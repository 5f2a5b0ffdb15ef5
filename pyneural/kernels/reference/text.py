"""Numbers out of text."""

import re

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
NUMBER = re.compile(rb" ([+-]?)([0-9]*)\.?([0-9]*)(?:[eE]([+-]?[0-9]*))?")
ENOUGH = 10**18  # one digit more still fits 64 bits
ERROR = 2.0**-50
LARGEST = float(np.finfo(np.float32).max)


def parse_rows(text: Bytes, words: Bytes, numbers: NDArray[np.float32]) -> tuple[int, int, int]:
    """Lines of a word and D numbers: to `words` each word and a line end, to `numbers` (R, D) a row. Returns how many
    rows, and how many bytes were written to `words` and read of `text`.

    A blank stands before each number, and more of them, or a carriage return, may stand before a line's end. It stops
    at R rows, at the end of the last whole line, and before a line that is not so, whose numbers it may have begun to
    write. Also before one with a number that it would not be sure to round to float32 as exact arithmetic does: more
    than 44 powers of ten from its digits, too large, or next to the middle between two of float32.
    """
    R, D = numbers.shape
    if len(words) < len(text):
        raise ValueError(f"words: expected room for {len(text)} bytes, got {len(words)}")
    data = text.tobytes()
    rows = written = read = 0
    while rows < R and (end := data.find(b"\n", read)) >= 0:
        place = data.find(b" ", read, end)
        if place <= read:
            break
        word = data[read:place] + b"\n"
        for column in range(D):
            found = NUMBER.match(data, place, end)
            value = None if found is None else _decimal(*found.groups())
            if found is None or value is None:
                return rows, written, read
            numbers[rows, column] = value
            place = found.end()
        if data[place:end].strip(b" \r"):
            break
        words[written : written + len(word)] = np.frombuffer(word, np.uint8)
        rows, written, read = rows + 1, written + len(word), end + 1
    return rows, written, read


def _decimal(sign: bytes, whole: bytes, fraction: bytes, exponent: bytes | None) -> np.float32 | None:
    """±whole.fraction · 10^exponent in float32, or None.

    The digits make an integer of at most 19 (those after it matter less than 1e-18 of the value), which float64 holds
    to half a unit of its last place; so with each of the at most two products by an exact power of ten. The value is
    then known to 4 such halves, 2⁻⁵¹ of it: where both ends of twice that are the same float32, that is the answer.
    """
    if not whole + fraction or exponent in (b"", b"+", b"-"):
        return None
    given = (exponent or b"").lstrip(b"+-0") or b"0"
    if len(given) > 4:
        return None
    power, number = -int(given) if (exponent or b"").startswith(b"-") else int(given), 0
    for place, digit in enumerate(whole + fraction):
        if number < ENOUGH:
            number = 10 * number + digit - ord("0")
            power -= place >= len(whole)
        else:
            power += place < len(whole)
    if abs(power) > 44:
        return None
    value = float(number)
    for step in (min(abs(power), 22), max(abs(power) - 22, 0)):
        value = value * 10.0**step if power > 0 else value / 10.0**step
    low, high = value * (1 - ERROR), value * (1 + ERROR)
    if high > LARGEST or np.float32(low) != np.float32(high):
        return None
    return -np.float32(low) if sign == b"-" else np.float32(low)
