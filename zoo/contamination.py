"""Contamination: the data sets that initial weights have seen, and which data sets share cases. No torch here.

A card says under `contains` whose cases are inside: the card of a data set, of a text encoder, or of a file of weights.
The last one is `NAME.yaml` beside `NAME.safetensors` (or another suffix), or `card.yaml` in the same folder. Each entry
is the name of a registered data set, or the public name of another one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import ConfigError
from zoo.registry import DATA, ENCODERS, Card, read_yaml
from zoo.utils.typed_content import read_content

KEY = "contains"
"""The key of a card."""

MARK = "contaminated"
"""Mark of a row whose initial weights have seen cases of its data set."""

MANIFEST_KEY = "pretrained_on"
"""Key of the manifest of a run for the data sets that its initial weights have seen."""

_FOLDER_CARD = "card.yaml"
_APART = ("CT", "MR")
"""Modalities whose scans in one archive are different images."""


@dataclass(frozen=True, slots=True)
class WeightsCard:
    """The card of a file of weights.

    Attributes:
        contains: The data sets that the weights have seen.
        title: The weights in one line.
        homepage: The page of their authors.
        licence: Their licence.
        source: Where `contains` was read.
    """

    contains: tuple[str, ...] = ()
    title: str = ""
    homepage: str = ""
    licence: str = ""
    source: str = ""


def read_weights_card(place: Path) -> WeightsCard | None:
    """Read the card of a file or folder of weights; None where it has none.

    Raises:
        ConfigError: The card has an unknown key or a wrong value.
    """
    places = [place / _FOLDER_CARD] if place.is_dir() else [place.with_suffix(".yaml"), place.parent / _FOLDER_CARD]
    file = next((one for one in places if one.is_file()), None)
    return None if file is None else read_content(WeightsCard, read_yaml(file), str(file), "the card")


def sets_of_weights(place: Path) -> tuple[str, ...]:
    """The data sets that the card of a file or folder of weights names; empty without a card.

    Raises:
        ConfigError: The card has an unknown key or a wrong value.
    """
    card = read_weights_card(place)
    return () if card is None else card.contains


def sets_of_encoder(name: str) -> tuple[str, ...]:
    """The data sets that the card of a text encoder names: a registered one, or that of a folder.

    Raises:
        ConfigError: The card has a wrong value.
    """
    return _listed(ENCODERS.get(name)) if name in ENCODERS else sets_of_weights(Path(name).expanduser())


def sets_inside(name: str) -> frozenset[str]:
    """A data set and all data sets inside it, also those inside of these, in one spelling.

    Raises:
        ConfigError: A card has a wrong value.

    Example:
        >>> sorted(sets_inside("textbrats"))
        ['brats', 'textbrats']
    """
    found: dict[str, None] = {}
    waiting = [_spell(name)]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found[one] = None
            waiting += [_spell(inner) for inner in (_listed(DATA.get(one)) if one in DATA else ())]
    return frozenset(found)


def share_cases(one: str, other: str) -> bool:
    """Whether two data sets share cases: one name is inside both, or both are parts of one archive.

    CT and MR of one archive are different images.

    Example:
        >>> share_cases("brats", "textbrats"), share_cases("amos22", "amos22_ct"), share_cases("amos22_mr", "amos22_ct")
        (True, True, False)
    """
    mine, others = sets_inside(one), sets_inside(other)
    return bool(mine & others) or any(_of_one_archive(a, b) for a in mine for b in others)


def sets_shared(seen: Iterable[str], data: str) -> tuple[str, ...]:
    """Those of some data sets that share cases with one, in their order."""
    return tuple(dict.fromkeys(name for name in seen if share_cases(name, data)))


def name_data(manifest: Mapping[str, Any]) -> str:
    """The data set of a run; own data have their title."""
    name, title = str(manifest.get("data") or ""), str(manifest.get("data_title") or "")
    return f"{title} ({name})" if title else name


def sets_of_run(manifest: Mapping[str, Any]) -> list[dict[str, str]]:
    """What a run has seen, by its manifest: its own data with the hash of the splits, and what its weights had seen."""
    own = [{"data": name_data(manifest), "split_hash": str(manifest.get("split_hash") or "")}] if manifest else []
    return [one for one in own if one["data"]] + [{"data": str(name)} for name in manifest.get(MANIFEST_KEY) or ()]


def sets_of_runs(entries: Iterable[Mapping[str, str]], data: str, split_hash: str) -> Iterator[str]:
    """The data sets of `sets_of_run`, without the training cases of the same splits of the same data set."""
    for entry in entries:
        if entry["data"] != data or not split_hash or entry.get("split_hash") != split_hash:
            yield entry["data"]


def _of_one_archive(one: str, other: str) -> bool:
    if one not in DATA or other not in DATA:
        return False
    mine, others = DATA.get(one).about, DATA.get(other).about
    kinds = (mine.get("modality"), others.get("modality"))
    apart = kinds[0] != kinds[1] and all(kind in _APART for kind in kinds)
    return bool(mine.get("folder", one) == others.get("folder", other)) and not apart


def _listed(card: Card) -> tuple[str, ...]:
    """The names in the `contains` of a registered card.

    Raises:
        ConfigError: It is no list of names.
    """
    names = card.about.get(KEY) or ()
    if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"{card.place}: about.{KEY} is no list of names.", f"Write `{KEY}: [name, name]`.")
    return tuple(names)


def _spell(name: str) -> str:
    """One spelling of a name: its own name if it is registered, else small letters and digits."""
    if name not in DATA:
        name = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return DATA.get(name).name if name in DATA else name
