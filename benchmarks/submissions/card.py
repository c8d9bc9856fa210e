"""The model card of an entry, `README.md`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.storage.layout import TRUE_TEXT_STEP
from benchmarks.storage.results import JobResult
from zoo.contamination import MANIFEST_KEY
from zoo.metrics.case_scores import METRIC_VERSION
from zoo.metrics.definitions import METRICS
from zoo.registry import DATA, MODELS
from zoo.sharing.card_tables import format_score, format_table, name_text


def write_card(facts: Mapping[str, Any], results: Sequence[JobResult]) -> str:
    """Write the card: what was trained on what, its scores with their convention, and how to run it again.

    Args:
        facts: The facts of `submission.json`.
        results: The results of the row.
    """
    manifest, job = results[0].manifest, results[0].job
    model, data = str(facts["model"]), str(facts["data"])
    title = str(MODELS.get(model).about.get("title", "")) if model in MODELS else ""
    budget = manifest.get("budget") or {}
    rows = {
        "model": f"{model} ({facts['size']})" + (f": {title}" if title else ""),
        "data": f"{DATA.get(data).about.get('title', data)}, protocol `{facts['protocol']}`",
        "licence of the data": DATA.get(data).about.get("licence", ""),
        "text track": facts["text_track"],
        "text encoder": manifest.get("encoder") or "none",
        "pre-trained vision": facts["pretrained_vision"] or "none",
        "initial weights have seen": ", ".join(manifest.get(MANIFEST_KEY) or ()),
        "budget": ", ".join(f"{key} {value}" for key, value in budget.items()),
        "recipe": job.settings.recipe,
        "parameters": manifest.get("params"),
        "seeds": ", ".join(str(seed) for seed in sorted({result.job.seed for result in results})),
        "zoo": f"{manifest.get('zoo')}, commit {manifest.get('git_commit')}",
    }
    known = ((key, value) for key, value in rows.items() if value not in (None, ""))
    shown = [metric for metric in METRICS if metric.key in ("dice", "hd95", "nsd")]
    scores = (
        (
            result.job.id,
            name_text(step),
            test.summary.cases,
            *(format_score(getattr(test.summary, m.key)) for m in shown),
        )
        for result in results
        for step, test in result.tests.items()
    )
    lines = [f"# {model} on {data}", "", *format_table(("what", "value"), known), "## Scores", ""]
    lines += format_table(("job", "text", "cases", *(metric.title for metric in shown)), scores)
    unit = results[0].tests[TRUE_TEXT_STEP].summary.unit
    told = "; ".join(f"{metric.title}: {metric.doc}" for metric in shown)
    lines += [
        f"Means over the cases of a class, then over the classes, on the native grid. Distances in {unit}. Version "
        f"{METRIC_VERSION} of the definitions of textseg-zoo. {told}.",
        "",
        "## Limits",
        "",
        "This is no medical device. Scores on images of other scanners, hospitals or patients are unknown.",
    ]
    lines += [f"- {line}" for line in facts["left_out"]]
    return "\n".join(lines).rstrip() + "\n"
