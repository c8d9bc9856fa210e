"""The record of `zoo segment` in its output folder: what is done, so that a command that was killed goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import RunError
from zoo.segment.inputs import ScanFile
from zoo.segment.result import Segmentation
from zoo.utils.atomic_files import write_text
from zoo.utils.csv_text import format_csv

AskedText = str | Mapping[str, str] | None
"""The text of an image as the user gave it."""

RECORD = "segmented.jsonl"
TABLE = "volumes.csv"


class Record:
    """The images that a command has segmented, one line each.

    Args:
        folder: The output folder.
        command: The hash of what makes the masks, apart from image and text: runs and options.

    Raises:
        RunError: Another command has written into the folder.
    """

    def __init__(self, folder: Path, command: str) -> None:
        self.folder, self.command = folder, command
        self.done = {line["name"]: line for line in self._read()}
        if any(line["command"] != command for line in self.done.values()):
            raise RunError(
                f"{folder}: it has masks of another run or other options.",
                "Name another --out, or repeat that command.",
            )

    def _read(self) -> list[dict[str, Any]]:
        file = self.folder / RECORD
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        found = []
        for number, line in enumerate(lines, start=1):
            try:
                found.append(json.loads(line))
            except ValueError as error:
                if number < len(lines):
                    raise RunError(f"{file}, line {number}: not readable.", "Name another --out.") from error
                write_text(file, "".join(f"{whole}\n" for whole in lines[:-1]))  # a kill has cut the last line
        return found

    def is_done(self, scan: ScanFile, text: AskedText) -> bool:
        """Whether the mask of an image is there, and the image has not changed since.

        Raises:
            RunError: There is a file of its name that this command has not written, or the mask of another text.
        """
        line = self.done.get(scan.name)
        target = self.folder / f"{scan.name}{scan.suffix}"
        if line is None:
            if target.exists():
                raise RunError(f"{target}: the file exists already.", "Name another --out.")
            return False
        if line["asked"] != text:
            raise RunError(f"{target}: the mask of another text is there already.", "Name another --out.")
        files = all((self.folder / name).is_file() for name in line["files"])
        return files and line["state"] == state_of(scan.path) and line["image"] == str(scan.path)

    def add(self, scan: ScanFile, text: AskedText, found: Segmentation, files: Sequence[Path]) -> None:
        """Add an image whose files are complete."""
        volumes = found.volumes()
        line = {
            "name": scan.name,
            "image": str(scan.path),
            "state": state_of(scan.path),
            "command": self.command,
            "files": [file.name for file in files],
            "asked": text,
            "text": list(found.text.reports or (prompt.sentence for prompt in found.text.classes)),
            "track": found.track,
            "warnings": list(found.warnings),
            "unit": "ml" if found.geometry.unit == "mm" else "px",
            "classes": {
                name: {"voxels": voxels, "volume": volumes[name], "box": found.box(name)}
                for name, voxels in found.voxels().items()
            },
        }
        self.done[scan.name] = line
        with (self.folder / RECORD).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def write_table(self, names: Sequence[str]) -> Path:
        """Write one row per image and class: voxels, volume and the box around the class."""
        head = ["image", "class", "voxels", "volume", "unit", "box", "text", "warnings"]
        rows = [head]
        for line in (self.done[name] for name in names):
            rows += [_row(line, name, values) for name, values in line["classes"].items()]
        write_text(self.folder / TABLE, format_csv(rows))
        return self.folder / TABLE


def _row(line: Mapping[str, Any], name: str, values: Mapping[str, Any]) -> list[str]:
    box = " ".join(f"{start}:{stop}" for start, stop in values["box"] or [])
    numbers = [str(values["voxels"]), f"{values['volume']:.6g}", line["unit"]]
    return [line["image"], name, *numbers, box, " | ".join(line["text"]), " ".join(line["warnings"])]


def state_of(path: Path) -> list[list[Any]]:
    """Return name, size and time of the last change of a file, or of each file of a folder."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
