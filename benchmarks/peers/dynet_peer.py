"""DyNet, used as its documents advise for speed: operations on explicit mini-batches (`lookup_batch`,
`pickneglogsoftmax_batch`), the gates fused in `CompactVanillaLSTMBuilder`, sparse updates of embeddings.

Sentences of uneven length are batched without padding: as sequences end, the batch of the state shrinks (or, leftward,
grows), and the dense layer and the softmax see all rows at once. `dynet_autobatch` leaves the batching to DyNet: one
graph a sentence. Building the graph is part of each step, as DyNet has it.

Its GRU resets before the product and its update gate is one minus pyneural's: the weights of z change sign, and it is
compared with pyneural's own GRU of that form. Its LSTM adds one to the forget gate's bias, in the order i, f, o, g. Its
simple recurrent builder is the same as pyneural's `Rnn`. The wheel computes on one thread, so there is no figure for
two; it has no bf16. Inference is left out (it would need Viterbi's pointers in NumPy, which is not DyNet's work).
"""

import dynet_config

from benchmarks.cases import ADAM_RATE, MOMENTUM, RATE, Problem, build
from benchmarks.peers import Form


def forms(problem: Problem, threads: int, quick: bool) -> list[Form]:
    return made(problem, threads, quick, autobatch=False)


def made(problem: Problem, threads: int, quick: bool, autobatch: bool) -> list[Form]:
    case = problem.case
    if threads > 1 or case.precision != "float32" or case.kind not in ("tagger", "characters", "mlp", "embedding"):
        return []
    if autobatch and (quick or case.kind != "tagger"):
        return []
    dynet_config.set(mem=1024, autobatch=int(autobatch), random_seed=1)
    from benchmarks.peers.dynet_models import Characters, Perceptron, Sentences, Tagger, Words

    if case.cell == "gru" and case.kind in ("tagger", "characters"):
        problem = build(case, reset_after=False)
    kinds = {"characters": Characters, "mlp": Perceptron, "embedding": Words, "tagger": Tagger}
    kind = Sentences if autobatch else kinds[case.kind]
    model = kind(problem)
    trainer = model.trainer(ADAM_RATE, RATE, MOMENTUM)

    def step(i: int) -> float:
        loss = model.loss(i)
        value = loss.value()
        loss.backward()
        trainer.update()
        return float(value)

    name = "autobatch" if autobatch else "mini-batches"
    return [Form(name, step, model.gradients, reset_after=case.cell != "gru")]
