"""One image may have several queries, each with a text, a mask and a score row of its own."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import lightning as L
import numpy as np
import pytest

from datamodules.index.checks import index_findings
from datamodules.loading.text_source import TextSource
from tests.helpers.image_sets import make_own_pictures
from tests.helpers.own_data import counts, pictures
from tests.helpers.query_set import CARD, QUERIES, TwoQueries, make_query_set
from zoo.callbacks.overlays import Overlays
from zoo.callbacks.predictions import Predictions
from zoo.callbacks.scores import Scores
from zoo.errors import DataError
from zoo.metrics.case_scores import read_rows
from zoo.metrics.summary import summarise
from zoo.models import FiLM
from zoo.registry import DATA
from zoo.types import CaseKey


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TwoQueries:
    monkeypatch.setattr(DATA, "_sources", {**DATA._find(), CARD.name: lambda: CARD})
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "two_queries"
    root.mkdir()
    return TwoQueries(root=str(make_query_set(root)), patch=[32, 32], batch_size=4, epoch_samples=12, num_workers=0)


def test_a_split_names_images_and_their_queries_stay_together(data: TwoQueries) -> None:
    assert len(data.cases) == 24
    assert len(set(data.split.train + data.split.val + data.split.test)) == 12
    assert not data.split.leaks()
    for split in ("train", "val", "test"):
        images = Counter(case.case_id for case in data.index.cases_of(split))
        assert sorted(images) == sorted(data.split.ids_of(split))
        assert set(images.values()) == {2}
    fold = TwoQueries(root=data.root, patch=[32, 32], fold=0, folds=3)
    assert {case.query for case in fold.index.cases_of("test")} == set(QUERIES)


def test_each_query_has_its_own_mask_in_the_cache(data: TwoQueries) -> None:
    left, right = (data.prepared(data.index.case("00", query)) for query in QUERIES)
    assert left.label is not None
    assert right.label is not None
    np.testing.assert_array_equal(left.image, right.image)
    assert not (left.label & right.label).any()
    assert left.label[..., :16].any()
    assert right.label[..., 16:].any()


def test_every_batch_carries_the_text_and_the_name_of_its_query(data: TwoQueries) -> None:
    data.setup("fit")
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
        for batch in loader:
            assert batch["reports"] == [QUERIES[query] for query in batch["query"]]
    drawn = Counter(query for batch in data.train_dataloader() for query in batch["query"])
    assert set(drawn) == set(QUERIES)


def test_a_shuffled_text_is_that_of_another_query(data: TwoQueries) -> None:
    shuffled = TextSource(data.prompts, True, data.index.cases_of, "shuffled").for_split("test")
    for case in data.index.cases_of("test"):
        assert shuffled.reports_of([case.key]) != [case.report]
    assert TextSource(data.prompts, True, data.index.cases_of, "shuffled").for_split("train").reports_of(
        [CaseKey(data.split.train[0], "left")]
    ) == [QUERIES["left"]], "a control never changes the text of the training"


def test_training_evaluates_every_query_exactly_once(data: TwoQueries, tmp_path: Path) -> None:
    model = FiLM(data.facts, encoder="tiny", channels=[4, 4, 8, 8, 8, 4])
    callbacks = [Scores(tmp_path / "test" / "cases.csv", tmp_path / "manifest.json"), Overlays(tmp_path / "overlays")]
    trainer = L.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=callbacks,
    )
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)
    rows = read_rows(tmp_path / "test" / "cases.csv")
    due = sorted((case_id, query) for case_id in data.split.test for query in QUERIES)
    assert sorted(row.key for row in rows) == due
    assert summarise(rows).cases == len(due)
    about = json.loads((tmp_path / "test" / "about.json").read_text())
    assert sorted(about["subjects"]) == sorted(data.split.test)
    pictures = json.loads((tmp_path / "overlays" / "overlays.json").read_text())["cases"]
    assert len({(entry["case_id"], entry["query"], entry["file"]) for entry in pictures}) == len(pictures)
    assert {entry["text"] for entry in pictures} <= set(QUERIES.values())
    writer = Predictions(tmp_path / "predictions")
    L.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, callbacks=[writer]).predict(
        model, datamodule=data, return_predictions=False
    )
    assert sorted(path.stem for path in writer.folder.iterdir()) == [f"{case_id}__{query}" for case_id, query in due]


def test_an_image_that_names_a_query_twice_is_a_finding(data: TwoQueries) -> None:
    cases = data.list_cases()
    assert not index_findings(cases, reports=True)
    assert [finding.kind for finding in index_findings([*cases, cases[0]], reports=True)] == ["case_twice"]
    other = replace(cases[1], subject="somebody else")
    found = index_findings([cases[0], other, *cases[2:]], reports=True)
    assert [finding.kind for finding in found] == ["split"]
    assert "queries of several subjects" in found[0].problem


def test_a_table_may_have_several_queries_per_image(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path, split=True)
    table = root / "cases.csv"
    header, *rows = [line.split(",") for line in table.read_text(encoding="utf-8-sig").splitlines()]
    both = [[*header, "query"], *([*row, "spot"] for row in rows), *([*row, "same"] for row in rows)]
    table.write_text("\n".join(",".join(row) for row in both) + "\n")
    data = pictures(root)
    assert len(data.cases) == 24
    assert data.index.case("pictures-p0", "same").label == root / "masks" / "p0.png"
    assert counts(data) == [6, 2, 4], "a split has images"
    data.setup("test")
    found = [key for batch in data.test_dataloader() for key in zip(batch["case_id"], batch["query"], strict=True)]
    assert sorted(found) == sorted((case, query) for case in data.split.test for query in ("spot", "same"))
    both[1][header.index("split")] = "test"
    table.write_text("\n".join(",".join(row) for row in both) + "\n")
    with pytest.raises(DataError, match=r"cases\.csv: pictures-p0 is in the splits 'test' and 'train'"):
        _ = pictures(root).split
    twice = "pictures/p0.jpg,masks/p0.png,a,Left.\n"
    table.write_text(f"image,mask,query,text\n{twice}{twice}")
    with pytest.raises(DataError, match="'pictures-p0__a' occurs 2 times"):
        _ = pictures(root).cases
