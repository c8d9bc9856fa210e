"""`zoo show MODEL --data NAME [--probe]`: what a training needs, from the cards and from some measured steps."""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Sequence

from zoo.config import Composed
from zoo.engine.arguments import Flag, compose_request, parse
from zoo.engine.cost_estimate import DAY, PROBE_LIMIT, find_needs, format_hours, measure_steps, total_seconds
from zoo.engine.early_checks import check_early
from zoo.engine.planned_size import plan_size
from zoo.errors import ConfigError, DataError, RunError
from zoo.sizes import PLANNED
from zoo.utils.config_values import with_values
from zoo.utils.format import format_bytes
from zoo.utils.printing import write_output


def show_needs(model: str, arguments: argparse.Namespace) -> None:
    """Print what a training needs, one line per fact.

    Args:
        model: Name of the model.
        arguments: `data`, `size`, `trainer`, `probe`, and `further`: dotted keys as in `zoo fit`.

    Raises:
        RunError: The probe failed.
    """
    words = ["--model", model, "--data", arguments.data]
    words += [word for key in ("size", "trainer") if (value := getattr(arguments, key)) for word in (f"--{key}", value)]
    words += arguments.further
    request = parse("fit", words)
    composed = compose_request(request)
    if arguments.probe:
        check_early(request, composed)
    needs = find_needs(composed, with_values(composed.config, request.flags))
    lines = {f"{composed.model} ({composed.size})": f"on {composed.data}", **needs.lines()}
    plan = describe_plan(composed, request.flags)
    if not arguments.probe:
        lines["time"] = "--probe measures some steps: seconds per step, memory and hours"
    for title, text in lines.items():
        write_output(f"{title:<22}{text}\n")
    for line in plan:
        write_output(f"{line}\n")
    if arguments.probe:
        _show_probe(words, needs.steps)


def describe_plan(composed: Composed, flags: Sequence[Flag]) -> list[str]:
    """Describe the plan of a model for a data set, line by line, whatever the size; nothing where it takes no plan."""
    if not composed.model_card.planned:
        return []
    try:
        found = composed.plan or plan_size(composed.config, composed.model_card, PLANNED, flags)[0]
    except (ConfigError, DataError) as error:
        return [f"{'--size planned':<22}{error}"]
    return list(found.lines())


def _show_probe(words: list[str], steps: int | None) -> None:
    try:
        measured = measure_steps(words, PROBE_LIMIT)
    except subprocess.TimeoutExpired as error:
        raise RunError(
            f"The probe is not done after {PROBE_LIMIT:.0f} s.", "Use a GPU, or a smaller --data.patch."
        ) from error
    if "note" in measured:
        raise RunError(str(measured["note"]), "Correct it and run the command again.")
    seconds, step = total_seconds(steps, measured), measured["step_seconds"]
    shown = "not known (fewer steps than the probe needs)" if step is None else f"{step:.3f} s"
    write_output(f"{'time per step':<22}{shown} on {measured['device']}\n")
    write_output(f"{'peak memory':<22}{format_bytes(measured['peak_bytes'])}\n")
    whole = "not known" if seconds is None else format_hours(seconds)
    note = ", more than a day" if seconds is not None and seconds > DAY else ""
    write_output(f"{'training':<22}{whole}{note}, without validation and test\n")
