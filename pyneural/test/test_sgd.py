"""The optimisers, step by step against their published formulas, written out here once more in plain NumPy."""

import math

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der

from pyneural import (
    Adam,
    Halving,
    Momentum,
    Nesterov,
    Sgd,
)  # fmt: skip
from pyneural.neural_layer import Region


class Textbook:
    """The rules, on whatever rows they are given. The count of steps is the caller's."""

    def __init__(self, name, shape, l2=0.0, clip_norm=None, clip_value=None):
        self.name, self.l2, self.clip_norm, self.clip_value = name, l2, clip_norm, clip_value
        self.v, self.m = np.zeros(shape), np.zeros(shape)

    def clipped(self, g):
        if self.clip_norm is not None and (norm := np.sqrt((g * g).sum())) > self.clip_norm:
            g = g * self.clip_norm / norm
        return g if self.clip_value is None else np.clip(g, -self.clip_value, self.clip_value)

    def update(self, w, g, t, rate, at=...):
        """What is taken from w[at]; g is clipped already."""
        g = g + self.l2 * w[at]
        if self.name == "Sgd":
            return rate * g
        if self.name == "Adam":
            self.m[at] = 0.85 * self.m[at] + 0.15 * g
            self.v[at] = 0.97 * self.v[at] + 0.03 * g**2
            return rate * (self.m[at] / (1 - 0.85**t)) / (np.sqrt(self.v[at] / (1 - 0.97**t)) + 1e-6)
        self.v[at] = 0.8 * self.v[at] + g
        return rate * (g + 0.8 * self.v[at] if self.name == "Nesterov" else self.v[at])


MAKE = {
    "Sgd": Sgd,
    "Momentum": lambda rate, **terms: Momentum(rate, 0.8, **terms),
    "Nesterov": lambda rate, **terms: Nesterov(rate, 0.8, **terms),
    "Adam": lambda rate, **terms: Adam(rate, 0.85, 0.97, 1e-6, **terms),
}
TERMS = [
    dict(zip(("l2", "clip_norm", "clip_value"), values, strict=True))
    for values in [
        (0.0, None, None), (0.1, None, None), (0.0, 1.5, None), (0.0, None, 0.4), (0.1, 1.5, None), (0.1, None, 0.4),
        (0.0, 1.5, 0.2), (0.1, 1.5, 0.2), (0.0, 1e9, 1e9),
    ]
]  # fmt: skip
every_rule = pytest.mark.parametrize("name", MAKE)
every_terms = pytest.mark.parametrize("terms", TERMS, ids=lambda terms: ", ".join(f"{k} {v}" for k, v in terms.items()))


def agree(actual, expected, dtype=np.float64):
    rtol, atol = (1e-12, 1e-12) if dtype == np.float64 else (2e-4, 2e-5)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


# ---- any vector


