"""To come."""


def forms(problem, threads, quick):
    return []
