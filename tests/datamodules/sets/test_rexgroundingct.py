"""ReXGroundingCT: the axes of its masks, its listings, its overlapping subjects and its partial labels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from datamodules.build import build_datamodule
from datamodules.cli import main
from datamodules.files.rex_listing import RexListing, choose_files, subject_of
from datamodules.phantoms.findings import draw_findings
from datamodules.sets import RexGroundingCT
from datamodules.verify import verify
from tests.helpers.findings_set import CHALLENGE, SHAPE, make_rexgroundingct
from tests.helpers.https_server import Shelf
from tests.helpers.hub_shelf import put_repository
from zoo.errors import ConfigError, DataError
from zoo.types import UNKNOWN, Case

REPORTED = "train_5_a_1"


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_rexgroundingct(tmp_path_factory.mktemp("rex"))


@pytest.fixture
def root(clean: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean, tmp_path / "rex"))


def rex(root: Path, **options: Any) -> RexGroundingCT:
    made = build_datamodule("rexgroundingct", "tiny", root=str(root), spacing=None, **options)
    assert isinstance(made, RexGroundingCT)
    return made


def queries(data: RexGroundingCT, case_id: str = REPORTED) -> list[Case]:
    return [case for case in data.cases.values() if case.case_id == case_id]


def test_a_finding_is_the_first_axis_of_its_file_and_follows_the_axes_of_the_ct(clean: Path) -> None:
    data = rex(clean)
    for number, case_id in ((12, REPORTED), (14, "train_24_a_1")):
        drawn = draw_findings(0, "val", number, SHAPE)
        masks = {one.sentence: drawn.mask(index) for index, one in enumerate(drawn.findings)}
        for case in queries(data, case_id):
            label = data.prepared(case).label
            assert label is not None
            np.testing.assert_array_equal(label[0] == 1, masks[str(case.report)])


def test_the_entities_of_a_finding_are_those_that_its_mask_numbers(clean: Path) -> None:
    data = rex(clean)
    reported = [case for case in data.cases.values() if case.case_id in data.split.test]
    for case in reported:
        geometry = data.native_geometry(case)
        label, (numbers, focal, _) = data.load_label(case, geometry), data.describe_instances(case, geometry)
        assert label is not None
        assert numbers is not None
        np.testing.assert_array_equal(numbers > 0, label[0] > 0)
        assert numbers.max() == (2 if "Two" in str(case.report) else 1), case.report
        assert focal is True, "the category is 2b"
    assert any("Two" in str(case.report) for case in reported)


def test_reported_cases_and_their_subjects_are_in_no_other_split(clean: Path) -> None:
    for protocol, count in (("miccai26", 5), ("base50", 2), ("added150", 3)):
        data = rex(clean, protocol=protocol)
        assert len(data.split.test) == count
        assert not data.split.leaks()
        assert bool(queries(data, "train_5_b_1")) == (protocol == "added150")
        assert not queries(data, "train_900_a_1"), "test masks are withheld"


def test_a_training_label_with_three_entities_leaves_its_other_voxels_unknown(clean: Path) -> None:
    data = rex(clean)
    for case in data.cases.values():
        label = data.prepared(case).label
        assert label is not None
        assert bool((label == UNKNOWN).any()) == (case.query == "0" and case.case_id not in data.split.test)
    with pytest.raises(ConfigError, match=r"--data\.fold 0: the training labels of rexgroundingct are partial"):
        rex(clean, fold=0)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda entry: entry["pixels"].update({"0": 7}), "finding 0 has .* voxels, but the listing says 7"),
        (lambda entry: entry.update(shape=[24, 16, 24]), "but the listing says"),
        (lambda entry: entry["findings"].update({"9": "More."}), "findings by voxels of the image"),
    ],
)
def test_a_listing_that_disagrees_with_the_files_is_found(
    root: Path, edit: Callable[[dict[str, Any]], None], message: str
) -> None:
    listing = json.loads((root / CHALLENGE).read_text())
    edit(listing["val"][0])
    (root / CHALLENGE).write_text(json.dumps(listing))
    data = rex(root)
    with pytest.raises(DataError, match=message):
        data.load(queries(data)[0])
    assert any(finding.case_id == REPORTED for finding in verify(rex(root)))


def test_masks_with_the_findings_on_the_last_axis_are_refused(root: Path) -> None:
    path = root / "segmentations" / f"{REPORTED}.nii.gz"
    array = np.asarray(nib.load(path).dataobj)
    nib.save(nib.Nifti1Image(np.ascontiguousarray(np.moveaxis(array, 0, -1)), np.eye(4)), path)
    data = rex(root)
    with pytest.raises(DataError, match="The findings must be the first axis"):
        data.load(queries(data)[0])


def test_a_truncated_mask_file_is_one_line(root: Path) -> None:
    path = root / "segmentations" / f"{REPORTED}.nii.gz"
    path.write_bytes(path.read_bytes()[:-40])
    data = rex(root)
    with pytest.raises(DataError, match=rf"{REPORTED}\.nii\.gz: truncated or unreadable"):
        data.load(queries(data)[0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "no lists `train` and `val`"),
        ('{"train": [], "val": [{"name": "a"}]}', r"val\[0\] has no `name` or no `findings`"),
        ('{"train": [], "val": [{"name": "a", "findings": {"x": "y"}}]}', "is not {number: text}"),
        ('{"train": [], "val": [{"name": "a", "findings": {"\u00b2": "y"}}]}', "is not {number: text}"),
        ('{"train": [], "val": [{"name": "a", "findings": {"0": "y"}, "shape": [1]}]}', "`shape` is not three numbers"),
    ],
)
def test_a_listing_of_another_form_is_refused(root: Path, content: str, message: str) -> None:
    (root / CHALLENGE).write_text(content)
    with pytest.raises(DataError, match=message):
        _ = rex(root).cases


def test_the_cts_may_lie_in_one_folder_elsewhere(root: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "ct"
    elsewhere.mkdir()
    for path in sorted((root / "dataset").rglob("*.nii.gz")):
        path.rename(elsewhere / path.name)
    data = rex(root, ct=str(elsewhere))
    assert all(case.images[0].parent == elsewhere for case in data.cases.values())


REPOSITORIES = ("rajpurkarlab/ReXGroundingCT", "ibrahimhamamci/CT-RATE")


def test_some_cases_are_got_from_both_repositories_and_prepared(
    clean: Path, tmp_path: Path, hub: Shelf, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {path.relative_to(clean).as_posix(): path.read_bytes() for path in clean.rglob("*") if path.is_file()}
    for repository, of_ct in zip(REPOSITORIES, (False, True), strict=True):
        part = {path: content for path, content in files.items() if path.startswith("dataset/") == of_ct}
        put_repository(hub, repository, part)
    monkeypatch.setenv("HF_TOKEN", "mine")
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    words = ["prepare", "rexgroundingct", "--size", "tiny", "--json", "--cases"]
    assert main([*words, "2", "--accept-unverified"]) == 2
    assert "--cases 2 is too few" in capsys.readouterr().err
    assert main([*words, "4", "--protocol", "miccai25"]) == 2
    assert "Did you mean miccai26" in capsys.readouterr().err
    assert main([*words, "4"]) == 0
    data = rex(tmp_path / "rexgroundingct")
    volumes = {case.case_id for case in data.cases.values()}
    assert len(volumes) == 4
    assert len(set(data.split.test)) == 1
    assert len(list((tmp_path / "rexgroundingct" / "segmentations").iterdir())) == 4
    assert len(list((tmp_path / "rexgroundingct" / "dataset").rglob("*.nii.gz"))) == 4
    asked = len(hub.asked)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    capsys.readouterr()
    assert main([*words, "4"]) == 0, "nothing is asked about files that are here"
    assert json.loads(capsys.readouterr().out)["split_hash"] == data.split.hash
    assert len(hub.asked) == asked


@pytest.mark.parametrize("protocol", ["miccai26", "base50", "added150"])
def test_the_drawn_volumes_are_of_the_protocol_and_of_many_subjects(clean: Path, protocol: str) -> None:
    drawn = [choose_files(lambda name: clean / name, cases, protocol) for cases in (6, 12, None)]
    for chosen in drawn:
        masks, cts = (chosen[repository] for repository in REPOSITORIES)
        assert [Path(path).name for path in masks] == [Path(path).name for path in cts]
        assert all((clean / path).is_file() for path in (*masks, *cts))
    listed = RexListing(lambda name: clean / name, protocol)
    assert len(drawn[2][REPOSITORIES[0]]) == len(listed.train) + len(listed.reported)
    assert len({subject_of(Path(path).name) for path in drawn[0][REPOSITORIES[0]]}) == 6
    assert set(drawn[0][REPOSITORIES[1]]) <= set(drawn[1][REPOSITORIES[1]]) <= set(drawn[2][REPOSITORIES[1]])
