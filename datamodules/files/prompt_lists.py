"""Prompt lists: JSON lists whose items name an image, its mask and its texts in levels (`p0`, `p1`, ...).

MedVLSM has such lists. They were read in github.com/naamiinepal/medvlsm; images and masks are not part of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from datamodules.files.caption_tables import collect_or_raise, collect_or_warn, collects_faults
from datamodules.index.case_names import normalise_name
from zoo.errors import DataError
from zoo.text.absence import says_nothing_is_there
from zoo.utils.text_files import read_json

_AGAIN = "Get the list again; a later release needs a new reader."


@dataclass(frozen=True, slots=True)
class PromptItem:
    """One item of a prompt list.

    Attributes:
        image: Name of the image file.
        mask: Name of the mask file, which may begin with a folder ("mask_1/patient0001_2CH_ED_gt.png").
        wordings: The wordings of each level; one where the list has a string.
        place: File and number of the item, for messages.
    """

    image: str
    mask: str
    wordings: Mapping[str, tuple[str, ...]]
    place: str

    def text(self, level: str, wording: int = 0) -> str:
        """The text of a level; of several wordings the one with this number, which is counted round."""
        choices = self.wordings[level]
        return choices[wording % len(choices)].strip()

    def all_texts(self, level: str) -> tuple[str, ...]:
        """All texts of a level, each once."""
        return tuple(dict.fromkeys(text.strip() for text in self.wordings[level]))


def read_prompt_list(path: Path, levels: Sequence[str]) -> list[PromptItem]:
    """Read and check a prompt list.

    Args:
        path: The JSON file.
        levels: The levels that every item must have.

    Raises:
        DataError: The file is missing or no list, or an item lacks what is relied on. Inside of `caption_faults`,
            faults are collected, and items with a fault are left out.
    """
    try:
        content = read_json(path)
    except FileNotFoundError:
        collect_or_raise(DataError(f"{path}: no such file.", "Get the list where the card says.", "caption_table"))
        return []
    except (OSError, ValueError) as error:
        collect_or_raise(DataError(f"{path}: not a readable list ({error}).", "Get the list again.", "caption_table"))
        return []
    if not isinstance(content, list):
        collect_or_raise(DataError(f"{path}: it is no list of items.", _AGAIN, "caption_table"))
        return []
    items = []
    for number, entry in enumerate(content):
        place = f"{path}: item {number}"
        try:
            items.append(_read_item(place, entry, levels))
        except DataError as error:
            collect_or_raise(error)
            continue
        if collects_faults():
            _check_box(place, entry, items[-1])
    return items


def _read_item(place: str, entry: Any, levels: Sequence[str]) -> PromptItem:
    given = entry if isinstance(entry, dict) else {}
    image, mask = (_read_name(place, given, key) for key in ("img_name", "mask_name"))
    prompts = given.get("prompts")
    if not isinstance(prompts, dict):
        raise DataError(f"{place}: no `prompts`.", _AGAIN, "caption_table")
    wordings = {}
    for level in levels:
        text = prompts.get(level)
        choices = [text] if isinstance(text, str) else text
        if not isinstance(choices, list) or not choices or not all(isinstance(one, str) for one in choices):
            problem = f"{place}: `prompts` has neither a text nor a list of texts under {level}."
            raise DataError(problem, _AGAIN, "caption_table")
        wordings[level] = tuple(choices)
    return PromptItem(image, mask, wordings, place)


def _read_name(place: str, entry: Mapping[str, Any], key: str) -> str:
    name = entry.get(key)
    if not isinstance(name, str) or not _is_inside(name):
        raise DataError(f"{place}: `{key}` is {name!r}, no name of a file.", _AGAIN, "caption_table")
    return normalise_name(name)


def _is_inside(name: str) -> bool:
    """Whether a name leads to a file inside of a folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    return bool(path.name) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _check_box(place: str, entry: Mapping[str, Any], item: PromptItem) -> None:
    """Note an item whose text and box contradict each other: one shows something, and the other nothing.

    The box of an empty mask is [width, height, 0, 0]. Boxes are used for nothing else.
    """
    box = entry.get("bbox")
    texts = [text for choices in item.wordings.values() for text in choices if text.strip()]
    if not (isinstance(box, list) and len(box) == 4 and all(isinstance(edge, int | float) for edge in box) and texts):
        return
    nothing = all(map(says_nothing_is_there, texts))
    area = box[0] <= box[2] and box[1] <= box[3]
    if nothing == area:
        what = f"a box of {item.image} with an area" if area else f"no box of {item.image} with an area"
        problem = f"{place}: the text is '{texts[0]}', and there is {what} ({box})."
        collect_or_warn(DataError(problem, "Look at the mask; correct the text or the box.", "absence_contradiction"))


def image_stem(name: str) -> str:
    """The name of an image without folder and suffix."""
    return PurePosixPath(name.replace("\\", "/")).stem


def query_of(item: PromptItem) -> str:
    """The name of a query: what the name of the mask has beyond that of the image.

    Example:
        >>> query_of(PromptItem("a.jpg", "a_edema.png", {}, ""))
        'edema'
        >>> query_of(PromptItem("a.png", "mask_1/a_gt.png", {}, ""))
        'mask_1'
    """
    path = PurePosixPath(item.mask.replace("\\", "/"))
    if len(path.parts) > 1:
        return "-".join(path.parts[:-1])
    return re.sub(r"^[_-]+|[_-]+$", "", path.stem.removeprefix(image_stem(item.image))) or path.stem
