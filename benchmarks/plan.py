"""The plan of a comparison: an immutable list of jobs, stored as `plan.json` in the folder of the benchmark.

A plan is models x data sets x seeds, and where asked for the rungs of each model's ladder, under one
size, one trainer and one set of overrides. The same command finds the same plan again; another one may
add jobs, but only under the same settings, because rows of differing size or budget do not stand in one table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from filelock import FileLock

from benchmarks.ladder import FULL, Rung, rungs_of
from benchmarks.store import read_json, write_json
from zoo.config import compose
from zoo.errors import ConfigError, RunError, ZooError
from zoo.registry import DATA, MODELS
from zoo.types import Card

PLAN_VERSION = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """What all jobs of a plan share.

    Attributes:
        size: "tiny" or "published"; given to `make_plan` empty, it becomes what the trainer stands for.
        trainer: Name of a trainer preset, empty for the default.
        devices: Processes a job, None for the preset's own number.
        overrides: (key, value) pairs that go to every job: `("trainer.max_steps", "10")`.
    """

    size: str = ""
    trainer: str = ""
    devices: int | None = None
    overrides: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """One training with its tests.

    Attributes:
        model: Name of the model.
        data: Name of the data set.
        seed: Seed of everything random.
        root: Folder of the data set, empty for an embedded set or one under `ZOO_DATA`.
        encoder: Name of the text encoder, empty for a text-free model.
        track: The text track: "none" for a text-free model, else that of the data set's card.
        settings: What it shares with the other jobs.
        rung: Name of the ablation, empty for the full method.
        changes: (argument, value) pairs of the model's class that the rung changes.
        about: What the rung is, in words, as its ladder said when it was planned.
    """

    model: str
    data: str
    seed: int
    root: str = ""
    encoder: str = ""
    track: str = "none"
    settings: Settings = Settings()
    rung: str = ""
    changes: tuple[tuple[str, str], ...] = ()
    about: str = ""

    @property
    def id(self) -> str:
        """The job's folder: `<data>-<model>-<size>[-<encoder>][+<rung>]-s<seed>`."""
        method = "-".join(filter(None, [self.data, self.model, self.settings.size, self.encoder]))
        return f"{method}{f'+{self.rung}' if self.rung else ''}-s{self.seed}"

    @property
    def shown_data(self) -> str:
        """How tables name the data: own data by its title too, as any folder of one kind has the kind's name."""
        given = dict(self.settings.overrides)
        title = given.get("data.title") or given.get("data.init_args.title")
        return f"{title} ({self.data})" if title else self.data

    @property
    def steps(self) -> tuple[str, ...]:
        """The fit, and one test for each kind of text that there is for the model."""
        return ("fit", "test") if self.track == "none" else ("fit", "test", "test-shuffled", "test-blank")

    def flags(self) -> list[str]:
        """The command line that names this job, the same for each of its steps."""
        shared = self.settings
        flags = ["--model", self.model, "--data", self.data, "--size", shared.size, "--seed", str(self.seed)]
        flags += ["--trainer", shared.trainer] if shared.trainer else []
        flags += ["--trainer.devices", str(shared.devices)] if shared.devices is not None else []
        flags += ["--data.root", self.root] if self.root else []
        changed = dict(self.changes)
        flags += ["--model.encoder", self.encoder] if self.encoder and "encoder" not in changed else []
        flags += [f"--{key}={value}" for key, value in shared.overrides]
        return flags + [f"--model.{key}={value}" for key, value in self.changes]


