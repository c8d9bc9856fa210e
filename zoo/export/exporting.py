"""`export_model`: a trained model as files in a new folder, checked against the original before the folder appears."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo import __version__
from zoo.errors import ConfigError, RunError
from zoo.export.graph import NetworkGraph, make_noise, trace_network
from zoo.export.graph_files import GRAPH_FILES, KEY, GraphFile, Run, find_failure
from zoo.export.parity import Case, Parity, compare, largest_difference
from zoo.export.reading import Reading, find_reading
from zoo.export.texts import TextGraph, TextTable
from zoo.layers.tokens import crop_to
from zoo.models.base import SegModule
from zoo.segment.model_file import read_model, write_model
from zoo.segment.segmenter import Segmenter
from zoo.types import Text
from zoo.utils.atomic_files import new_folder, write_text
from zoo.utils.lazy import public_path
from zoo.utils.seals import hash_file

DESCRIPTION = "export.json"
NETWORK = "model"


class ExportedNetwork:
    """A written graph as a function of images and their text, as the original is one.

    Args:
        graph: The graph.
        run: The graph of the file.
        reading: How the network reads a text.
        texts: The encoded text.
    """

    def __init__(
        self, graph: NetworkGraph, run: Run, reading: Reading | None, texts: TextTable | TextGraph | None
    ) -> None:
        self.graph, self.run, self.reading, self.texts = graph, run, reading, texts

    def __call__(self, image: Tensor, text: Text) -> Tensor:
        """Compute the logits [B, K, *S] of images [B, C, *S]."""
        given: Mapping[str, Tensor] = {}
        if self.reading is not None and self.texts is not None:
            given = self.texts.inputs(self.reading.strings(text, len(image)))
        only_one = self.graph.axes[0].size == 1
        parts = []
        for place in range(len(image)) if only_one else [slice(None)]:
            chosen = slice(place, place + 1) if isinstance(place, int) else place
            own = [part[chosen] if self.reading and self.reading.per_image else part for part in given.values()]
            parts.append(self.run(self.graph.fit(image[chosen]), *own)[0])
        return crop_to(torch.cat(parts), image.shape[2:])


def export_model(segmenter: Segmenter, format_name: str, out: Path, case: Case) -> tuple[dict[str, Any], list[Path]]:
    """Write a trained model as files, and check them on a case.

    Args:
        segmenter: The model, on the CPU.
        format_name: A key of `GRAPH_FILES`, or "safetensors".
        out: The new folder.
        case: The case.

    Returns:
        The description, which is in `export.json` and in the metadata of the main file, and the files.

    Raises:
        RunError: The folder is there already, or the written files do not agree with the original.
        ConfigError: The model cannot be exported in this format.
    """
    check_folder(out)
    with new_folder(out, "Name another --out.") as scratch:
        description = _describe(segmenter, format_name)
        if format_name == "safetensors":
            _write_weights(scratch, segmenter, description, case)
        else:
            _write_graphs(scratch, segmenter.model, GRAPH_FILES[format_name], description, case)
        files = sorted(scratch.iterdir())
        description["files"] = {file.name: hash_file(file) for file in files}
        write_text(scratch / DESCRIPTION, json.dumps(description, indent=2) + "\n")
    return description, [out / name for name in (*description["files"], DESCRIPTION)]


def check_folder(out: Path) -> None:
    """Check that nothing of the user's is in the way.

    Raises:
        RunError: The folder is there and not empty, or a file has its name.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out}: it exists already.", "Name another --out.")


def _describe(segmenter: Segmenter, format_name: str) -> dict[str, Any]:
    facts, model = segmenter.model.facts, segmenter.model
    axes = "right, front, up (RAS)" if facts.spatial_dims == 3 else "height, width"
    return {
        "format": format_name,
        "zoo": __version__,
        "model": public_path(type(model), f"{type(model).__module__}.{type(model).__qualname__}"),
        "checkpoint": list(segmenter.weights),
        "data": facts.name,
        "track": segmenter.track,
        "precision": "float32",
        "axes": axes,
        **segmenter.images.to_dict(),
        "windows": {"patch": list(facts.patch), "overlap": model.windows.overlap, "weights": "gaussian, sigma 1/8"},
        "labels": facts.labels.to_dict(),
        "decision": "largest logit, channel 0 is the background" if facts.labels.exclusive else "logit above 0",
        "prompts": [{"name": prompt.name, "sentence": prompt.sentence} for prompt in facts.prompts],
    }


