"""The plan of a comparison: an immutable list of jobs.

The id of a job is its readable name and a hash of its resolved configuration. It is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from zoo.text.controls import CONTROLS, DEFAULT_CONTROLS
from zoo.utils.config_values import plain_key

PLAN_VERSION = 3
READABLE_VERSIONS = (2, 3)
"""Commit 9890fda writes version 2, in which a job has `rung` in place of `variant`. Tables read such a plan."""

TEXTS, DEFAULT_TEXTS = CONTROLS, DEFAULT_CONTROLS
"""The texts that a model can be tested with if it reads text, and those of a plan that names none."""

EQUAL, PUBLISHED, MATCHED = RECIPES = ("equal", "published", "matched")
"""The budgets of a plan. Rows of different budgets are ranked separately."""

KeyValues = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that all jobs of a plan share.

    Attributes:
        size: "tiny" or "published".
        trainer: Name of a trainer preset, empty for the default.
        devices: Processes per job and node, None for the number of the preset.
        overrides: (key, value) pairs that go to every job: `("trainer.max_steps", "10")`.
        recipe: One of `RECIPES`. "equal": every model has the budget of the data set. "published": each model has its
            own budget. "matched": every model also has one vision network, optimiser and loss.
    """

    size: str = ""
    trainer: str = ""
    devices: int | None = None
    overrides: KeyValues = ()
    recipe: str = "equal"


@dataclass(frozen=True, slots=True)
class Job:
    """One training with its tests.

    Attributes:
        model: Name of the model.
        data: Name of the data set.
        seed: Seed of all random numbers.
        root: Folder of the data set, empty for an embedded data set or one under `ZOO_DATA`.
        encoder: Name of the text encoder, empty for a text-free model.
        track: The text track: "none" for a text-free model, else the track of the data set.
        settings: The settings that all jobs share.
        variant: Name of the variant, empty for the full model.
        changes: (argument, value) pairs of the model's class that the variant changes.
        about: The description of the variant when the plan was made.
        fold: Fold of a k-fold split by subject, None for the split of the protocol.
        folds: Number of folds, None for the default of the data set.
        texts: The texts of the tests, if the model reads text; empty for a training without tests.
        overrides: Further (key, value) pairs: those of the data set, and those that make the budget equal or matched.
        digest: Hash of the resolved configuration without the seed; empty for a job made by hand.
        source: The class, or the absolute path of the card, of a model without a registered name; else empty.
        rate: Of a matched job with its own learning rate: "tuned, N trials" or "card". Empty for the common rate.
        trial: Number of the trial of `zoo bench tune`, from 1, with its values in `changes`; 0 in a comparison.
        tuned: Number of trials behind the tuned recipe of the model; 0 for the values of its card.
        search: Hash of the search of that recipe; empty for the values of the card.
        tuned_split: Hash of the split on which that recipe was selected.
    """

    model: str
    data: str
    seed: int
    root: str = ""
    encoder: str = ""
    track: str = "none"
    settings: Settings = Settings()
    variant: str = ""
    changes: KeyValues = ()
    about: str = ""
    fold: int | None = None
    folds: int | None = None
    texts: tuple[str, ...] = DEFAULT_TEXTS
    overrides: KeyValues = ()
    digest: str = ""
    source: str = ""
    rate: str = ""
    trial: int = 0
    tuned: int = 0
    search: str = ""
    tuned_split: str = ""

    @property
    def name(self) -> str:
        """The readable name: the method and `-s<seed>`."""
        return f"{self.method}-s{self.seed}"

    @property
    def model_option(self) -> str:
        """The value of `--model`."""
        return self.source or self.model

    @property
    def cost_key(self) -> str:
        """The key of its costs, which do not depend on seed, fold, trial and text. A budget may have another batch."""
        return replace(self, fold=None, trial=0).method

    @property
    def method(self) -> str:
        """The name without the seed: `<data>[-f<fold>]-<model>-<size>[-<encoder>][+<variant>|+trialNN][@<recipe>]`."""
        part = "" if self.fold is None else f"f{self.fold}"
        method = "-".join(filter(None, [self.data, part, self.model, self.settings.size, self.encoder]))
        variant = f"+{self.variant}" if self.variant else f"+trial{self.trial:02d}" if self.trial else ""
        recipe = "" if self.settings.recipe == "equal" else f"@{self.settings.recipe}"
        return f"{method}{variant}{recipe}"

    @property
    def id(self) -> str:
        """The name of the job's folder: the name and the digest."""
        return f"{self.name}-{self.digest}" if self.digest else self.name

    @property
    def shown_data(self) -> str:
        """The name of the data in tables; own data also has a title, because several folders share one name."""
        given = dict((*self.settings.overrides, *self.overrides))
        title = given.get("data.title") or given.get("data.init_args.title")
        return f"{title} ({self.data})" if title else self.data

    @property
    def steps(self) -> tuple[str, ...]:
        """The fit, and one test for each text of the model."""
        texts = ("true",) if self.track == "none" and self.texts else self.texts
        return ("fit", *("test" if text == "true" else f"test-{text}" for text in texts))

    @property
    def overridden(self) -> frozenset[str]:
        """The dotted keys of all overrides, as a user types them."""
        return frozenset(plain_key(key) for key, _ in (*self.settings.overrides, *self.overrides))

    def argument_pairs(self) -> KeyValues:
        """Return what is set over the composed layers: encoder, fold, overrides, and the changes of the variant."""
        changed = dict(self.changes)
        pairs = [("model.encoder", self.encoder)] if self.encoder and "encoder" not in changed else []
        pairs += [("data.fold", str(self.fold))] if self.fold is not None else []
        pairs += [("data.folds", str(self.folds))] if self.folds is not None else []
        own = dict(self.settings.overrides) | dict(self.overrides)
        return (*pairs, *own.items(), *((f"model.{key}", value) for key, value in self.changes))

    def flags(self) -> list[str]:
        """Return the command line of this job, which is the same for each step."""
        shared = self.settings
        flags = ["--model", self.model_option, "--data", self.data, "--size", shared.size, "--seed", str(self.seed)]
        flags += ["--trainer", shared.trainer] if shared.trainer else []
        flags += ["--trainer.devices", str(shared.devices)] if shared.devices is not None else []
        flags += ["--data.root", self.root] if self.root else []
        return flags + [f"--{key}={value}" for key, value in self.argument_pairs()]


