"""Find the cases that two data sets share: equal images, or nearly equal ones (`datamodules.verify.duplicates`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from datamodules.acquire.sources import find_folder
from datamodules.files.caption_tables import caption_faults
from datamodules.index.card import DataCard
from datamodules.index.findings import Finding, SharedCases
from datamodules.verify.duplicates import DuplicatePair, ImageSignature, find_pairs
from datamodules.verify.files import sign_case
from zoo.contamination import name_data, share_cases
from zoo.errors import DataError
from zoo.registry import DATA
from zoo.types import Case

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule


def names_at_hand(data: SegDataModule) -> Iterator[str]:
    """The data sets of other archives that share cases with one by their cards, and that are in `ZOO_DATA`."""
    if data.card.embedded:
        return
    for card in DATA:
        if card.broken or card.name == data.name or not share_cases(card.name, data.name):
            continue
        facts = DataCard.of(card)
        if facts.embedded or facts.folder_name == data.card.folder_name:
            continue
        try:
            folder = find_folder(facts, None)
        except DataError:  # it is not at hand
            continue
        if folder != data.folder:
            yield card.name


def find_shared_cases(
    data: SegDataModule,
    signatures: Sequence[ImageSignature],
    other: SegDataModule,
    progress: Callable[[Iterable[Case]], Iterable[Case]],
    workers: int,
) -> SharedCases:
    """Compare the images of a data set with those of another one, which are read here.

    Args:
        data: The data set.
        signatures: Its images.
        other: The other data set.
        progress: Wraps the cases of the other data set while their files are read.
        workers: Number of threads.

    Returns:
        The shared cases; without any and with the problem where the other folder has not the documented layout.
    """
    name, folder = _name(other), str(other.folder)
    declared = share_cases(_name(data), name)
    try:
        found, unread = _sign(other, progress, workers)
    except DataError as error:
        return SharedCases(name, folder, declared, problem=str(error))
    pairs = find_pairs(signatures, found)
    return SharedCases(
        name,
        folder,
        declared,
        tuple((pair.later.case_id, pair.earlier.case_id) for pair in pairs),
        unread,
        tuple(_finding(data, other, pair) for pair in pairs),
    )


def _sign(
    data: SegDataModule, progress: Callable[[Iterable[Case]], Iterable[Case]], workers: int
) -> tuple[list[ImageSignature], int]:
    """The signatures of the images of a data set, and the number of images that cannot be read."""
    with caption_faults():  # they are findings of the other data set
        listed = data.list_cases()
    images: dict[str, Case] = {}
    for case in listed:
        if all(path.is_file() for path in case.images):
            images.setdefault(case.case_id, case)
    with ThreadPoolExecutor(workers) as pool:
        results = pool.map(partial(sign_case, data=data), images.values())
        signatures = [next(results) for _ in progress(images.values())]
    read = [one for one in signatures if one is not None]
    return read, len(signatures) - len(read)


def _name(data: SegDataModule) -> str:
    """The name of a data set; own data have their title, or else their folder."""
    title = getattr(data, "title", None)
    return name_data({"data": data.name, "data_title": data.folder.name if title == "" else title})


def _finding(data: SegDataModule, other: SegDataModule, pair: DuplicatePair) -> Finding:
    mine, theirs, near = pair
    same = "nearly the same image as" if near else "the same image as"
    problem = f"{mine.file}: {same} {theirs.file} of {_name(other)}."
    fix = f"Write `contains: [{other.name}]` on the card of {data.name}, or the reverse; results are then marked."
    if _name(data) != data.name or _name(other) != other.name:  # own data have no card
        fix = "Leave the case out of one of them before you train on one and test on the other."
    return Finding(mine.case_id, mine.file, "shared_case", problem, fix)
