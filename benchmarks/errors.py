"""What can go wrong in a measurement."""


class BenchmarkError(Exception):
    """A measurement that means nothing: a wrong answer, a server that does not start, a tool that is missing."""
