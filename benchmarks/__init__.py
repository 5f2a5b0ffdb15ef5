"""Speed beside other frameworks: `python -m benchmarks [--case NAME] [--quick]`, or `make bench`.

`cases` says what is computed, `peers` how each framework does it, `worker` runs one of them in a process of its own,
`measure` takes turns, `floor` says how fast the machine's own arithmetic would let it be, `outside` measures what is
no step, `report` writes the table, the plot and `results.json`. A peer computes the same loss and the same gradients on
the same numbers, which is asserted before anything is timed, and of the ways to write its step the fastest counts.

By themselves, each as `python -m benchmarks.NAME`: `tagger` (a tagger trained from start to end, beside the same in
PyTorch), `growth` (cost by vocabulary and labels), `jobs` (one job of several threads, or several of one), `vectors`
(reading word vectors), `instructions` (instructions a step, beside those recorded: what `make guard` and CI check).
"""
