"""`zoo data verify` names the cases that another data set has as well."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules.build import build_datamodule
from datamodules.cli import main
from datamodules.verify import inspect
from tests.helpers.textbrats_set import NAME, make_textbrats


def make_pictures(root: Path, names: str, seed: int = 0) -> Path:
    """Write the pictures and masks of an own data set; the picture of a name is the same in each folder."""
    for number, name in enumerate(names.split()):
        rng = np.random.default_rng([seed, ord(name[0])])
        for kind in ("images", "masks"):
            (root / kind).mkdir(parents=True, exist_ok=True)
        gray = np.kron(rng.integers(0, 255, (8, 8)), np.ones((6, 6))).astype(np.uint8)
        mask = np.zeros((48, 48), np.uint8)
        mask[4 + number : 20, 4:20] = 255
        Image.fromarray(gray).save(root / "images" / f"{name}.png")
        Image.fromarray(mask).save(root / "masks" / f"{name}.png")
    rows = "".join(f"images/{name}.png,masks/{name}.png,One lesion.\n" for name in names.split())
    (root / "cases.csv").write_text(f"image,mask,text\n{rows}", encoding="utf-8")
    (root / "dataset.yaml").write_text("classes: {lesion: [255]}\n", encoding="utf-8")
    return root


def test_sets_that_share_cases_by_their_cards_are_compared_where_both_are_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_textbrats(tmp_path / "made", 2, 1, 1)
    shutil.move(made, tmp_path / "data" / "textbrats")
    own = tmp_path / "data" / "brats" / "Training"
    own.mkdir(parents=True)
    names = [NAME.format(number) for number in range(3)]
    for name in names:
        shutil.copytree(tmp_path / "data" / "textbrats" / "TrainingData" / name, own / name)
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "data"))
    assert main(["verify", "brats"]) == 0
    found = capsys.readouterr().out
    assert (
        f"textbrats ({tmp_path}/data/textbrats): 3 cases of brats in it, as the cards say: {', '.join(names)}." in found
    )
    (tmp_path / "data" / "textbrats" / "Train.json").unlink()
    assert main(["verify", "brats", "--json"]) == 0
    (shared,) = json.loads(capsys.readouterr().out)["shared"]
    assert (shared["data"], shared["declared"], shared["pairs"]) == ("textbrats", True, [])
    assert "Train.json: no such file" in shared["problem"]


def test_cases_that_no_card_declares_are_findings(tmp_path: Path) -> None:
    one = make_pictures(tmp_path / "one", "a b c d")
    other = make_pictures(tmp_path / "other", "c x y z")
    Image.open(one / "images" / "b.png").resize((64, 64)).save(other / "images" / "y.png")  # nearly the same image
    (other / "images" / "z.png").write_bytes(b"no picture")
    data, compared = (build_datamodule("image_text_folder", root=str(root), patch=[32, 32]) for root in (one, other))
    report = inspect(data, others=[compared])
    (shared,) = report.shared
    assert (shared.declared, shared.pairs, shared.unread) == (
        False,
        (("images-b", "images-y"), ("images-c", "images-c")),
        1,
    )
    findings = [finding for finding in report.findings if finding.kind == "shared_case"]
    assert [finding.case_id for finding in findings] == ["images-b", "images-c"]
    assert findings[1].problem.endswith("c.png of other (image_text_folder).")
    assert findings[0].fix.startswith("Leave the case out of one of them")


def test_a_set_to_compare_must_be_known_and_have_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(make_pictures(tmp_path / "one", "a b c d"))
    for other, problem in (
        (f"kvasir={tmp_path}/absent", f"{tmp_path}/absent: no such folder for 'kvasir'"),
        ("phantom_chest", "--against phantom_chest: a generated data set shares no case"),
        ("kvasi", "kvasi"),
    ):
        assert main(["verify", "image_text_folder", "--root", root, "--against", other]) == 2
        assert problem in capsys.readouterr().err
