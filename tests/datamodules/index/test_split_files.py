"""Splits as files: those of the package, and a file of the user."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datamodules.build import build_datamodule
from datamodules.cli import main
from datamodules.index.split_files import as_shipped, shipped_fold, to_text
from datamodules.index.splits import SPLITS, Split, cut_fold
from datamodules.verify import inspect
from tests.helpers.data_sets import make_btcv, make_hippocampus
from tests.helpers.image_sets import make_mosmed
from tests.helpers.shipped_splits import ACDC_GROUPS, FOLDS, NAMES, cases_of, content_of, module_of
from tests.helpers.volume_sets import make_mmwhs
from zoo.errors import ConfigError, DataError
from zoo.registry import CONFIGS, DATA

TRANSUNET_TEST = "0008 0022 0038 0036 0032 0002 0029 0003 0001 0004 0025 0035"
"""`lists_Synapse/test_vol.txt` of TransUNet, in its order."""


def shipped(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((CONFIGS / "splits" / f"{name}.json").read_text(encoding="utf-8"))
    return content


# What comes with the sets


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_file_is_what_our_rules_make_of_the_documented_ids(name: str) -> None:
    assert shipped(name) == content_of(name)
    assert (CONFIGS / "splits" / f"{name}.json").read_text(encoding="utf-8") == to_text(content_of(name)) + "\n"
    assert list(shipped(name)) == list(DATA.get(name).about["protocols"])


def test_all_shipped_files_are_tested() -> None:
    assert {path.stem for path in (CONFIGS / "splits").glob("*.json")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_subject_is_in_one_split_and_one_fold_of_the_package(name: str) -> None:
    subjects = {case.case_id: case.subject for case in cases_of(name)}
    for entry in shipped(name).values():
        for parts in (entry, *entry["folds"]):
            homes = [{subjects[case_id] for case_id in parts[part]} for part in SPLITS]
            assert all(homes)
            assert sum(map(len, homes)) == len(set().union(*homes))
        tested = [case_id for parts in entry["folds"] for case_id in parts["test"]]
        assert len(tested) == len(set(tested))
        assert {case_id for part in SPLITS for case_id in entry["folds"][0][part]} == set(tested)


def test_published_lists_are_those_published() -> None:
    btcv = shipped("btcv")
    assert sorted(btcv["18-12"]["test"]) == sorted(TRANSUNET_TEST.split())
    assert btcv["24-6"]["test"] == [f"{number:04d}" for number in range(35, 41)]
    acdc = shipped("acdc")
    assert {name[:10] for name in acdc["official"]["test"]} == {f"patient{number}" for number in range(101, 151)}
    groups = [ACDC_GROUPS[(int(name[7:10]) - 1) // 20] for name in acdc["official"]["val"] if name.endswith("ED")]
    assert groups == [group for group in ACDC_GROUPS for _ in range(2)]
    assert [len(acdc["70-10-20"][part]) for part in SPLITS] == [140, 20, 40]


def test_a_complete_data_set_is_split_by_its_file_and_an_incomplete_one_by_the_rules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cases = cases_of("mmwhs_ct")
    cut = module_of("mmwhs_ct", "by_case").split_cases(cases)
    swapped = Split(cut.protocol, cut.train, cut.test, cut.val, cut.subjects)  # what another generator might do
    assert as_shipped("mmwhs_ct", swapped).hash == cut.hash
    few = module_of("mmwhs_ct", "by_case").split_cases(cases[:9])
    assert as_shipped("mmwhs_ct", few) is few
    assert as_shipped("hippocampus", cut) is cut  # a set without a file
    for fold in range(FOLDS):
        assert shipped_fold("mmwhs_ct", cut, fold, FOLDS, False).hash == cut_fold(cut, fold, FOLDS).hash
    assert shipped_fold("mmwhs_ct", cut, 0, 4, False).hash == cut_fold(cut, 0, 4).hash
    with pytest.raises(ConfigError, match="is no fold"):
        shipped_fold("mmwhs_ct", cut, 5, 5, False)


def test_folds_of_a_complete_data_set_come_from_its_file(tmp_path: Path) -> None:
    root = str(make_btcv(tmp_path, shape=(12, 12, 6)))
    for fold in (0, 4):
        data = build_datamodule("btcv", root=root, fold=fold)
        assert list(data.split.test) == shipped("btcv")["24-6"]["folds"][fold]["test"]


# A user's own


def test_what_is_written_is_what_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = str(make_hippocampus(tmp_path, 10)), tmp_path / "mine.json"
    known = build_datamodule("hippocampus", "tiny", root=root)
    assert main(["split", "hippocampus", "--root", root, "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hash"] == known.split_hash
    again = build_datamodule("hippocampus", "tiny", root=root, split=str(out))
    assert again.split == known.split
    assert main(["split", "hippocampus", "--root", root, "--out", str(out), "--folds", "3"]) == 0
    assert len(json.loads(out.read_text())["folds"]) == 3
    for fold in range(3):
        of_file = build_datamodule("hippocampus", "tiny", root=root, split=str(out), fold=fold)
        assert of_file.split == build_datamodule("hippocampus", "tiny", root=root, fold=fold, folds=3).split
        assert of_file.folds == 3, "score files record how many folds there are"
    for options in ({}, {"fold": 3}):
        with pytest.raises(ConfigError, match=r"mine\.json: 3 folds in it"):
            _ = build_datamodule("hippocampus", "tiny", root=root, split=str(out), **options).split
    with pytest.raises(ConfigError, match=r"--data\.folds 3 beside --data\.split"):
        build_datamodule("hippocampus", "tiny", root=root, split=str(out), fold=0, folds=3)
    for flags in (["--folds", "1"], ["--folds", "3", "--data.fold", "0"]):
        assert main(["split", "hippocampus", "--root", root, "--out", str(tmp_path / "no.json"), *flags]) == 2
    assert not (tmp_path / "no.json").exists()
    assert main(["split", "hippocampus", "--root", root, "--out", str(out / "no.json")]) == 2


def test_a_file_brings_its_protocols_classes_and_its_own_name(tmp_path: Path) -> None:
    root, out = str(make_btcv(tmp_path, shape=(12, 12, 6))), tmp_path / "eight.json"
    assert main(["split", "btcv", "--root", root, "--protocol", "18-12", "--out", str(out)]) == 0
    data = build_datamodule("btcv", root=root, split=str(out))
    assert data.protocol == "18-12"
    assert len(data.labels.names) == 8
    assert main(["split", "btcv", "--root", root, "--out", str(out), "--data.fold", "1"]) == 0
    fold = build_datamodule("btcv", root=root, split=str(out))
    assert (fold.protocol, fold.split.protocol) == ("24-6", "24-6, fold 1 of 5")
    content = json.loads(out.read_text())
    out.write_text(json.dumps({**content, "protocol": "mine", "hash": None}))
    mine = build_datamodule("btcv", root=root, split=str(out))
    assert mine.split.protocol == "mine"
    assert len({mine.split_hash, fold.split_hash, data.split_hash}) == 3


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"data": "btcv"}, DataError, "a split of 'btcv', not of 'mmwhs_ct'"),
        ({"val": ["ct_train_1001", "ct_train_9999"]}, DataError, "1 cases are not in mmwhs_ct: ct_train_9999"),
        ({"val": ["ct_train_1001"], "hash": None}, DataError, "cases in two splits: ct_train_1001"),
        ({"val": []}, DataError, "no case for the val split"),
        ({"train": ["ct_train_1001", "ct_train_1002"]}, DataError, "changed after it was written"),
        ({"subjects": {"ct_train_1001": "someone"}}, DataError, "ct_train_1001 is of someone, but of ct_train_1001"),
        ({"val": "ct_train_1001"}, ConfigError, "lists of case ids"),
        ({"val": None}, ConfigError, "lists of case ids"),
        ({"protocol": " "}, ConfigError, "no `protocol`"),
        ({"folds": []}, ConfigError, "lists of case ids"),
        ({"subjects": []}, ConfigError, "does not map"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    tmp_path: Path, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    root, out = str(make_mmwhs(tmp_path, "ct")), tmp_path / "mine.json"
    assert main(["split", "mmwhs_ct", "--root", root, "--out", str(out)]) == 0
    content = json.loads(out.read_text())
    assert sorted(content["train"]) == ["ct_train_1001", "ct_train_1002", "ct_train_1004"]
    out.write_text(json.dumps({**content, **change}))
    with pytest.raises(error, match=rf"mine\.json: .*{message}"):
        _ = build_datamodule("mmwhs_ct", root=root, split=str(out)).split


def test_unreadable_and_double_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    with pytest.raises(ConfigError, match="not a readable JSON file"):
        build_datamodule("mmwhs_ct", split=str(path))
    parts = {"train": ["a"], "val": ["b"], "test": ["c"]}
    path.write_text(json.dumps({"protocol": "p", **parts, "folds": [parts]}))
    with pytest.raises(ConfigError, match="both `folds` and train"):
        build_datamodule("mmwhs_ct", split=str(path))


def test_a_subject_in_two_splits_must_be_declared_in_the_file(tmp_path: Path) -> None:
    root, out = str(make_mosmed(tmp_path)), tmp_path / "mine.json"
    assert main(["split", "mosmed_plus", "--root", root, "--protocol", "published", "--out", str(out)]) == 0
    content = json.loads(out.read_text())
    assert content["leaks"] is True
    assert build_datamodule("mosmed_plus", root=root, split=str(out)).leak_declared
    out.write_text(json.dumps({**content, "leaks": False}))
    with pytest.raises(DataError, match=r"is in train .* \(protocol published\)\. Correct .*mine\.json"):
        _ = build_datamodule("mosmed_plus", root=root, split=str(out)).split
    told = inspect(build_datamodule("mosmed_plus", root=root, split=str(out))).findings
    assert {finding.fix for finding in told if finding.kind == "subject_leak"} == {f"Correct {out}."}


@pytest.mark.parametrize("command", ["prepare", "verify", "stats"])
def test_commands_go_by_the_name_in_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    root, out = str(make_mmwhs(tmp_path, "ct")), tmp_path / "mine.json"
    assert main(["split", "mmwhs_ct", "--root", root, "--out", str(out)]) == 0
    out.write_text(json.dumps({**json.loads(out.read_text()), "protocol": "mine", "hash": None}))
    capsys.readouterr()
    assert main([command, "mmwhs_ct", "--root", root, "--data.split", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["protocol"] == "mine"
