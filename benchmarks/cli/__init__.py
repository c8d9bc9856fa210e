"""`zoo bench`: from a plan to the table of a paper."""

from benchmarks.cli.main import main, make_parser

__all__ = ["main", "make_parser"]
