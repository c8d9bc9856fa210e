"""`zoo bench report`: write a benchmark as one HTML file that opens from disk."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.cli.common import refuse_further
from zoo.utils.terminal import write_output


def add(verbs: Any) -> None:
    """Add the parser of the verb."""
    report = verbs.add_parser("report", help="write one HTML file with tables, figures and cases", allow_abbrev=False)
    report.add_argument("folder", type=Path)
    report.add_argument("--out", type=Path, help="the file (default: DIR/report.html)")
    report.set_defaults(action=_report)


def _report(known: argparse.Namespace, further: Sequence[str]) -> int:
    refuse_further(further)
    from benchmarks.report import write_report

    out = known.out or known.folder / "report.html"
    write_report(known.folder, out)
    write_output(f"{out} ({out.stat().st_size / 1e6:.1f} MB)\n")
    return 0
