"""The text of an exported network: a table of encoded sentences, or the text encoder as a second graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from zoo.encoders.text_backbone import TextTokens
from zoo.export.graph import trace_encoder
from zoo.export.graph_files import GraphFile, Run
from zoo.export.reading import Reading
from zoo.types import Text

TABLE = "text.safetensors"
ENCODER = "text_encoder"
TOKENISER = "tokenizer.json"
REPORT = "{report}"
"""Stands for the report of an image in a string that the encoder reads."""


class TextTable:
    """The encoded sentences of the classes, which all images share.

    Args:
        reading: How the network reads a text.
        rows: The n encoded sentences.
        prompts: The text of the training.
    """

    def __init__(self, reading: Reading, rows: TextTokens, prompts: Text) -> None:
        self.reading, self.rows = reading, rows
        self.strings = reading.strings(prompts, 1)[0]

    def write(self, folder: Path) -> list[Path]:
        """Write one tensor per part that the network reads, [n, ...]."""
        path = folder / TABLE
        save_file({name: part.contiguous() for name, part in self.reading.inputs(self.rows).items()}, path)
        return [path]

    def inputs(self, strings: Sequence[Sequence[str]]) -> Mapping[str, Tensor]:
        """Return the inputs of the network for the strings of the table."""
        return self.reading.inputs(self.rows)

    def describe(self) -> dict[str, Any]:
        """Plain Python for the metadata of a file."""
        return {"kind": "table", "file": TABLE, "strings": self.strings, "inputs": list(self.reading.parts)}


class TextGraph:
    """The text encoder as a second graph, for texts that are not known yet.

    Args:
        reading: How the network reads a text.
        kind: The kind of file.
        prompts: The text of the training.
    """

    def __init__(self, reading: Reading, kind: type[GraphFile], prompts: Text) -> None:
        self.reading, self.prompts = reading, prompts
        self.outputs = [part for part in reading.parts if part != "text_mask"]
        free = {0: "strings", 1: "tokens"}
        self.file = kind(trace_encoder(reading), ["ids", "mask"], self.outputs, {"ids": free, "mask": free})
        self.name = f"{ENCODER}{self.file.suffix}"
        self._run: Run | None = None

    def write(self, folder: Path) -> list[Path]:
        """Write the graph, and the tokeniser where it has a file."""
        path = folder / self.name
        self.file.write(path, self.describe())
        self._run = self.file.open(path)
        return [path, *([folder / TOKENISER] if _save_tokeniser(self.reading, folder / TOKENISER) else [])]

    def inputs(self, strings: Sequence[Sequence[str]]) -> Mapping[str, Tensor]:
        """Encode the n strings of each image with the written graph."""
        assert self._run is not None  # noqa: S101 - `write` comes first
        ids, mask, _ = self.reading.encoder._backbone.batch([string for row in strings for string in row])
        found = dict(zip(self.outputs, self._run(ids, mask), strict=True)) | {"text_mask": mask}
        named = {part: found[part] for part in self.reading.parts}
        rows = len(strings[0])
        return {name: part.unflatten(0, (-1, rows)) if self.reading.per_image else part for name, part in named.items()}

    def describe(self) -> dict[str, Any]:
        """Plain Python for the metadata of a file."""
        backbone = self.reading.encoder._backbone
        strings = self.reading.strings(self.prompts._replace(reports=(REPORT,) if self.reading.per_image else None), 1)
        tokeniser = TOKENISER if _tokeniser_of(self.reading) is not None else "open_clip.SimpleTokenizer"
        return {
            "kind": "encoder",
            "file": self.name,
            "strings": strings[0],
            "inputs": list(self.reading.parts),
            "encoder": self.reading.encoder.name,
            "tokeniser": tokeniser,
            "most_tokens": backbone.limit,
            "padded_to": backbone.length,
            "padding_id": backbone.pad_id,
        }


def _tokeniser_of(reading: Reading) -> Any:
    """Return the object of the package `tokenizers` that makes token ids; None where there is none."""
    inner = (getattr(reading.encoder._backbone.tokenise, "args", None) or (None,))[0]
    found = getattr(inner, "backend_tokenizer", inner)
    return found if hasattr(found, "save") else None


def _save_tokeniser(reading: Reading, path: Path) -> bool:
    found = _tokeniser_of(reading)
    if found is None:
        return False
    found.save(str(path))
    return True
