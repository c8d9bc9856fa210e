"""One self-contained HTML file: styles, script, figures and pictures are in it, and it asks for nothing."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import RunError
from zoo.utils.atomic_files import write_text
from zoo.utils.hashing import hash_text

if TYPE_CHECKING:
    from benchmarks.report.sections import Report

TEMPLATES = Path(__file__).parent / "templates"


def write_report(folder: Path, out: Path) -> None:
    """Writes the report of a benchmark, whole or not at all.

    Args:
        folder: Of the benchmark.
        out: The HTML file.

    Raises:
        RunError: jinja2 or matplotlib is missing, there is no benchmark in the folder, a file of it cannot be read,
            or the report cannot be written.
    """
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise RunError(
            f"zoo bench report: {error.name} is missing.", "Run `pip install 'textseg-zoo[report]'`."
        ) from error
    from benchmarks.report.sections import read_report

    write_text(out, render(read_report(folder)))


def render(report: Report) -> str:
    """The page. Every text of the results is escaped; the page allows no script but its own, and no request."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from benchmarks.report.cells import Cell

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["short"] = lambda text: Cell(text).short
    script, style = (_own(name) for name in ("report.js", "report.css"))
    digest = base64.b64encode(bytes.fromhex(hash_text(script))).decode()
    facts: dict[str, Any] = {"report": report, "digest": digest}
    files = {"script": Markup(script), "style": Markup(style)}  # noqa: S704 - our own files
    return environment.get_template("report.html").render(**facts, **files)


def _own(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
