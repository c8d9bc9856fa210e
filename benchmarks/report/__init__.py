"""The report: a benchmark's folder as one HTML file that needs nothing beside it."""

from benchmarks.report.page import write_report

__all__ = ["write_report"]
