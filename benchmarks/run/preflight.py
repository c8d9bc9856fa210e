"""Checks before the first job of a plan: everything that can be known, so that no job fails alone after hours.

`zoo bench run` and `zoo bench plan` refuse the same plans. All findings are reported at once. With the SLURM launcher,
what depends on the machine is not checked: the nodes have other GPUs, folders and caches.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from benchmarks.plan.job import MATCHED, Job, Plan
from benchmarks.plan.job_config import plan_config, resolve_config
from benchmarks.run.cost_estimate import count_steps
from benchmarks.run.disk_needs import find_full_disk
from benchmarks.run.gpu_pool import Pool, visible_gpus
from benchmarks.run.missing_weights import find_missing_weights
from benchmarks.storage.layout import job_folder
from benchmarks.storage.sealed_tests import check_job_state
from datamodules.acquire.sources import find_folder
from datamodules.index.card import DataCard
from zoo.engine.arguments import compose_request, parse
from zoo.engine.cost_estimate import (
    DAY,
    FEW_STEPS,
    find_text_encoders,
    format_hours,
    is_published,
)
from zoo.engine.early_checks import check_early_keys, read_sources
from zoo.errors import ConfigError, ZooError
from zoo.registry import DATA, ENCODERS
from zoo.settings import assume_yes
from zoo.sizes import PLANNED_SIZES, card_size
from zoo.utils.config_values import find_value
from zoo.utils.extras import advise_extra
from zoo.utils.flags import parse_options
from zoo.utils.format import format_quantity
from zoo.utils.plugins import import_object

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a plan may use.

    Attributes:
        out: The folder of the benchmark; None for a plan that is only listed.
        machine: Whether the jobs run on this machine.
        yes: Whether jobs of more than a day without a GPU are wanted.
        seconds: Measured seconds of one job, by its cost key.
        jobs_at_once: Number of jobs at once, None for the default.
    """

    out: Path | None = None
    machine: bool = True
    yes: bool = False
    seconds: dict[str, float] | None = None
    jobs_at_once: int | None = None


def check_plan(jobs: Sequence[Job], conditions: Conditions, report: Callable[[str], None]) -> None:
    """Check the jobs of a plan that are not done.

    Args:
        jobs: The jobs.
        conditions: What the plan may use.
        report: Called with one line per finding but the last, which is raised.

    Raises:
        ZooError: The last finding.
    """
    findings = list(find_problems(jobs, conditions))
    if not findings:
        return
    for finding in findings[:-1]:
        report(f"zoo: error: {finding}")
    raise findings[-1]


def find_problems(jobs: Sequence[Job], conditions: Conditions) -> Iterator[ZooError]:
    """Yield what keeps the jobs from running, each problem once.

    What needs torch is checked only where nothing else is wrong: to load it takes seconds.
    """
    early: list[Iterable[ZooError]] = [_find_untitled(jobs), _find_unknown_keys(jobs), _find_unknown_encoders(jobs)]
    late: list[Iterable[ZooError]] = [_find_wrong_options(jobs)]
    if conditions.machine:
        early += [
            _find_missing_devices(jobs, conditions),
            _find_endless(jobs, conditions),
            find_missing_weights(_one_per_method(jobs)),
            _find_missing_folders(jobs),
            _find_unplanned(jobs),
            find_full_disk(jobs, conditions.out),
        ]
        late.append(_find_missing_cases(jobs))
    seen: set[str] = set()
    for checks in (early, late):
        for problem in chain.from_iterable(checks):
            if str(problem) not in seen:
                seen.add(str(problem))
                yield problem
        if seen:
            return


def _find_untitled(jobs: Iterable[Job]) -> Iterator[ZooError]:
    for job in jobs:
        card = DATA.get(job.data)
        if card.origin == "zoo" and not DataCard.of(card).classes and job.shown_data == job.data:
            yield ConfigError(f"{job.data}: the data has no title.", "Give --data.title NAME: tables go by it.")


def _find_unknown_keys(jobs: Iterable[Job]) -> Iterator[ZooError]:
    """Compare the keys that a user typed with the sources of the classes; `_find_wrong_options` asks the classes."""
    for job in _one_per_method(job for job in jobs if job.settings.overrides and job.settings.recipe != MATCHED):
        request = parse("fit", job.flags())
        try:
            composed = compose_request(request)
            check_early_keys(composed, request.flags, read_sources(composed.config))
        except ZooError as error:
            yield error


def _find_wrong_options(jobs: Iterable[Job]) -> Iterator[ZooError]:
    """Parse the command of each method whose options a user typed or are matched; the cards themselves are tested."""
    logging.getLogger("lightning.fabric.utilities.seed").setLevel(logging.WARNING)  # a line per method else
    for job in _one_per_method(job for job in jobs if job.settings.overrides or job.settings.recipe == MATCHED):
        from zoo.engine.lightning_cli import ZooCLI

        unmatched = _find_unmatched(job)
        if unmatched:
            yield unmatched
            continue
        try:
            request = parse("fit", job.flags())
            ZooCLI.from_request(request, compose_request(request))
        except ZooError as error:
            yield error


def _find_unmatched(job: Job) -> ZooError | None:
    """Find the options of a matched comparison that the model of a job does not have."""
    if job.settings.recipe != MATCHED:
        return None
    from zoo.utils.class_args import option_names

    known = option_names(import_object(str(resolve_config(job)["model"]["class_path"])))
    keys = (key for key, _ in job.overrides if key.startswith("model."))
    missing = [f"--{key}" for key in keys if key.removeprefix("model.") not in known]
    if not missing:
        return None
    return ConfigError(
        f"{job.model} has no option {', '.join(missing)}, which every model of a matched comparison has.",
        "Add the options to the model, say `vision: own` in its card, or rank it with --budget equal.",
    )


