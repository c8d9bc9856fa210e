"""`zoo bench cite`: write the references of a table as BibTeX, and print the paragraph on its methods."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.cli.common import add_folders, find_place, read_results, refuse_further
from zoo.errors import RunError
from zoo.utils.atomic_files import write_text
from zoo.utils.format import format_quantity
from zoo.utils.hashing import hash_text
from zoo.utils.printing import write_error, write_output

_SEAL = "% written by `zoo bench cite`, seal "


def add(verbs: Any, about: str) -> None:
    """Add the parser of the verb."""
    cite = verbs.add_parser("cite", help=about, allow_abbrev=False)
    add_folders(cite)
    cite.add_argument(
        "--out", type=Path, help="the file (default: references.bib in the folder, or beside the folders)"
    )
    cite.set_defaults(action=_cite)


def _cite(known: argparse.Namespace, further: Sequence[str]) -> int:
    refuse_further(further)
    from benchmarks.leaderboard.leaderboard import make_leaderboard
    from benchmarks.tables.methods_paragraph import write_paragraph
    from benchmarks.tables.references import collect_references

    benchmark = read_results(known.folders)
    leaderboard = make_leaderboard(benchmark, None)
    found = collect_references(benchmark, leaderboard)
    paragraph = write_paragraph(benchmark, leaderboard, found)
    out = known.out or find_place(known.folders, "references.bib")
    _write_sealed(out, "\n\n".join([_as_comment(paragraph), *(found.entries[key] for key in sorted(found.entries))]))
    for one in found.unknown:
        write_error(f"No publication is known of {one}: add it to your references.")
    write_output(f"{paragraph}\n\n% {format_quantity(len(found.entries), 'reference')}: {out}\n")
    return 0


def _as_comment(paragraph: str) -> str:
    """Return the paragraph as lines that BibTeX skips; it would read an @ there as the start of an entry."""
    lines = textwrap.wrap(paragraph.replace("@", "at"), 98, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"% {line}" for line in lines)


def _write_sealed(out: Path, text: str) -> None:
    """Write a file with the hash of its own text, and replace only a file that nobody has changed since.

    Raises:
        RunError: There is another file, or one to which somebody has added a reference.
    """
    body = f"{text}\n"
    if out.exists() and not _is_ours(out):
        raise RunError(f"{out}: not as `zoo bench cite` wrote it.", "Move the file, or give another --out FILE.")
    write_text(out, f"{_SEAL}{hash_text(body)}\n{body}")


def _is_ours(out: Path) -> bool:
    try:
        first, _, body = out.read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return False
    return first == f"{_SEAL}{hash_text(body)}"
