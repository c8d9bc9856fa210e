"""The hub of pre-trained weights: whether it answers, and which encoders are on this machine. No torch here."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.doctor.finding import Finding
from benchmarks.run.missing_weights import ask_hub
from zoo.engine.cost_estimate import HubFiles, find_hub_files
from zoo.registry import ENCODERS
from zoo.settings import offline
from zoo.utils.format import format_quantity


def check_hub() -> Iterator[Finding]:
    """Say which text encoders are on this machine, and ask the hub where one is missing."""
    files = list_encoder_files()
    here = [one.name for one in files if one.here]
    missing = [one for one in files if not one.here]
    yield Finding("encoders here", ", ".join(here) or "none that needs a download")
    if not missing:
        return
    others = f"{format_quantity(len(missing), 'encoder')} not on this machine: {', '.join(one.name for one in missing)}"
    if offline():
        yield Finding("hub", f"not asked, because ZOO_OFFLINE=1. {others}")
        return
    reason = ask_hub(missing[0])
    if not reason:
        yield Finding("hub", f"answers. {others}")
        return
    fix = (
        f"Set ZOO_OFFLINE=1, so that no command waits for it; run `hf download {missing[0].repo}` where there is a "
        "network, and copy the cache."
    )
    yield Finding("hub", f"{reason}. {others}", fix)


def list_encoder_files() -> list[HubFiles]:
    """List the weights of every text encoder that comes from a hub."""
    usable = [card.name for card in ENCODERS if not card.broken]
    return [files for name in usable for files in find_hub_files({"model": {"init_args": {"encoder": name}}})]
