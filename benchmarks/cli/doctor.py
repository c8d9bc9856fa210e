"""`zoo doctor`: what of this machine and this installation would stop a command, each finding with its mend."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from itertools import chain

from benchmarks.doctor.finding import Finding
from zoo.utils.exit_codes import run_command
from zoo.utils.flags import Parser
from zoo.utils.format import format_quantity
from zoo.utils.printing import write_output

_SUBJECT = 18  # letters of the first column


def main(argv: list[str]) -> int:
    """Run `zoo doctor`.

    Args:
        argv: The words after `zoo doctor`.

    Returns:
        0; 2 if something must be mended; 130 after Ctrl-C.
    """
    return run_command(lambda: _examine(make_parser().parse_args(argv)))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command; `zoo completion` reads it too."""
    about = "Check versions, GPU and driver, disk, shared memory, hub and data sets; each finding with its mend."
    parser = Parser(prog="zoo doctor", description=about, allow_abbrev=False)
    parser.add_argument("--verify", action="store_true", help="read every file of the data sets in $ZOO_DATA")
    parser.add_argument(
        "--models",
        nargs="*",
        metavar="NAME",
        help="train, test, segment and export with these models for some seconds each (without a name: all)",
    )
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    return parser


def _examine(arguments: argparse.Namespace) -> int:
    wrong, shown = 0, []
    for finding in _findings(arguments):
        wrong += finding.wrong
        if arguments.json:
            shown.append(finding.to_dict())
        else:
            _print(finding)
    if arguments.json:
        write_output(json.dumps(shown, indent=2) + "\n")
    else:
        write_output(f"{format_quantity(wrong, 'finding')} to mend\n" if wrong else "nothing to mend\n")
    return 2 if wrong else 0


def _findings(arguments: argparse.Namespace) -> Iterator[Finding]:
    """Yield the findings one by one, so that each is shown before the next check begins."""
    from benchmarks.doctor.data_sets import check_data, list_data_at_hand
    from benchmarks.doctor.hub import check_hub
    from benchmarks.doctor.machine import check_machine
    from benchmarks.doctor.models import list_models, try_models
    from benchmarks.doctor.packages import check_packages

    models = [] if arguments.models is None else list_models(arguments.models)  # a wrong name is refused first
    checks: Iterable[Iterable[Finding]] = (
        check_packages(),
        check_machine(),
        check_hub(),
        check_data(list_data_at_hand(), arguments.verify),
        try_models(models),
    )
    yield from chain.from_iterable(checks)


def _print(finding: Finding) -> None:
    mark = "!!" if finding.wrong else "ok"
    write_output(f"{mark}  {finding.subject:<{_SUBJECT}} {finding.what}\n")
    if finding.wrong:
        write_output(f"    {'':<{_SUBJECT}} -> {finding.fix}\n")
