"""Checks the entries of a leaderboard: their files, cases, conventions and whether they can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.leaderboard.leaderboard import Leaderboard, make_leaderboard
from benchmarks.leaderboard.row import LeaderboardRow
from benchmarks.storage.joined import read_folders
from benchmarks.storage.results import Benchmark, read_benchmark
from benchmarks.submissions.folder import Submission, list_entries, read_submission
from datamodules.index.card import DataCard
from zoo.errors import RunError, ZooError
from zoo.metrics.case_scores import METRIC_VERSION
from zoo.registry import DATA


@dataclass(frozen=True)
class Board:
    """A leaderboard whose files are intact.

    Attributes:
        entries: The entries that can be read.
        findings: What is wrong, one line each, beginning with the folder.
    """

    entries: tuple[Submission, ...]
    findings: tuple[str, ...]

    def groups(self) -> dict[tuple[str, str], list[Submission]]:
        """Return the entries of each (data set, protocol)."""
        found: dict[tuple[str, str], list[Submission]] = {}
        for entry in self.entries:
            found.setdefault((entry.data, entry.protocol), []).append(entry)
        return found


@dataclass(frozen=True)
class Compared:
    """The rows of the entries of one data set and protocol.

    Attributes:
        leaderboard: Their ranking groups.
        benchmark: What was read.
        rows: Name of an entry to its row.
    """

    leaderboard: Leaderboard
    benchmark: Benchmark
    rows: dict[str, LeaderboardRow] = field(default_factory=dict)


def check_board(folder: Path) -> Board:
    """Check every entry alone, and the entries of each data set and protocol together.

    Args:
        folder: The folder of the leaderboard.

    Raises:
        RunError: There is no such folder, or an entry has no `submission.json`.
    """
    entries, findings = [], []
    for path in list_entries(folder):
        try:
            entry = read_submission(path)
            entry.read_rescoring()
            findings += [f"{path}: {problem}" for problem in _check_alone(entry)]
            entries.append(entry)
        except ZooError as error:
            findings.append(str(error))
    board = Board(tuple(entries), ())
    for group in board.groups().values():
        findings += _check_together(group)
    return Board(board.entries, tuple(findings))


def compare_entries(entries: Sequence[Submission], statistics: bool = True) -> Compared:
    """Make the ranking groups of entries that have rows.

    Args:
        entries: Entries of one data set and protocol.
        statistics: Whether to compute intervals and tests.

    Raises:
        RunError: Two entries have the same training, or a file cannot be read.
    """
    found = replace(read_folders([entry.folder for entry in entries]), controls=())
    board = make_leaderboard(found) if statistics else make_leaderboard(found, None)
    by_job = {job: row for row in board.rows for job in row.jobs}
    jobs = {entry.name: [result.job.id for result in read_benchmark(entry.folder).results] for entry in entries}
    return Compared(board, found, {name: by_job[ids[0]] for name, ids in jobs.items() if ids[0] in by_job})


def is_plain_name(name: str) -> bool:
    """Return whether a name stays in its folder: it has no separator, and is not that of a parent.

    Example:
        >>> is_plain_name("phantom_chest-unet-s0"), is_plain_name("../other")
        (True, False)
    """
    return name not in ("", ".", "..") and not {"/", "\\"} & set(name)


def _check_alone(entry: Submission) -> list[str]:
    """Return what is wrong with the content of an entry."""
    if entry.data not in DATA:
        return [f"{entry.data} is no data set of this version. Known: `zoo list data`."]
    known = DataCard.of(DATA.get(entry.data)).protocols
    if entry.protocol.rpartition("-")[0] not in known and entry.protocol not in known:
        return [f"{entry.protocol} is no protocol of {entry.data}. Known: {', '.join(known)}."]
    if str(entry.content["metric_version"]) != METRIC_VERSION:
        version = entry.content["metric_version"]
        return [f"scored by version {version} of the metrics, not {METRIC_VERSION}. Test again with this version."]
    if not entry.has_rows:
        return []
    results = read_benchmark(entry.folder).results
    problems = [result.refusal for result in results if result.refusal]
    problems += [f"{result.name}: {result.state}" for result in results if result.state != "done"]
    problems += [f"'{result.job.id}' is no name of a job" for result in results if not is_plain_name(result.job.id)]
    others = {result.job.data for result in results} - {entry.data}
    return problems + [f"its jobs are on {other}" for other in sorted(others)]


def _check_together(entries: Sequence[Submission]) -> list[str]:
    """Return which entries cannot be compared with the others of their data set and protocol."""
    with_rows = [entry for entry in entries if entry.has_rows]
    if not with_rows:
        return []
    try:
        compared = compare_entries(with_rows, statistics=False)
    except RunError as error:
        return [str(error)]
    refused = {row: row.reason for group in compared.leaderboard.groups for row in group.unranked}
    places = {entry.name: entry.folder for entry in with_rows}
    return [
        f"{places[name]}: cannot be compared: {refused[row]}" for name, row in compared.rows.items() if row in refused
    ]
