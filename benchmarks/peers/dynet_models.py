"""The cases' networks in DyNet, with pyneural's weights. A vector is a column here, so matrices are transposed."""

from itertools import pairwise
from typing import Any

import dynet as dy
import numpy as np

from benchmarks.cases import Problem

Arrays = dict[str, Any]
# pyneural's column blocks in the order of DyNet's parameters (GRU: of its matrices z, r, n), and their signs
ORDERS = {"gru": ((1, -1.0), (0, 1.0), (2, 1.0)), "lstm": ((0, 1.0), (1, 1.0), (3, 1.0), (2, 1.0)), "rnn": ((0, 1.0),)}


class Model:
    """Weights of a dense layer on top, and how to read gradients back."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.case, self.collection = problem, problem.case, dy.ParameterCollection()
        self.values = {slot.name: slot.parameter.value for slot in problem.network.slots}
        self.batches = problem.batches

    def loss(self, i: int) -> Any:
        raise NotImplementedError

    def gradients(self) -> Arrays:
        loss = self.loss(0)
        loss.value()
        loss.backward()
        found = self.read()
        for parameter in (*self.collection.parameters_list(), *self.collection.lookup_parameters_list()):
            parameter.scale_gradient(0)  # DyNet adds to gradients until an update
        return found

    def read(self) -> Arrays:
        raise NotImplementedError

    def trainer(self, adam_rate: float, rate: float, momentum: float) -> Any:
        adam = self.case.kind in ("mlp", "embedding")
        trainer = (
            dy.AdamTrainer(self.collection, adam_rate)
            if adam
            else dy.MomentumSGDTrainer(self.collection, rate, momentum)
        )
        trainer.set_clip_threshold(0)
        return trainer

    def table(self, name: str) -> Any:
        table = self.collection.add_lookup_parameters(self.values[name].shape, init=0)
        table.init_from_array(self.values[name])
        return table

    def table_gradient(self, table: Any) -> Any:
        """(V, D), read by the rows that the first batch uses: DyNet hands rows out one by one."""
        used = np.unique(self.batches[0].inputs.rows)
        gradient = np.zeros((self.case.V, self.case.D), np.float32)
        gradient[used] = table.rows_grad_as_array(used.tolist())
        return gradient

    def dense(self, name: str) -> tuple[Any, Any]:
        W, b = self.values[f"{name}.W"].T, self.values[f"{name}.b"]
        return self.parameter(W), self.parameter(b)

    def parameter(self, value: Any) -> Any:
        made = self.collection.add_parameters(value.shape, init=0)
        made.set_value(np.ascontiguousarray(value))
        return made

    def dense_gradients(self, name: str, pair: tuple[Any, Any]) -> Arrays:
        return {f"{name}.W": pair[0].grad_as_array().T, f"{name}.b": pair[1].grad_as_array()}


class Cells:
    """One direction: a builder with pyneural's weights."""

    def __init__(self, model: Model, prefix: str) -> None:
        case, self.prefix = model.case, prefix
        kinds = {"gru": dy.GRUBuilder, "lstm": dy.CompactVanillaLSTMBuilder, "rnn": dy.SimpleRNNBuilder}
        self.cell, self.H = case.cell, case.H
        self.builder = kinds[case.cell](1, case.D, case.H, model.collection)
        parameters = self.builder.get_parameters()[0]
        W, U, b = (model.values[f"{prefix}.{name}"] for name in "WUb")
        if self.cell == "gru":
            parts = [self.block(each, *order).T for order in ORDERS["gru"] for each in (W, U, b)]
        else:
            parts = [np.concatenate([self.block(each, *o) for o in ORDERS[self.cell]], axis=-1).T for each in (W, U, b)]
            if self.cell == "lstm":
                parts[2][self.H : 2 * self.H] -= 1  # the builder adds it
        self.parameters = parameters
        for parameter, value in zip(parameters, parts, strict=True):
            parameter.set_value(np.ascontiguousarray(value))

    def block(self, array: Any, place: int, sign: float) -> Any:
        return sign * array[..., place * self.H : (place + 1) * self.H]

    def gradients(self) -> Arrays:
        given = [parameter.grad_as_array().T for parameter in self.parameters]
        order = ORDERS[self.cell]
        found = {}
        for which, name in enumerate("WUb"):
            if self.cell == "gru":
                blocks = [given[3 * i + which] for i in range(3)]
            else:
                blocks = np.split(given[which], len(order), axis=-1)
            mine = [sign * blocks[i] for i, (_, sign) in enumerate(order)]
            places = [place for place, _ in order]
            found[f"{self.prefix}.{name}"] = np.concatenate([mine[i] for i in np.argsort(places)], axis=-1)
        return found

    def with_batch(self, state: Any, change: Any) -> Any:
        """The state, its vectors changed: to the sequences that go on, or with zeros for those that begin."""
        return state.set_s([change(vector) for vector in state.s()])

    def rightward(self, xs: list[Any], counts: list[int]) -> tuple[list[Any], Any]:
        """Outputs of each step, and the final states of all (packed order)."""
        state, outputs, ended = self.builder.initial_state(), [], []
        for t, x in enumerate(xs):
            state = state.add_input(x)
            h = state.output()
            outputs.append(h)
            left = counts[t + 1] if t + 1 < len(xs) else 0
            if left < counts[t]:
                ended.append(dy.pick_batch_elems(h, list(range(left, counts[t]))))
                if left:
                    state = self.with_batch(state, lambda v, n=left: dy.pick_batch_elems(v, list(range(n))))
        return outputs, dy.concatenate_to_batch(ended[::-1])

    def leftward(self, xs: list[Any], counts: list[int]) -> tuple[list[Any], Any]:
        state, outputs = self.builder.initial_state(), []
        for t in range(len(xs))[::-1]:
            more = counts[t] - (counts[t + 1] if t + 1 < len(xs) else 0)
            if outputs and more:
                zeros = dy.zeros((self.H,), batch_size=more)
                state = self.with_batch(state, lambda v, z=zeros: dy.concatenate_to_batch([v, z]))
            state = state.add_input(xs[t])
            outputs.append(state.output())
        return outputs[::-1], outputs[-1]


