"""Stops a training, a validation or a test at the first value that is not finite, and says where the value is.

Cost: a training step takes the largest gradient of the model, in one pass over the gradients. The result is compared
together with the loss, so that the processor waits for a GPU once per step, as it does for the loss alone. A case that
is validated, tested or predicted takes the largest and the smallest logit.

A step whose gradients are not finite is found at the next step, or before the next validation or checkpoint. So no
checkpoint has its weights, and `last.ckpt` keeps the last good state. With a gradient scaler (`16-mixed`) such a step
is normal: the scaler leaves it out. Then training stops only if the scaler leaves out all steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from zoo.errors import CheckpointError, RunError
from zoo.metrics.case_scores import describe_case

T = TypeVar("T")

LOWEST_SCALE = 2.0**-20
"""A gradient scaler that begins at 2^16 has left out 36 steps one after the other when it comes here."""

_MEND = "Lower `--model.lr`, or use `--trainer.precision 32`."


class FiniteValues(Callback):
    """Stops a training whose gradients are not finite, before a checkpoint can have its weights."""

    def __init__(self) -> None:
        self._finite: Tensor | None = None
        self._step = 0

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Compare the gradients, without waiting for the result."""
        if _scaler(trainer) is not None:
            return
        found = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        dense = [gradient for gradient in found if gradient.numel() and not gradient.is_sparse]
        if dense:
            self._finite = torch.isfinite(get_total_norm(dense, norm_type=math.inf))
            self._step = trainer.global_step
            if isinstance(pl_module, FiniteModule):
                pl_module.finite_gradients = self._finite

    def check(self, pl_module: LightningModule) -> None:
        """Wait for the comparison of the last step.

        Raises:
            RunError: A gradient was not finite.
        """
        if self._finite is not None and not bool(self._finite):
            raise _gradient_error(pl_module, self._step)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check the last step before its weights are validated."""
        self.check(pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check the last step of an epoch, and that a gradient scaler still takes steps.

        Raises:
            RunError: A gradient was not finite, or the scaler leaves out all steps.
        """
        self.check(pl_module)
        scaler = _scaler(trainer)
        if scaler is not None and scaler.is_enabled() and scaler.get_scale() < LOWEST_SCALE:
            raise RunError(
                f"Epoch {trainer.current_epoch}: no step has finite gradients any more "
                f"(the scale of {trainer.precision} is {scaler.get_scale():.3g}).",
                "Use `--trainer.precision bf16-mixed` or `--trainer.precision 32`.",
            )

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Check the last step before its weights are saved."""
        self.check(pl_module)


class FiniteModule(LightningModule):
    """A module that refuses weights that are not finite, and whose trainer checks its gradients.

    Attributes:
        finite_gradients: Whether the gradients of the last step were finite, a scalar on their device; None before.
    """

    finite_gradients: Tensor | None = None

    def configure_callbacks(self) -> list[Callback]:
        """Return the callback that checks the gradients, for every trainer."""
        return [FiniteValues()]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights that are not finite."""
        check_weights(checkpoint["state_dict"], "the checkpoint")


def check_loss(
    module: FiniteModule, total: Tensor, terms: Mapping[str, Tensor], cases: Sequence[str], run: Callable[[], object]
) -> None:
    """Check that the loss of this step and the gradients of the step before are finite.

    Args:
        module: The model.
        total: The loss, a scalar.
        terms: The named terms of the loss.
        cases: The cases of the batch.
        run: Runs the network on the batch again, to find the first module whose output is not finite.

    Raises:
        RunError: One of them is not. The message has the epoch, the step, and the first module or parameter.
    """
    gradients = module.finite_gradients
    finite = torch.isfinite(total.detach())
    if bool(finite if gradients is None else finite & gradients.to(finite.device)):
        return
    if gradients is not None and not bool(gradients):
        raise _gradient_error(module, module.global_step - 1)
    shown = ", ".join(f"{name} {float(term.detach()):.4g}" for name, term in terms.items())
    where = find_parameter(module.named_parameters()) or _find_module(module, run) or "the loss terms"
    raise RunError(
        f"The loss is not finite at step {module.global_step} ({shown}), cases {', '.join(cases)}, "
        f"epoch {module.current_epoch}; the first value that is not finite is in {where}.",
        _MEND,
    )


