"""`SegModule`, the base class of every model.

A model implements `forward_features(image, text)`, which never reads the ground truth. The losses
read the mask in `compute_losses(batch, output)`, and each named term is logged under its name.
"""

from __future__ import annotations

import logging
import math
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict, is_dataclass
from typing import Any, ClassVar

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from zoo.data_facts import DataFacts
from zoo.encoders.text import TextEncoder
from zoo.errors import ConfigError
from zoo.inference import WindowOptions, predict_logits
from zoo.losses.contrastive import EmbeddingPairs, retrieval
from zoo.losses.segmentation import LossOptions, SegmentationLoss, hide_unknown
from zoo.metrics.case_scores import CaseScore
from zoo.metrics.scored_cases import ScoredCases
from zoo.metrics.validation_scores import ValidationScores
from zoo.models.finite_values import FiniteModule, check_logits, check_loss
from zoo.models.optimiser import OptimiserOptions, build_optimiser, rate_over_steps
from zoo.models.output import Output
from zoo.models.parameter_counts import count_parameters
from zoo.models.predicted_cases import predict_cases
from zoo.models.predicted_cases import text_of as text_of  # noqa: PLC0414 - models import it from here
from zoo.preprocessing.training_input import KEY as TRAINING_INPUT
from zoo.preprocessing.training_input import TrainingInput
from zoo.text.model_inputs import blank
from zoo.types import Batch, Prediction, Text
from zoo.utils.class_args import as_group
from zoo.utils.renamed import reject_old_names

log = logging.getLogger(__name__)

_RANGES = {"warmup": "between 0 and 1"}
RENAMED = {"encode": "forward_features", "training_losses": "compute_losses", "combine": "total_loss"}


