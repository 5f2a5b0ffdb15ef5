"""A layer of your own, from its equations to a checked gradient, and gradient descent in one line.

Layer normalisation (Ba, Kiros and Hinton 2016) brings each row to mean 0 and variance 1, then scales and
shifts it:

    μ = mean(x)    σ = √(mean((x - μ)²) + ε)    u = (x - μ) / σ    y = s ⊙ u + b      x, u, y (N, D), s, b (D)

Let dy be dL/dy, and g = dL/du = s ⊙ dy. The parameters are used by every row, so their gradients are sums
over rows:

    ds = Σ_n dy ⊙ u        db = Σ_n dy

Within a row, x_i reaches L through its own u_i, through μ and through σ. As ∂μ/∂x_i = 1/D and
∂σ/∂x_i = u_i/D,

    ∂u_j/∂x_i = ([i = j] - 1/D - u_i u_j / D) / σ
    dx_i = Σ_j g_j ∂u_j/∂x_i = (g_i - mean(g) - u_i mean(g ⊙ u)) / σ

that is g, over σ, without its components along the two directions in which x can move without moving u: all
by the same (along 1), and away from their mean (along u). That is all there is to `backward`, and
`check_gradients` compares every number of it with a difference quotient.

Data: scikit-learn's wine (Forina et al.), 13 measurements of 178 wines of three growers, every third wine
held out.

Score: accuracy. Baseline: always the grower most frequent in training, 0.40. Expect 0.98 to 1.
"""

import logging

import numpy as np
from numpy.typing import NDArray

from pyneural import Batches, Dense, Layer, Network, Parameter, Sequential, Softmax
from pyneural.initializers import Constant, Zeros
from pyneural.samples import Outcome, run
from pyneural.samples.bundled import load_wine
from pyneural.test.gradient_check import check_gradients

Array = NDArray[np.floating]
logger = logging.getLogger("pyneural")


class LayerNorm(Layer):
    """y = s ⊙ (x - μ) / σ + b, with mean μ and deviation σ of each row; x and y of shape (N, dim)."""

    def __init__(self, dim: int, epsilon: float = 1e-5) -> None:
        self.dim_in = self.dim_out = dim
        self.epsilon = epsilon
        self.s = Parameter(dim, init=Constant(1.0))
        self.b = Parameter(dim, init=Zeros())

    def forward(self, x: Array) -> Array:
        centred = x - x.mean(axis=1, keepdims=True)
        self._sigma = np.sqrt(np.mean(centred**2, axis=1, keepdims=True) + self.epsilon)
        self._u = centred / self._sigma
        y: Array = self.s.value * self._u + self.b.value
        return y

    def backward(self, dy: Array) -> Array:
        u = self._u
        np.sum(dy * u, axis=0, out=self.s.grad)
        np.sum(dy, axis=0, out=self.b.grad)
        g = self.s.value * dy
        along_u = u * np.mean(g * u, axis=1, keepdims=True)
        dx: Array = (g - np.mean(g, axis=1, keepdims=True) - along_u) / self._sigma
        return dx


def largest_error(seed: int = 1) -> float:
    """The largest error of any gradient, of the layer by itself and within a network."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((5, 4))
    network = Network(Sequential(Dense(4, 6, "tanh"), LayerNorm(6), Dense(6, 3)), Softmax())
    return max(check_gradients(LayerNorm(4), x), check_gradients(network, x, np.array([0, 2, 1, 1, 0])))


def train(epochs: int = 20, seed: int = 1) -> Outcome:
    """Checks the layer, trains a network with it, and scores it on the wines held out."""
    worst = largest_error(seed)
    x, y = load_wine(return_X_y=True)
    held_out = np.arange(len(x)) % 3 == 0
    x = ((x - x[~held_out].mean(axis=0)) / x[~held_out].std(axis=0)).astype(np.float32)
    y = y.astype(np.int64)

    network = Network(
        body=Sequential(Dense(13, 32, "relu"), LayerNorm(32), Dense(32, 3)),
        loss=Softmax(),
    ).allocate(seed=seed)
    batches = Batches(x[~held_out], y[~held_out], 16, seed=seed)
    losses = []
    for epoch in range(epochs):
        each = []
        for batch in batches.epoch(epoch):
            each.append(network.loss_and_gradient(batch))
            network.values -= 0.05 * network.grads  # every parameter of the network, in place
        losses.append(float(np.mean(each)))
        logger.info("epoch %d  loss %.4f", epoch + 1, losses[-1])

    most_frequent = np.bincount(y[~held_out]).argmax()
    return Outcome(
        losses=losses,
        score=float(np.mean(network.predict(x[held_out]) == y[held_out])),
        baseline=float(np.mean(most_frequent == y[held_out])),
        score_name="accuracy",
        notes=f"largest error of any gradient: {worst:.1e}",
    )


if __name__ == "__main__":
    run(train, __doc__)
