"""`zoo bench check`: check the entries of a leaderboard, and score their label images again."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.cli.common import refuse_further
from zoo.errors import ConfigError, RunError, ZooError
from zoo.utils.format import format_quantity
from zoo.utils.printing import write_error, write_output

if TYPE_CHECKING:
    from benchmarks.submissions.folder import Submission


def add(verbs: Any, about: str) -> None:
    """Add the parser of the verb."""
    check = verbs.add_parser("check", help=about, allow_abbrev=False)
    check.add_argument("board", type=Path, metavar="DIR", help="the leaderboard")
    check.add_argument("--data", default="", metavar="NAME", help="only score the entries of this data set again")
    check.add_argument(
        "--data.root", dest="root", default="", metavar="DIR", help="score the label images again on the data in DIR"
    )
    check.add_argument("--again", action="store_true", help="score again without a root: embedded data, or ZOO_DATA")
    check.add_argument("--record", action="store_true", help="write scored_again.json into entries whose rows agree")
    check.set_defaults(action=_check)


def _check(known: argparse.Namespace, further: Sequence[str]) -> int:
    """Check a leaderboard.

    Raises:
        RunError: An entry is wrong; each finding was printed.
    """
    refuse_further(further)
    from benchmarks.submissions.checking import check_board

    if known.record and not (known.again or known.root):
        raise ConfigError("zoo bench check: --record without scoring again.", "Add --data.root DIR or --again.")
    board = check_board(known.board)
    findings = list(board.findings)
    if known.again or known.root:
        findings += _score_again(known, board.entries)
    for finding in findings:
        write_error(finding)
    if findings:
        raise RunError(
            f"{known.board}: {format_quantity(len(findings), 'finding')} in the leaderboard.",
            "Mend each, and check again.",
        )
    write_output(f"{known.board}: no finding in {format_quantity(len(board.entries), 'submission')}\n")
    return 0


def _score_again(known: argparse.Namespace, entries: Sequence[Submission]) -> list[str]:
    """Score the entries again; return one line per entry whose rows differ.

    Raises:
        ConfigError: The folder would be that of several data sets.
    """
    from benchmarks.submissions.rescoring import score_again
    from zoo import __version__
    from zoo.callbacks.manifest import git_commit

    chosen = [entry for entry in entries if known.data in ("", entry.data)]
    if not chosen:
        raise ConfigError(f"{known.board}: no entry of the data set '{known.data}'.", "Leave out --data.")
    names = sorted({entry.data for entry in chosen})
    if known.root and len(names) > 1:
        raise ConfigError(f"--data.root {known.root}: entries of {', '.join(names)}.", "Choose one: --data NAME.")
    findings, commit = [], git_commit()  # before a record changes the checkout
    for entry in chosen:
        try:
            found = score_again(entry, known.root)
        except ZooError as error:
            findings.append(str(error))
            continue
        if found.note:
            write_output(f"{entry.folder}: not scored again: {found.note}\n")
            continue
        write_output(f"{entry.folder}: {format_quantity(found.rows, 'row')} scored again, all equal\n")
        if known.record:
            date = datetime.now(UTC).date().isoformat()
            entry.record_rescoring({"date": date, "commit": commit, "zoo": __version__, "rows": found.rows})
    return findings
