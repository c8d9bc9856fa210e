"""`zoo data verify`: read every file, list every finding, and correct headers on request."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from datamodules.cli.common import add_data_arguments, console, open_data, progress
from zoo.errors import ConfigError
from zoo.utils.terminal import SafeConsole

if TYPE_CHECKING:
    from datamodules.verify import Report
    from datamodules.verify.fix_header import FixResult

HELP = "read every file and list the faults of the data set; exit code 2 for any finding"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_data_arguments(parser)
    parser.add_argument(
        "--workers", metavar="N", type=int, help="threads that read (default: one per processor, at most 8)"
    )
    parser.add_argument(
        "--tolerance",
        metavar="VOXELS",
        type=float,
        help="largest distance between the grids of two files of a case (default: 0.1)",
    )
    parser.add_argument("--fix", choices=("header",), help="header: write copies with the affine of the image")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="folder for the files of --fix, outside of the data set"
    )


def run(arguments: argparse.Namespace, options: Mapping[str, Any]) -> int:
    """Run the command."""
    _check(arguments)
    data = open_data(arguments, options)
    from datamodules.verify import inspect
    from datamodules.verify.fix_header import check_outside, fix_headers
    from zoo.io.same_grid import TOLERANCE

    if arguments.fix and not data.card.embedded:
        check_outside(data.folder, arguments.out)
    tolerance = TOLERANCE if arguments.tolerance is None else arguments.tolerance
    report = inspect(data, progress, arguments.workers, tolerance)
    fixes = fix_headers(data, report.findings, arguments.out) if arguments.fix and not data.card.embedded else None
    out = console()
    if arguments.json:
        out.print_json(data={**report.to_dict(), **_as_json(fixes)})
    else:
        _print(out, report)
        if fixes is not None:
            _print_fixes(out, fixes, data.folder, arguments.out)
    return 2 if report.findings else 0


def _check(arguments: argparse.Namespace) -> None:
    """Check that the options fit together.

    Raises:
        ConfigError: They do not fit.
    """
    if bool(arguments.fix) != (arguments.out is not None):
        raise ConfigError("--fix and --out go together.", "Give both: --fix header --out DIR.")
    if arguments.workers is not None and arguments.workers < 1:
        raise ConfigError(f"--workers {arguments.workers} is too few.", "Give 1 or more.")
    if arguments.tolerance is not None and not arguments.tolerance >= 0:
        raise ConfigError(
            f"--tolerance {arguments.tolerance} is not a distance.", "Give a number of voxels, such as 0.1."
        )


def _print(out: SafeConsole, report: Report) -> None:
    """Print the findings by kind, each kind with its count."""
    from datamodules.verify import KINDS

    counted = f"{report.cases} cases, {report.files} files read"
    if report.known:
        named = ", ".join(f"{finding.case_id} ({finding.kind})" for finding in report.known)
        out.print(Text(f"Known findings of the published data set, no fault of this copy: {named}."))
    if not report.findings:
        out.print(Text(f"{report.data} ({report.protocol}): nothing found; {counted}."))
        return
    count = f"{len(report.findings)} finding{'s' if len(report.findings) > 1 else ''}"
    table = Table(title=Text(f"{report.data} ({report.protocol}): {count}; {counted}"), title_justify="left")
    for name in ("case", "problem", "what to do"):
        table.add_column(name, overflow="fold")
    for kind, number in report.kinds.items():
        table.add_section()
        table.add_row(Text(kind, "bold"), Text(f"{number} x {KINDS[kind]}", "bold"), "")
        for finding in report.findings:
            if finding.kind == kind:
                table.add_row(Text(finding.case_id or "-"), Text(finding.problem), Text(finding.fix))
    out.print(table)


def _print_fixes(out: SafeConsole, fixes: FixResult, folder: Path, target: Path) -> None:
    """Print what was written, what was not written, and what to do next."""
    for path in fixes.written:
        out.print(Text(f"{path}: written with the affine of its image."))
    for path in fixes.turned:
        out.print(
            Text(f"{path}: its axes had another direction than those of the image; check it before you train on it.")
        )
    for reason in fixes.skipped:
        out.print(Text(f"not corrected: {reason}"))
    if fixes.written:
        out.print(
            Text(
                f"{target} contains the corrected files only. Copy them over a copy of the data set: "
                f"`cp -r {folder} NEW && cp -r {target}/. NEW/`, then `zoo data verify ... --root NEW`."
            )
        )
    else:
        out.print("Nothing was written.")


def _as_json(fixes: FixResult | None) -> dict[str, list[str]]:
    if fixes is None:
        return {}
    return {
        "written": [str(path) for path in fixes.written],
        "turned": [str(path) for path in fixes.turned],
        "not_corrected": list(fixes.skipped),
    }
