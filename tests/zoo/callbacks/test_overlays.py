"""`zoo test` keeps pictures of the chosen cases, changes no score and leaves no other file."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from zoo.callbacks.overlays import Overlays, ScoredCase, choose_cases, choose_common_cases
from zoo.data_facts import DataFacts
from zoo.errors import RunError
from zoo.metrics.case_scores import CaseScore
from zoo.metrics.scoring import score_case
from zoo.types import CaseKey, ClassPrompt, Geometry, LabelSpace, Native, Prediction

SIDE = 16
LABELS = LabelSpace(("lesion",), ((1,),), exclusive=False)
FACTS = DataFacts("set", 2, 1, (SIDE, SIDE), LABELS, (ClassPrompt("lesion", "a lesion"),), "report")


def seen(dice: float, case_id: str = "") -> ScoredCase:
    return ScoredCase(CaseKey(case_id or f"c{dice}"), {"x": dice}, None, None, Path())


def kinds(chosen: list[tuple[str, ScoredCase]]) -> dict[str, list[float]]:
    return {kind: [case.dice for k, case in chosen if k == kind] for kind in ("worst", "median", "best")}


def test_the_worst_the_median_and_the_best_cases_are_chosen() -> None:
    order = np.random.default_rng(0).permutation(21)
    found = kinds(choose_cases(seen(n / 20) for n in order))
    assert found == {"worst": [0.0, 0.05, 0.1], "median": [0.45, 0.5, 0.55], "best": [0.9, 0.95, 1.0]}


@pytest.mark.parametrize(("count", "sizes"), [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (8, (3, 2, 3))])
def test_few_cases_are_shown_once(count: int, sizes: tuple[int, ...]) -> None:
    chosen = choose_cases(seen(n / 10) for n in range(count))
    assert tuple(len(found) for found in kinds(chosen).values()) == sizes
    assert len({case.key for _, case in chosen}) == len(chosen) == min(count, 9)


def test_cases_with_equal_dice_are_in_the_order_of_their_ids() -> None:
    names = [f"n{place:02d}" for place in range(12)]
    chosen = choose_cases(seen(0.5, name) for name in reversed(names))
    found = [case.key.case_id for _, case in chosen]
    assert found[:3] == names[:3]
    assert found == [case.key.case_id for _, case in choose_cases(seen(0.5, name) for name in names)]


def test_the_common_cases_do_not_depend_on_the_model() -> None:
    names = [f"n{place:02d}" for place in range(12)]
    found = [
        [case.key.case_id for case in choose_common_cases([seen(d, n) for n, d in zip(names, dices, strict=True)])]
        for dices in (np.linspace(0, 1, 12), np.linspace(1, 0, 12))
    ]
    assert found == [["n02", "n06", "n10"]] * 2
    unlabelled = seen(0.0, "n06")._replace(labelled=False)
    rest = [seen(0.5, name) for name in names if name != "n06"]
    assert choose_common_cases([unlabelled, *rest]) == choose_common_cases(rest), "another model may find nothing there"
    assert [case.key.case_id for case in choose_common_cases(rest[:2])] == ["n00", "n01"]
    assert choose_common_cases([]) == []


def module(cases: dict[str, tuple[Any, Any]]) -> SimpleNamespace:
    geometry = Geometry(None, (SIDE, SIDE), ((0, SIDE), (0, SIDE)), (1.0, 1.0), "px")
    return SimpleNamespace(
        facts=FACTS, tested=[Prediction(name, prediction, geometry) for name, (_, prediction) in cases.items()]
    )


def scored(cases: dict[str, tuple[Any, Any]]) -> list[CaseScore]:
    rows = []
    for name, (truth, prediction) in cases.items():
        rows += score_case(name, prediction, truth, LABELS, (1.0, 1.0), "px", 2.0)
    return rows


def batch(cases: dict[str, tuple[Any, Any]], **more: Any) -> dict[str, Any]:
    geometry = module(cases).tested[0].geometry
    image = torch.rand(len(cases), 1, SIDE // 2, SIDE // 2, generator=torch.Generator().manual_seed(0))
    natives = [Native(geometry, truth) for truth, _ in cases.values()]
    return {"image": image, "native": natives, "case_id": list(cases), **more}


def square(columns: int) -> Any:
    mask = np.zeros((1, SIDE, SIDE), np.uint8)
    mask[:, 2:10, 2 : 2 + columns] = 1
    return mask


CASES = {f"case{n}": (square(8), square(n)) for n in range(9)} | {"empty": (square(0), square(0))}


def run(callback: Overlays, cases: dict[str, tuple[Any, Any]], world: int = 1, rank: int = 0, **more: Any) -> Any:
    trainer: Any = SimpleNamespace(world_size=world, global_rank=rank, is_global_zero=rank == 0)
    callback.on_test_epoch_start(trainer, module(cases))  # type: ignore[arg-type]
    callback.on_test_batch_end(trainer, module(cases), scored(cases), batch(cases, **more), 0)  # type: ignore[arg-type]
    return trainer


def test_pictures_are_listed_in_their_index(tmp_path: Path) -> None:
    callback = Overlays(tmp_path)
    (tmp_path / "of_an_earlier_test.png").write_bytes(b"")
    for rank in (0, 1):
        (tmp_path / f".rank-{rank}.npz").write_bytes(b"left by a kill")
    reports = [f"report of {name}" for name in CASES]
    trainer = run(callback, CASES, reports=reports)
    callback.on_test_epoch_end(trainer, module(CASES))  # type: ignore[arg-type]
    index = json.loads((tmp_path / "overlays.json").read_text())
    expected = {f"case{n}": 2 * n / (8 + n) for n in range(9)}
    assert [case["case_id"] for case in index["cases"]] == list(expected), "an empty case has no Dice to stand by"
    assert {case["case_id"]: case["dice"] for case in index["cases"]} == pytest.approx(expected, abs=1e-6)
    assert [case["kind"] for case in index["cases"]] == ["worst"] * 3 + ["median"] * 3 + ["best"] * 3
    assert index["cases"][4]["text"] == "report of case4"
    assert index["cases"][4]["classes"] == {"lesion": pytest.approx(2 * 4 / 12, abs=1e-6)}
    assert index["cases"][4]["axis"] is None
    assert [case["case_id"] for case in index["common"]] == ["case1", "case4", "case7"]
    assert index["prompts"] == {"lesion": "a lesion"}
    assert index["legend"] == [{"name": "lesion", "truth": "#56B4E9", "prediction": "#E69F00"}]
    names = {case["file"] for case in index["cases"]}
    assert {file.name for file in tmp_path.iterdir()} == names | {"overlays.json"}
    for name in names:
        with Image.open(tmp_path / name) as picture:
            assert picture.size == (320, 320)


def test_the_name_of_a_picture_is_safe_whatever_the_name_of_the_case(tmp_path: Path) -> None:
    cases = {"../\x1b[31m\n" + "x" * 250: (square(8), square(4))}
    callback = Overlays(tmp_path)
    callback.on_test_epoch_end(run(callback, cases), module(cases))  # type: ignore[arg-type]
    [case] = json.loads((tmp_path / "overlays.json").read_text())["cases"]
    assert case["case_id"] == next(iter(cases))
    assert case["file"].isprintable()
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([case["file"], "overlays.json"])


def test_cases_of_two_ranks_are_gathered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Overlays(tmp_path / "two"), Overlays(tmp_path / "two")
    halves = dict(list(CASES.items())[:5]), dict(list(CASES.items())[5:])
    trainer = run(first, halves[0], world=2)
    other = run(second, halves[1], world=2, rank=1)

    def gather(into: list[Any], _: Any) -> None:
        into[:] = [first.seen, second.seen]

    monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
    second.on_test_epoch_end(other, module(CASES))  # type: ignore[arg-type]
    assert not (tmp_path / "two" / "overlays.json").exists(), "rank 0 alone draws"
    first.on_test_epoch_end(trainer, module(CASES))  # type: ignore[arg-type]
    index = json.loads((tmp_path / "two" / "overlays.json").read_text())
    assert [case["case_id"] for case in index["cases"]] == [f"case{n}" for n in range(9)]
    assert not list((tmp_path / "two").glob(".rank-*"))


def test_an_interrupted_test_lists_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    callback = Overlays(tmp_path)
    trainer = run(callback, CASES)
    callback.on_test_epoch_end(trainer, module(CASES))  # type: ignore[arg-type]
    trainer = run(callback, CASES)
    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", _full)
        with pytest.raises(RunError, match=r"cannot be written: .*No space left"):
            callback.on_test_epoch_end(trainer, module(CASES))  # type: ignore[arg-type]
    assert not (tmp_path / "overlays.json").exists()
    assert not list(tmp_path.glob(".*")), "neither halves of pictures nor planes"


def _full(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


def test_a_model_that_leaves_no_predictions_has_no_pictures(tmp_path: Path) -> None:
    callback = Overlays(tmp_path / "overlays")
    trainer: Any = SimpleNamespace(world_size=1, global_rank=0, is_global_zero=True)
    bare: Any = SimpleNamespace(facts=FACTS)
    callback.on_test_epoch_start(trainer, bare)
    callback.on_test_batch_end(trainer, bare, scored(CASES), batch(CASES), 0)
    callback.on_test_epoch_end(trainer, bare)
    assert not (tmp_path / "overlays").exists()
