"""Published numbers have the stated convention, and they are compared with the same convention only."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.cli import main
from benchmarks.plan.job import Plan
from benchmarks.storage.stored_plan import store_plan
from benchmarks.tables.published_comparison import compare_row, compare_with_published, to_markdown
from benchmarks.tables.published_scores import (
    NOT_READ,
    PER_CASE,
    PER_IMAGE,
    POOLED,
    READ_IN,
    PublishedScore,
    all_published,
    published_on,
    read_published,
)
from tests.helpers.sample_benchmark import job, leaderboard_of, result
from zoo.errors import ConfigError
from zoo.registry import CONFIGS, DATA, MODELS, read_yaml

RIVALS = {
    *("nnunet", "resenc_unet", "mednext", "swin_unetr", "swin_unetr_v2", "unetpp", "attention_unet", "fpn"),
    *("voxtell", "sat", "cris", "lvit", "mmi_unet", "dd_cmd", "clipseg", "reclmis", "medclipseg"),
}
"""Names that the zoo reserves for methods of the listed papers; their rows are compared as soon as they exist."""

SOURCES = "paper: {citation: A. B. 2020, where: table 1, read_in: paper}\n"


def find(data: str, method: str, source: str) -> PublishedScore:
    """Return the published numbers of a method in a source; the first where it has several conventions."""
    return next(one for one in published_on(data) if (one.method, one.source.key) == (method, source))


def write(folder: Path, score: str, sources: str = SOURCES) -> Path:
    """Write a folder of published numbers with one score."""
    (folder / "scores").mkdir()
    (folder / "sources.yaml").write_text(sources, "utf-8")
    (folder / "scores" / "btcv.yaml").write_text(f"title: BTCV\nscores:\n  - {{{score}}}\n", "utf-8")
    return folder


def test_every_listed_model_exists_or_is_a_rival_to_come() -> None:
    assert {number.model for number in all_published()} - {""} - RIVALS <= set(MODELS.names())
    assert set(NOT_READ) <= set(MODELS.names())
    assert not {number.model for number in all_published()} & set(NOT_READ)


def test_each_file_is_of_a_data_set_of_the_zoo_or_says_that_there_is_none() -> None:
    for file in sorted((CONFIGS / "published" / "scores").glob("*.yaml")):
        assert (file.stem in DATA.names()) != ("no data set of the zoo" in read_yaml(file)["title"]), file.stem


def test_every_number_has_a_source_a_convention_and_units() -> None:
    for number in all_published():
        assert number.source.read_in in READ_IN
        assert number.source.where
        assert number.convention
        assert (number.hd95 is None) == (not number.hd95_unit)


def test_read_numbers_are_those_of_their_sources() -> None:
    recls = find("qata_cov19", "RecLMIS", "audit")
    assert (recls.dice, recls.std, recls.iou, recls.hd95, recls.hd95_unit) == (83.69, 0.38, 75.03, 16.36, "px")
    assert (recls.convention, recls.source.read_in) == (PER_IMAGE, "re-run")
    cris = find("kvasir", "CRIS, fine-tuned", "VLSM-Adapter")
    assert (cris.dice, cris.iou, cris.hd95, cris.hd95_unit) == (89.43, 83.37, 55.2, "not stated")
    mednext = find("btcv", "MedNeXt L k5", "nnU-Net presets")
    assert (mednext.dice, mednext.convention, mednext.test, mednext.folds) == (85.04, PER_CASE, 30, 5)
    assert [(one.dice, one.convention) for one in published_on("qata_cov19") if one.source.key == "TIRNet"] == [
        (83.40, PER_IMAGE),
        (90.63, POOLED),
    ]
    assert {one.nsd for one in published_on("medclipseg_six_sets")} == {None, 87.7, 86.7, 88.3, 85.1, 91.4}


def test_no_number_is_listed_that_nobody_has_read() -> None:
    assert not [one for one in all_published() if one.method == "VLi-net" or 90.88 in (one.dice, one.iou)]


GOOD = "method: X, dice: 80, convention: dice per image, split: not stated, source: paper"


@pytest.mark.parametrize(
    ("score", "wrong"),
    [
        (GOOD.replace(", source: paper", ""), "scores[1].source is missing"),
        (GOOD.replace("source: paper", "source: papr"), "'papr', no known source"),
        (GOOD.replace("convention: dice per image, ", ""), "scores[1].convention is missing"),
        (GOOD.replace("dice per image", "mean"), "convention is 'mean'"),
        (f"{GOOD}, hd95: 12.5", "hd95_unit is ''"),
        (f"{GOOD}, hd95: 12.5, hd95_unit: cm", "hd95_unit is 'cm'"),
        (f"{GOOD}, hd95_unit: px", "hd95_unit is given without hd95"),
        (f"{GOOD}, nsd: 85", "nsd_tolerance belongs to nsd"),
        (GOOD.replace("dice: 80, ", ""), "dice is missing"),
        (GOOD.replace("dice: 80", "dice: eighty"), "scores[1].dice is 'eighty'"),
        (GOOD.replace("dice: 80", "dice: 800"), "dice is 800"),
        (f"{GOOD}, iou: 66.67", "a mean dice of 80.0 has an IoU above 66.67"),
        (f"{GOOD.replace('per image', 'pooled')}, iou: 70", "a pooled dice of 80.0 has the IoU 66.67"),
        (f"{GOOD}, network: kernel 5", "network says how a model differs, and model is missing"),
        (f"{GOOD}, test: 0", "test and folds are positive"),
        (f"{GOOD}, colour: red", "unknown key scores[1].colour"),
    ],
)
def test_a_number_without_source_convention_or_unit_is_refused_with_its_place(
    tmp_path: Path, score: str, wrong: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_published(write(tmp_path, score))
    assert wrong in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_source_says_where_it_was_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="read_in is 'memory'"):
        read_published(write(tmp_path, GOOD, SOURCES.replace("read_in: paper", "read_in: memory")))


def lines_of(size: str, cases: int) -> dict[tuple[str, str], tuple[float | None, tuple[str, ...]]]:
    dices = [0.5 + 0.4 * (i % 2) for i in range(cases)]
    done = [result(job("unet", seed, data="monuseg", size=size), dices) for seed in (0, 1)]
    found = compare_with_published(leaderboard_of(done, []))
    return {
        (line.published.method, line.published.source.key): (line.difference, line.obstacles) for line in found.lines
    }


def test_there_is_a_difference_only_where_convention_images_and_size_agree() -> None:
    difference, obstacles = lines_of("published", 14)["U-Net", "LViT"]
    assert obstacles == ()
    assert difference == pytest.approx(70.0 - 76.45)
    assert lines_of("tiny", 14)["U-Net", "LViT"] == (None, ("size tiny",))
    difference, obstacles = lines_of("published", 6)["U-Net", "LViT"]
    assert difference is None
    assert obstacles == ("14 test images there, 6 here",)
    assert lines_of("published", 14)["LViT-T", "LViT"] == (None, ())  # no such model here: printed, not compared


def test_pooled_numbers_are_compared_with_pooled_numbers() -> None:
    done = [result(job("unet", data="qata_cov19", size="published"), [0.4] * 1000 + [0.9] * 1113)]
    found = {
        line.published.convention: line
        for line in compare_with_published(leaderboard_of(done, [])).lines
        if line.ours is not None and line.published.source.read_in == "paper"
    }
    row = found[POOLED].ours
    assert row is not None
    assert row.dice_global is not None
    assert row.dice is not None
    assert found[POOLED].difference == pytest.approx(100 * row.dice_global - 82.99)
    assert found[PER_IMAGE].difference == pytest.approx(100 * row.dice - 79.02)


def test_our_hd95_stands_beside_a_published_hd95_with_both_units() -> None:
    done = [result(job("unet", data="qata_cov19", size="published"), [0.4] * 1000 + [0.9] * 1113)]
    found = compare_with_published(leaderboard_of(done, []))
    (audit,) = [line for line in found.lines if line.published.source.key == "audit" and line.ours is not None]
    assert audit.ours is not None
    assert audit.hd95 == audit.ours.hd95
    assert "| re-run | 68.66 | 31.59 px |" in to_markdown(found)
    entry = next(one for one in found.to_dict()["lines"] if one["source"]["key"] == "audit" and one["row"])
    assert (entry["hd95"], entry["hd95_unit"], entry["ours_hd95"]) == (31.59, "px", audit.hd95)


def test_numbers_over_five_folds_are_compared_with_five_folds_only() -> None:
    split = result(job("unet", data="btcv", size="published"), [0.8] * 30)
    row = leaderboard_of([split], []).rows[0]
    number = replace(find("btcv", "nnU-Net", "nnU-Net presets"), model="unet")
    assert compare_row(number, row).obstacles == ("5 folds there, one split here",)
    assert compare_row(number, replace(row, folds=5)).difference == pytest.approx(80 - 83.08)


def test_a_model_that_joins_without_a_published_number_is_named() -> None:
    done = [result(job("mynet", data="monuseg"), [0.5] * 14), result(job("unet", data="monuseg"), [0.5] * 14)]
    silent = compare_with_published(leaderboard_of(done, [])).silent
    assert silent == ("mynet: no number of it was found in a source that we could read",)


def test_numbers_of_a_model_stand_beside_its_rows_as_soon_as_it_joins() -> None:
    done = [result(job("lvit", data="monuseg", size="published"), [0.5 + 0.4 * (i % 2) for i in range(14)])]
    (line,) = [line for line in compare_with_published(leaderboard_of(done, [])).lines if line.ours]
    assert line.published.method == "LViT-T"
    assert line.difference == pytest.approx(70.0 - 80.36)


def test_a_number_of_another_network_of_the_model_has_no_difference() -> None:
    row = replace(leaderboard_of([result(job("mednext", data="btcv", size="published"), [0.8] * 30)]).rows[0], folds=5)
    assert compare_row(find("btcv", "MedNeXt L k3", "nnU-Net presets"), row).obstacles == ()
    assert compare_row(find("btcv", "MedNeXt L k5", "nnU-Net presets"), row).obstacles == ("kernel 5 there",)


def test_models_and_data_without_published_numbers_are_listed() -> None:
    done = [result(job("bipvl", 0, "class"), [0.7], [0.5], [0.2])]
    found = compare_with_published(leaderboard_of(done, []))
    assert found.lines == ()
    assert found.unknown == ("hippocampus",)
    text = to_markdown(found)
    assert "No published number is readable for bipvl: BiPVL-Seg" in text
    assert "No published number is listed for hippocampus." in text


def test_the_command_prints_published_numbers_before_any_job_has_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_plan(tmp_path, Plan((job("unet", data="qata_cov19"),)))
    assert main(["compare", str(tmp_path)]) == 0
    assert "| qata_cov19 | LanGuideMedSeg | 89.78 | dice pooled |" in capsys.readouterr().out
    assert main(["compare", str(tmp_path), "--format", "json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert len(content["lines"]) == len(published_on("qata_cov19"))
    assert main(["compare", str(tmp_path / "nowhere")]) == 2