def _find_unknown_encoders(jobs: Iterable[Job]) -> Iterator[ZooError]:
    for job in _one_per_method(jobs):
        try:
            for _, name in find_text_encoders(resolve_config(job)):
                if name not in ENCODERS and not Path(name).expanduser().is_dir():
                    ENCODERS.get(name)
        except ZooError as error:
            yield error


def _find_missing_devices(jobs: Sequence[Job], conditions: Conditions) -> Iterator[ZooError]:
    gpus = visible_gpus()
    if gpus:
        try:
            Pool(gpus, conditions.jobs_at_once).plan_for(jobs)
        except ConfigError as error:
            yield error
        return
    wanting = [job for job in jobs if find_value(resolve_config(job), "trainer.accelerator") in ("gpu", "cuda")]
    if wanting and not _has_other_gpu():
        yield ConfigError(
            f"{format_quantity(len(wanting), 'job')} asked for a GPU, and none is visible on this machine.",
            "Use --trainer cpu, or look at `nvidia-smi` and CUDA_VISIBLE_DEVICES.",
        )


def _has_other_gpu() -> bool:
    """Whether the machine may have a GPU that `nvidia-smi` does not list: by Apple or AMD."""
    return sys.platform == "darwin" or Path("/dev/kfd").exists()


def _find_endless(jobs: Sequence[Job], conditions: Conditions) -> Iterator[ZooError]:
    """Find jobs of a published size that would take more than a day, or an unknown time, on a processor."""
    if conditions.yes or assume_yes() or visible_gpus() or _has_other_gpu():
        return
    measured = conditions.seconds or {}
    for job in _one_per_method(job for job in jobs if is_published(job.model, job.settings.size)):
        config = resolve_config(job)
        if find_value(config, "trainer.accelerator") in ("gpu", "cuda"):
            continue
        steps, seconds = count_steps(job), measured.get(job.cost_key)
        if (steps is not None and steps <= FEW_STEPS) or (seconds is not None and seconds <= DAY):
            continue
        takes = "an unknown number of steps" if steps is None else format_quantity(steps, "step")
        takes += "" if seconds is None else f", {format_hours(seconds)} per job"
        yield ConfigError(
            f"{job.method}: the {job.settings.size} size without a GPU, {takes}.",
            "Measure it with --probe, add --yes to run it anyway, or use --trainer cpu (the tiny size) or a GPU.",
        )


def _find_missing_folders(jobs: Iterable[Job]) -> Iterator[ZooError]:
    """Check that each data set has its folder; data sets of other packages may find theirs themselves."""
    for job in {_data_key(job): job for job in jobs}.values():
        card = DATA.get(job.data)
        facts = DataCard.of(card)
        if not facts.embedded and (job.root or card.origin == "zoo"):
            try:
                find_folder(facts, job.root)
            except ZooError as error:
                yield error


def _find_unplanned(jobs: Iterable[Job]) -> Iterator[ZooError]:
    """Make the plan of each job of a planned size, which needs a summary of the training cases of its fold."""
    for job in {job.method: job for job in jobs if job.settings.size in PLANNED_SIZES}.values():
        try:
            plan_config(job)
        except ZooError as error:
            yield error


def _find_missing_cases(jobs: Iterable[Job]) -> Iterator[ZooError]:
    """Check the listing and the splits of each data set; no image is opened."""
    for job in {_data_key(job): job for job in jobs}.values():
        facts = DataCard.of(DATA.get(job.data))
        if facts.embedded and not job.tuned_split and "data.split" not in dict(job.argument_pairs()):
            continue
        try:
            check_index(job)
        except ZooError as error:
            yield error


def _data_key(job: Job) -> str:
    return repr(
        (job.data, job.root, job.tuned_split, [pair for pair in job.argument_pairs() if pair[0].startswith("data.")])
    )


def check_index(job: Job) -> None:
    """Read the listing and make the splits of a job's data set; see that files and optional packages exist.

    Raises:
        ZooError: They are not as documented, or a case has no file.
    """
    from datamodules.build import build_datamodule
    from zoo.io.dicom import SeriesReader

    words = [f"--{key}={value}" for key, value in job.argument_pairs() if key.startswith("data.")]
    options = parse_options(words, "data", "zoo bench")
    data = build_datamodule(
        job.data, card_size(job.settings.size), **({"root": job.root} if job.root else {}), **options
    )
    if isinstance(data.reader, SeriesReader) and find_spec("SimpleITK") is None:
        raise ConfigError(f"{job.data}: reading DICOM needs SimpleITK.", advise_extra("dicom"))
    log.debug("%s: split %s", job.data, data.split_hash)
    if job.tuned_split not in ("", data.split_hash):
        raise ConfigError(
            f"{job.data}: the tuned recipes were selected on another split, which may validate on test cases.",
            "Tune on this split (`zoo bench tune` with the same --data options), or leave out --recipes.",
        )


def _one_per_method(jobs: Iterable[Job]) -> list[Job]:
    """Return one job per method, because seeds and folds do not change what is checked."""
    return list({job.cost_key: job for job in jobs}.values())


def list_open_jobs(out: Path, plan: Plan) -> list[Job]:
    """List the jobs of a plan that are not done in a folder."""
    return [job for job in plan.jobs if check_job_state(job_folder(out, job.id), job.steps)[0] != "done"]
