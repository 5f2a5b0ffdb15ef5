"""DyNet with its automatic batching, which is chosen when a process starts: see `dynet_peer`."""

from benchmarks.cases import Problem
from benchmarks.peers import Form
from benchmarks.peers.dynet_peer import made


def forms(problem: Problem, threads: int, quick: bool) -> list[Form]:
    return made(problem, threads, quick, autobatch=True)
