"""`zoo bench site`: static pages of a leaderboard that others can join."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.cli.common import refuse_further
from zoo.utils.printing import write_error, write_output


def add(verbs: Any, about: str) -> None:
    """Add the parser of the verb."""
    site = verbs.add_parser("site", help=about, allow_abbrev=False)
    site.add_argument("board", type=Path, metavar="DIR", help="the leaderboard")
    site.add_argument(
        "--out", type=Path, default=Path("site"), metavar="DIR", help="folder of the pages (default: site)"
    )
    site.set_defaults(action=_site)


def _site(known: argparse.Namespace, further: Sequence[str]) -> int:
    refuse_further(further)
    from benchmarks.submissions.checking import check_board
    from benchmarks.submissions.site import write_site

    board = check_board(known.board)
    for finding in board.findings:
        write_error(finding)
    for page in write_site(board, known.out):
        write_output(f"{page}\n")
    return 0
