"""`zoo data verify`: read every file, list every finding, and correct headers on request."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from datamodules.acquire.sources import find_folder
from datamodules.cli.common import add_data_arguments, console, open_data, progress
from datamodules.index.card import DataCard
from zoo.errors import ConfigError
from zoo.registry import DATA
from zoo.utils.format import format_quantity
from zoo.utils.terminal import SafeConsole

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule
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
    parser.add_argument(
        "--against",
        metavar="NAME[=DIR]",
        action="append",
        default=[],
        help="name the cases that another data set has as well; may be repeated. Data sets whose cards say that they "
        "share cases, and that are in $ZOO_DATA, are compared anyway",
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
    report = inspect(data, progress, arguments.workers, tolerance, _open_others(arguments.against, data))
    fixes = fix_headers(data, report.findings, arguments.out) if arguments.fix and not data.card.embedded else None
    out = console()
    if arguments.json:
        out.print_json(data={**report.to_dict(), **_as_json(fixes)})
    else:
        _print(out, report)
        if fixes is not None:
            _print_fixes(out, fixes, data.folder, arguments.out)
    return 2 if report.findings else 0


def _open_others(given: Sequence[str], data: SegDataModule) -> list[SegDataModule]:
    """Make the data modules that are compared: those of --against, then those at hand that share cases by their cards.

    Raises:
        UnknownNameError: There is no such data set.
        DataError: It has no folder.
    """
    from datamodules.build import build_datamodule
    from datamodules.verify.shared_cases import names_at_hand

    roots = {name: root for name, _, root in (one.partition("=") for one in given)}
    for name, root in roots.items():
        facts = DataCard.of(DATA.get(name))
        if facts.embedded or data.card.embedded:
            problem = f"--against {name}: a generated data set shares no case with another one."
            raise ConfigError(problem, "Name two data sets that have files.")
        find_folder(facts, root or None)
    names = dict.fromkeys([*roots, *names_at_hand(data)])
    return [build_datamodule(name, **({"root": roots[name]} if roots.get(name) else {})) for name in names]


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
    for line in _describe_shared(report):
        out.print(Text(line))
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


def _describe_shared(report: Report) -> Iterator[str]:
    """One line per data set that was compared."""
    for one in report.shared:
        where = f"{one.data} ({one.folder})"
        if one.problem:
            yield f"{where} cannot be compared: {one.problem}"
            continue
        cases = format_quantity(len(one.pairs), "case")
        named = ", ".join(mine if mine == theirs else f"{mine} (there {theirs})" for mine, theirs in one.pairs)
        said = "as the cards say" if one.declared else "which no card says"
        unread = f" {format_quantity(one.unread, 'image')} of it cannot be read." if one.unread else ""
        yield (
            f"{where}: {cases} of {report.data} in it, {said}: {named}.{unread}"
            if named
            else (f"{where}: no case of {report.data} in it.{unread}")
        )


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
