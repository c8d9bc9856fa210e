"""What a package says of its run: the facts for `zoo.json` and the model card, without paths of this machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.config import MACHINE_KEYS
from zoo.data_facts import DataFacts
from zoo.errors import ConfigError
from zoo.metrics.case_scores import CaseScore
from zoo.metrics.summary import Summary
from zoo.publishing import SAME_TERMS, UNKNOWN, Publish, find_run_terms
from zoo.registry import DATA

_OF_MACHINE = ("folder", "files", "seal", "hardware")
"""Keys of a manifest that say where a run was, or seal files that are not in a package."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which terms a run is published.

    Attributes:
        data: Name of the data set.
        publish: What may be published.
        permitted: The kinds of content that the user alone says may be published.
        licence: The licence of the package.
        data_licence: The licence of the data, by its card; empty where no card says it.
        homepage: The page of the data's authors, by its card.
    """

    data: str
    publish: Publish
    permitted: tuple[str, ...]
    licence: str
    data_licence: str
    homepage: str


@dataclass(frozen=True, slots=True)
class ScoredTest:
    """A test of the run with the checkpoint that is packed.

    Attributes:
        step: Its folder in the run: "test", "test-shuffled", ....
        rows: The rows.
        summary: Their means.
        file: The file of the rows.
    """

    step: str
    rows: tuple[CaseScore, ...]
    summary: Summary
    file: Path


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of a run that is packed.

    Attributes:
        manifest: The manifest, as it is published.
        data: The facts of the data set that the model has.
        terms: The terms.
        tests: The tests.
        left_out: What is left out and why, one sentence each.
        track: Where the text of the training came from; "none" if the model reads none.
        encoders: Frozen text encoders, which are not in the package: name, and revision with the hash of the weights.
    """

    manifest: Mapping[str, Any]
    data: DataFacts
    terms: Terms
    tests: tuple[ScoredTest, ...]
    left_out: tuple[str, ...]
    track: str
    encoders: Mapping[str, str]


def find_run_licence(manifest: Mapping[str, Any], licence: str, permitted: Collection[str]) -> Terms:
    """Find the terms of a run.

    Args:
        manifest: The manifest of the run.
        licence: The licence that the user chooses; empty for that of the data.
        permitted: Kinds of content that the user says may be published, where the card does not know it.

    Raises:
        ConfigError: The licence is not that of the data although only this one is allowed, or there is none; or a kind
            is forbidden.
    """
    data = str(manifest.get("data") or "")
    known = find_run_terms(manifest)
    about = DATA.get(data).about if data in DATA else {}
    of_data, homepage = str(about.get("licence") or ""), str(about.get("homepage") or "")
    terms = known.permit(permitted, data)
    bound = SAME_TERMS in (terms.weights, terms.rows)
    if bound and licence and licence != of_data:
        raise ConfigError(
            f"--licence {licence}: {data} allows to publish under its own terms alone ({of_data or 'unknown'}).",
            "Leave out --licence.",
        )
    chosen = licence or ("" if permitted else of_data)
    if not chosen:
        raise ConfigError(
            f"No licence for what was trained on {data}.", "Choose one: --licence NAME, such as CC-BY-4.0."
        )
    stated = tuple(kind for kind in permitted if getattr(known, kind) == UNKNOWN)
    return Terms(data, terms, stated, chosen, of_data, homepage)


def without_machine(config: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """Return a configuration without the keys and the paths of a machine; a path becomes its last part.

    Example:
        >>> without_machine({"data": {"init_args": {"root": "/home/me/btcv", "table": "/home/me/a.csv", "fold": 1}}})
        {'data': {'init_args': {'table': 'a.csv', 'fold': 1}}}
    """
    kept = {key: value for key, value in config.items() if f"{at}{key}" not in MACHINE_KEYS}
    return {key: _without_paths(value, f"{at}{key}.") for key, value in kept.items()}


def _without_paths(value: Any, at: str) -> Any:
    if isinstance(value, Mapping):
        return without_machine(value, at)
    if isinstance(value, list | tuple):
        return [_without_paths(one, at) for one in value]
    if isinstance(value, str) and (value.startswith("~") or Path(value).is_absolute()):
        return Path(value).name
    return value


def publish_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest of a run as others may read it: without files, hardware and paths of a machine."""
    kept = {key: value for key, value in manifest.items() if key not in _OF_MACHINE}
    return {key: _without_paths(value, "manifest.") for key, value in kept.items()}
