"""Static pages of a leaderboard that others can join: they load nothing, and open from disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.leaderboard.row import LeaderboardRow
from benchmarks.report.templating import render_page
from benchmarks.submissions.checking import Board, Compared, compare_entries
from benchmarks.submissions.folder import Submission
from zoo.errors import RunError
from zoo.utils.atomic_files import write_text
from zoo.utils.extras import advise_extra

TEMPLATES = Path(__file__).parent / "templates"

SIZES = ((1e6, "below 1 M"), (10e6, "1 M to 10 M"), (100e6, "10 M to 100 M"), (float("inf"), "100 M or more"))
"""Upper ends of the classes of size, in parameters, and their names."""


@dataclass(frozen=True, slots=True)
class Line:
    """One entry in a table.

    Attributes:
        name: Name of the entry.
        place: Its rank among the entries of its ranking group that were scored again; None for the others.
        status: "scored again by us" with date and commit, or "as submitted".
        model: The model.
        group: What its ranking group compares.
        track, size, pretrained: What the filters choose by.
        cells: The other cells.
        note: Why it is not ranked, or a remark.
    """

    name: str
    place: int | None
    status: str
    model: str
    group: str
    track: str
    size: str
    pretrained: str
    cells: tuple[str, ...]
    note: str = ""


COLUMNS = ("Dice", "95 % CI", "HD95", "NSD", "Text gain", "Params (M)", "Cases", "Seeds")


def write_site(board: Board, out: Path) -> list[Path]:
    """Write `index.html` and one page per data set and protocol.

    Args:
        board: The entries.
        out: The folder of the pages; earlier pages are replaced.

    Raises:
        RunError: jinja2 or matplotlib is missing, or a page cannot be written.
    """
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise RunError(f"zoo bench site: {error.name} is missing.", advise_extra("report")) from error
    groups = sorted(board.groups().items())
    pages = [out / data / f"{protocol}.html" for (data, protocol), _ in groups]
    for page, ((data, protocol), entries) in zip(pages, groups, strict=True):
        write_text(page, _render("group.html", title=f"{data}, {protocol}", **_describe_group(entries)))
    index = out / "index.html"
    shown = [
        {"address": f"{data}/{protocol}.html", "title": f"{data}, {protocol}", "entries": len(entries),
         "again": sum(bool(entry.read_rescoring()) for entry in entries)}
        for (data, protocol), entries in groups
    ]  # fmt: skip
    write_text(index, _render("index.html", title="Leaderboard", groups=shown))
    return [index, *pages]


def _describe_group(entries: Sequence[Submission]) -> dict[str, Any]:
    """Return what the page of a data set and protocol shows."""
    from benchmarks.report.entries import make_entries
    from benchmarks.report.plots import draw_boxes
    from benchmarks.tables.published_comparison import HEAD, compare_with_published, list_cells

    with_rows = [entry for entry in entries if entry.has_rows]
    again = [entry for entry in with_rows if entry.read_rescoring()]
    every = compare_entries(with_rows) if with_rows else None
    ranked = compare_entries(again) if again else None
    lines = [_make_line(entry, every, ranked) for entry in entries]
    lines.sort(key=lambda line: (line.group, line.place is None, line.place or 0, line.name))
    groups = every.leaderboard.groups if every else ()
    shown = [make_entries(group, every.benchmark.results if every else ()) for group in groups]
    figures = [draw_boxes(ones, None, f"g{place}") for place, ones in enumerate(shown) if ones]
    published = compare_with_published(every.leaderboard) if every else None
    return {
        "lines": lines,
        "columns": COLUMNS,
        "filters": {
            "track": ("Text track", sorted({line.track for line in lines})),
            "size": ("Size", [name for _, name in SIZES if any(line.size == name for line in lines)]),
            "pretrained": ("Pre-trained vision", sorted({line.pretrained for line in lines})),
        },
        "figures": figures,
        "published_head": HEAD,
        "published": [list_cells(line) for line in published.lines] if published else [],
    }


def _make_line(entry: Submission, every: Compared | None, ranked: Compared | None) -> Line:
    again = entry.read_rescoring()
    status = f"scored again by us ({again['date']}, {str(again['commit'])[:10]})" if again else "as submitted"
    row = every.rows.get(entry.name) if every else None
    content = entry.content
    pretrained = "yes" if content.get("pretrained_vision") else "no"
    track = str(content["text_track"])
    if row is None:
        note = "its terms allow no scores of cases" if not entry.has_rows else "its rows cannot be read"
        return Line(
            entry.name, None, status, str(content["model"]), "", track, "", pretrained, ("",) * len(COLUMNS), note
        )
    group = next(one.title for one in every.leaderboard.groups if row in one.rows) if every else ""
    place, note = _find_place(entry, ranked)
    size = next(name for end, name in SIZES if (row.params or 0) < end)
    return Line(
        entry.name, place, status, row.label, group, track, size, pretrained, _list_cells(row), note or row.reason
    )


def _find_place(entry: Submission, ranked: Compared | None) -> tuple[int | None, str]:
    """Return the rank of an entry among those that were scored again, and why it has none."""
    row = ranked.rows.get(entry.name) if ranked else None
    if row is None or ranked is None:
        return None, "ranked once we have scored its label images again"
    for group in ranked.leaderboard.groups:
        if row in group.ranked:
            place = group.ranked.index(row)
            ranks = [one.rank for one in group.ranking.rows]  # equal scores share a rank
            return (ranks[place] if place < len(ranks) else None) or place + 1, ""
    return None, row.reason


def _list_cells(row: LeaderboardRow) -> tuple[str, ...]:
    def number(value: float | None, digits: int = 3, sign: str = "") -> str:
        return "" if value is None else f"{value:{sign}.{digits}f}"

    interval = f"{number(row.dice_low)} to {number(row.dice_high)}" if row.dice_low is not None else ""
    return (
        number(row.dice),
        interval,
        f"{number(row.hd95, 2)} {row.hd95_unit}".strip(),
        number(row.nsd),
        number(row.text_gain, 3, "+"),
        number((row.params or 0) / 1e6, 2),
        str(row.n or ""),
        str(row.seeds or ""),
    )


def _render(template: str, **values: Any) -> str:
    return render_page(TEMPLATES / template, "site.js", "site.css", values)
