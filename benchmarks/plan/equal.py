"""What the jobs of the budget `equal` share: epochs, steps, samples, batch and validation, and the loss."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.plan.job import EQUAL, Job, KeyValues
from benchmarks.plan.matched import read_common
from zoo.config import compose
from zoo.utils.config_values import find_value

_BUDGET = {  # the keys of a budget, each with the value that means "not set", or None without such a value
    "trainer.max_epochs": "null",
    "trainer.max_steps": "-1",
    "trainer.accumulate_grad_batches": "1",
    "data.batch_size": None,
    "data.epoch_samples": None,
    "data.val_cases": "null",
    "trainer.check_val_every_n_epoch": "1",
}


def equal_budget(job: Job) -> KeyValues:
    """Return overrides that give a job the budget of its data set where a model card or recipe sets another budget."""
    shared = job.settings
    own = compose(job.model_option, job.data, size=shared.size, preset=shared.trainer or None).config
    plain = compose(None, job.data, size=shared.size, preset=shared.trainer or None).config
    typed = job.overridden
    pairs = []
    for key, unset in _BUDGET.items():
        wanted, has = find_value(plain, key), find_value(own, key)
        if key in typed or wanted == has or (wanted is None and unset is None):
            continue
        pairs.append((key, str(unset if wanted is None else wanted)))
    return tuple(pairs)


def with_equal_loss(job: Job) -> Job:
    """Return a job with the loss of its size, where its card has that of a release and its budget is equal.

    A tuned job keeps the loss that its search has chosen.
    """
    if job.settings.recipe != EQUAL or job.tuned:
        return job
    shared = job.settings
    own = compose(job.model_option, job.data, size=shared.size, preset=shared.trainer or None).config
    typed = job.overridden
    released = find_value(own, "model.loss") or {}
    pairs = [
        (key, value)
        for key, value in read_common(shared.size, own)
        if str(released.get(key.removeprefix("model.loss."), value)) != value and not typed & {key, "model.loss"}
    ]
    return replace(job, overrides=(*job.overrides, *pairs))