class Sequences(Model):
    """An embedding under a cell in each direction, and a dense layer."""

    cells = "body.layers.1"

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.words = self.table("body.layers.0.table")
        self.right, self.left = (Cells(self, f"{self.cells}.{side}") for side in ("rightward", "leftward"))
        self.top = self.dense("body.layers.2")
        self.crf = self.case.loss == "crf"
        if self.crf:
            self.chain = {name: self.parameter(self.values[f"loss.{name}"]) for name in ("start", "transitions", "end")}
        self.ready = [self.prepare(batch) for batch in self.batches]

    def prepare(self, batch: Any) -> Arrays:
        """Lists, as DyNet takes them: what each step looks up, the labels, and how often each label follows each."""
        steps, ids, labels = batch.inputs.steps, batch.inputs.rows, batch.targets.rows
        edges = [*steps.offsets.tolist(), len(ids)]
        ready = {
            "ids": [ids[a:b].tolist() for a, b in pairwise(edges)],
            "labels": labels.tolist(),
            "counts": steps.counts.tolist(),
            "edges": edges,
        }
        if self.crf:
            K = self.case.K
            moves, first, last = np.zeros((K, K)), np.zeros(K), np.zeros(K)
            for t in range(1, len(steps.counts)):
                n = steps.counts[t]
                np.add.at(moves, (labels[edges[t - 1] : edges[t - 1] + n], labels[edges[t] : edges[t] + n]), 1)
            np.add.at(first, labels[: edges[1]], 1)
            np.add.at(last, labels[steps.offsets[steps.lengths - 1] + np.arange(len(steps.lengths))], 1)
            ready |= {"moves": moves, "first": first, "last": last}
        return ready

    def read(self) -> Arrays:
        found = {"body.layers.0.table": self.table_gradient(self.words)}
        found |= self.right.gradients() | self.left.gradients() | self.dense_gradients("body.layers.2", self.top)
        if self.crf:
            found |= {f"loss.{name}": parameter.grad_as_array() for name, parameter in self.chain.items()}
        return found

    def affine(self, x: Any) -> Any:
        return dy.affine_transform([self.top[1], self.top[0], x])

    def states(self, ready: Arrays) -> tuple[Any, Any]:
        """(outputs of each step, final states) of both directions."""
        dy.renew_cg()
        xs = [dy.lookup_batch(self.words, ids) for ids in ready["ids"]]
        right, right_final = self.right.rightward(xs, ready["counts"])
        left, left_final = self.left.leftward(xs, ready["counts"])
        together = [dy.concatenate([a, b]) for a, b in zip(right, left, strict=True)]
        return together, dy.concatenate([right_final, left_final])


class Tagger(Sequences):
    def loss(self, i: int) -> Any:
        ready = self.ready[i]
        outputs = self.states(ready)[0]
        if self.crf:
            return self.chain_loss([self.affine(h) for h in outputs], ready)
        scores = self.affine(dy.concatenate_to_batch(outputs))
        return dy.sum_batches(dy.pickneglogsoftmax_batch(scores, ready["labels"])) / float(len(ready["labels"]))

    def chain_loss(self, scores: list[Any], ready: Arrays) -> Any:
        """log Z by the forward algorithm on the shrinking batch; the path's score from the counts of its parts."""
        A, counts = self.chain["transitions"], ready["counts"]
        alpha, ended = scores[0] + self.chain["start"], []
        for t in range(len(counts)):
            if t:
                alpha = dy.logsumexp_dim(dy.colwise_add(A, alpha), d=0) + scores[t]
            left = counts[t + 1] if t + 1 < len(counts) else 0
            if left < counts[t]:
                done = dy.pick_batch_elems(alpha, list(range(left, counts[t])))
                ended.append(dy.sum_batches(dy.logsumexp_dim(done + self.chain["end"], d=0)))
                alpha = dy.pick_batch_elems(alpha, list(range(left))) if left else alpha
        own = dy.sum_batches(dy.pick_batch(dy.concatenate_to_batch(scores), ready["labels"]))
        parts = (("transitions", "moves"), ("start", "first"), ("end", "last"))
        fixed = [dy.sum_elems(dy.cmult(self.chain[a], dy.inputTensor(ready[b]))) for a, b in parts]
        return (dy.esum(ended) - own - dy.esum(fixed)) / float(counts[0])


