"""The chain CRF in PyTorch, on packed rows of scores (N, K): pytorch-crf's, and one written for speed.

Both have pytorch-crf's parameters. It takes padded scores and masks; its every step adds, masks and takes a logarithm
of (B, K, K) sums. The other multiplies instead: with α (alive sequences, K) of sum 1,

    α ← α e^A ⊙ e^s / Σ        log Z = Σ over the steps of log Σ, and of log(α e^end) at the end

of those sequences alone that are alive, and everything that does not depend on the step before is done at once for all
rows. So it takes the transitions to be of a usual size, where pytorch-crf takes any.
"""

import numpy as np
import torch
import torchcrf
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from pyneural.packing import Steps


class PaddedCrf(torchcrf.CRF):
    """pytorch-crf as it is, given what it wants."""

    @staticmethod
    def padded(rows: torch.Tensor, steps: Steps) -> torch.Tensor:
        """(T, B, …)"""
        return pad_packed_sequence(PackedSequence(rows, torch.from_numpy(steps.counts)))[0]

    @staticmethod
    def mask(steps: Steps) -> torch.Tensor:
        """(T, B)"""
        return torch.from_numpy(np.arange(steps.sequences) < steps.counts[:, None])

    def loss(self, scores: torch.Tensor, labels: torch.Tensor, steps: Steps) -> torch.Tensor:
        """Mean over the sequences of log Z - score(labels)."""
        return -self(self.padded(scores, steps), self.padded(labels, steps), self.mask(steps), reduction="mean")

    def best(self, scores: torch.Tensor, steps: Steps) -> torch.Tensor:
        """(N,) the best labels, by Viterbi's algorithm."""
        paths = self.decode(self.padded(scores, steps), self.mask(steps))
        return torch.tensor([paths[i][t] for t, alive in enumerate(steps.counts) for i in range(alive)])


class PackedCrf(torchcrf.CRF):
    """The same function by products, and by as few calls as it takes."""

    def loss(self, scores: torch.Tensor, labels: torch.Tensor, steps: Steps) -> torch.Tensor:
        return (self.log_partition(scores, steps) - self.score(scores, labels, steps)) / steps.sequences

    def log_partition(self, scores: torch.Tensor, steps: Steps) -> torch.Tensor:
        """Sum over the sequences of log Z."""
        highest = scores.detach().amax(1, keepdim=True)  # any shift will do, so it has no gradient
        first, *later = (scores - highest).exp().split(steps.counts.tolist())
        transitions = self.transitions.exp()
        alpha = first * self.start_transitions.exp()
        sums = [alpha.sum(1, keepdim=True)]
        alpha, ended = alpha / sums[0], []
        for emitted in later:
            if len(emitted) < len(alpha):
                alpha, over = alpha.split([len(emitted), len(alpha) - len(emitted)])
                ended.append(over)
            alpha = alpha @ transitions * emitted
            sums.append(alpha.sum(1, keepdim=True))
            alpha = alpha / sums[-1]
        final = torch.cat([alpha, *ended]) @ self.end_transitions.exp()
        return highest.sum() + torch.cat(sums).log().sum() + final.log().sum()

    def score(self, scores: torch.Tensor, labels: torch.Tensor, steps: Steps) -> torch.Tensor:
        """Sum over the sequences of the score of their labels."""
        counts, B = steps.counts, steps.sequences
        before = labels[torch.from_numpy(np.arange(B, steps.rows) - np.repeat(counts[:-1], counts[1:]))]
        last = labels[torch.from_numpy(steps.offsets[steps.lengths - 1] + np.arange(B))]
        return (
            self.start_transitions[labels[:B]].sum()
            + scores.gather(1, labels[:, None]).sum()
            + self.transitions[before, labels[B:]].sum()
            + self.end_transitions[last].sum()
        )

    def best(self, scores: torch.Tensor, steps: Steps) -> torch.Tensor:
        first, *later = scores.split(steps.counts.tolist())
        delta, ended, before = first + self.start_transitions, [], []
        for emitted in later:
            if len(emitted) < len(delta):
                delta, over = delta.split([len(emitted), len(delta) - len(emitted)])
                ended.append(over)
            highest, labels = (delta[:, :, None] + self.transitions).max(1)
            before.append(labels)
            delta = highest + emitted
        last = (torch.cat([delta, *reversed(ended)]) + self.end_transitions).argmax(1)
        path = [last[: len(delta)]]
        for labels, count in zip(reversed(before), reversed(steps.counts[:-1].tolist()), strict=True):
            path.append(torch.cat([labels.gather(1, path[-1][:, None])[:, 0], last[len(labels) : count]]))
        return torch.cat(path[::-1])


CRFS = {"pytorch-crf": PaddedCrf, "own": PackedCrf}
