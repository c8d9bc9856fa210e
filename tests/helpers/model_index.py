"""`docs/models/index.md`, made of the cards, the published scores and the tables of `docs/results.md`.

`make model-index` writes the page. It measures the operations of a network where `docs/models/gflops.yaml` has none, or
has those of another number of parameters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.tables.citations import find_year
from benchmarks.tables.published_scores import PublishedScore, all_published
from benchmarks.tables.writers import escape_markdown
from tests.helpers.paths import REPOSITORY
from zoo.cards import ModelCard
from zoo.registry import MODELS
from zoo.utils.printing import write_output

PAGES = REPOSITORY / "docs" / "models"
PAGE = PAGES / "index.md"
GFLOPS = PAGES / "gflops.yaml"
RESULTS = REPOSITORY / "docs" / "results.md"

COMMAND = "make model-index"

_HEAD = f"""# The models

`{COMMAND}` makes this page of the cards, of `configs/published` and of [the results](../results.md).

Parameters and GFLOPs are those of the size `published`, without the text encoder, which is chosen apart. GFLOPs are for
a forward pass of one image of one channel (2D: 224x224; 3D: 96x96x96, the classes of `phantom_abdomen`) with 24 tokens
per text. A multiplication and an addition count as two operations. A frozen text encoder is a cache, and is not
counted. A dimension without a number has no published network.

"Ours" is the Dice of the first table of [the results](../results.md) on a data set, with the size of the network. These
are small networks and short budgets, which are not comparable with published numbers.
"""

_COSTS_HEAD = (
    f"# GFLOPs of the published sizes, and the parameters that they were measured with. Written by `{COMMAND}`.\n"
)

_SECTION = re.compile(r"^## `(\w+)`.*$", re.MULTILINE)
_ROW = re.compile(r"^\| (\w+) \((\w+)\)(?!, before)[^|]*\|")  # no row of an earlier form of a model

Costs = dict[str, dict[int, dict[str, float]]]


@dataclass(frozen=True)
class Ours:
    """A score of `docs/results.md`.

    Attributes:
        data: The data set of the section.
        size: The size of the network.
        dice: The cell of the column Dice.
    """

    data: str
    size: str
    dice: str


def make_index() -> str:
    """Make the page; operations that are not measured are left out."""
    cards = [(card, ModelCard.of(card)) for card in MODELS if not card.broken and card.origin == "zoo"]
    ours, costs = read_results(RESULTS.read_text(encoding="utf-8")), read_costs()
    parts = [_HEAD]
    for title, wanted in (("Text-guided", True), ("Vision-only", False)):
        mine = [about for _, about in cards if about.reads_text == wanted]
        parts.append(f"## {title}\n\n{format_table(_FACTS, [_facts(one, costs, ours) for one in mine])}")
    known = {about.name for _, about in cards}
    numbers = [one for one in all_published() if one.model in known]
    rows = [_number(one) for one in sorted(numbers, key=lambda one: (one.model, one.data))]
    parts.append(
        "## Published numbers\n\nDice and IoU in percent. `zoo bench compare` prints them beside your own runs, and a\n"
        "difference where convention, test images, folds and size agree.\n\n" + format_table(_NUMBERS, rows)
    )
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


_FACTS = ("model", "what", "year", "text", "dimensions", "parameters (M)", "GFLOPs", "licence of the original", "ours")
_NUMBERS = ("model", "data", "method there", "Dice", "IoU", "HD95", "convention", "read in", "source")


def _facts(card: ModelCard, costs: Costs, ours: Mapping[str, Sequence[Ours]]) -> list[str]:
    dims = sorted(card.spatial_dims)
    return [
        f"[{card.name}]({card.name}.md)",
        escape_markdown(card.title),
        _year(card),
        "none" if not card.reads_text else card.text,
        ", ".join(f"{dim}D" for dim in dims),
        _per_dimension(dims, lambda dim: f"{card.parameters[dim] / 1e6:.2f}" if dim in card.parameters else ""),
        _per_dimension(dims, lambda dim: _gflops(card, dim, costs)),
        card.original_licence,
        "; ".join(f"{one.data} {one.dice} ({one.size})" for one in ours.get(card.name, ())),
    ]


def _year(card: ModelCard) -> str:
    stated = re.findall(r"\b(?:19|20)\d\d\b(?!\.\d)", card.paper)
    return str(find_year(card.cite) or (stated[0] if stated else ""))


def _per_dimension(dims: Iterable[int], text: Callable[[int], str]) -> str:
    return ", ".join(f"{text(dim)} ({dim}D)" for dim in dims if text(dim))


def _gflops(card: ModelCard, dim: int, costs: Costs) -> str:
    found = costs.get(card.name, {}).get(dim, {})
    return f"{found['gflops']:.1f}" if found.get("parameters") == card.parameters.get(dim, -1) else ""


def _number(one: PublishedScore) -> list[str]:
    unit = one.hd95_unit if one.hd95_unit in ("px", "mm") else "(unit not stated)"
    return [
        one.model,
        one.data,
        escape_markdown(one.method),
        "" if one.dice is None else f"{one.dice:.2f}" + (f" ± {one.std:.2f}" if one.std is not None else ""),
        "" if one.iou is None else f"{one.iou:.2f}",
        "" if one.hd95 is None else f"{one.hd95:.2f} {unit}",
        one.convention,
        one.source.read_in,
        escape_markdown(one.source.key),
    ]


def format_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def read_results(text: str) -> dict[str, list[Ours]]:
    """Read the Dice of each model in the first table with a row of it, per section of a data set.

    Args:
        text: The page of the results.
    """
    found: dict[str, list[Ours]] = {}
    parts = _SECTION.split(text)
    for data, section in zip(parts[1::2], parts[2::2], strict=True):
        column, seen = -1, set()
        for line in section.splitlines():
            cells = [cell.strip(" *") for cell in line.split("|")[1:-1]]
            if cells and cells[0] == "Model":
                column = cells.index("Dice") if "Dice" in cells else -1
            row = _ROW.match(line)
            if row and column > 0 and " - " not in cells[0] and row[1] not in seen:
                seen.add(row[1])
                found.setdefault(row[1], []).append(Ours(data, row[2], cells[column]))
    return found


def read_costs() -> Costs:
    """Read the measured operations."""
    return yaml.safe_load(GFLOPS.read_text(encoding="utf-8")) or {} if GFLOPS.is_file() else {}


def measure_missing(costs: Costs) -> Costs:
    """Measure the operations of each network whose number of parameters is another than that of the costs."""
    from tests.helpers.model_costs import measure_gflops

    found: Costs = {}
    for card in MODELS:
        if card.broken or card.origin != "zoo":
            continue
        for dim, count in sorted(ModelCard.of(card).parameters.items()):
            known = costs.get(card.name, {}).get(dim, {})
            if known.get("parameters") != count:
                write_output(f"measuring {card.name} in {dim}D\n")
                known = {"parameters": count, "gflops": round(measure_gflops(card, dim), 1)}
            found.setdefault(card.name, {})[dim] = known
    return found


def write_index(page: Path = PAGE) -> None:
    """Measure what is missing, and write the page."""
    costs = measure_missing(read_costs())
    GFLOPS.write_text(_COSTS_HEAD + yaml.safe_dump(costs, default_flow_style=None, sort_keys=True), encoding="utf-8")
    page.write_text(make_index(), encoding="utf-8")


if __name__ == "__main__":
    write_index()