def check_logits(module: LightningModule, logits: Tensor, case_ids: Sequence[str], queries: Sequence[str]) -> Tensor:
    """Return the logits of a batch if all of them are finite.

    Args:
        module: The model.
        logits: [B, K, *S].
        case_ids: The B cases.
        queries: Their queries; empty if a case has one query.

    Raises:
        RunError: The logits of a case are not finite; a mask of them would look like that of a bad model.
    """
    flat = logits.detach().flatten(1)
    finite = torch.isfinite(flat.amax(1)) & torch.isfinite(flat.amin(1))
    if bool(finite.all()):
        return logits
    raise _logits_error(module, int(finite.logical_not().nonzero()[0]), case_ids, queries)


def check_case_logits(
    module: LightningModule, masks: Sequence[T | None], case_ids: Sequence[str], queries: Sequence[str]
) -> list[T]:
    """Return the masks of a batch if the logits of all of them are finite; see `check_logits`.

    Args:
        module: The model.
        masks: The masks of the B cases; None where the logits of a case are not finite.
        case_ids: The B cases.
        queries: Their queries; empty if a case has one query.
    """
    found = []
    for place, mask in enumerate(masks):
        if mask is None:
            raise _logits_error(module, place, case_ids, queries)
        found.append(mask)
    return found


def _logits_error(module: LightningModule, place: int, case_ids: Sequence[str], queries: Sequence[str]) -> RunError:
    case = describe_case(case_ids[place], queries[place] if queries else "").rstrip(",")
    fit = module._trainer is not None and module.trainer.state.fn == TrainerFn.FITTING  # `trainer` raises without one
    where = f" (validation after epoch {module.current_epoch}, step {module.global_step})" if fit else ""
    return RunError(
        f"{case}: the logits of the model are not finite{where}.",
        _MEND if fit else "Use `--trainer.precision 32`, or train again with a lower `--model.lr`.",
    )


def check_weights(state: Mapping[str, Any], source: str) -> None:
    """Check that the weights of a checkpoint are finite. Minus infinity is allowed in a mask, whose other values are 0.

    Args:
        state: The state dictionary.
        source: The file, for the message.

    Raises:
        CheckpointError: A tensor has values that are not finite.
    """
    name = find_parameter((name, value) for name, value in state.items() if isinstance(value, Tensor))
    if name:
        raise CheckpointError(
            f"{source}: {name} holds values that are not finite.", "Name another checkpoint, or train again."
        )


def find_parameter(named: Iterable[tuple[str, Tensor]]) -> str:
    """Return the name of the first tensor with a value that is not finite and of no mask; empty if there is none."""
    return next((name for name, tensor in named if not _is_finite(tensor.detach())), "")


def _is_finite(tensor: Tensor) -> bool:
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    low, high = (float(value) for value in torch.aminmax(tensor))
    return math.isfinite(high) and (math.isfinite(low) or (high == 0 and low == -math.inf and _is_mask(tensor)))


def _is_mask(tensor: Tensor) -> bool:
    return bool(((tensor == 0) | (tensor == -math.inf)).all())


def _find_module(module: LightningModule, run: Callable[[], object]) -> str:
    """Return the first inner module whose output is not finite; empty if there is none."""
    found: list[str] = []

    def watch(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def look(_: nn.Module, __: Any, output: Any) -> None:
            if not found and isinstance(output, Tensor) and not _is_finite(output):
                found.append(name)

        return look

    hooks = [inner.register_forward_hook(watch(name)) for name, inner in module.named_modules() if name]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else ""


def _gradient_error(module: LightningModule, step: int) -> RunError:
    gradients = ((name, p.grad) for name, p in module.named_parameters() if p.grad is not None)
    name = find_parameter(gradients) or "the model"
    return RunError(f"The gradient of {name} is not finite at step {step}, epoch {module.current_epoch}.", _MEND)


def _scaler(trainer: Trainer) -> Any:
    """Return the gradient scaler of mixed precision; None without one."""
    return getattr(trainer.precision_plugin, "scaler", None)
