"""`zoo bench report`: write a benchmark as one HTML file that opens from disk."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.cli.common import add_folders, find_place, read_results, refuse_further
from zoo.utils.printing import write_output


def add(verbs: Any, about: str) -> None:
    """Add the parser of the verb."""
    report = verbs.add_parser("report", help=about, allow_abbrev=False)
    add_folders(report)
    report.add_argument("--out", type=Path, help="the file (default: report.html in the folder, or beside the folders)")
    report.add_argument(
        "--share",
        action="store_true",
        help="leave out pictures and scores of cases where the terms of the data do not allow to publish them "
        "(default file: report_shared.html)",
    )
    report.set_defaults(action=_report)


def _report(known: argparse.Namespace, further: Sequence[str]) -> int:
    refuse_further(further)
    from benchmarks.report import write_report

    out = known.out or find_place(known.folders, "report_shared.html" if known.share else "report.html")
    for line in write_report(read_results(known.folders), out, known.share):
        write_output(f"{line}\n")
    write_output(f"{out} ({out.stat().st_size / 1e6:.1f} MB)\n")
    return 0