@dataclass(frozen=True, slots=True)
class Plan:
    """An immutable list of jobs with distinct ids.

    Attributes:
        jobs: The jobs, in the order of their start.
        configs: Digest -> resolved configuration with dotted keys.
        matrix: The matrix of the jobs as in a plan's file; empty for a plan made by hand.
        notes: What a reader of the tables must know of the plan: the models that it leaves out.
    """

    jobs: tuple[Job, ...]
    configs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    matrix: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def is_search(self) -> bool:
        """Whether the jobs are the trials of `zoo bench tune`, which have no test scores."""
        return any(job.trial for job in self.jobs)

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain Python, for `plan.json`."""
        jobs = [asdict(job) | {"id": job.id} for job in self.jobs]
        content = {"version": PLAN_VERSION, "matrix": self.matrix, "jobs": jobs, "configs": self.configs}
        return content | ({"notes": list(self.notes)} if self.notes else {})

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Plan:
        """Invert `to_dict`."""
        jobs = tuple(_job(entry) for entry in content["jobs"])
        return cls(jobs, content.get("configs", {}), content.get("matrix", {}), tuple(content.get("notes", ())))


def _job(entry: Mapping[str, Any]) -> Job:
    fields = {key: value for key, value in entry.items() if key not in {"id", "settings", "rung"}}
    fields.setdefault("variant", entry.get("rung", ""))
    for key in ("changes", "overrides"):
        fields[key] = _pairs(entry.get(key, ()))
    fields["texts"] = tuple(entry.get("texts", DEFAULT_TEXTS))
    settings = dict(entry["settings"])
    settings["overrides"] = _pairs(settings["overrides"])
    return Job(**fields, settings=Settings(**settings))


def _pairs(entries: Sequence[Sequence[str]]) -> KeyValues:
    return tuple((key, value) for key, value in entries)
