"""Looks for the pre-trained weights of a plan before its first job: files, installed packages and the hub."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.plan.job import Job
from benchmarks.plan.job_config import resolve_config
from zoo.engine.cost_estimate import HubFiles, find_hub_files, has_local_vision_weights
from zoo.errors import ConfigError, ZooError
from zoo.settings import offline
from zoo.utils.config_values import find_value

_HUB_SECONDS = 5.0


def find_missing_weights(jobs: Sequence[Job]) -> Iterator[ZooError]:
    """Yield one problem per set of weights that is neither on this machine nor to be had from the hub."""
    configs = [config for config in map(resolve_config, jobs) if has_local_vision_weights(config)]
    for weights in dict.fromkeys(str(find_value(config, "model.vision_weights")) for config in configs):
        from zoo.encoders.vision_weights import find_weights

        try:
            find_weights(weights)
        except ZooError as error:
            yield error
    missing: dict[str, tuple[HubFiles, list[Job]]] = {}
    for job in jobs:
        for files in find_hub_files(resolve_config(job)):
            if not files.here:
                missing.setdefault(files.repo, (files, []))[1].append(job)
    for files, users in missing.values():
        reason = "ZOO_OFFLINE=1 forbids the download" if offline() else ask_hub(files)
        if reason:
            models = ", ".join(dict.fromkeys(job.model for job in users))
            yield ConfigError(
                f"{models}: the weights {files.describe()} are needed, and {reason}.",
                f"Run `hf download {files.repo}` where there is a network and copy the cache, or choose another "
                f"--{files.option}.",
            )


def ask_hub(files: HubFiles) -> str:
    """Return why the hub does not give a repository; empty where it does."""
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(files.repo, revision=files.revision, timeout=_HUB_SECONDS)
    except Exception as error:  # noqa: BLE001 - the client raises errors of three libraries
        return f"the hub cannot be asked ({type(error).__name__})"
    return ""
