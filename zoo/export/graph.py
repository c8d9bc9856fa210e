"""One graph of a network, and one of its text encoder, with as many axes of any size as the network allows."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.nn import functional as F

from zoo.encoders.text_backbone import TextTokens
from zoo.errors import ConfigError, RunError, first_line
from zoo.export.reading import PARTS, Reading, rows_from
from zoo.models.base import SegModule
from zoo.models.read_text import without_pooled
from zoo.types import Text
from zoo.utils.processor_time import OutOfTimeError, limit_processor_time

SPATIAL = {2: ("height", "width"), 3: ("x", "y", "z")}
"""Names of the axes of an image; those of a volume point to the right, to the front and upwards."""

_STEP = 32  # sizes of the example are multiples of it, so that no axis needs padding
MOST_SECONDS = 120.0
"""Processor time for the trace of a graph. Networks of this zoo need below 20 s where they have a graph of any size."""

_DIVISIBLE = re.compile(r"size\(\)\[(\d)\]\)? % (\d+)\) == 0")


@dataclass(frozen=True)
class Axis:
    """An axis of the image of a graph.

    Attributes:
        name: "batch", or a name of `SPATIAL`.
        size: The only size; None: any size that fits `least` and `multiple`.
        least: The least size.
        multiple: What every size is a multiple of.
    """

    name: str
    size: int | None = None
    least: int = 1
    multiple: int = 1

    def fit(self, size: int) -> int:
        """Return the least allowed size that is not smaller; the only size where there is one."""
        if self.size is not None:
            return self.size
        return max(self.pad(size), self.least)

    def pad(self, size: int) -> int:
        """Return the size to which a network pads an image: the next multiple."""
        return -(-size // self.multiple) * self.multiple

    def describe(self) -> int | dict[str, int | str]:
        """Return the name, the only size, or the limits of a size."""
        if self.size is not None:
            return self.size
        return {"name": self.name, "least": self.least, "multiple_of": self.multiple}


@dataclass(frozen=True)
class NetworkGraph:
    """A network as a graph.

    Attributes:
        program: The graph.
        axes: Batch and spatial axes of the image.
        names: The names of its inputs: "image", and the parts of the text.
        given: Example inputs.
    """

    program: ExportedProgram
    axes: tuple[Axis, ...]
    names: tuple[str, ...]
    given: tuple[Tensor, ...]

    def fit(self, image: Tensor) -> Tensor:
        """Put zeros behind an image [B, C, *S] up to the next size that the graph takes, as networks of the zoo do.

        Raises:
            RunError: The image is smaller than the least size. A network would pad it in another way.
        """
        sizes = image.shape[2:]
        if any(axis.fit(size) != axis.pad(size) for axis, size in zip(self.axes[1:], sizes, strict=True)):
            least = [axis.least for axis in self.axes[1:]]
            raise RunError(
                f"An image of {tuple(sizes)} voxels is smaller than the graph takes ({tuple(least)}).",
                "Check the export with a larger --image.",
            )
        gaps = [axis.fit(size) - size for axis, size in zip(self.axes[1:], sizes, strict=True)]
        return F.pad(image, [n for gap in reversed(gaps) for n in (0, gap)]) if any(gaps) else image

    def other_shape(self, patch: Sequence[int]) -> tuple[int, ...]:
        """Return a batch and a size that the graph takes, other than one image of the patch where there are others."""
        batch, *axes = self.axes
        sizes = (axis.fit(max(size - axis.multiple, 1)) for axis, size in zip(axes, patch, strict=True))
        return (3 if batch.size is None else 1, *sizes)

    def find_refusal(
        self, original: nn.Module, patch: Sequence[int], per_image: bool, guarded: bool
    ) -> Exception | None:
        """Return why the graph does not compute a patch or its `other_shape` as the original; None if it does.

        A graph may be made for one size only, although none of its axes says so.

        Args:
            original: The function that was traced.
            patch: The patch of the network.
            per_image: Whether each image has a text of its own.
            guarded: Whether the guards of the graph count. They are in an exported program and not in an ONNX file, and
                may refuse more than the graph does.
        """
        module = self.program.module(check_guards=guarded)
        fitted = [axis.fit(size) for axis, size in zip(self.axes[1:], patch, strict=True)]
        if any(axis.pad(size) != axis.fit(size) for axis, size in zip(self.axes[1:], patch, strict=True)):
            return ValueError(f"the graph takes no image of the patch {tuple(patch)}")
        channels = self.program.example_inputs[0][0].shape[1]
        for count, *sizes in ((1, *fitted), self.other_shape(patch)):
            texts = [part[:1].expand(count, *part.shape[1:]) if per_image else part for part in self.given]
            noise = make_noise(count, channels, *sizes)
            try:
                with torch.no_grad():
                    torch.testing.assert_close(module(noise, *texts), original(noise, *texts), atol=1e-4, rtol=0)
            except Exception as error:  # noqa: BLE001 - a guard of the graph, or an operation that fits no other size
                return error
        return None


class Network(nn.Module):
    """A model as a function of tensors: an image, and the encoded text.

    Args:
        model: The model.
        reading: How it reads a text; None: it reads none.
        fixed: The rows of the text, if they are part of the graph.
    """

    def __init__(self, model: SegModule, reading: Reading | None, fixed: TextTokens | None) -> None:
        super().__init__()
        self.model, self.reading = model, reading
        for name, part in zip(PARTS, fixed or (), strict=False):
            self.register_buffer(name, part, persistent=False)
        self.fixed = fixed is not None
        self.prompts = Text(model.facts.prompts)

    def forward(self, image: Tensor, *given: Tensor) -> Tensor:
        """Compute the logits [B, K, *S] of images [B, C, *S]."""
        rows = [getattr(self, name) for name in PARTS] if self.fixed else given
        with rows_from(self.reading, rows):
            return self.model.predict_window(image, self.prompts)


class EncoderNetwork(nn.Module):
    """A text encoder as a function of tensors: token ids [N, L] and a mask [N, L], True for a real token."""

    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self.backbone = reading.encoder._backbone
        self.stop = reading.stop
        self.places = [PARTS.index(part) for part in reading.parts if part != "text_mask"]

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Compute the parts of the text that the network reads, without the mask, which is that of the tokens."""
        hidden = self.backbone.embed(ids)
        hidden = self.backbone.run(hidden, mask, 0, self.backbone.depth if self.stop is None else self.stop)
        rows = self.backbone.finish(hidden, mask) if self.stop is None else without_pooled(hidden, mask)
        return tuple(rows[place] for place in self.places)


