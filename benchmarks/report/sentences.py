"""The sentences of a report: what was compared, which model is best, and what limits the result."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.leaderboard.leaderboard import Leaderboard, RankingGroup
from benchmarks.leaderboard.ranking import RankedRow
from benchmarks.leaderboard.row import unique_labels
from benchmarks.report.provenance import Shared, find_period
from benchmarks.report.typography import typeset
from benchmarks.storage.results import JobResult
from benchmarks.storage.scored import STATED
from benchmarks.tables.columns import find_columns
from benchmarks.tables.numbers import format_number, format_p_value, format_spread
from benchmarks.tables.views import mark_legend
from zoo.utils.format import format_quantity


def summarise_results(results: Sequence[JobResult]) -> str:
    """Return what was compared, in a sentence."""
    models = sorted({one.job.model for one in results})
    data, seeds = {one.job.shown_data for one in results}, {one.job.seed for one in results}
    runs = len(results)
    finished = sum(one.state == "done" for one in results)
    return (
        f"{format_quantity(len(models), 'model')} ({', '.join(models)}) on {format_quantity(len(data), 'data set')}, "
        f"{format_quantity(len(seeds), 'seed')}: {format_quantity(runs, 'run')}, "
        f"{'all' if finished == runs else finished} done."
    )


def list_settings(results: Sequence[JobResult], shared: Shared) -> Shared:
    """Return what was compared: (name, value)."""
    known = dict(shared)
    settings = {one.job.settings for one in results}
    given = {", ".join(f"--{key} {value}" for key, value in one.overrides) for one in settings}
    trainers = {one.trainer or "default" for one in settings}
    pairs = [
        ("Seeds", ", ".join(str(seed) for seed in sorted({one.job.seed for one in results}))),
        ("Size", ", ".join(sorted({one.size for one in settings}))),
        ("Trainer", ", ".join(sorted(trainers))),
        ("Overrides", given.pop() if len(given) == 1 else "differ from job to job"),
        ("Budget", known.get("budget", "").replace("_", " ")),
        ("Metric version", known.get("metric version", "")),
        ("Hardware", ", ".join(sorted({str(one.manifest.get("hardware") or "") for one in results} - {""}))),
        ("textseg-zoo", known.get("textseg-zoo", "")),
        ("Commit", known.get("commit", "")),
        ("Run", find_period(results)),
    ]
    return [(name, value) for name, value in pairs if value]


def list_warnings(results: Sequence[JobResult], leaderboard: Leaderboard) -> list[str]:
    """Return the limits of the whole benchmark: jobs that are not done, rows that are not ranked."""
    lines = []
    unfinished = [one for one in results if one.state != "done"]
    if unfinished:
        states = {
            state: sum(one.state == state for one in unfinished) for state in sorted({r.state for r in unfinished})
        }
        by_state = ", ".join(f"{count} {state}" for state, count in states.items())
        lines.append(f"{len(unfinished)} of {len(results)} runs are not done ({by_state}): their rows are not ranked.")
    if any("-dirty" in str(one.manifest.get("git_commit")) for one in results):
        lines.append("Some runs are of a checkout with uncommitted changes (commit ends in -dirty).")
    for group in leaderboard.groups:
        ranked, total = len(group.ranked), _count_models(group)
        if ranked < total:
            lines.append(
                f"{group.title}: {total - ranked} of {format_quantity(total, 'model')} not ranked, "
                "for the reasons below."
            )
    return lines


def _count_models(group: RankingGroup) -> int:
    """Count the rows of models; methods outside the zoo are never ranked and are not counted."""
    return len(group.ranked) + sum(STATED not in row.mark for row in group.unranked)


def write_lead(group: RankingGroup) -> str:
    """Return the ranking in a sentence, without a claim that no test supports."""
    if not group.ranked:
        return f"No row is complete and comparable: there is no ranking.{_describe_parts(group)}"
    names = unique_labels(group.ranked)
    best, *others = group.ranked
    highest = format_number(best.dice, 3)
    equal = [names[row] for row in group.ranked if format_number(row.dice, 3) == highest]
    line, verb = f"{names[best]} has the highest Dice, {format_spread(best.dice, best.std.dice, 3)}", "is "
    if len(equal) > 1:  # rows that print alike are best together
        line, verb = f"{', '.join(equal[:-1])} and {equal[-1]} have the highest Dice, {highest}", "are "
    elif others:
        gap = (best.dice or 0.0) - (others[0].dice or 0.0)
        line, verb = f"{line}, {gap:.3f} above {names[others[0]]}", ""
        line += _describe_difference(group.ranking.rows[1]) if len(group.ranking.rows) > 1 else ""
    controls = [row for row in group.controls if row.dice is not None and row.n is not None]
    if controls:
        top = max(controls, key=lambda row: (row.dice or 0.0, row.model))
        word = "above" if (best.dice or 0.0) > (top.dice or 0.0) else "not above"
        line += f", and {verb}{word} the best control ({top.model.removeprefix('control:')}, {top.dice:.3f})"
    return f"{line}."


def _describe_parts(group: RankingGroup) -> str:
    """Return the Dice of the incomplete rows that have scores, each with the reason why it has no rank."""
    rows = [row for row in group.unranked if row.status == "incomplete" and row.dice is not None]
    names = unique_labels(rows)
    return "".join(f" {names[row]}: Dice {format_number(row.dice, 3)}, {row.reason}." for row in rows)


def _describe_difference(second: RankedRow) -> str:
    """Return whether the test finds the second worse than the best, in brackets; empty where there was no test."""
    if second.p_holm is None:
        return ""
    p = format_p_value(second.p_holm)
    text = f"p {p}" if p.startswith("<") else f"p = {p}"
    if second.delta_low is not None and second.delta_high is not None:
        low, high = format_number(-second.delta_high, 3), format_number(-second.delta_low, 3)
        text = typeset(f"95 % CI {low} to {high}, {text}")
    return f" ({text}{'' if second.worse else ': the test finds no difference'})"


def explain_mark(group: RankingGroup) -> str:
    """Return what the mark of the test means, or that no row has it; empty where there was no test."""
    tested = [one for one in group.ranking.rows if one.p_holm is not None]
    if tested and not any(one.worse for one in tested):
        return "The test finds no model that differs from the best (see below): the order may be due to chance."
    return mark_legend(group)


def _describe_shared(key: str, group: RankingGroup) -> str:
    values = {str(getattr(row, key)) for row in group.ranked} - {""}
    return "each its own" if len(values) > 1 else next(iter(values), "")


def list_shared_conditions(group: RankingGroup) -> Shared:
    """Return the conditions that the ranked rows share, and the number of ranked rows."""
    first = next(iter((*group.ranked, *group.unranked)), None)
    if first is None:
        return []
    budgets = {row.budget for row in group.ranked}
    pairs = [
        ("Test cases", "" if first.n is None else str(first.n)),
        ("Subjects", "" if first.subjects is None else str(first.subjects)),
        ("Seeds", find_columns("seeds")[0].print(first)),
        ("Split", first.split_hash),
        ("Metric version", first.metric_version),
        (
            "Budget",
            first.budget.replace(" ", ", ").replace("=", " ").replace("_", " ") if len(budgets) < 2 else "each its own",
        ),
        *((key.capitalize(), _describe_shared(key, group)) for key in ("loss", "validation")),
        ("Ranked", f"{len(group.ranked)} of {_count_models(group)} models"),
    ]
    return [(name, value) for name, value in pairs if value]
