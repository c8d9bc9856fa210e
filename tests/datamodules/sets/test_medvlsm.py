"""MedVLSM's prompt lists: levels and their text track, the faults of the lists, and the masks of an image."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from datamodules.build import build_datamodule
from datamodules.sets import MedVLSM
from datamodules.verify import Finding, verify
from tests.helpers.image_sets import scene, write_picture
from tests.helpers.prompt_lists import edit_list, make_medvlsm
from zoo.errors import ConfigError, DataError, UnknownNameError


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in made:
            made[name] = make_medvlsm(name, tmp_path_factory.mktemp(name))
        return made[name]

    return get


def med(name: str, root: Path, **options: Any) -> MedVLSM:
    made = build_datamodule(f"medvlsm_{name}", "tiny", root=str(root), **options)
    assert isinstance(made, MedVLSM)
    return made


def kinds(findings: list[Finding], kind: str) -> list[str]:
    return [finding.problem for finding in findings if finding.kind == kind]


@pytest.mark.parametrize(
    ("name", "prompt", "track", "text"),
    [
        ("kvasir", "p0", "none", None),
        ("kvasir", "p1", "class", None),
        ("kvasir", "p6", "mask-derived", "large polyp, in the top left"),
        ("chexlocalize", "p1", "class", "Edema"),
        ("chexlocalize", "p2", "report", "Edema"),
        ("camus", "p7", "mask-derived", "Left ventricular cavity which is a growth"),
    ],
)
def test_the_level_of_the_texts_sets_the_text_track(
    clean: Callable[[str], Path], name: str, prompt: str, track: str, text: str | None
) -> None:
    data = med(name, clean(name), prompt=prompt)
    first = data.index.cases_of("train")[0]
    assert data.facts["track"] == data.card.track == track
    assert (first.report or "").startswith(text or "")
    assert (first.report is None) == (text is None)
    reports = data.text_source.for_split("train").reports_of([first.key])
    assert reports == (None if text is None else [first.report])


def test_a_class_level_has_the_words_of_the_list_for_all_images(clean: Callable[[str], Path]) -> None:
    words = {(p, w): med("kvasir", clean("kvasir"), prompt=p, wording=w).prompts[0].sentence for p, w in WORDINGS}
    assert words == WORDINGS
    assert med("kvasir", clean("kvasir"), prompt="p1").prompts[0].concepts == ("polyp",) * 5


WORDINGS = {
    ("p0", 0): "",
    ("p1", 0): "polyp",
    ("p7", 0): "polyp which is a growth of tissue",
    ("p7", 3): "polyp which is a bump",
}


def test_an_unknown_level_names_those_of_the_set(clean: Callable[[str], Path]) -> None:
    with pytest.raises(UnknownNameError, match=r"--data\.prompt"):
        med("busi", clean("busi"), prompt="p7")
    with pytest.raises(ConfigError, match=r"--data\.wording -1"):
        med("busi", clean("busi"), wording=-1)


def test_an_image_of_several_lists_counts_for_the_reported_one(clean: Callable[[str], Path], tmp_path: Path) -> None:
    root = Path(shutil.copytree(clean("bkai"), tmp_path / "data"))
    listed = {split: json.loads((root / "bkai_polyp/anns" / f"{split}.json").read_text()) for split in ("val", "test")}
    for extra in (listed["val"][0], listed["test"][0]):
        edit_list(root, "train", lambda items, extra=extra: items.append(extra))  # type: ignore[misc]
    edit_list(root, "train", lambda items: items.append(items[0]))
    data = med("bkai", root)
    assert [len(data.split.ids_of(part)) for part in ("train", "val", "test")] == [8, 3, 4]
    findings = verify(med("bkai", root))
    assert len(kinds(findings, "duplicate_across_parts")) == 2
    (twice,) = kinds(findings, "caption_doubled")
    assert twice == f"{root / 'bkai_polyp' / 'anns' / 'train.json'}: it names 1 twice."
    assert len(findings) == 3


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda items: items.append([]), "item 8: `img_name` is None, no name of a file"),
        (lambda items: items[1].update(mask_name="../../a.png"), "item 1: `mask_name` is '../../a.png'"),
        (lambda items: items[2].pop("prompts"), "item 2: no `prompts`"),
        (lambda items: items[0]["prompts"].pop("p9"), "item 0: .* under p9"),
        (lambda items: items[0]["prompts"].update(p9=["", 3]), "item 0: .* under p9"),
    ],
)
def test_a_wrong_item_is_one_line(
    clean: Callable[[str], Path], tmp_path: Path, edit: Callable[[Any], object], message: str
) -> None:
    root = Path(shutil.copytree(clean("kvasir"), tmp_path / "data"))
    edit_list(root, "train", edit)
    with pytest.raises(DataError, match=rf"anns/train\.json: {message}"):
        _ = med("kvasir", root).cases
    assert len(kinds(verify(med("kvasir", root)), "caption_table")) == 1


@pytest.mark.parametrize(("content", "message"), [("{}", "it is no list"), ("[", "not a readable"), (None, "no such")])
def test_a_list_of_another_form_is_refused(
    clean: Callable[[str], Path], tmp_path: Path, content: str | None, message: str
) -> None:
    root = Path(shutil.copytree(clean("kvasir"), tmp_path / "data"))
    path = root / "kvasir_polyp" / "anns" / "test.json"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(DataError, match=rf"test\.json: {message}"):
        _ = med("kvasir", root).cases


def test_two_patients_under_one_name_need_folders_of_the_parts(clean: Callable[[str], Path], tmp_path: Path) -> None:
    data = med("camus", clean("camus"))
    assert {subject.split("-")[0] for subject in data.split.subjects.values()} == {"train", "test"}
    assert {case.query for case in data.cases.values()} == {"mask_1", "mask_2"}
    root = Path(shutil.copytree(clean("camus"), tmp_path / "data"))
    for kind in ("images", "masks"):
        shutil.copytree(root / "camus" / kind / "train", root / "camus" / kind, dirs_exist_ok=True)
        shutil.copytree(root / "camus" / kind / "test", root / "camus" / kind, dirs_exist_ok=True)
        shutil.rmtree(root / "camus" / kind / "train")
        shutil.rmtree(root / "camus" / kind / "test")
    edit_list(root, "val", lambda items: [one["prompts"].update(p7="A man of fifty.") for one in items])
    with pytest.raises(DataError, match=r"two patients per name\. Put the images of each part into images/train"):
        _ = med("camus", root).cases
    assert len(kinds(verify(med("camus", root)), "case_twice")) == 1


def test_a_name_without_its_patient_is_refused(clean: Callable[[str], Path], tmp_path: Path) -> None:
    root = Path(shutil.copytree(clean("chexlocalize"), tmp_path / "data"))
    edit_list(root, "val", lambda items: items[0].update(img_name="p1.jpg"))
    with pytest.raises(DataError, match="p1: the name says no patient"):
        _ = med("chexlocalize", root).cases


def test_the_masks_of_an_image_are_joined(clean: Callable[[str], Path], tmp_path: Path) -> None:
    root = Path(shutil.copytree(clean("busi"), tmp_path / "data"))
    data = med("busi", root)
    case = data.index.case("0_benign")
    _, mask = scene(0)
    label, _ = data.reader.label(case.label)  # type: ignore[arg-type]
    np.testing.assert_array_equal(label > 0, (mask > 0) | np.eye(48, 40, dtype=bool))
    write_picture(root / "busi" / "masks" / "0_benign_mask_2.png", np.zeros((8, 8), np.uint8))
    with pytest.raises(DataError, match=r"0_benign_mask_2\.png: shape \(8, 8\)"):
        data.reader.label(case.label)  # type: ignore[arg-type]


def make_files(items: list[dict[str, Any]], folder: Path) -> None:
    """Make the images and masks of items; a mask is the box of its item."""
    for item in items:
        rng = np.random.default_rng(crc32(item["img_name"].encode()))
        box = np.array(item["bbox"]) // 40
        mask = np.zeros((26, 32), np.uint8)  # 1280 columns, divided by 40
        mask[box[1] : box[3] + 1, box[0] : box[2] + 1] = 255
        write_picture(folder / "masks" / item["mask_name"], mask)
        write_picture(folder / "images" / item["img_name"], rng.integers(0, 255, (26, 32, 3), dtype=np.uint8))


@pytest.mark.realdata
def test_the_faults_of_the_real_lists_are_found(real_data: Path, tmp_path: Path) -> None:
    bkai = real_data / "medvlsm" / "bkai_polyp"
    root = tmp_path / "bkai_polyp"
    shutil.copytree(bkai, root)
    lists = {split: json.loads((bkai / "anns" / f"{split}.json").read_text()) for split in ("train", "val", "test")}
    doubled = ("04ccdc265a0b", "a0b0a1230b11", "d7a36ccf1225", "cdc265a0b0a1")
    some = [one for items in lists.values() for n, one in enumerate(items) if n < 3]
    told = [one for items in lists.values() for one in items]
    make_files([*some, *(one for one in told if one["img_name"].startswith(doubled))], root)
    make_files([one for one in told if one["prompts"]["p1"] == "no polyp"], root)
    data = med("bkai", root)
    assert len(data.split.ids_of("test")) == 3 + 1 + 3  # the first, the doubled one, and those "without a polyp"
    findings = verify(med("bkai", root))
    across = kinds(findings, "duplicate_across_parts")
    assert sorted(text.split("names ")[1][:12] for text in across) == sorted(doubled[1:])
    assert len(kinds(findings, "caption_doubled")) == 1
    assert len(kinds(findings, "absence_contradiction")) == 12  # six by the box in the list, six by the mask
    assert {finding.kind for finding in findings} == {
        "duplicate_across_parts",
        "caption_doubled",
        "absence_contradiction",
        "caption_without_image",
    }


@pytest.mark.realdata
def test_the_real_lists_of_cvc_300_are_those_of_colondb(real_data: Path, tmp_path: Path) -> None:
    home = tmp_path / "cvc300_polyp"
    shutil.copytree(real_data / "medvlsm" / "cvc300_polyp", home)
    found = kinds(verify(med("cvc300", home)), "captions_of_others")
    assert [text.split(": ")[1].split(", not")[0] for text in found] == [
        "these are the 360 texts of CVC-ColonDB",
        "these are the 20 texts of CVC-ColonDB",
    ]
    assert not kinds(verify(med("colondb", real_data / "medvlsm")), "captions_of_others")


@pytest.mark.realdata
def test_the_real_lists_have_their_published_items(real_data: Path) -> None:
    for name, counts in {"kvasir": (800, 100, 100), "busi": (624, 78, 78)}.items():
        data = med(name, real_data / "medvlsm")
        assert tuple(len(data._splits[part]) for part in ("train", "val", "test")) == counts
        faults = {finding.kind for finding in verify(data)}
        assert faults == {"caption_without_image"}