class Characters(Sequences):
    cells = "body.layers.1.layer"

    def loss(self, i: int) -> Any:
        ready = self.ready[i]
        scores = self.affine(self.states(ready)[1])
        return dy.sum_batches(dy.pickneglogsoftmax_batch(scores, ready["labels"])) / float(len(ready["labels"]))


class Sentences(Tagger):
    """One graph a sentence: DyNet finds what can be batched."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.sentences = [self.unpacked(batch) for batch in self.batches]

    def unpacked(self, batch: Any) -> list[tuple[list[int], list[int]]]:
        steps = batch.inputs.steps
        rows = [steps.offsets[:length] + place for place, length in enumerate(steps.lengths)]
        return [(batch.inputs.rows[r].tolist(), batch.targets.rows[r].tolist()) for r in rows]

    def loss(self, i: int) -> Any:
        dy.renew_cg()
        right, left = self.right.builder.initial_state(), self.left.builder.initial_state()
        losses = []
        for ids, labels in self.sentences[i]:
            xs = [self.words[word] for word in ids]
            pairs = zip(right.transduce(xs), reversed(left.transduce(xs[::-1])), strict=True)
            scores = [self.affine(dy.concatenate([a, b])) for a, b in pairs]
            losses.append(self.sentence_loss(scores, labels))
        return dy.esum(losses) / float(len(losses) if self.crf else len(self.ready[i]["labels"]))

    def sentence_loss(self, scores: list[Any], labels: list[int]) -> Any:
        if not self.crf:
            return dy.esum([dy.pickneglogsoftmax(s, label) for s, label in zip(scores, labels, strict=True)])
        A, start, end = self.chain["transitions"], self.chain["start"], self.chain["end"]
        alpha, path = scores[0] + start, [dy.pick(scores[0], labels[0]), dy.pick(start, labels[0])]
        for s, before, label in zip(scores[1:], labels, labels[1:], strict=False):
            alpha = dy.logsumexp_dim(dy.colwise_add(A, alpha), d=0) + s
            path += [dy.pick(s, label), dy.pick(dy.pick(A, before), label)]
        return dy.logsumexp_dim(alpha + end, d=0) - dy.esum([*path, dy.pick(end, labels[-1])])


class Perceptron(Model):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.below, self.top = self.dense("body.layers.0"), self.dense("body.layers.1")
        # a mini-batch is the last axis, in Fortran's order
        self.xs = [np.asfortranarray(batch.inputs.rows.T) for batch in self.batches]
        squares = self.case.loss == "squares"
        self.targets = [
            np.asfortranarray(batch.targets.rows[None]) if squares else batch.targets.rows.tolist()
            for batch in self.batches
        ]

    def loss(self, i: int) -> Any:
        dy.renew_cg()
        x = dy.inputTensor(self.xs[i], batched=True)
        hidden = dy.rectify(dy.affine_transform([self.below[1], self.below[0], x]))
        scores = dy.affine_transform([self.top[1], self.top[0], hidden])
        if self.case.loss == "squares":
            return dy.mean_batches(dy.squared_distance(scores, dy.inputTensor(self.targets[i], batched=True))) * 0.5
        return dy.mean_batches(dy.pickneglogsoftmax_batch(scores, self.targets[i]))

    def read(self) -> Arrays:
        return self.dense_gradients("body.layers.0", self.below) | self.dense_gradients("body.layers.1", self.top)


class Words(Model):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.words, self.top = self.table("body.layers.0.table"), self.dense("body.layers.1")
        self.ready = [(batch.inputs.rows.tolist(), batch.targets.rows.tolist()) for batch in self.batches]

    def loss(self, i: int) -> Any:
        dy.renew_cg()
        ids, labels = self.ready[i]
        scores = dy.affine_transform([self.top[1], self.top[0], dy.lookup_batch(self.words, ids)])
        return dy.mean_batches(dy.pickneglogsoftmax_batch(scores, labels))

    def read(self) -> Arrays:
        return {"body.layers.0.table": self.table_gradient(self.words)} | self.dense_gradients(
            "body.layers.1", self.top
        )
