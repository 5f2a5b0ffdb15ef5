"""Every schedule against its formula."""

import math

import numpy as np
import pytest

from pyneural import Constant, Cosine, Halving, InverseTime, Schedule, Sgd, WarmUp
from pyneural.schedules import as_schedule

TIMES = (0.0, 0.01, 0.5, 0.999, 1.0, 1.5, 2.0, 2.999, 3.0, 7.25, 9.0, 10.0, 11.0, 1000.0)


def near(value):
    return pytest.approx(value, rel=1e-14, abs=1e-300)


@pytest.mark.parametrize("t", TIMES)
def test_formulas(t):
    assert Constant(0.3)(t) == 0.3
    assert Halving(0.3, every=1)(t) == near(0.3 * 0.5 ** int(t))
    assert Halving(0.3, every=2.5)(t) == near(0.3 / 2 ** int(t / 2.5))
    assert InverseTime(0.3, decay=0.05)(t) == near(0.3 / (1 + 0.05 * t))
    assert InverseTime(0.3, decay=0)(t) == 0.3
    along = 0.1 + 0.2 * (1 + math.cos(math.pi * min(t, 10) / 10)) / 2
    assert Cosine(0.3, epochs=10, final=0.1)(t) == near(along)
    assert WarmUp(0.3, epochs=2)(t) == near(0.3 * min(t / 2, 1))
    assert WarmUp(Halving(0.3, every=3), epochs=1.5)(t) == near(0.3 * 0.5 ** int(t / 3) * min(t / 1.5, 1))
    assert WarmUp(WarmUp(0.3, epochs=4), epochs=2)(t) == near(0.3 * min(t / 4, 1) * min(t / 2, 1))


def test_ends_and_steps():
    cosine = Cosine(0.3, epochs=4, final=0.03)
    assert cosine(0) == near(0.3)
    assert cosine(2) == near(0.165)
    assert cosine(4) == cosine(5) == cosine(1e9) == 0.03
    assert Cosine(0.3, epochs=4)(4) == 0
    halving = Halving(0.8, every=2)
    assert [halving(t) for t in (0, 1.999999, 2, 3.999999, 4)] == [0.8, 0.8, 0.4, 0.4, 0.2]
    assert Halving(0.8, every=0.5)(1.25) == 0.2
    assert WarmUp(0.3, epochs=2)(0) == 0


def test_all_fall_from_the_rate():
    for schedule in (Halving(0.3, 2), InverseTime(0.3, 0.1), Cosine(0.3, 8)):
        rates = [schedule(t / 4) for t in range(60)]
        assert rates[0] == near(0.3)
        assert rates == sorted(rates, reverse=True)
        assert min(rates) >= 0


def test_numbers_are_constant_schedules():
    assert as_schedule(0.3) == Constant(0.3)
    assert as_schedule(1) == Constant(1.0)
    assert as_schedule(0) == Constant(0.0)
    schedule = Halving(0.3, 2)
    assert as_schedule(schedule) is schedule


def test_schedules_are_values():
    """Frozen, equal by content, and a repr that says it all: what a checkpoint tells of them."""
    assert WarmUp(Halving(0.1, every=5), epochs=1) == WarmUp(Halving(0.1, every=5), epochs=1)
    names = {kind.__name__: kind for kind in (Constant, Cosine, Halving, InverseTime, WarmUp)}
    for schedule in (Constant(0.1), WarmUp(Cosine(0.1, 5, 0.01), 1), InverseTime(0.2, 0.5)):
        assert eval(repr(schedule), names) == schedule
        with pytest.raises(AttributeError):
            schedule.rate = 1
    with pytest.raises(TypeError):
        Schedule()


def test_the_rate_of_the_epoch_given():
    for epoch, expected in ((0.0, 0.5), (0.99, 0.5), (1.0, 0.25), (5.2, 0.5**6)):
        values = np.zeros(1)
        Sgd(Halving(0.5, 1)).apply(values, np.ones(1), epoch=epoch)
        assert values[0] == -expected


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Constant(-0.1), "rate"),
        (lambda: Constant(NAN), "rate"),
        (lambda: Constant(INF), "rate"),
        (lambda: as_schedule(-1), "rate"),
        (lambda: as_schedule(NAN), "rate"),
        (lambda: as_schedule(INF), "rate"),
        (lambda: Halving(-1, 2), "rate"),
        (lambda: Halving(0.1, 0), "every"),
        (lambda: Halving(0.1, -1), "every"),
        (lambda: Halving(0.1, NAN), "every"),
        (lambda: InverseTime(-1, 1), "rate"),
        (lambda: InverseTime(0.1, -0.5), "decay"),
        (lambda: InverseTime(0.1, INF), "decay"),
        (lambda: Cosine(NAN, 1), "rate"),
        (lambda: Cosine(0.1, 0), "epochs"),
        (lambda: Cosine(0.1, -3), "epochs"),
        (lambda: Cosine(0.1, 3, final=-0.1), "final"),
        (lambda: WarmUp(0.1, 0), "epochs"),
        (lambda: WarmUp(0.1, -2), "epochs"),
        (lambda: WarmUp(-0.1, 2), "rate"),
    ],
)
def test_nonsense_is_refused(make, name):
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        make()


@pytest.mark.parametrize("rate", ["0.1", None, [0.1]])
def test_what_is_no_number_is_refused(rate):
    for make in (as_schedule, Constant, lambda rate: Halving(rate, 2), lambda rate: WarmUp(rate, 2)):
        with pytest.raises(TypeError):
            make(rate)