@every_rule
@every_terms
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("size", [1, 37])
def test_formula_of_a_vector(name, terms, dtype, size):
    rng = np.random.default_rng(1)
    values = rng.standard_normal(size).astype(dtype)
    w, book = values.astype(np.float64), Textbook(name, size, **terms)
    rate = Halving(0.2, every=0.5)
    optimiser, grads = MAKE[name](rate, **terms), np.empty(size, dtype)
    place = values.ctypes.data
    for t in range(1, 21):
        g = rng.standard_normal(size).astype(dtype) * (0.1 if t % 3 else 1)
        grads[...] = g
        before = values.astype(np.float64)
        norm = optimiser.apply(values, grads, epoch=t / 12)
        taken = book.update(w, book.clipped(g.astype(np.float64)), t, 0.2 * 0.5 ** (t // 6))
        w -= taken
        agree(values, w, dtype)
        agree(norm, np.linalg.norm(taken), dtype)
        agree(norm, np.linalg.norm(values - before), dtype)
        np.testing.assert_array_equal(grads, g)
    assert values.ctypes.data == place
    assert optimiser.steps == 20
    for state in optimiser.state.values():
        assert state.dtype == dtype
        assert state.shape == values.shape
    if name == "Adam":
        agree(optimiser.state["mean"], book.m, dtype)
        agree(optimiser.state["variance"], book.v, dtype)
    elif name != "Sgd":
        agree(optimiser.state["velocity"], book.v, dtype)


@every_rule
def test_nothing_to_step(name):
    assert MAKE[name](0.1, clip_norm=1.0, l2=1.0).apply(np.zeros(0), np.zeros(0)) == 0
    values = np.ones(4)
    assert MAKE[name](0.1, clip_norm=1.0).apply(values, np.zeros(4)) == 0  # nor a norm of 0 to divide by
    np.testing.assert_array_equal(values, 1)


def test_adam_corrects_by_the_global_count():
    """A row that is touched first at step 10 is corrected as of step 10: (1 - β₁) / (1 - β₁¹⁰) of the gradient."""
    values, grads, optimiser = np.ones(4), np.array([1.0, 1.0, 0.0, 0.0]), Adam(0.1, 0.9, 0.999, 0.0)
    first, both = [Region(0, 4, 2, np.array(rows)) for rows in ([0], [0, 1])]
    for _ in range(9):
        optimiser.apply(values, grads, [first])
    np.testing.assert_array_equal(values[2:], 1)
    np.testing.assert_allclose(values[:2], 1 - 0.9, rtol=1e-12)  # m̂ / √v̂ is 1 for a constant gradient
    grads[2:] = 3.0
    optimiser.apply(values, grads, [both])
    m, v = 0.1 * 3 / (1 - 0.9**10), 0.001 * 9 / (1 - 0.999**10)
    np.testing.assert_allclose(values[2:], 1 - 0.1 * m / math.sqrt(v), rtol=1e-12)


def test_adam_first_step_is_the_rate():
    values = np.zeros(3)
    norm = Adam(0.01, epsilon=0).apply(values, np.array([1e-4, -5.0, 1e4]))
    np.testing.assert_allclose(values, [-0.01, 0.01, -0.01], rtol=1e-12)
    assert norm == pytest.approx(0.01 * math.sqrt(3))


# ---- any function


@every_rule
def test_minimize_a_quadratic(name):
    rng = np.random.default_rng(0)
    square = rng.standard_normal((6, 6))
    A, b, values = square @ square.T + np.eye(6), rng.standard_normal(6), np.zeros(6)
    place = values.ctypes.data

    def quadratic(x):
        return 0.5 * x @ A @ x - b @ x, A @ x - b

    losses = MAKE[name](0.002 if name == "Adam" else 0.01).minimize(quadratic, values, 5000)
    assert len(losses) == 5000
    assert losses[0] == 0
    assert values.ctypes.data == place
    np.testing.assert_allclose(values, np.linalg.solve(A, b), atol=1e-3)


@pytest.mark.parametrize(
    ("optimiser", "steps"),
    [(Nesterov(2e-4, 0.99), 5000), (Momentum(2e-4, 0.99), 5000), (Adam(0.02), 5000)],
    ids=["nesterov", "momentum", "adam"],
)
def test_minimize_rosenbrock(optimiser, steps):
    values = np.array([-1.2, 1.0])
    losses = optimiser.minimize(lambda x: (rosen(x), rosen_der(x)), values, steps)
    np.testing.assert_allclose(values, 1, atol=1e-3)
    assert losses[-1] < 1e-6 < losses[0]
    assert optimiser.steps == steps


# ---- errors


@every_rule
def test_vectors_that_do_not_match(name):
    optimiser = MAKE[name](0.1)
    for values, grads in (
        (np.zeros(3), np.zeros(4)),
        (np.zeros((2, 2)), np.zeros((2, 2))),
        (np.zeros(3), np.zeros(3, np.float32)),
    ):
        with pytest.raises(ValueError, match="values, grads: expected two vectors"):
            optimiser.apply(values, grads)
    with pytest.raises(TypeError):
        optimiser.apply(np.zeros(3, int), np.zeros(3, int))
    assert optimiser.apply(np.zeros(3), np.zeros(3)) == 0


@every_rule
def test_no_stepping_on_a_copy(name):
    """What can't be stepped in place is refused, or is stepped in place: never a copy."""
    strided = np.zeros(6)[::2]
    try:
        MAKE[name](0.1).apply(strided, np.ones(3))
    except (TypeError, ValueError):
        return
    assert (strided < 0).all()


@pytest.mark.parametrize("name", ["Momentum", "Nesterov", "Adam"])
def test_one_optimiser_a_network(name):
    optimiser = MAKE[name](0.1)
    optimiser.apply(np.zeros(3), np.ones(3))
    state = {key: value.copy() for key, value in optimiser.state.items()}
    for values in (np.zeros(4), np.zeros(3, np.float32)):
        with pytest.raises(ValueError, match="one optimiser a network"):
            optimiser.apply(values, np.ones_like(values))
    assert optimiser.steps == 1
    for key, value in state.items():
        np.testing.assert_array_equal(optimiser.state[key], value)


@pytest.mark.parametrize(
    "arguments",
    [{"rate": -1}, {"l2": -1e-9}, {"l2": math.nan}, {"l2": math.inf}, {"clip_norm": 0}, {"clip_norm": -1},
     {"clip_norm": math.nan}, {"clip_value": 0}, {"clip_value": -0.1}, {"clip_value": math.nan}],
    ids=str,
)  # fmt: skip
@every_rule
def test_nonsense_is_refused(name, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        MAKE[name](**{"rate": 0.1} | arguments)
    for value in (1.0, -0.1, math.nan):
        for make in (Momentum, Adam, lambda rate, beta: Adam(rate, beta2=beta)):
            with pytest.raises(ValueError, match="expected a number in"):
                make(0.1, value)


def test_config_tells_the_hyperparameters():
    assert Nesterov(Halving(0.1, 5), 0.8, l2=0.1, clip_norm=2.0).config() == {
        "class": "Nesterov", "rate": "Halving(rate=0.1, every=5)", "l2": 0.1, "clip_norm": 2.0, "clip_value": None,
        "dense": False, "momentum": 0.8,
    }  # fmt: skip
