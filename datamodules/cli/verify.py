"""`zoo data verify`: every file read, every finding named, headers mended on request."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from datamodules.cli.common import add_set, console, open_set, progress
from zoo.errors import ConfigError

if TYPE_CHECKING:
    from datamodules.verify import Report
    from datamodules.verify.fix_header import FixResult

HELP = "read every file and list what is wrong with the set; exit code 2 if anything is"


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_set(parser)
    parser.add_argument("--workers", metavar="N", type=int, help="threads that read (default: one a processor, max 8)")
    parser.add_argument(
        "--tolerance", metavar="VOXELS", type=float, help="how far two files of a case may lie apart (default: 0.1)"
    )
    parser.add_argument("--fix", choices=("header",), help="header: write copies that have their image's affine")
    parser.add_argument("--out", metavar="DIR", type=Path, help="where --fix writes to, outside of the set's folder")


def run(arguments: argparse.Namespace, options: Mapping[str, Any]) -> int:
    """Run the command."""
    _check(arguments)
    data = open_set(arguments, options)
    from datamodules.verify import inspect
    from datamodules.verify.fix_header import check_outside, fix_headers
    from zoo.io.same_grid import TOLERANCE

    if arguments.fix and not data.card.embedded:
        check_outside(data.folder, arguments.out)
    tolerance = TOLERANCE if arguments.tolerance is None else arguments.tolerance
    report = inspect(data, progress, arguments.workers, tolerance)
    mended = fix_headers(data, report.findings, arguments.out) if arguments.fix and not data.card.embedded else None
    out = console()
    if arguments.json:
        out.print_json(data={**report.to_dict(), **_as_json(mended)})
    else:
        _print(out, report)
        if mended is not None:
            _print_mended(out, mended, data.folder, arguments.out)
    return 2 if report.findings else 0


def _check(arguments: argparse.Namespace) -> None:
    """That the options go together.

    Raises:
        ConfigError: They do not.
    """
    if bool(arguments.fix) != (arguments.out is not None):
        raise ConfigError("--fix and --out go together.", "Give both: --fix header --out DIR.")
    if arguments.workers is not None and arguments.workers < 1:
        raise ConfigError(f"--workers {arguments.workers}: no thread would read.", "Give 1 or more.")
    if arguments.tolerance is not None and not arguments.tolerance >= 0:
        raise ConfigError(f"--tolerance {arguments.tolerance} is no distance.", "Give a number of voxels, as 0.1.")


def _print(out: Console, report: Report) -> None:
    """The findings by kind, each kind with its count."""
    from datamodules.verify import KINDS

    counted = f"{report.cases} cases, {report.files} files read"
    if report.known:
        told = ", ".join(f"{finding.case_id} ({finding.kind})" for finding in report.known)
        out.print(Text(f"Known of the published set, no fault of this copy: {told}."))
    if not report.findings:
        out.print(Text(f"{report.data} ({report.protocol}): nothing found; {counted}."))
        return
    count = f"{len(report.findings)} finding{'s' if len(report.findings) > 1 else ''}"
    table = Table(title=Text(f"{report.data} ({report.protocol}): {count}; {counted}"), title_justify="left")
    for name in ("case", "problem", "what mends it"):
        table.add_column(name, overflow="fold")
    for kind, number in report.kinds.items():
        table.add_section()
        table.add_row(Text(kind, "bold"), Text(f"{number} x {KINDS[kind]}", "bold"), "")
        for finding in report.findings:
            if finding.kind == kind:
                table.add_row(Text(finding.case_id or "-"), Text(finding.problem), Text(finding.fix))
    out.print(table)


def _print_mended(out: Console, mended: FixResult, folder: Path, target: Path) -> None:
    """What was written, what was not, and what to do with it."""
    for path in mended.written:
        out.print(Text(f"{path}: written with the affine of its image."))
    for path in mended.turned:
        out.print(Text(f"{path}: its axes pointed elsewhere than the image's; look at it before you train on it."))
    for reason in mended.skipped:
        out.print(Text(f"not mended: {reason}"))
    if mended.written:
        out.print(
            Text(
                f"{target} holds the corrected files alone. Lay them over a copy of the set: "
                f"`cp -r {folder} NEW && cp -r {target}/. NEW/`, then `zoo data verify ... --root NEW`."
            )
        )
    else:
        out.print("Nothing was written.")


def _as_json(mended: FixResult | None) -> dict[str, list[str]]:
    if mended is None:
        return {}
    return {
        "written": [str(path) for path in mended.written],
        "turned": [str(path) for path in mended.turned],
        "not_mended": list(mended.skipped),
    }