def _write_weights(folder: Path, segmenter: Segmenter, description: dict[str, Any], case: Case) -> None:
    path, model = folder / f"{NETWORK}.safetensors", segmenter.model
    write_model(path, model, segmenter.images, segmenter.precision)
    loaded, _, _ = read_model(path)
    description["parity"] = compare(model, loaded.predict_window, case).describe()
    write_model(path, model, segmenter.images, segmenter.precision, {KEY: json.dumps(description)})


def _write_graphs(
    folder: Path, model: SegModule, kind: type[GraphFile], description: dict[str, Any], case: Case
) -> None:
    example = make_noise(1, model.facts.in_channels, *model.facts.patch)
    reading, rows = find_reading(model, example, case.text)
    graph, network = _convert(trace_network(model, reading, rows, kind.guarded), kind, reading)
    texts: TextTable | TextGraph | None = None
    if reading is not None and rows is not None and len(graph.names) > 1:
        texts = TextGraph(reading, kind, case.text) if reading.per_image else TextTable(reading, rows, case.text)
    path = folder / f"{NETWORK}{kind.suffix}"
    description["versions"] = kind.versions()
    description["inputs"] = _describe_inputs(graph, reading)
    description["text"] = None if texts is None else texts.describe()
    try:
        network.write(path, description)
        if texts is not None:
            texts.write(folder)
        exported = ExportedNetwork(graph, network.open(path), reading, texts)
        parity = compare(model, exported, case)
        parity = _compare_other_shape(model, exported, case, parity)
    except (RuntimeError, ValueError) as error:
        raise find_failure(error) from error
    description["parity"] = parity.describe()
    network.write(path, description)


def _convert(
    graphs: Iterable[NetworkGraph], kind: type[GraphFile], reading: Reading | None
) -> tuple[NetworkGraph, GraphFile]:
    """Return the first graph of which the format has a form, and this form.

    Raises:
        ConfigError: It has none of any.
    """
    refused: ConfigError | None = None
    for graph in graphs:
        try:
            return graph, kind(graph.program, graph.names, ["logits"], _named_axes(graph, reading))
        except ConfigError as error:
            refused = error
    assert refused is not None  # noqa: S101 - without a graph the first step raises
    raise refused


def _compare_other_shape(model: SegModule, exported: ExportedNetwork, case: Case, parity: Parity) -> Parity:
    """Compare a batch of another number and size of images, where the graph takes axes of any size."""
    count, *sizes = exported.graph.other_shape(model.facts.patch)
    if count == 1 and sizes == list(model.facts.patch):
        return parity
    image = make_noise(count, model.facts.in_channels, *sizes)
    reports = case.text.reports
    text = case.text if reports is None else case.text._replace(reports=(reports[0], "", *reports)[:count])
    with torch.no_grad():
        original = model.predict_window(image, text)
    name = f"Noise of the shape {tuple(image.shape)}"
    difference = largest_difference(original, exported(image, text), name)
    return replace(parity, other_shape=tuple(image.shape), other_difference=difference)


def _named_axes(graph: NetworkGraph, reading: Reading | None) -> dict[str, dict[int, str]]:
    batch, *axes = graph.axes
    free = {} if batch.size is not None else {0: batch.name}
    named = {place: axis.name for place, axis in enumerate(axes, start=2) if axis.size is None}
    per_image = reading is not None and reading.per_image
    texts = {}
    for name in graph.names[1:]:
        tokens = {1 + per_image: "tokens"} if name != "text_pooled" else {}
        texts[name] = {**(free if per_image else {}), **tokens}
    return {"image": {**free, **named}, **texts}


def _describe_inputs(graph: NetworkGraph, reading: Reading | None) -> dict[str, list[Any]]:
    batch, *axes = graph.axes
    channels = graph.program.example_inputs[0][0].shape[1]
    found: dict[str, list[Any]] = {"image": [batch.describe(), channels, *(axis.describe() for axis in axes)]}
    named = _named_axes(graph, reading)
    for name, part in zip(graph.names[1:], graph.given, strict=True):
        found[name] = [named[name].get(place, size) for place, size in enumerate(part.shape)]
    return found
