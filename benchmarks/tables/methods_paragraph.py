"""The paragraph of a paper that says what the numbers of a table are: models, split, budget, convention, hardware."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.leaderboard.leaderboard import Leaderboard
from benchmarks.leaderboard.row import LeaderboardRow
from benchmarks.plan.job import EQUAL, MATCHED
from benchmarks.storage.results import Benchmark, JobResult
from benchmarks.storage.scored import STATED
from benchmarks.tables.latex import escape_latex
from benchmarks.tables.references import DATA_SET, ENCODER, LOSS, METRIC, MODEL, VISION_NETWORK, References
from datamodules.index.card import DataCard
from datamodules.index.splits import SPLITS
from zoo.metrics.definitions import METRICS
from zoo.registry import DATA
from zoo.utils.config_values import plain_key
from zoo.utils.format import format_quantity

_PARTS = dict(zip(SPLITS, ("for training", "for validation", "for the test"), strict=True))

_BUDGETS = {
    EQUAL: "All models of a data set had one budget",
    MATCHED: "All models of a data set had one vision network, optimiser, loss and budget",
}
"""What a recipe says of the budget of its models."""

_OWN = "Each model had the budget of its own published recipe"

_MEANS = (
    "Each mean is over the cases of a class, then over the classes, then over the seeds. A class in neither mask is "
    "left out. A missed or spurious object has Dice 0, NSD 0 and the diagonal of the image as each distance."
)


def write_paragraph(benchmark: Benchmark, leaderboard: Leaderboard, references: References) -> str:
    r"""Write the paragraph in LaTeX, with `\cite` of each publication.

    Args:
        benchmark: The results.
        leaderboard: Their table.
        references: The publications of the table.
    """
    done = [one for one in benchmark.results if one.manifest]
    rows = [row for row in leaderboard.rows if not row.control and STATED not in row.mark]
    stated = sorted({row.model for row in leaderboard.rows if STATED in row.mark})
    sentences = [
        _name_models(rows, done, references),
        *(_describe_data(name, benchmark.results, references) for name in _names(row.data for row in leaderboard.rows)),
        *_describe_budgets(rows, done),
        _list_cited("Texts were encoded by", ENCODER, (row.encoder for row in rows), references),
        _list_cited(
            "Vision networks:", VISION_NETWORK, (name for _, name in _of(VISION_NETWORK, references)), references
        ),
        _list_cited("Losses with text in training:", LOSS, (name for _, name in _of(LOSS, references)), references),
        _describe_scores(leaderboard.rows, references),
        _describe_hardware(done),
        f"Methods outside the zoo: {', '.join(map(escape_latex, stated))}." if stated else "",
        _describe_open(benchmark.results),
    ]
    return " ".join(filter(None, sentences))


def _name_models(rows: Sequence[LeaderboardRow], done: Sequence[JobResult], references: References) -> str:
    models = _names(row.model for row in rows)
    if not models:
        return ""
    named = ", ".join(f"{escape_latex(name)}{references.cite(MODEL, name)}" for name in models)
    versions = _names(str(one.manifest.get("zoo") or "") for one in done)
    commits = _names(str(one.manifest.get("git_commit") or "")[:12] for one in done)
    zoo = " ".join(["textseg-zoo", " and ".join(versions)]).strip() + references.cite("zoo", "")
    commit = f" (commit {escape_latex(' and '.join(commits))})" if commits else ""
    return f"We compared {format_quantity(len(models), 'model')} with {zoo}{commit}: {named}."


def _describe_data(name: str, results: Sequence[JobResult], references: References) -> str:
    """Return the split of a data set: its protocol, its cases and its hash."""
    mine = [one for one in results if one.job.shown_data == name]
    title = f"Data set {escape_latex(name)}{references.cite(DATA_SET, name)}"
    parts = _names(_describe_protocol(one) for one in mine)
    sizes = {tuple(_describe_cases(one)) for one in mine if one.manifest.get("split_sizes")}
    parts += [", ".join(sizes.pop())] if len(sizes) == 1 else ["the folds differ in their cases"] if sizes else []
    folds = _names(
        f"{one.job.folds or len({r.job.fold for r in mine})} folds" for one in mine if one.job.fold is not None
    )
    hashes = _names(str(one.manifest.get("split_hash") or "")[:12] for one in mine)
    parts += [*folds, *([f"hash of the split {' and '.join(hashes)}"] if hashes else [])]
    return f"{title}: {escape_latex('; '.join(parts))}." if parts else f"{title}."


def _describe_protocol(result: JobResult) -> str:
    job = result.job
    given = {plain_key(key): value for key, value in (*job.settings.overrides, *job.overrides)}
    if "data.split" in given:
        return f"split file {given['data.split'].rpartition('/')[2]}"
    if job.data not in DATA:
        return ""
    card = DataCard.of(DATA.get(job.data))
    protocol = given.get("data.protocol") or card.known_protocol(None)
    about = card.protocols[protocol].about if protocol in card.protocols else ""
    return f"protocol {protocol}" + (f" ({about})" if about else "")


def _describe_cases(result: JobResult) -> list[str]:
    sizes = result.manifest["split_sizes"]
    return [f"{sizes[part]} cases {words}" for part, words in _PARTS.items() if part in sizes]


def _describe_budgets(rows: Sequence[LeaderboardRow], done: Sequence[JobResult]) -> list[str]:
    """Return the budget of each recipe and data set, with sizes and seeds."""
    lines = []
    for recipe in _names(row.recipe for row in rows):
        shown = _names(row.data for row in rows if row.recipe == recipe)
        of = {data: [o for o in done if (o.job.settings.recipe, o.job.shown_data) == (recipe, data)] for data in shown}
        budgets = {data: _names(_describe_budget(one) for one in mine) for data, mine in of.items()}
        equal = all(len(found) < 2 for found in budgets.values())
        said = _BUDGETS.get(recipe, _OWN) if equal or recipe not in _BUDGETS else "The budgets differ, as listed"
        lines.append(f"{said} ({recipe}).")
        for data, mine in of.items():
            sizes = _names(one.job.settings.size for one in mine)
            seeds = sorted({one.job.seed for one in mine})
            if mine:
                lines.append(
                    f"{escape_latex(data)}: {' or '.join(budgets[data])}; size {' and '.join(sizes)}; "
                    f"{'seeds' if len(seeds) > 1 else 'seed'} {', '.join(map(str, seeds))}."
                )
    return lines


def _describe_budget(result: JobResult) -> str:
    budget = result.manifest.get("budget") or {}
    samples, batch = budget.get("samples"), budget.get("batch_size")
    if not samples:
        return "an unknown number of samples"
    return f"{samples:,} training samples" + (f" in batches of {batch}" if batch else "")


def _describe_scores(rows: Sequence[LeaderboardRow], references: References) -> str:
    """Return the convention of the scores."""
    used = [metric for metric in METRICS if any(getattr(row, metric.key) is not None for row in rows)]
    if not used:
        return ""
    named = "; ".join(f"{escape_latex(f'{one.title}: {one.doc}')}{references.cite(METRIC, one.key)}" for one in used)
    versions = _names(row.metric_version for row in rows)
    units = _names(row.hd95_unit for row in rows)
    version = f", metric version {' and '.join(versions)}" if versions else ""
    unit = f" Distances are in {' and '.join(units)}." if units else ""
    return f"Scores are computed per case and class on the native grid{version}. {named}. {_MEANS}{unit}"


def _describe_hardware(done: Sequence[JobResult]) -> str:
    found = _names(
        f"{one.manifest['hardware']}, {format_quantity(int(one.manifest.get('devices') or 1), 'device')} per run"
        for one in done
        if one.manifest.get("hardware")
    )
    return f"Hardware: {escape_latex('; '.join(found))}." if found else ""


def _describe_open(results: Sequence[JobResult]) -> str:
    left = sum(one.state != "done" for one in results)
    return f"{left} of {format_quantity(len(results), 'run')} are not done." if left else ""


def _list_cited(head: str, kind: str, names: Iterable[str], references: References) -> str:
    found = [f"{escape_latex(name)}{references.cite(kind, name)}" for name in _names(names)]
    return f"{head} {', '.join(found)}." if found else ""


def _of(kind: str, references: References) -> list[tuple[str, str]]:
    return [key for key in references.keys if key[0] == kind]


def _names(found: Iterable[str]) -> list[str]:
    """Return the distinct texts that are not empty, sorted."""
    return sorted({*found} - {""})
