"""A wrong argument is a ValueError or TypeError that names it, raised before anything is read or written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pyneural.kernels import reference
from pyneural.test.kernels.cases import CASES, SCRATCH, WRITES, Arguments
from pyneural.test.kernels.test_parity import compiled

KERNELS = reference.__all__
ERRORS = (TypeError, ValueError)

# The case that the faults below are put into: ragged or a few rows, with every optional array given.
ONE_CASE = {
    "activation_backward": "large kind=0 ceiling=1.0",
    "activation_forward": "large kind=0 ceiling=1.0",
    "adam_step": "table terms=(1.0, inf, 0.0) rows=some t=1000",
    "add_rows": "table terms=(1.0, inf, 0.0) rows=some",
    "affine": "large H=19 bias=True",
    "affine_backward": "large H=19 bias=True inputs=True strides=False",
    "column_sums": "large",
    "convolution_backward": "ragged D=5 F=7 width=3 inputs=True",
    "convolution_forward": "ragged D=5 F=7 width=3 kept=True ties=False",
    "crf_best_paths": "ragged K=5 small known=True n=3",
    "crf_gradient": "ragged K=5 small known=True scale=0.125",
    "crf_links": "ragged K=5 small known=True",
    "crf_marginals": "ragged K=5 small known=True",
    "crf_viterbi": "ragged K=5 small known=True",
    "distinct": "repeated",
    "dropout_mask": "large rate=0.3 key=5",
    "exponential": "large scale=1",
    "gather": "repeated D=19",
    "gru_backward": "ragged [False, True, 0, True]",
    "gru_forward": "ragged [False, True, True]",
    "lstm_backward": "ragged [False, 0, True]",
    "lstm_forward": "ragged [False, True]",
    "matmul": "M=33 N=17 K=65 ta=False tb=False accumulate=False strides=False",
    "momentum_step": "table terms=(1.0, inf, 0.0) rows=some nesterov=True",
    "packing_order": "ragged",
    "parse_rows": "plain",
    "rnn_backward": "ragged [False, 0, 0, True]",
    "rnn_forward": "ragged [False, 0, True]",
    "row_numbers": "ragged",
    "scatter_add": "repeated D=19",
    "sgd_step": "table terms=(1.0, inf, 0.0) rows=some",
    "softmax": "large ",
    "softmax_gradient": "large  weighted=True smoothing=0.1",
    "sum_of_squares": "table terms=(1.0, inf, 0.0) rows=some",
    "zero_rows": "repeated D=19",
}
OPTIONAL = {
    "affine_backward": ("W", "db", "dx"),
    "affine": ("b",),
    "convolution_backward": ("dx",),
    "convolution_forward": ("winners",),
    "crf_best_paths": ("previous",),
    "crf_gradient": ("previous",),
    "crf_links": ("previous",),
    "crf_marginals": ("previous",),
    "crf_viterbi": ("previous",),
    "gru_backward": ("dy", "dx"),
    "gru_forward": ("c", "h_prev"),
    "lstm_backward": ("dy", "dx"),
    "lstm_forward": ("h_prev", "c_prev"),
    "rnn_backward": ("dy", "dx"),
    "rnn_forward": ("h_prev",),
    "softmax_gradient": ("weights",),
} | dict.fromkeys(("add_rows", "adam_step", "momentum_step", "sgd_step", "sum_of_squares"), ("rows",))
# (kernel, array, axis) whose size nothing else fixes; a batch may have more sequences than start alive.
FREE = {
    ("column_sums", "x", 0),
    ("distinct", "ids", 0),
    ("distinct", "rows", 0),
    ("distinct", "seen", 0),
    ("dropout_mask", "mask", 1),
    ("gather", "table", 0),
    ("gru_backward", "dh", 0),
    ("gru_forward", "h", 0),
    ("packing_order", "counts", 0),
    ("parse_rows", "numbers", 0),
    ("parse_rows", "numbers", 1),
    ("parse_rows", "text", 0),
    ("parse_rows", "words", 0),
    ("rnn_backward", "dh", 0),
    ("rnn_forward", "h", 0),
    ("row_numbers", "sequences", 0),
    ("scatter_add", "grad", 0),
    ("sum_of_squares", "x", 0),
    ("sum_of_squares", "x", 1),
    ("zero_rows", "grad", 0),
    ("zero_rows", "grad", 1),
}


def arguments(name: str) -> Arguments:
    return next(case for label, case in CASES[name](np.float64) if label == ONE_CASE[name])


def arrays(case: Arguments) -> list[str]:
    return [key for key, x in case.items() if isinstance(x, np.ndarray)]


def swapped(x: np.ndarray) -> np.ndarray:
    return x.astype(x.dtype.newbyteorder())


def unaligned(x: np.ndarray) -> np.ndarray:
    there = np.empty(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    there[...] = x
    return there


def every_other(x: np.ndarray) -> np.ndarray:
    return np.repeat(x, 2, axis=-1)[..., ::2]


def assert_refused(name: str, case: Arguments, *named: str) -> None:
    with pytest.raises(ERRORS) as caught:
        compiled(name)(**case)
    message = str(caught.value)
    assert any(word in message for word in named), f"{name}: {message!r} names none of {named}"


def faults(key: str, x: np.ndarray) -> Iterator[tuple[str, Any]]:
    yield "a list", x.tolist()
    yield "a float16", np.ones(x.shape, np.float16)
    yield "an int32", np.ones(x.shape, np.int32)
    yield "the other float", np.ones(x.shape, np.float32)
    yield "no dimension", x.flat[0].reshape(()).copy()
    yield "one dimension more", x[None].copy()
    if x.itemsize > 1:
        yield "swapped bytes", swapped(x)
        yield "unaligned", unaligned(x)
    if key not in SCRATCH:
        yield "every other number", every_other(x)
        if x.ndim == 2:
            yield "a vector", x.ravel()
            yield "columns", np.asfortranarray(x)
            yield "one row again and again", np.broadcast_to(x[0], x.shape)


@pytest.mark.parametrize("name", KERNELS)
def test_wrong_arrays(name: str) -> None:
    """Sizes may be read off the wrong array, and the error then names the first that disagrees with it."""
    for key in arrays(arguments(name)):
        for fault, wrong in faults(key, arguments(name)[key]):
            if fault == "the other float" and name in ("dropout_mask", "sum_of_squares", "zero_rows"):
                continue  # with no other array of floats to disagree with
            if fault == "the other float" and key == "numbers":
                continue  # which is what it is
            case = arguments(name) | {key: wrong}
            # of the two that disagree, the one looked at last is named
            shape = fault in ("no dimension", "one dimension more", "a vector", "the other float")
            named = arrays(arguments(name)) if shape else (key,)
            assert_refused(name, case, *named)


@pytest.mark.parametrize("name", KERNELS)
def test_wrong_sizes(name: str) -> None:
    """One more or one fewer along any axis: two arrays disagree, and one of them is named."""
    for key in arrays(arguments(name)):
        if key in SCRATCH or key == "rows":
            continue
        for axis in range(arguments(name)[key].ndim):
            if (name, key, axis) in FREE:
                continue
            case = arguments(name)
            x = case[key]
            assert_refused(name, case | {key: np.concatenate([x, x.take([0], axis)], axis)}, *arrays(case))
            assert_refused(name, case | {key: x.take(range(x.shape[axis] - 1), axis)}, *arrays(case))


@pytest.mark.parametrize("name", KERNELS)
def test_too_little_scratch(name: str) -> None:
    for key in SCRATCH:
        case = arguments(name)
        if key in case:
            assert_refused(name, case | {key: case[key][:-1].copy()}, key)
            case[key].flags.writeable = False
            assert_refused(name, case, key)


@pytest.mark.parametrize("name", KERNELS)
def test_none_where_an_array_is_needed(name: str) -> None:
    for key in arrays(arguments(name)):
        if key not in OPTIONAL.get(name, ()):
            assert_refused(name, arguments(name) | {key: None}, key)


@pytest.mark.parametrize("name", KERNELS)
def test_read_only_outputs(name: str) -> None:
    for key in [key for key in WRITES[name] if key in arrays(arguments(name))]:
        case = arguments(name)
        before = {other: case[other].copy() for other in arrays(case)}
        case[key].flags.writeable = False
        assert_refused(name, case, key)
        for other, x in before.items():
            np.testing.assert_array_equal(case[other], x, f"{name}: {other} was written before {key} was looked at")


@pytest.mark.parametrize(
    "name", [name for name in KERNELS if "counts" in arguments(name) and "counts" not in WRITES[name]]
)
@pytest.mark.parametrize(
    ("fault", "change"),
    [
        ("too many rows", lambda n: n + np.eye(1, len(n), 0, np.int64)[0]),
        ("too few rows", lambda n: n - np.eye(1, len(n), len(n) - 2, np.int64)[0]),
        ("increasing", lambda n: n[::-1].copy()),
        ("none alive", lambda n: np.append(n, 0)),
        ("negative", lambda n: np.concatenate([n, [1, -1]])),
        ("overflowing", lambda n: np.full(len(n), 2**62)),
        ("no steps", lambda n: n[:0].copy()),
        ("more than there are", lambda n: np.array([n.sum()])),
    ],
)
def test_counts(name: str, fault: str, change: Any) -> None:
    case = arguments(name)
    assert_refused(name, case | {"counts": change(case["counts"])}, "counts")


@pytest.mark.parametrize(
    ("name", "key", "size"),
    [
        ("convolution_backward", "winners", 1),
        ("gather", "ids", 6),
        ("scatter_add", "ids", 6),
        ("distinct", "ids", 6),
        ("zero_rows", "rows", 6),
        ("packing_order", "lengths", 7),
        ("sum_of_squares", "rows", 23),
        ("sgd_step", "rows", 23),
        ("momentum_step", "rows", 23),
        ("adam_step", "rows", 23),
        ("softmax_gradient", "targets", 131),
        ("crf_gradient", "tags", 5),
        ("crf_links", "tags", 5),
        ("crf_best_paths", "previous", 5),
        ("crf_marginals", "previous", 5),
        ("crf_gradient", "previous", 5),
        ("crf_viterbi", "previous", 5),
    ],
)
def test_numbers_out_of_range(name: str, key: str, size: int) -> None:
    """At either end, and nothing is written."""
    for wrong in (size, -2 if key == "previous" else -1, 2**62, -(2**62)):
        case = arguments(name)
        case[key][-1] = wrong
        before = {other: case[other].copy() for other in arrays(case)}
        assert_refused(name, case, f"{key}: expected")
        with pytest.raises(ValueError, match=str(wrong)):
            compiled(name)(**case)
        for other, x in before.items():
            np.testing.assert_array_equal(case[other], x, f"{name}: {other}")


@pytest.mark.parametrize(
    ("name", "change", "named"),
    [
        ("activation_forward", {"kind": 4}, "kind"),
        ("activation_forward", {"kind": -1}, "kind"),
        ("activation_backward", {"kind": 4}, "kind"),
        ("rnn_forward", {"kind": 3}, "kind"),
        ("rnn_backward", {"kind": 3}, "kind"),
        ("dropout_mask", {"rate": 1.0}, "rate"),
        ("dropout_mask", {"rate": -0.1}, "rate"),
        ("dropout_mask", {"rate": np.nan}, "rate"),
        ("convolution_forward", {"width": 2}, "width"),
        ("convolution_backward", {"width": -1}, "width"),
        ("lstm_forward", {"h_prev": None}, "h_prev"),
        ("lstm_forward", {"c_prev": None}, "c_prev"),
        ("crf_gradient", {"dend": None}, "dend"),
        ("crf_gradient", {"scratch": np.zeros(9)}, "scratch"),
        ("crf_marginals", {"scratch": np.zeros(9)}, "scratch"),
        ("crf_viterbi", {"scratch": np.zeros(9)}, "scratch"),
        ("crf_best_paths", {"tags": np.zeros((0, 18), np.int64), "path_scores": np.zeros((0, 8))}, "tags"),
        ("sgd_step", {"terms": (1.0, 2.0)}, "terms"),
        ("sgd_step", {"terms": None}, "terms"),
        ("adam_step", {"terms": ("a", 1.0, 0.0)}, "terms"),
        ("softmax", {"scores": np.zeros((3, 0)), "out": np.zeros((3, 0))}, "scores"),
        ("crf_viterbi", {"scores": np.zeros((19, 0))}, "scores"),
        ("parse_rows", {"words": np.zeros(9, np.uint8)}, "words"),
    ],
)
def test_other_arguments(name: str, change: Arguments, named: str) -> None:
    assert_refused(name, arguments(name) | change, named)


def test_the_gradient_of_m_has_one_place() -> None:
    """`dm` where the reset comes before the product, m itself where it comes after: which `dc` tells."""
    case = arguments("gru_backward")
    assert_refused("gru_backward", case | {"dc": None}, "dc, dm: expected")
    assert_refused("gru_backward", case | {"dm": np.empty_like(case["m"])}, "dc, dm: expected")
    lent = np.empty_like(case["m"])
    lent.flags.writeable = False
    assert_refused("gru_backward", case | {"dc": None, "dm": lent}, "dm: is read-only")


def test_out_has_room_for_every_row() -> None:
    """Rows that overlap would let BLAS run past the end."""
    a = np.zeros((4, 4))
    overlapping = np.lib.stride_tricks.as_strided(np.zeros(16), (4, 4), (16, 8))
    backwards = np.zeros((4, 4))[::-1]
    for wrong in (overlapping, backwards):
        for key in ("a", "b", "out"):
            assert_refused("matmul", {"a": a, "b": a, "out": np.zeros((4, 4))} | {key: wrong}, f"{key}: ")


def test_reference_checks_what_a_user_can_get_wrong() -> None:
    """Ids and labels come from data; the rest from the layers."""
    for name, key in [
        ("gather", "ids"),
        ("scatter_add", "ids"),
        ("distinct", "ids"),
        ("zero_rows", "rows"),
    ] + [
        ("softmax_gradient", "targets"),
        ("crf_gradient", "tags"),
        ("crf_links", "tags"),
    ]:
        for wrong in (-1, 2**40):
            case = arguments(name)
            case[key][-1] = wrong
            with pytest.raises(ValueError, match=f"{key}: expected"):
                getattr(reference, name)(**case)
