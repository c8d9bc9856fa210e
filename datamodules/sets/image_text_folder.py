"""`image_text_folder`: a user's own pictures from a table, with or without text, without new code."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from datamodules.bases.own_data import OwnDataModule
from datamodules.files.caption_tables import text_column
from datamodules.files.class_values import class_values, has_colours, have_common_value
from datamodules.files.find_files import FileFinder, find_file
from datamodules.index.case_names import join_paths
from datamodules.index.splits import SPLITS, Split, cut_by_subject, make_split
from zoo.errors import DataError
from zoo.io.pictures import PictureReader
from zoo.io.tables import read_table
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.registry import read_yaml
from zoo.types import REPORT_TRACKS, TRACKS, Case

log = logging.getLogger(__name__)

DESCRIPTION = "dataset.yaml"
"""Name of the file beside the table that describes the data."""
_KEYS = ("classes", "exclusive", "channels", "track", "laterality", "flips", "tolerance", "empty_masks")
_COLUMNS = ("image", "mask", "subject", "split", "query")
PREDICT = "predict"
"""The split of a row that is only predicted."""
_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}


class ImageTextFolder(OwnDataModule):
    """Pictures, masks and texts of a CSV or xlsx table, resized to `patch`.

    The table has the columns `image` and `mask`: paths, relative to the folder of the table. It may have the columns
    `text` (or `caption`, `description`), `subject`, `split` (train, val, test, predict) and `query`. Without `split`
    the subjects are split 72/8/20; without `subject` each picture is a subject of its own. Several rows with one image
    have a `query` each. A table without masks, and rows of the split `predict`, are for `zoo predict`. See
    `docs/own_data.md`.

    Args:
        table: The table, in `root` or absolute; default the only CSV or xlsx file in `root`.
        classes: Name to values of the mask, `{lesion: [255]}`, or to its colours, `{lesion: ["#ff0000"]}`; default
            those of `dataset.yaml` in `root`.
        channels: 1 or 3; default that of `dataset.yaml`, else 1.
        **kwargs: See `OwnDataModule`.
    """

    name = "image_text_folder"

    def __init__(
        self,
        table: str | None = None,
        classes: dict[str, list[int | str]] | None = None,
        channels: int | None = None,
        **kwargs: Any,
    ) -> None:
        self._table = table  # the base class needs it to choose the protocol
        super().__init__(**kwargs)
        described = self._read_description()
        where = "--data.classes" if classes else str(self.folder / DESCRIPTION)
        found = class_values(classes or described.get("classes"), where)
        self._by_colour = has_colours(classes or described.get("classes"), where)
        header, _ = self._rows
        has_text = text_column(header, self._table_path) is not None
        if "track" in described and not has_text:
            problem = f"{self.folder / DESCRIPTION}: `track` is given, but the table has no text."
            raise DataError(problem, "Remove it, or add the column `text`.")
        track = described.get("track", "report") if has_text else "class"
        queries = "query" in header
        if queries and not has_text:
            problem = f"{self._table_path}: a column `query`, but no column `text` that says what each query asks for."
            raise DataError(problem, "Add it, or remove `query`.")
        fitting = (*REPORT_TRACKS, "class") if queries else REPORT_TRACKS
        if has_text and track in TRACKS and track not in fitting:
            problem = f"{self.folder / DESCRIPTION}: `track` is {track}, but the table has a text per "
            problem += "query." if queries else "image."
            raise DataError(problem, f"Write {' or '.join(fitting)}, or remove the column.")
        count = channels or described.get("channels", 1)
        if count not in (1, 3):
            raise DataError(f"{self.folder}: channels are {count!r}.", "Set --data.channels 1 or 3.")
        kept = {key: described[key] for key in ("laterality", "flips", "tolerance", "empty_masks") if key in described}
        exclusive = described.get("exclusive", len(found) > 1 and not have_common_value(found))
        self.describe(classes=found, in_channels=count, exclusive=exclusive, track=track, queries=queries, **kept)

    def preprocessing(self) -> PreprocessingSpec:
        """Resized to the patch."""
        return PreprocessingSpec(size=self.patch)

    @cached_property
    def reader(self) -> PictureReader:
        """Masks by their values, or by their colours where the classes have colours; no colour picture becomes gray."""
        channels = self.card.in_channels
        colours = tuple(value for values in self.labels.values for value in values) if self._by_colour else ()
        return PictureReader(drop=self.dropped_values, channels=channels, gray_only=True, colours=colours)

    def list_labelled(self) -> list[Case]:
        """One case per row with a mask, in the order of the table."""
        return [case for case, _ in self._cases if case.label is not None]

    def list_unlabelled(self) -> list[Case]:
        """The rows of the split `predict`; all rows where the table has no mask."""
        return [case for case, _ in self._cases if case.label is None]

    def split_cases(self, cases: list[Case]) -> Split:
        """`table`: its column `split`. `by_subject`: 72 % train, 8 % val, 20 % test, shuffled once."""
        if self.protocol == "by_subject":
            return cut_by_subject(self.protocol, cases)
        path = self._table_path
        if "split" not in self._rows[0]:
            raise DataError(f"{path}: no column `split`.", "Add it, or give --data.protocol by_subject.")
        words: dict[str, str] = {}
        for case, word in self._cases:
            if case.label is not None and words.setdefault(case.case_id, word) != word:
                problem = f"{path}: {case.case_id} is in the splits '{words[case.case_id]}' and '{word}'."
                raise DataError(problem, "Give all queries of an image one split.")
        case_ids: dict[str, list[str]] = {split: [] for split in SPLITS}
        for case in cases:
            word = words[case.case_id]
            if word not in _SPLIT_WORDS:
                raise DataError(f"{path}: split '{word}' of {case.case_id}.", f"Write {', '.join(SPLITS)}.")
            case_ids[_SPLIT_WORDS[word]].append(case.case_id)
        empty = next((split for split, ids in case_ids.items() if not ids), None)
        if empty:
            raise DataError(f"{path}: no row has the split '{empty}'.", f"Write {empty} in some rows.", "split")
        return make_split(self.protocol, case_ids, cases)

    def choose_protocol(self, name: str | None) -> str:
        """`table` by default where it has a column `split`, else `by_subject`."""
        return super().choose_protocol(name or ("table" if "split" in self._rows[0] else "by_subject"))

    @cached_property
    def _table_path(self) -> Path:
        if self._table:
            return find_file(self.folder, self._table)
        found = sorted(
            p for p in self.folder.iterdir() if p.suffix.lower() in (".csv", ".xlsx") and p.name[0] not in "._~"
        )
        if len(found) != 1:
            names = ", ".join(path.name for path in found) or "none"
            raise DataError(
                f"{self.folder}: one table is needed, but there are: {names}.", "Give it with --data.table FILE."
            )
        return found[0]

    @cached_property
    def _cases(self) -> list[tuple[Case, str]]:
        """The case of each row, and its split in lower case."""
        header, rows = self._rows
        text = text_column(header, self._table_path)
        unused = [name for name in header if name and name not in (*_COLUMNS, text)]
        if unused:
            log.warning("%s: unused columns: %s", self._table_path, ", ".join(unused))
        found = [dict(zip(header, row, strict=True)) for row in rows]
        has_masks = any(cells.get("mask") for cells in found)
        files = FileFinder(self._table_path.parent)
        names = join_paths([cells["image"] for cells in found])
        return [
            (self._case_of(name, cells, row, files, text, has_masks), cells.get("split", "").lower())
            for name, cells, row in zip(names, found, rows, strict=True)
        ]

    def _case_of(
        self,
        case_id: str,
        cells: Mapping[str, str],
        row: list[str],
        files: FileFinder,
        text: str | None,
        has_masks: bool,
    ) -> Case:
        image, mask, path = cells["image"], cells.get("mask", ""), self._table_path
        only_predicted = not has_masks or cells.get("split", "").lower() == PREDICT
        if not image or not (mask or only_predicted):
            fix = f"Fill or remove it. A row with the split `{PREDICT}` needs no mask."
            raise DataError(f"{path}: a row without image or mask: {row}.", fix)
        subject = cells.get("subject", case_id)
        if not subject and not only_predicted:  # it could belong to a subject of another split
            raise DataError(f"{path}: a row without subject: {row}.", "Fill it, or drop the column.")
        label = None if only_predicted else files.find(mask)
        report, query = (cells[text] if text else None), cells.get("query", "")
        return Case(case_id, (files.find(image),), label, subject or case_id, report, query)

    @cached_property
    def _rows(self) -> tuple[list[str], list[list[str]]]:
        header, rows = read_table(self._table_path, "image and mask")
        if "image" not in header:
            raise DataError(f"{self._table_path}: columns {header} lack image or mask.", "Rename the columns.")
        return header, rows

    def _read_description(self) -> Mapping[str, Any]:
        path = self.folder / DESCRIPTION
        described = read_yaml(path) if path.is_file() else {}
        unknown = sorted(set(described) - set(_KEYS))
        if unknown:
            raise DataError(f"{path}: unknown key '{unknown[0]}'.", f"Known: {', '.join(_KEYS)}.")
        return described
