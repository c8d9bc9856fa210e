"""The model card of a package, `README.md`: what it was trained on, its text, scores, limits, and how to use it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from zoo.contamination import MANIFEST_KEY
from zoo.metrics.case_scores import METRIC_VERSION
from zoo.metrics.definitions import METRICS
from zoo.registry import MODELS
from zoo.sharing.card_tables import format_cell, format_score, format_table, name_text
from zoo.sharing.facts import RunFacts, ScoredTest

_TRACKS = {
    "none": "no text",
    "class": "one sentence per class, the same for each image",
    "report": "a report per image, which people wrote",
    "mask-derived": "a report per image that was derived from its mask, so that it tells of the answer",
}
_QUERIES = "the name of a class or a paraphrase of it, one per query of an image"
_HUB_LICENCES = ("apache-2.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "mit", "cc0-1.0")


def make_card(facts: RunFacts, name: str) -> str:
    """Return the model card as Markdown, with the head that the Hugging Face hub reads.

    Args:
        facts: What is known of the run.
        name: The name under which the package is used: `hub:OWNER/NAME`, or a folder.
    """
    parts = [_head(facts), _title(facts), *_training(facts), *_scores(facts), *_limits(facts), *_use(facts, name)]
    return "\n".join([*parts, *_licence(facts)]).rstrip() + "\n"


def hub_licence(licence: str) -> str:
    """Return the name of a licence on the Hugging Face hub; "other" where it has none.

    Example:
        >>> hub_licence("CC-BY-SA 4.0"), hub_licence("by registration")
        ('cc-by-sa-4.0', 'other')
    """
    name = licence.lower().replace(" ", "-")
    return name if name in _HUB_LICENCES else "other"


def _head(facts: RunFacts) -> str:
    licence = hub_licence(facts.terms.licence)
    content: dict[str, Any] = {"library_name": "textseg-zoo", "license": licence, "pipeline_tag": "image-segmentation"}
    if licence == "other":
        content["license_name"] = facts.terms.licence
    content["tags"] = ["medical", "image-segmentation", str(facts.manifest.get("model")), facts.terms.data]
    return f"---\n{yaml.safe_dump(content, sort_keys=False, allow_unicode=True)}---\n"


def _title(facts: RunFacts) -> str:
    model = str(facts.manifest.get("model"))
    title = str(MODELS.get(model).about.get("title") or "") if model in MODELS else ""
    size = facts.manifest.get("size")
    described = f"{title}. Size: {size}." if title else f"Size: {size}."
    return f"# {format_cell(model)} on {format_cell(facts.terms.data)}\n\n{described}\n"


def _describe_track(facts: RunFacts) -> str:
    """Return who wrote the texts, and what each of them belongs to."""
    return _QUERIES if facts.track == "class" and facts.data.queries else _TRACKS.get(facts.track, "unknown")


def _training(facts: RunFacts) -> Iterator[str]:
    manifest, data = facts.manifest, facts.data
    sizes = manifest.get("split_sizes") or {}
    budget = manifest.get("budget") or {}
    yield "## Training\n"
    rows = {
        "data": f"{facts.terms.data}, {data.spatial_dims}D, {data.in_channels} channel(s)",
        "homepage": facts.terms.homepage,
        "classes": ", ".join(data.labels.names),
        "text track": f"{facts.track}: {_describe_track(facts)}",
        "cases": ", ".join(f"{count} {split}" for split, count in sizes.items()),
        "samples": budget.get("samples"),
        "epochs": manifest.get("epochs_trained"),
        "seed": manifest.get("seed"),
        "initial weights": (manifest.get("init_from") or {}).get("sha256"),
        "initial weights have seen": ", ".join(manifest.get(MANIFEST_KEY) or ()),
        "pre-trained vision encoder": manifest.get("pretrained_vision"),
        "text encoder": ", ".join(f"{name} ({about})" for name, about in facts.encoders.items()),
        "zoo": f"{manifest.get('zoo')}, commit {manifest.get('git_commit')}",
        "configuration": manifest.get("config_hash"),
    }
    yield from format_table(("what", "value"), ((key, value) for key, value in rows.items() if value not in (None, "")))
    if manifest.get("leak_declared"):
        yield "The protocol declares subjects in several splits: the scores are too high.\n"


def _scores(facts: RunFacts) -> Iterator[str]:
    yield "## Scores\n"
    if not facts.tests:
        yield "The run has no test with this checkpoint.\n"
        return
    shown = [metric for metric in METRICS if metric.key in ("dice", "hd95", "nsd")]
    yield from format_table(
        ("text", "cases", *(_column(metric.title, metric.unit, facts.tests[0]) for metric in shown)),
        (
            (name_text(test.step), test.summary.cases, *(format_score(getattr(test.summary, one.key)) for one in shown))
            for test in facts.tests
        ),
    )
    yield (
        f"Means over the cases of a class, then over the classes, on the native grid; version {METRIC_VERSION} of the "
        "definitions of textseg-zoo (`docs/metrics.md`):\n"
    )
    yield from (f"- {metric.title}: {metric.doc}." for metric in shown)
    yield f"- The tolerance of NSD is {facts.data.tolerance:g} {facts.tests[0].summary.unit}."
    yield "- A class that is missed, or that is found where there is none, counts with the worst value.\n"
    yield from format_table(
        ("class", *(_column(metric.title, metric.unit, facts.tests[0]) for metric in shown)),
        (
            (name, *(format_score(getattr(means, metric.key)) for metric in shown))
            for name, means in facts.tests[0].summary.per_class.items()
        ),
    )


def _limits(facts: RunFacts) -> Iterator[str]:
    yield "## Limits\n"
    yield "- This is no medical device. It was not validated for patients."
    yield "- Scores on images of other scanners, hospitals or patients than those of the data set are unknown."
    yield f"- It finds {', '.join(facts.data.labels.names)}, and nothing else."
    if facts.track == "mask-derived":
        yield "- Its texts were derived from the masks. A text that a person writes may give lower scores."
    if facts.encoders:
        yield "- The frozen text encoder is not in this package. It is loaded by its name, and its hash is compared."
    yield ""


def _use(facts: RunFacts, name: str) -> Iterator[str]:
    yield "## Use\n"
    if not facts.terms.publish.allows("weights"):
        yield "The package has no weights. Its `config.yaml` trains the model again.\n"
        return
    text = ', "THE REPORT"' if facts.data.has_reports and facts.track != "none" else ""
    yield f'```python\nimport zoo\n\nsegmenter = zoo.load("{name}")\nfound = segmenter("IMAGE"{text})\n```\n'
    words = ' --text "THE REPORT"' if text else ""
    yield f"```bash\nzoo segment IMAGES --run {name}{words} --out masks\n```\n"
    yield "A pinned revision (`@COMMIT`) always stands for the same files; `zoo pull` checks each of them.\n"


def _licence(facts: RunFacts) -> Iterator[str]:
    terms = facts.terms
    yield "## Licence\n"
    yield f"{terms.licence}. Licence of the data: {terms.data_licence or 'not stated'}.\n"
    if terms.permitted:
        yield f"Whoever published this states that the terms of the data allow it for: {', '.join(terms.permitted)}.\n"
    yield from (f"- {line[:1].upper()}{line[1:]}" for line in facts.left_out)


def _column(title: str, unit: str, test: ScoredTest) -> str:
    return f"{title} ({test.summary.unit})" if unit else title
