"""The plan of a comparison: an immutable list of jobs.

A job's id is its readable name and a hash of its resolved configuration, the same on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

PLAN_VERSION = 3
READABLE_VERSIONS = (2, 3)
"""Version 2 is that of commit 9890fda: a job has `rung` where it has `variant` now. Its scores enter tables."""

TEXTS = ("true", "shuffled", "blank", "names")
"""The texts that a model which reads text is tested with."""

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """What all jobs of a plan share.

    Attributes:
        size: "tiny" or "published".
        trainer: Name of a trainer preset, empty for the default.
        devices: Processes a job and node, None for the preset's own number.
        overrides: (key, value) pairs that go to every job: `("trainer.max_steps", "10")`.
        recipe: "equal": every model has the data set's budget; "published": each has its own. Two rankings.
    """

    size: str = ""
    trainer: str = ""
    devices: int | None = None
    overrides: Pairs = ()
    recipe: str = "equal"


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
        variant: Name of the ablation, empty for the full method.
        changes: (argument, value) pairs of the model's class that the variant changes.
        about: What the variant is, in words, as its ablation said when it was planned.
        fold: Fold of a k-fold by subject, None for the protocol's own parts.
        folds: How many folds there are, None for the data set's default.
        texts: The texts of its tests, where it reads text.
        overrides: (key, value) pairs beside the settings': those of its data set, and a budget made equal.
        digest: Hash of its resolved configuration but the seed; empty for a job made by hand.
    """

    model: str
    data: str
    seed: int
    root: str = ""
    encoder: str = ""
    track: str = "none"
    settings: Settings = Settings()
    variant: str = ""
    changes: Pairs = ()
    about: str = ""
    fold: int | None = None
    folds: int | None = None
    texts: tuple[str, ...] = TEXTS
    overrides: Pairs = ()
    digest: str = ""

    @property
    def name(self) -> str:
        """What a person calls it: its method and `-s<seed>`."""
        return f"{self.method}-s{self.seed}"

    @property
    def measured(self) -> str:
        """What is measured of it once, whatever its seed, fold or text; a recipe of its own has a batch of its own."""
        return replace(self, fold=None).method

    @property
    def method(self) -> str:
        """Its name without the seed: `<data>[-f<fold>]-<model>-<size>[-<encoder>][+<variant>][@published]`."""
        part = "" if self.fold is None else f"f{self.fold}"
        method = "-".join(filter(None, [self.data, part, self.model, self.settings.size, self.encoder]))
        variant = f"+{self.variant}" if self.variant else ""
        recipe = "" if self.settings.recipe == "equal" else f"@{self.settings.recipe}"
        return f"{method}{variant}{recipe}"

    @property
    def id(self) -> str:
        """The job's folder: its name and the digest."""
        return f"{self.name}-{self.digest}" if self.digest else self.name

    @property
    def shown_data(self) -> str:
        """How tables name the data: own data by its title too, as any folder of one kind has the kind's name."""
        given = dict((*self.settings.overrides, *self.overrides))
        title = given.get("data.title") or given.get("data.init_args.title")
        return f"{title} ({self.data})" if title else self.data

    @property
    def steps(self) -> tuple[str, ...]:
        """The fit, and one test for each kind of text that there is for the model."""
        texts = ("true",) if self.track == "none" else self.texts
        return ("fit", *("test" if text == "true" else f"test-{text}" for text in texts))

    def typed(self) -> Pairs:
        """What is typed over the composed layers: the encoder, the fold, the overrides, and the variant's changes."""
        changed = dict(self.changes)
        pairs = [("model.encoder", self.encoder)] if self.encoder and "encoder" not in changed else []
        pairs += [("data.fold", str(self.fold))] if self.fold is not None else []
        pairs += [("data.folds", str(self.folds))] if self.folds is not None else []
        own = dict(self.settings.overrides) | dict(self.overrides)
        return (*pairs, *own.items(), *((f"model.{key}", value) for key, value in self.changes))

    def flags(self) -> list[str]:
        """The command line that names this job, the same for each of its steps."""
        shared = self.settings
        flags = ["--model", self.model, "--data", self.data, "--size", shared.size, "--seed", str(self.seed)]
        flags += ["--trainer", shared.trainer] if shared.trainer else []
        flags += ["--trainer.devices", str(shared.devices)] if shared.devices is not None else []
        flags += ["--data.root", self.root] if self.root else []
        return flags + [f"--{key}={value}" for key, value in self.typed()]


@dataclass(frozen=True, slots=True)
class Plan:
    """An immutable list of jobs with distinct ids.

    Attributes:
        jobs: The jobs, in the order in which they are run.
        configs: Digest to resolved configuration, as dotted keys: what a digest stands for.
        matrix: The matrix that the jobs were made from, as its file would say it; empty for a plan made by hand.
    """

    jobs: tuple[Job, ...]
    configs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    matrix: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain Python, for `plan.json`."""
        jobs = [asdict(job) | {"id": job.id} for job in self.jobs]
        return {"version": PLAN_VERSION, "matrix": self.matrix, "jobs": jobs, "configs": self.configs}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Plan:
        """The inverse of `to_dict`."""
        jobs = tuple(_job(entry) for entry in content["jobs"])
        return cls(jobs, content.get("configs", {}), content.get("matrix", {}))


def _job(entry: Mapping[str, Any]) -> Job:
    fields = {key: value for key, value in entry.items() if key not in {"id", "settings", "rung"}}
    fields.setdefault("variant", entry.get("rung", ""))
    for key in ("changes", "overrides"):
        fields[key] = _pairs(entry.get(key, ()))
    fields["texts"] = tuple(entry.get("texts", TEXTS))
    settings = dict(entry["settings"])
    settings["overrides"] = _pairs(settings["overrides"])
    return Job(**fields, settings=Settings(**settings))


def _pairs(entries: Sequence[Sequence[str]]) -> Pairs:
    return tuple((key, value) for key, value in entries)
