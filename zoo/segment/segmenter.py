"""`zoo.load`: a trained model that segments new images, with the preprocessing of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from torch import Tensor, nn

from zoo.encoders.text import TextEncoder
from zoo.errors import ConfigError, TextError
from zoo.inference import list_mirrors
from zoo.io.image import to_file_grids
from zoo.models.base import SegModule
from zoo.models.finite_values import check_logits
from zoo.preprocessing.apply import PreparedCase, preprocess
from zoo.preprocessing.training_input import TrainingInput
from zoo.preprocessing.undo import native_mask
from zoo.segment.model_file import write_model
from zoo.segment.result import Segmentation, keep_classes
from zoo.segment.scan import Scan, read_scan
from zoo.segment.sources import load_source
from zoo.text.controls import replace_prompt
from zoo.text.laterality import AXIS, follow_mirror
from zoo.types import Batch, Prediction, Text

NO_TEXT = "The text is empty: the model was trained with a text for each image."
"""Warning of an image with an empty text."""


class Segmenter:
    """A trained model that segments new images, or several whose probabilities are averaged. Threads may share it.

    Args:
        model: The model, in evaluation mode.
        images: What the checkpoint knows of the images of the training.
        precision: The precision of the training: under "bf16-mixed" the network computes in bfloat16.
        others: Further models of the same training in other folds or with other seeds.
        mirror: Also segment the mirrored images, along every set of the axes along which training mirrored, and
            average the probabilities. Left and right of a report are exchanged where the image is.
        weights: SHA-256 of each checkpoint.

    Example:
        >>> from zoo import make_facts
        >>> from zoo.models import UNet
        >>> from zoo.preprocessing import PreprocessingSpec
        >>> model = UNet(make_facts(["lesion"], patch=[16, 16]), channels=[4] * 6).eval()
        >>> segmenter = Segmenter(model, TrainingInput({"": PreprocessingSpec(size=(16, 16))}, "px"))
        >>> segmenter(np.zeros((20, 30))).mask.shape
        (20, 30)
    """

    def __init__(
        self,
        model: SegModule,
        images: TrainingInput,
        precision: str = "32-true",
        others: Sequence[SegModule] = (),
        mirror: bool = False,
        weights: Sequence[str] = (),
    ) -> None:
        self.model, self.images, self.precision, self.weights = model, images, precision, tuple(weights)
        self.models = (model, *others)
        self._views = list_mirrors(model.facts.flips if mirror else ())
        self._lock = Lock()

    @property
    def reads_text(self) -> bool:
        """Whether the network reads a text."""
        return self.model.use_text and any(isinstance(part, TextEncoder) for part in self.model.modules())

    @property
    def track(self) -> str:
        """Where the text of the training came from; "none" if the network reads none."""
        return self.model.facts.track if self.reads_text else "none"

    @property
    def reads_reports(self) -> bool:
        """Whether the network was trained with a text per image, and not with one text per class."""
        return self.reads_text and self.model.facts.has_reports

    def to(self, device: str | torch.device) -> Segmenter:
        """Move the models to a device, and return the segmenter."""
        for model in self.models:
            nn.Module.to(model, torch.device(device))
        return self

    def save(self, path: str | Path) -> Path:
        """Write the model in one file, which `zoo.load` reads on another machine: safetensors, without pickle.

        Args:
            path: The file, with the suffix `.safetensors`; an earlier file of this name is replaced.

        Returns:
            The file.

        Raises:
            ConfigError: Another suffix, or several models whose probabilities are averaged.
            RunError: The file cannot be written.
        """
        file = Path(path).expanduser()
        if file.suffix != ".safetensors" or len(self.models) > 1:
            reason = "its suffix is not .safetensors" if len(self.models) == 1 else f"{len(self.models)} models"
            raise ConfigError(f"{file}: {reason}.", "Save one model in a file FILE.safetensors.")
        write_model(file, self.model, self.images, self.precision)
        return file

    def __call__(
        self,
        image: Scan,
        text: str | Mapping[str, str] | None = None,
        *,
        spacing: Sequence[float] | None = None,
        kind: str = "",
        classes: Sequence[str] | None = None,
    ) -> Segmentation:
        """Segment one image.

        Args:
            image: A file, a folder with a DICOM series, one file per channel, or an array (`read_scan`).
            text: For a model that was trained with reports: the report. For a model that was trained with a prompt
                per class: None for these prompts, a sentence per class that differs, or the sentence of the only
                class. An empty report must be written out, and gives a warning.
            spacing: Voxel size of an array, per axis.
            kind: The kind of image ("ct", "mr"), if the training had several.
            classes: The classes that are asked for; by default all. The network computes all of them, with the prompts
                of the training for the others. So the mask of a class does not depend on what else is asked for.

        Returns:
            The mask on the grid of the file, with the text that was read.

        Raises:
            DataError: The image cannot be read, or is of another kind than those of the training.
            TextError: The text is missing, is not of the kind of the training, or is that of a class which is not
                asked for; or a class is unknown.
            ConfigError: The kind of image is unknown.
            RunError: A logit is not finite.
        """
        asked = self.choose_classes(classes, text)
        read, warnings = self.choose_text(text)
        prepared = self.prepare(image, spacing=spacing, kind=kind)
        batch: Batch = {
            "image": torch.from_numpy(prepared.image)[None].to(self.model.device),
            "case_id": [str(prepared.geometry.source or "array")],
            "spacing": torch.tensor([prepared.geometry.spacing]),
            "classes": read.classes,
        }
        if read.reports is not None:
            batch["reports"] = list(read.reports)
        reduced = torch.bfloat16 if self.precision == "bf16-mixed" else None
        with self._lock, torch.no_grad(), torch.autocast(self.model.device.type, reduced, reduced is not None):
            logits = self._compute(batch).cpu()
        labels, geometry = self.model.facts.labels, prepared.geometry
        found = keep_classes(native_mask(logits, geometry, labels), labels, asked)
        prediction = Prediction(batch["case_id"][0], found, geometry)
        grids = to_file_grids(prediction, Path(prediction.case_id))
        mask = grids[0] if len(grids) == 1 else np.stack(grids)
        network = type(self.model).__name__
        return Segmentation(
            mask, labels, read, self.track, warnings, prediction, prepared.image, logits, network, self.weights, asked
        )

    def choose_classes(
        self, classes: Sequence[str] | None, text: str | Mapping[str, str] | None = None
    ) -> tuple[str, ...]:
        """Return the classes that are asked for, in label order; see `__call__`."""
        names = self.model.facts.labels.names
        asked = names if classes is None else tuple(classes)
        unknown = [name for name in asked if name not in names]
        if unknown or not asked:
            raise TextError(
                f"'{unknown[0]}' is no class of this model." if unknown else "No class is asked for.",
                f"Its classes are {', '.join(names)}.",
            )
        unasked = [name for name in text if name in names and name not in asked] if isinstance(text, Mapping) else []
        if unasked:
            raise TextError(f"A text for the class '{unasked[0]}', which is not asked for.", "Ask for it, too.")
        return tuple(name for name in names if name in asked)

    def prepare(self, image: Scan, *, spacing: Sequence[float] | None = None, kind: str = "") -> PreparedCase:
        """Read an image and bring it to the grid of the network, as in the training; see `__call__`."""
        facts = self.model.facts
        array, geometry = read_scan(image, facts.in_channels, facts.spatial_dims, spacing)
        kinds = self.images.preprocessing
        if kind not in kinds:
            known = ", ".join(kinds)
            raise ConfigError(f"kind '{kind}' is no kind of image of the training.", f"Give one of: {known}.")
        return preprocess(array, None, geometry, kinds[kind])

    def _compute(self, batch: Batch) -> Tensor:
        """Compute the logits of one image, or those of the mean probabilities over models and mirrored images."""
        every = [self._compute_view(model, batch, axes) for model in self.models for axes in self._views]
        if len(every) == 1:
            return every[0]
        if self.model.facts.labels.exclusive:
            mean = torch.stack([torch.softmax(one, 0) for one in every]).mean(0)
            return mean.clamp_min(torch.finfo(mean.dtype).tiny).log()
        return torch.logit(torch.stack([torch.sigmoid(one) for one in every]).mean(0), eps=1e-7)

    def _compute_view(self, model: SegModule, batch: Batch, axes: tuple[int, ...]) -> Tensor:
        """Compute the logits of an image that is mirrored along some axes, on the grid of the image itself."""
        places = [axis + 1 for axis in axes]  # behind the channels
        view = Batch(**{**batch, "image": batch["image"].flip([place + 1 for place in places])})
        view = follow_mirror(view, [AXIS[model.facts.spatial_dims] in axes])
        logits = check_logits(model, model.predict_logits(view), batch["case_id"], [])[0].float()
        return logits.flip(places)

    def choose_text(self, text: str | Mapping[str, str] | None) -> tuple[Text, tuple[str, ...]]:
        """Return the text of the network, and warnings."""
        prompts = self.model.facts.prompts
        if not self.reads_text:
            if text is not None:
                raise TextError("This model reads no text.", "Leave out the text.")
            return Text(prompts), ()
        if self.reads_reports:
            if not isinstance(text, str):
                raise TextError("This model was trained with a report per image.", 'Give a report, or "" for none.')
            return Text(prompts, (text,)), () if text.strip() else (NO_TEXT,)
        if isinstance(text, str):
            if len(prompts) > 1:
                names = ", ".join(prompt.name for prompt in prompts)
                raise TextError("This model was trained with a text per class.", f"Map classes to texts: {names}.")
            text = {prompts[0].name: text}
        return self._replace_prompts(text or {})

    def _replace_prompts(self, texts: Mapping[str, str]) -> tuple[Text, tuple[str, ...]]:
        prompts = self.model.facts.prompts
        unknown = [name for name in texts if name not in {prompt.name for prompt in prompts}]
        if unknown:
            names = ", ".join(prompt.name for prompt in prompts)
            raise TextError(f"'{unknown[0]}' is no class of this model.", f"Its classes are {names}.")
        chosen = tuple(
            replace_prompt(prompt, texts[prompt.name]) if prompt.name in texts else prompt for prompt in prompts
        )
        empty = [prompt.name for prompt in chosen if not prompt.sentence.strip()]
        return Text(chosen), tuple(f"The text of the class '{name}' is empty." for name in empty)


def load(
    source: str | Path | Sequence[str | Path],
    checkpoint: str | Path | None = None,
    device: str = "cpu",
    mirror: bool = False,
) -> Segmenter:
    """Load a trained model that segments new images. The data of the training are not needed.

    Args:
        source: The run folder that `zoo fit --out` wrote, `results/<job>` of a benchmark, a checkpoint, a file of
            `Segmenter.save`, or a package: its folder or `hub:OWNER/NAME@COMMIT`. Several are averaged.
        checkpoint: The checkpoint of a single run; by default the one with the best validation score, else the last.
        device: The device, as torch names it.
        mirror: See `Segmenter`.

    Raises:
        RunError, CheckpointError, ConfigError: As `zoo.load_run`; the checkpoint does not say how the images were
            prepared, because an earlier version wrote it; or the runs have other classes, texts or preprocessing.

    Example:
        >>> load("runs/none")
        Traceback (most recent call last):
        zoo.errors.RunError: runs/none: no run is here. Train one first: `zoo fit ... --out runs/none`.
    """
    sources = [source] if isinstance(source, str | Path) else list(source)
    if not sources or (checkpoint and len(sources) > 1):
        raise ConfigError(
            f"{len(sources)} runs and a checkpoint do not fit.", "Name one run, or leave out the checkpoint."
        )
    first, *others = (_load_one(one, checkpoint) for one in sources)
    for path, other in zip(sources[1:], others, strict=True):
        if (key := _find_difference(first, other)) is not None:
            raise ConfigError(f"{path}: {key} not as in {sources[0]}.", "Average runs of one model and data set only.")
    models, weights = [one.model for one in others], [one.weights[0] for one in (first, *others)]
    return Segmenter(first.model, first.images, first.precision, models, mirror, weights).to(device)


def _find_difference(one: Segmenter, other: Segmenter) -> str | None:
    """Name what differs between the inputs and outputs of two models; None where they fit together."""
    for name in ("labels", "prompts", "spatial_dims", "in_channels", "track", "flips"):
        if getattr(one.model.facts, name) != getattr(other.model.facts, name):
            return f"`{name}` is"
    if one.images != other.images or one.reads_text != other.reads_text:
        return "preprocessing and text are"
    return None


def _load_one(source: str | Path, checkpoint: str | Path | None) -> Segmenter:
    found = load_source(source, checkpoint)
    return Segmenter(found.model, found.images, found.precision, weights=[found.sha256])