@dataclass(frozen=True, slots=True)
class Plan:
    """An immutable list of jobs with distinct ids."""

    jobs: tuple[Job, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain Python, for `plan.json`."""
        return {"version": PLAN_VERSION, "jobs": [asdict(job) | {"id": job.id} for job in self.jobs]}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Plan:
        """The inverse of `to_dict`."""
        return cls(tuple(_job(entry) for entry in content["jobs"]))


def make_plan(
    models: Sequence[str],
    data: Sequence[str],
    seeds: Sequence[int],
    *,
    settings: Settings,
    root: str = "",
    encoder: str = "",
    rungs: Sequence[str] | None = None,
) -> Plan:
    """All combinations, ordered by data set, model, rung and seed as they were named, the full method first.

    Args:
        models: Names of models.
        data: Names of data sets.
        seeds: The seeds of each pair.
        settings: What all jobs share.
        root: Folder of the one data set that is not embedded.
        encoder: Text encoder for the models that read text; empty for each card's own.
        rungs: Rungs of the models' ladders beside the full methods; empty for all rungs, None for no ladder.

    Raises:
        ConfigError: A name is unknown (all of them are named at once), a card is broken, nothing is
            to be done, one root is given for several data sets, a model has no ladder, or an override
            sets what a rung changes.
    """
    cards = _cards(models, data)
    models, data = (
        list(dict.fromkeys(cards[kind, name].name for name in names))
        for kind, names in (("model", models), ("data", data))
    )
    if not (models and data and seeds):
        raise ConfigError("An empty plan.", "Name at least one model, one data set and one seed.")
    on_disk = [name for name in data if not cards["data", name].about.get("embedded", False)]
    if root and len(set(on_disk)) > 1:
        raise ConfigError(
            f"One --data.root for several data sets ({', '.join(on_disk)}).",
            "Set ZOO_DATA to the folder whose sub-folders are their roots instead.",
        )
    ladders = {} if rungs is None else rungs_of((cards["model", model] for model in models), rungs)
    _refuse_overridden(ladders, settings)
    jobs = {}
    for name in data:
        for model in models:
            card = cards["model", model]
            composed = compose(model, name, size=settings.size or None, preset=settings.trainer or None)
            own = composed.config.get("model", {}).get("init_args", {}).get("encoder", "")
            track = str(cards["data", name].about.get("track", "none"))
            for rung, seed in product((FULL, *ladders.get(model, ())), seeds):
                job = Job(
                    model=model,
                    data=name,
                    seed=seed,
                    root=str(Path(root).expanduser().resolve()) if root and name in on_disk else "",
                    encoder=(encoder or own) if uses_text(card) else "",
                    track=track if uses_text(card) else "none",
                    settings=replace(settings, size=composed.size),
                    rung=rung.name,
                    changes=rung.changes,
                    about=rung.about,
                )
                jobs[job.id] = job
    return Plan(tuple(jobs.values()))


def _refuse_overridden(ladders: Mapping[str, Sequence[Rung]], settings: Settings) -> None:
    """An override goes to every job: the full method would have a rung's change, or the rung not."""
    keys = {
        key.removeprefix("model.").removeprefix("init_args.")
        for key, _ in settings.overrides
        if key.startswith("model.")
    }
    for model, rungs in ladders.items():
        for rung in rungs:
            for key in sorted(keys & dict(rung.changes).keys()):
                raise ConfigError(
                    f"--model.{key} is what the rung {rung.name} of {model} changes.",
                    "Leave it out, or choose other rungs with --rungs.",
                )


def uses_text(card: Card) -> bool:
    """Whether a model's card says that it reads text."""
    return str(card.about.get("text", "none")).lower() not in {"none", "false", ""}


def plan_path(folder: Path) -> Path:
    """Where a benchmark's plan is stored."""
    return folder / "plan.json"


def load_plan(folder: Path) -> Plan:
    """The stored plan of a benchmark.

    Raises:
        RunError: There is none, it cannot be read, or another version of the zoo wrote it.
    """
    path = plan_path(folder)
    if not path.is_file():
        raise RunError(f"{folder}: no benchmark here (no plan.json).", f"Run `zoo bench run ... --out {folder}` first.")
    content = read_json(path)
    if content.get("version") != PLAN_VERSION:
        raise RunError(f"{path}: plan version {content.get('version')}, not {PLAN_VERSION}.", "Use another folder.")
    return Plan.from_dict(content)


def store_plan(folder: Path, plan: Plan) -> Plan:
    """Adds a plan to the one in a folder and returns the whole; what is stored already never changes.

    Raises:
        RunError: The stored plan has other settings, another root for one of the data sets, or another rung
            of the same name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".plan.lock"):
        stored = load_plan(folder).jobs if plan_path(folder).is_file() else ()
        differing = _differences(stored, plan.jobs)
        if differing:
            raise RunError(
                f"{folder} holds another benchmark; it differs in {'; '.join(differing)}.",
                "Use the same settings or another --out.",
            )
        whole = Plan(tuple({job.id: job for job in (*plan.jobs, *stored)}[name] for name in _ids(stored, plan.jobs)))
        if whole.jobs != stored:
            write_json(plan_path(folder), whole.to_dict())
    return whole


def _ids(stored: Sequence[Job], added: Sequence[Job]) -> list[str]:
    return list(dict.fromkeys(job.id for job in (*stored, *added)))


def _differences(stored: Sequence[Job], added: Sequence[Job]) -> list[str]:
    """What stands in the way of one table, as `key: stored, not added`."""
    if not stored or not added:
        return []
    old, new = asdict(stored[0].settings), asdict(added[0].settings)
    lines = [f"{key}: {_show(old[key])}, not {_show(new[key])}" for key in old if old[key] != new[key]]
    roots = {job.data: job.root for job in stored}
    moved = {job.data: job.root for job in added if roots.get(job.data, job.root) != job.root}
    lines += [f"data.root of {name}: {_show(roots[name])}, not {_show(root)}" for name, root in moved.items()]
    rungs = {(job.model, job.rung): job.changes for job in stored}
    for (model, rung), changes in {(job.model, job.rung): job.changes for job in added}.items():
        before = rungs.get((model, rung), changes)
        if before != changes:
            lines.append(f"rung {rung} of {model}: {_show(dict(before))}, not {_show(dict(changes))}")
    return lines


def _show(value: object) -> str:
    return json.dumps(value) if value not in ("", None, ()) else "(not set)"


def _job(entry: Mapping[str, Any]) -> Job:
    fields = {key: value for key, value in entry.items() if key not in {"id", "settings", "changes"}}
    settings = dict(entry["settings"])
    settings["overrides"] = _pairs(settings["overrides"])
    return Job(**fields, settings=Settings(**settings), changes=_pairs(entry.get("changes", ())))


def _pairs(entries: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, value in entries)


def _cards(models: Sequence[str], data: Sequence[str]) -> dict[tuple[str, str], Card]:
    """The cards of all names; every unknown or broken one stands in the error."""
    cards, mistakes = {}, []
    for kind, registry, names in (("model", MODELS, models), ("data", DATA, data)):
        for name in names:
            try:
                card = registry.get(name)
                cards[kind, name] = cards[kind, card.name] = card
            except ZooError as error:
                mistakes.append(str(error))
    if mistakes:
        raise ConfigError(" ".join(dict.fromkeys(mistakes)))
    return cards
