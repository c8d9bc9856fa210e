"""`zoo bench`: from a plan to the table of a paper."""

from benchmarks.cli.main import main

__all__ = ["main"]