class _FinishedMeta(ABCMeta):
    """Calls `finish_init` once a model is complete, so that no model needs a line of its own for it."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        model = super().__call__(*args, **kwargs)
        model.finish_init()
        return model


class SegModule(FiniteModule, metaclass=_FinishedMeta):
    """Base class of every model.

    Args:
        facts: `DataFacts.to_dict()` of the data set. The command line takes it from the data module.
        lr: Peak learning rate.
        weight_decay: Weight decay, for every parameter.
        warmup: Share of all steps in which the rate rises linearly. The schedule of `optimiser` follows, to zero.
        overlap: Overlap of sliding windows, in [0, 1).
        use_text: False is an ablation: the same network reads empty strings only.
        loss: Form and weights of Dice and cross entropy.
        max_windows: Most sliding windows per image, as a quick check on its middle only; None for the whole image.
        windows: Which windows are computed, and how many at once.
        optimiser: AdamW or SGD, and the schedule of the rate.

    Attributes:
        text_path: Attributes of the class that would be absent without text; see `count_parameters`.
        renamed_arguments: Former name of an argument -> its name now. The command line refuses a former name.
        training_input: The preprocessing of the images of the training, in a model that a checkpoint was loaded into.
        training_features: What a training step calls in place of `forward_features`: the same, compiled.

    Example:
        >>> from torch import nn
        >>> from zoo import make_facts
        >>> class OneConvolution(SegModule):
        ...     def __init__(self, facts, **kwargs):
        ...         super().__init__(facts, **kwargs)
        ...         self.net = nn.Conv2d(self.facts.in_channels, self.facts.labels.channels, 3, padding=1)
        ...
        ...     def forward_features(self, image, text):
        ...         return Output(self.net(image))
        >>> model = OneConvolution(make_facts(["lesion"], patch=[32, 32]))
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    text_terms: ClassVar[tuple[str, ...]] = ()
    text_path: ClassVar[tuple[str, ...]] = ()
    renamed_arguments: ClassVar[Mapping[str, str]] = {}
    training_input: TrainingInput | None = None
    training_features: Callable[[Tensor, Text], Output] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Reject a model that still defines a method under its old name."""
        super().__init_subclass__(**kwargs)
        reject_old_names(cls, "model", RENAMED)

    def __init__(
        self,
        facts: Mapping[str, Any],
        lr: float = 1e-3,
        weight_decay: float = 1e-5,
        warmup: float = 0.05,
        overlap: float = 0.5,
        use_text: bool = True,
        loss: LossOptions = LossOptions(),  # noqa: B008 - it is immutable
        max_windows: int | None = None,
        optimiser: OptimiserOptions = OptimiserOptions(),  # noqa: B008 - it is immutable
        windows: WindowOptions = WindowOptions(),  # noqa: B008 - it is immutable
    ) -> None:
        super().__init__()
        for key, value, right in (
            ("lr", lr, lr >= 0),
            ("weight_decay", weight_decay, weight_decay >= 0),
            ("warmup", warmup, 0 <= warmup <= 1),
        ):
            if not right:
                fix = "`zoo show NAME` prints the card's value."
                raise ConfigError(f"--model.{key} {value} is not {_RANGES.get(key, '0 or more')}.", fix)
        self.save_hyperparameters()
        for name, value in self.hparams.items():
            if is_dataclass(value) and not isinstance(value, type):
                self.hparams[name] = asdict(value)  # a checkpoint holds plain data only
        self._hparams_initial = deepcopy(self._hparams)  # a logger too
        self.facts = DataFacts.from_dict(facts)
        self.lr = lr
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.use_text = use_text
        self.windows = as_group(WindowOptions, windows).plan(self.facts.patch, overlap, max_windows)
        self.optimiser = as_group(OptimiserOptions, optimiser)
        self.loss = as_group(LossOptions, loss).for_axes(self.facts.spatial_dims)
        self.segmentation_loss = SegmentationLoss(self.facts.labels.exclusive, self.loss, self.facts.partial)
        self.validation_scores = ValidationScores(self.facts.labels.names, self.facts.labels.exclusive)
        self.test_scores = ScoredCases(self.facts.labels, self.facts.tolerance)
        self.term_weights: dict[str, float] = self.loss.weights  # weights of the terms whose weight is not 1
        self.tested: list[Prediction] = []  # predictions of the last test batch, for callbacks that show them
        self._absent_terms: set[str] = set()
        self._watched: dict[str, Tensor] = {}

    def finish_init(self) -> None:
        """Replace the text where `use_text` is off. Runs after the constructor of the model."""
        if not self.use_text:
            self.term_weights |= dict.fromkeys(self.text_terms, 0.0)
            for module in self.modules():
                if isinstance(module, TextEncoder):
                    module.replace_text()

    @abstractmethod
    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits and the values that the losses need.

        Args:
            image: Images, [B, C, *S].
            text: Class prompts and reports of the batch.

        Returns:
            Logits [B, K, *S], and the further values that `compute_losses` reads, by name.
        """

    def forward(self, image: Tensor, text: Text) -> Tensor:
        """Compute the logits [B, K, *S] of images [B, C, *S]."""
        return self.forward_features(image, self.readable(text)).logits

    def readable(self, text: Text) -> Text:
        """Return the text that the network reads: empty strings where `use_text` is off."""
        return text if self.use_text else blank(text)

    def compute_losses(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Compute the named loss terms of a batch: Dice and cross entropy.

        A model with more terms overrides this method and adds them to the dictionary.
        """
        return self.segmentation_loss(output.logits, batch["label"])  # type: ignore[no-any-return]

    def total_loss(self, losses: dict[str, Tensor]) -> Tensor:
        """Compute the scalar that training minimises: the sum of the terms, weighted by `term_weights`.

        A term of weight 0 stays in the graph, so that DDP finds every parameter in the graph.
        """
        return torch.stack([self.term_weights.get(name, 1.0) * term for name, term in losses.items()]).sum()

    def log_absent_term(self, name: str) -> None:
        """Log, once per run and term, that a batch with fewer than two distinct texts has no contrast."""
        if name not in self._absent_terms and self.global_rank == 0:
            log.info("train/%s: absent in a batch with fewer than two distinct texts (logged once)", name)
        self._absent_terms.add(name)

    def watch(self, name: str, value: Tensor) -> None:
        """Log a value as `train/<name>` with the losses of this step. The value is not trained."""
        self._watched[name] = value

    def watch_retrieval(self, pairs: EmbeddingPairs) -> None:
        """Log how often an image finds its own text, and how often by chance; nothing with fewer than two texts."""
        for name, share in zip(("retrieval", "retrieval_chance"), retrieval(pairs) or (), strict=False):
            self.watch(name, share)

    def count_parameters(self) -> dict[str, int | None]:
        """Count the parameters by part. See `zoo.models.parameter_counts.count_parameters`."""
        return count_parameters(self)

    @property
    def params(self) -> int:
        """Number of all parameters, with those of a frozen text encoder, which `parameters()` leaves out."""
        return count_parameters(self)["total"] or 0

    @property
    def params_trainable(self) -> int:
        """Number of the parameters that training changes."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Run the network, compute the named losses, log each loss, and return the total loss."""
        self._watched.clear()
        network = self.training_features or self.forward_features
        output = network(batch["image"], self.readable(text_of(batch)))
        losses = self.compute_losses(batch, output)
        total = self.total_loss(losses)
        check_loss(self, total, losses, batch["case_id"], lambda: self(batch["image"], text_of(batch)))
        size = len(batch["image"])
        named = {"loss": total, **losses, **self._watched}
        self.log_dict(
            {f"train/{name}": term.detach() for name, term in named.items()},
            on_step=False,
            on_epoch=True,  # the mean of rank 0 over the steps that have the term, so that no rank waits for a log
            batch_size=size,
        )
        return total

    def on_validation_epoch_start(self) -> None:
        """Copy the buffers of rank 0 to every rank, so that all ranks score with the same model."""
        self.validation_scores.reset()
        if self.trainer.world_size > 1:
            for buffer in self.buffers():
                torch.distributed.broadcast(buffer, src=0)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count true and false voxels on the network's grid, and compute the loss of whole images."""
        if batch.get("spare"):
            return
        logits = check_logits(self, self.predict_logits(batch), batch["case_id"], batch.get("query") or [])
        label = batch["label"]
        if self.facts.partial:
            logits, label = hide_unknown(logits, label, self.facts.labels.exclusive)
        loss = self.segmentation_loss.of_whole_images(logits, label)
        if self.facts.labels.exclusive:
            self.validation_scores.update(logits.argmax(1, keepdim=True), label, loss)
        else:
            self.validation_scores.update(logits > 0, label.bool(), loss)

    def on_validation_epoch_end(self) -> None:
        """Log `val/dice`, the Dice of each class and `val/loss`, from sums over ranks: the same on every rank."""
        self.log_dict(self.validation_scores.compute(), sync_dist=True)

    def test_step(self, batch: Batch, batch_idx: int) -> list[CaseScore]:  # type: ignore[override]  # kept by `Scores`
        """Score a batch on the native grid: one row per case and class."""
        self.tested = self.predict_step(batch, batch_idx)
        return self.test_scores.score(self.tested, batch["native"] if self.tested else [])

    def on_test_epoch_start(self) -> None:
        """Forget the scores of an earlier test."""
        self.test_scores.reset(getattr(self.trainer, "datamodule", None))

    def on_test_epoch_end(self) -> None:
        """Log the mean scores over all cases, for `trainer.test` of a Python user."""
        self.log_dict(self.test_scores.compute(self.trainer.world_size), sync_dist=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what `zoo.load` needs for a new image: the preprocessing of the training."""
        known = getattr(getattr(self.trainer, "datamodule", None), "training_input", None)
        if known is not None:
            checkpoint[TRAINING_INPUT] = known.to_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what the checkpoint says of the images of its training."""
        super().on_load_checkpoint(checkpoint)
        if TRAINING_INPUT in checkpoint:
            self.training_input = TrainingInput.from_dict(checkpoint[TRAINING_INPUT])

    def predict_step(self, batch: Batch, batch_idx: int) -> list[Prediction]:
        """Predict one mask per case on the native grid; nothing for a batch that another rank scores."""
        if batch.get("spare"):
            return []
        return predict_cases(self, batch, whole=type(self).predict_logits is not SegModule.predict_logits)

    def predict_window(self, image: Tensor, text: Text) -> Tensor:
        """Compute the logits of images [B, C, *S] within the patch; `forward`, where a model does not override this."""
        return self(image, text)  # type: ignore[no-any-return]

    def predict_logits(self, batch: Batch) -> Tensor:
        """Compute the logits of whole images on the grid of the network, without gradients."""
        checked = self._trainer is not None and self._trainer.sanity_checking  # one window shows that validation works
        windows = self.windows._replace(most=1) if checked else self.windows
        return predict_logits(self.predict_window, batch["image"], text_of(batch), *windows)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimiser, with a linear warm-up and its schedule to zero over all steps of the run."""
        optimizer = build_optimiser(self.parameters(), self.optimiser, self.lr, self.weight_decay, self.trainer)
        planned = self.trainer.estimated_stepping_batches
        if not math.isfinite(planned):
            raise ConfigError(
                "--trainer.max_epochs -1: the schedule of the learning rate needs the number of steps.",
                "Give --trainer.max_epochs or --trainer.max_steps.",
            )
        steps = max(int(planned), 1)
        factor = rate_over_steps(steps, self.warmup, self.optimiser)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
