"""The data sets at hand: their listing and their splits; on request every file."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from benchmarks.doctor.finding import Finding
from datamodules.acquire.sources import find_folder
from datamodules.index.card import DataCard
from zoo.errors import ZooError, to_one_line
from zoo.registry import DATA
from zoo.settings import data_root
from zoo.utils.extras import advise_extra
from zoo.utils.format import format_quantity


def list_data_at_hand() -> list[str]:
    """List the data sets whose folder is in ZOO_DATA; those that are drawn from a seed are not among them."""
    found = []
    for card in DATA if data_root() else ():
        facts = None if card.broken else DataCard.of(card)
        if facts is not None and not facts.embedded and facts.folder_name:
            try:
                find_folder(facts, None)
            except ZooError:  # it is not here
                continue
            found.append(card.name)
    return found


def check_data(names: list[str], every_file: bool) -> Iterator[Finding]:
    """Check data sets.

    Args:
        names: Their names.
        every_file: Whether each file is read, as by `zoo data verify`; else no image is opened.
    """
    for name in names:
        try:
            yield _check_one(name, every_file)
        except ZooError as error:
            yield Finding(name, to_one_line(error), f"Run `zoo data verify {name}`.")


def _check_one(name: str, every_file: bool) -> Finding:
    from datamodules.build import build_datamodule
    from zoo.io.dicom import SeriesReader

    data = build_datamodule(name, "tiny")
    cases = format_quantity(len(data.cases), "case")
    if isinstance(data.reader, SeriesReader) and find_spec("SimpleITK") is None:
        return Finding(name, "reading DICOM needs SimpleITK", advise_extra("dicom"))
    if not every_file:
        return Finding(name, f"{cases}, split {data.split_hash[:8]}; files not read (--verify reads them)")
    from datamodules.verify import inspect

    report = inspect(data)
    if report.findings:
        what = f"{format_quantity(len(report.findings), 'finding')} in {cases}"
        return Finding(name, what, f"Run `zoo data verify {name}`, which names each.")
    return Finding(name, f"{cases}, {report.files} files read, nothing found")
