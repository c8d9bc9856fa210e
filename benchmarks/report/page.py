"""The report as one HTML file, which holds its styles, script, figures and pictures and loads nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report.templating import render_page
from benchmarks.report.typography import shorten_hashes, typeset
from zoo.errors import RunError
from zoo.utils.atomic_files import write_text
from zoo.utils.extras import advise_extra

if TYPE_CHECKING:
    from benchmarks.report.sections import Report
    from benchmarks.storage.results import Benchmark

TEMPLATES = Path(__file__).parent / "templates"


def write_report(benchmark: Benchmark | Path, out: Path, share: bool = False) -> list[str]:
    """Write the report of a benchmark in one step: a reader never finds half a file.

    Args:
        benchmark: What was read, or the folder of a benchmark.
        out: The HTML file.
        share: Leave out what the terms of the data sets do not allow to publish.

    Returns:
        What is left out and why, one sentence each.

    Raises:
        RunError: jinja2 or matplotlib is missing, there is no benchmark in the folder, a file of it cannot be read,
            or the report cannot be written.
    """
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise RunError(f"zoo bench report: {error.name} is missing.", advise_extra("report")) from error
    from benchmarks.report.sections import make_report
    from benchmarks.storage.results import read_benchmark

    found = read_benchmark(benchmark) if isinstance(benchmark, Path) else benchmark
    report = make_report(found, share)
    write_text(out, render(report))
    return list(dict.fromkeys(line for section in report.sections for line in section.left_out))


def render(report: Report) -> str:
    """Return the page. It escapes every text of the results, and allows no other script and no request."""
    filters = {"short": shorten_hashes, "typeset": typeset}
    return render_page(TEMPLATES / "report.html", "report.js", "report.css", {"report": report}, filters)
