"""The configuration of a job: its composed layers and its own settings, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from benchmarks.plan.job import Job
from zoo.config import Config, compose
from zoo.engine.arguments import compose_request, parse
from zoo.sizes import PLANNED_SIZES
from zoo.utils.config_values import with_values


def resolve_config(job: Job) -> Config:
    """Compose the configuration of a job as far as possible without its classes: the layers and the overrides.

    The configuration has no seed, and an absolute path is reduced to its last name. So a job has the same
    configuration for every seed and on every machine.
    """
    composed = compose(job.model_option, job.data, size=job.settings.size, preset=job.settings.trainer or None)
    config: Config = _portable(with_values(composed.config, job.argument_pairs()))
    return config | {"size": job.settings.size}


def plan_config(job: Job) -> Config:
    """Compose the configuration of a job as `resolve_config` does, and with the plan of a planned size.

    Raises:
        DataError: There is no summary of the training cases.
    """
    if job.settings.size not in PLANNED_SIZES:
        return resolve_config(job)
    request = parse("fit", job.flags())
    return with_values(compose_request(request).config, request.flags)


def _portable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _portable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_portable(entry) for entry in value]
    return PurePath(value).name if isinstance(value, str) and PurePath(value).is_absolute() else value