def trace_network(
    model: SegModule, reading: Reading | None, rows: TextTokens | None, guarded: bool = True
) -> Iterator[NetworkGraph]:
    """Make graphs of a network, as many axes of any size as possible first.

    First all axes may have any size; then the size is the patch; then there is one image. The size is the patch, too,
    where PyTorch computes for too long: in a network that pads to its windows, the conditions of sizes grow without
    end. A format that has no form of the first graph may have one of the next.

    Args:
        model: The model, in evaluation mode.
        reading: How it reads a text, as `find_reading` returns it.
        rows: The n rows of a text.
        guarded: See `NetworkGraph.find_refusal`.

    Yields:
        A graph that takes the patch.

    Raises:
        ConfigError: The network cannot be a graph.
    """
    fixed = reading is not None and not model.use_text
    network = Network(model, reading, rows if fixed else None).eval()
    inputs = {} if reading is None or rows is None or fixed else reading.inputs(rows)
    per_image = reading is not None and reading.per_image
    patch = tuple(model.facts.patch)
    enlarged = tuple(-(-size // _STEP) * _STEP + _STEP * place for place, size in enumerate(patch))
    reason: BaseException | None = None
    made: list[tuple[Axis, ...]] = []
    attempts = ((enlarged, 2, True), (patch, 2, True), (patch, 2, False), (patch, 1, True), (patch, 1, False))
    for sizes, batch, axes_free in attempts:
        if axes_free and isinstance(reason, OutOfTimeError):
            continue
        image = torch.zeros(batch, model.facts.in_channels, *sizes)
        given = tuple(part[None].repeat(batch, *[1] * part.ndim) if per_image else part for part in inputs.values())
        free = [0] if batch > 1 else []
        shapes = dict.fromkeys((*free, *(range(2, image.ndim) if axes_free else ())), Dim.AUTO)
        texts = tuple(_text_axes(name, per_image, bool(free)) for name in inputs)
        try:
            with limit_processor_time(MOST_SECONDS):
                program = trace(network, (image, *given), (shapes, texts) if given else (shapes,))
        except (Exception, OutOfTimeError) as error:  # noqa: BLE001 - torch.export raises errors of many kinds
            reason = error
            continue
        graph = NetworkGraph(program, _read_axes(program, image, len(given)), ("image", *inputs), given)
        refusal = graph.find_refusal(network, patch, per_image, guarded)
        if refusal is not None:
            reason = refusal
        elif graph.axes not in made:
            made.append(graph.axes)
            yield graph
    if not made:
        assert reason is not None  # noqa: S101 - each attempt makes a graph or a reason
        raise _refuse(type(model).__name__, reason) from reason


def trace_encoder(reading: Reading) -> ExportedProgram:
    """Make the graph of a text encoder, for any number of strings of any length.

    Raises:
        ConfigError: The encoder cannot be a graph.
    """
    ids, mask, _ = reading.encoder._backbone.batch(["A lesion.", "Two lesions on the left."])
    free = {0: Dim.AUTO, 1: Dim.AUTO}
    try:
        return trace(EncoderNetwork(reading).eval(), (ids, mask), (free, free))
    except Exception as error:
        raise _refuse(f"The text encoder '{reading.encoder.name}'", error) from error


def _refuse(what: str, reason: BaseException) -> ConfigError:
    return ConfigError(
        f"{what} cannot be exported as a graph: {first_line(reason)[:200]}",
        "Use `--format safetensors`, which has the weights alone.",
    )


def trace(module: nn.Module, inputs: tuple[Tensor, ...], shapes: Any) -> ExportedProgram:
    """Trace a module without gradients; `shapes` are those of `torch.export.export`."""
    with torch.no_grad():
        return torch.export.export(module, inputs, dynamic_shapes=shapes, strict=False)


def make_noise(*shape: int) -> Tensor:
    """Draw normal noise, the same at every call."""
    return torch.zeros(shape).normal_(generator=torch.Generator().manual_seed(0))


def _text_axes(name: str, per_image: bool, free_batch: bool) -> dict[int, Any]:
    """Return the axes of a part of the text that may have any size: the batch, and the number of tokens."""
    tokens = {1 + per_image: Dim.AUTO} if name != "text_pooled" else {}
    return {**({0: Dim.AUTO} if per_image and free_batch else {}), **tokens}


def _read_axes(program: ExportedProgram, image: Tensor, texts: int) -> tuple[Axis, ...]:
    """Read which axes of the image may have any size, and which sizes."""
    nodes = [node for node in program.graph.nodes if node.op == "placeholder"]
    shape = nodes[len(nodes) - texts - 1].meta["val"].shape
    divisors: dict[int, int] = {}
    for guard in getattr(program, "_guards_code", None) or ():
        for place, divisor in _DIVISIBLE.findall(guard) if "image" in guard else ():
            divisors[int(place)] = math.lcm(divisors.get(int(place), 1), int(divisor))
    names: Sequence[str] = ("batch", "channel", *SPATIAL[image.ndim - 2])
    axes = []
    for place, (name, size) in enumerate(zip(names, shape, strict=True)):
        if place == 1:
            continue
        if isinstance(size, int):
            axes.append(Axis(name, size, size))
            continue
        limits = program.range_constraints.get(size.node.expr)
        multiple = divisors.get(place, 1)
        least = 1 if place == 0 else max(int(limits.lower) if limits else 1, 2 * multiple)
        axes.append(Axis(name, None, -(-least // multiple) * multiple, multiple))
    return tuple(axes)
