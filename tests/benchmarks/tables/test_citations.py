"""Every publication that a card, a source or a metric names has a complete record, and becomes an entry of BibTeX."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from benchmarks.tables.citations import all_citations, find_entries, find_year, read_citations
from datamodules.acquire.sources import parse_source
from tests.helpers.paths import REPOSITORY
from zoo.cards import ModelCard
from zoo.data_folders import SOURCES
from zoo.errors import ConfigError
from zoo.metrics.definitions import METRICS
from zoo.registry import ENCODERS, MODELS, read_yaml

ENTRY = "@article{mine2026x, title = {{A}}, author = {B, C.}, journal = {D}, year = {2026}}"


def test_each_named_publication_is_known_and_each_source_names_one() -> None:
    cited = {f"model {card.name}": ModelCard.of(card).cite for card in MODELS if not card.broken}
    cited |= {f"encoder {card.name}": tuple(card.about.get("cite") or ()) for card in ENCODERS if not card.broken}
    cited |= {f"source {path.stem}": parse_source(read_yaml(path), str(path)).cite for path in SOURCES.glob("*.yaml")}
    cited |= {f"metric {metric.key}": metric.cite for metric in METRICS}
    for place, keys in cited.items():
        find_entries(keys, place)
        assert keys or not place.startswith(("source", "metric")), f"{place}: write `cite: [KEY]`"


def test_each_record_has_an_identifier_or_the_place_in_its_volume() -> None:
    for one in all_citations().values():
        found = one.doi or one.eprint or one.url or one.pages or one.booktitle or one.key == "textsegzoo"
        assert found, one.key
        assert re.fullmatch(r"[a-z]+(\d{4}[a-z0-9]+)?", one.key), one.key
        assert not one.eprint or re.fullmatch(r"\d{4}\.\d{5}", one.eprint), one.key


def test_the_entry_of_the_zoo_is_that_of_the_citation_file() -> None:
    stated = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    own = all_citations()["textsegzoo"]
    assert own.author == f"{{{stated['authors'][0]['name']}}}"
    assert own.title.startswith(stated["title"])
    assert str(own.year) == str(stated["date-released"])[:4]


def test_a_card_may_have_a_whole_entry() -> None:
    assert find_entries((ENTRY,), "here") == {"mine2026x": ENTRY}
    assert find_year((ENTRY,)) == 2026
    assert find_year(("li2024lvit", ENTRY)) == 2024
    assert find_year(()) is None


@pytest.mark.parametrize(
    ("cited", "wrong"),
    [
        ("li2024lvitt", "cite has 'li2024lvitt', no known publication. Did you mean li2024lvit?"),
        (ENTRY[:-1], "which BibTeX cannot read"),
        ("@article{}", "which BibTeX cannot read"),
    ],
)
def test_an_unknown_key_is_named_with_its_card(cited: str, wrong: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_entries((cited,), "my.yaml")
    assert str(caught.value).startswith("my.yaml: ")
    assert wrong in str(caught.value)


@pytest.mark.parametrize(
    ("record", "wrong"),
    [
        ("{type: article, title: A, author: B, year: 2020}", "a.journal is missing"),
        ("{type: thesis, title: A}", "a.type is 'thesis'"),
        ("{title: 'A {B'}", "a.title has braces that do not match"),
        ("{title: A, year: soon}", "a.year is 'soon'"),
        ("{title: A, authors: B}", "unknown key a.authors"),
        ("nothing", "a is not a mapping"),
    ],
)
def test_a_record_that_is_not_complete_is_refused_with_its_place(tmp_path: Path, record: str, wrong: str) -> None:
    path = tmp_path / "citations.yaml"
    path.write_text(f"a: {record}\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        read_citations(path)
    assert str(path) in str(caught.value)
    assert wrong in str(caught.value)
