"""Packs a run: `zoo push` makes this folder, and gives it to a hub."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from zoo import __version__
from zoo.encoders.text import TextEncoder
from zoo.engine.run_folder import RunFolder
from zoo.engine.run_seals import check_run, choose_checkpoint, file_name, is_sealed
from zoo.errors import RunError
from zoo.hub.package import RUN, WEIGHTS, Package, seal_package
from zoo.metrics.score_files import about_path, read_scores
from zoo.metrics.summary import summarise
from zoo.publishing import KINDS
from zoo.segment.model_file import write_model
from zoo.segment.segmenter import Segmenter
from zoo.segment.sources import LoadedModel, load_source
from zoo.sharing.facts import RunFacts, ScoredTest, find_run_licence, publish_manifest, without_machine
from zoo.sharing.model_card import make_card
from zoo.utils.atomic_files import write_text
from zoo.utils.seals import FILES, hash_file_once


def pack_run(
    run: Path,
    folder: Path,
    name: str,
    checkpoint: Path | None = None,
    licence: str = "",
    permitted: Collection[str] = (),
) -> Package:
    """Write the package of a run into an empty folder. What the terms of its data do not allow is left out.

    The same run gives the same files, and so the same revision.

    Args:
        run: The folder of a finished run.
        folder: The empty folder.
        name: The name under which the package will be used, for the model card.
        checkpoint: The checkpoint; by default the best one, else the last.
        licence: The licence; by default that of the data.
        permitted: Kinds of content of which the user says that they may be published, where the card of the data does
            not know it.

    Returns:
        The package.

    Raises:
        RunError: The run is not finished, or its files are not those that the training wrote.
        CheckpointError: As `zoo.load`.
        ConfigError: The licence or a kind does not fit the terms of the data.
    """
    place = RunFolder(run)
    config, manifest = place.read_config(), check_run(place)
    if not is_sealed(manifest):
        raise RunError(f"{run}: the run is not finished.", f"Finish it: the same `zoo fit ... --out {run}`.")
    terms = find_run_licence(manifest, licence, permitted)
    file = choose_checkpoint(place, checkpoint, manifest)
    loaded = load_source(run, file)
    tests, notes = _read_tests(place, file)
    left_out = [terms.publish.explain(kind, terms.data) for kind in KINDS if not terms.publish.allows(kind)]
    facts = RunFacts(
        publish_manifest(manifest),
        loaded.model.facts,
        terms,
        tests,
        (*left_out, *notes),
        Segmenter(loaded.model, loaded.images).track,
        _list_encoders(loaded),
    )
    if terms.publish.allows("weights"):
        write_model(folder / WEIGHTS, loaded.model, loaded.images, loaded.precision)
    prompts = [
        {"name": one.name, "sentence": one.sentence, "concepts": list(one.concepts)} for one in facts.data.prompts
    ]
    _write_yaml(folder / "config.yaml", without_machine(config))
    _write_yaml(folder / "prompts.yaml", prompts)
    _write_yaml(folder / "preprocessing.yaml", loaded.images.to_dict())
    _write_json(folder / RUN, dict(facts.manifest))
    _write_json(folder / "metrics.json", {test.step: asdict(test.summary) for test in tests})
    if terms.publish.allows("rows"):
        for test in tests:
            (folder / test.step).mkdir()
            for source in (test.file, about_path(test.file)):
                shutil.copyfile(source, folder / test.step / source.name)
    write_text(folder / "LICENSE", _describe_licence(facts))
    write_text(folder / "README.md", make_card(facts, name))
    about = {key: manifest.get(key) for key in ("model", "size", "data", "text_track", "config_hash")}
    return seal_package(
        folder,
        {
            "zoo": __version__,
            **about,
            "licence": terms.licence,
            "publish": terms.publish.to_dict(),
            "permitted": list(terms.permitted),
            "left_out": list(facts.left_out),
        },
    )


def _read_tests(run: RunFolder, checkpoint: Path) -> tuple[tuple[ScoredTest, ...], list[str]]:
    """Read the tests of a run, and say which of them another checkpoint made."""
    tests, notes = [], []
    fix = f"Run `zoo test --out {run.path}` again."
    digest, name = hash_file_once(checkpoint), file_name(run, checkpoint)
    for file in sorted(run.path.glob("test*/cases.csv")):
        rows, about = read_scores(file, fix)
        if about.get(FILES, {}).get(name) != digest:
            notes.append(f"{file.parent.name} is left out: another checkpoint than {name} made its scores.")
            continue
        tests.append(ScoredTest(file.parent.name, tuple(rows), summarise(rows), file))
    return tuple(tests), notes


def _list_encoders(loaded: LoadedModel) -> dict[str, str]:
    """Describe the frozen text encoders of a model, which are not in its weights."""
    states = [part.get_extra_state() for part in loaded.model.modules() if isinstance(part, TextEncoder)]
    return {
        Path(state["encoder"]).name: f"{state['revision'] or 'local'}, SHA-256 {state['weights'][:12]}"
        for state in states
        if state["frozen"]
    }


def _describe_licence(facts: RunFacts) -> str:
    terms = facts.terms
    lines = [
        f"Licence of this package: {terms.licence}",
        f"Data of the training: {terms.data} {terms.homepage}".rstrip(),
        f"Licence of the data: {terms.data_licence or 'not stated'}",
    ]
    if terms.permitted:
        lines.append(f"Whoever published this states that the terms allow it for: {', '.join(terms.permitted)}")
    return "\n".join(lines) + "\n"


def _write_yaml(path: Path, content: Any) -> None:
    write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
