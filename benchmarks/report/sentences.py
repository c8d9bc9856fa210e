"""What a report says in words: what was compared, who leads, and what speaks against it."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.leaderboard.leaderboard import Block, Table
from benchmarks.leaderboard.ranking import Standing
from benchmarks.leaderboard.row import Row, names_of
from benchmarks.report.cells import number, typeset
from benchmarks.report.provenance import Shared, period
from benchmarks.storage.results import Result
from benchmarks.tables.views import fixed, mark_legend, p_value, seeds_text
from zoo.utils.format import counted


def summary(results: Sequence[Result]) -> str:
    """What was compared, in a sentence."""
    models = sorted({one.job.model for one in results})
    data, seeds = {one.job.shown_data for one in results}, {one.job.seed for one in results}
    runs = len(results)
    finished = sum(one.state == "done" for one in results)
    return (
        f"{counted(len(models), 'model')} ({', '.join(models)}) on {counted(len(data), 'data set')}, "
        f"{counted(len(seeds), 'seed')}: {counted(runs, 'run')}, {'all' if finished == runs else finished} complete."
    )


def facts(results: Sequence[Result], shared: Shared) -> Shared:
    """What was compared: (name, value)."""
    job = results[0].job
    known = dict(shared)
    overrides = ", ".join(f"--{key} {value}" for key, value in job.settings.overrides)
    facts = [
        ("Seeds", ", ".join(str(seed) for seed in sorted({one.job.seed for one in results}))),
        ("Size", job.settings.size),
        ("Trainer", job.settings.trainer or "default"),
        ("Overrides", overrides),
        ("Budget", known.get("budget", "").replace("_", " ")),
        ("Metric version", known.get("metric version", "")),
        ("textseg-zoo", known.get("textseg-zoo", "")),
        ("Commit", known.get("commit", "")),
        ("Run", period(results)),
    ]
    return [(name, value) for name, value in facts if value]


def warnings(results: Sequence[Result], table: Table) -> list[str]:
    """What speaks against the whole: jobs that are not done, rows that are not ranked."""
    lines = []
    lacking = [one for one in results if one.state != "done"]
    if lacking:
        states = {state: sum(one.state == state for one in lacking) for state in sorted({r.state for r in lacking})}
        by_state = ", ".join(f"{count} {state}" for state, count in states.items())
        lines.append(f"{len(lacking)} of {len(results)} runs are not done ({by_state}): their rows are not ranked.")
    if any("-dirty" in str(one.facts.get("git_commit")) for one in results):
        lines.append("Some runs are of a checkout with uncommitted changes (commit ends in -dirty).")
    for block in table.blocks:
        if block.unranked:
            total = len(block.ranked) + len(block.unranked)
            lines.append(
                f"{block.title}: {len(block.unranked)} of {counted(total, 'model')} not ranked, for the reasons below."
            )
    return lines


def lead(block: Block) -> str:
    """The ranking in a sentence, without a claim that no test backs."""
    if not block.ranked:
        return "No row is complete and comparable: there is no ranking."
    names = names_of(block.ranked)
    best, *others = block.ranked
    level = [names[row] for row in block.ranked if fixed(row.dice, 3) == fixed(best.dice, 3)]
    line, verb = f"{names[best]} has the highest Dice, {_spread(best)}", "is "
    if len(level) > 1:  # what prints alike leads together
        line, verb = f"{', '.join(level[:-1])} and {level[-1]} have the highest Dice, {fixed(best.dice, 3)}", "are "
    elif others:
        gap = (best.dice or 0.0) - (others[0].dice or 0.0)
        line, verb = f"{line}, {gap:.3f} above {names[others[0]]}", ""
        line += _apart(block.ranking.standings[1]) if len(block.ranking.standings) > 1 else ""
    controls = [row for row in block.controls if row.dice is not None and row.n is not None]
    if controls:
        top = max(controls, key=lambda row: (row.dice or 0.0, row.model))
        word = "above" if (best.dice or 0.0) > (top.dice or 0.0) else "not above"
        line += f", and {verb}{word} the best control ({top.model.removeprefix('control:')}, {top.dice:.3f})"
    return f"{line}."


def _apart(second: Standing) -> str:
    """Whether the test tells the best from the second, in brackets; empty where there was no test."""
    if second.p_holm is None:
        return ""
    p = p_value(second.p_holm)
    said = f"p {p}" if p.startswith("<") else f"p = {p}"
    if second.delta_low is not None and second.delta_high is not None:
        said = typeset(f"95 % CI {fixed(-second.delta_high, 3)} to {fixed(-second.delta_low, 3)}, {said}")
    return f" ({said}{'' if second.worse else ': the test does not tell them apart'})"


def mark(block: Block) -> str:
    """What the mark of the test says, or that no row bears it; empty where there was no test."""
    tested = [one for one in block.ranking.standings if one.p_holm is not None]
    if tested and not any(one.worse for one in tested):
        return "No model differs from the best by the test (see below): the order may be due to chance."
    return mark_legend(block)


def _spread(row: Row) -> str:
    return number(row.dice, 3, row.dice_std).text


def shared_facts(block: Block) -> Shared:
    """What the gate found to agree, and how many rows stand in the ranking."""
    first = next(iter((*block.ranked, *block.unranked)), None)
    if first is None:
        return []
    budgets = {row.budget for row in block.ranked}
    facts = [
        ("Test cases", "" if first.n is None else str(first.n)),
        ("Subjects", "" if first.subjects is None else str(first.subjects)),
        ("Seeds", seeds_text(first)),
        ("Split", first.split_hash),
        ("Metric version", first.metric_version),
        (
            "Budget",
            first.budget.replace(" ", ", ").replace("=", " ").replace("_", " ") if len(budgets) < 2 else "each its own",
        ),
        ("Ranked", f"{len(block.ranked)} of {len(block.ranked) + len(block.unranked)} models"),
    ]
    return [(name, value) for name, value in facts if value]
