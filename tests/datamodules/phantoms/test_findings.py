"""The generator of volumes with several findings."""

from __future__ import annotations

import re
from hashlib import sha256

import numpy as np
import pytest

from datamodules.bases.phantom import SET_SEED
from datamodules.phantoms.findings import FindingsCase, draw_findings, list_findings

SENTENCE = re.compile(r"(A|Two) (small|large) nodules? in the (left|right) (upper|middle|lower) zone\.")


@pytest.fixture(scope="module")
def cases() -> list[FindingsCase]:
    return [draw_findings(0, "train", index, (32, 32, 32)) for index in range(60)]


def test_the_voxels_and_sentences_never_change() -> None:
    case = draw_findings(0, "test", 3, (16, 16, 16))
    digest = sha256(np.packbits(np.stack([case.mask(index) for index in range(len(case.findings))])).tobytes())
    assert [finding.sentence for finding in case.findings] == [
        "Two small nodules in the left upper zone.",
        "A large nodule in the right middle zone.",
        "Two large nodules in the right lower zone.",
        "A large nodule in the left lower zone.",
        "A small nodule in the left lower zone.",
    ]
    assert digest.hexdigest().startswith("15dd57ff5d914b7a")


def test_every_finding_of_a_volume_has_a_sentence_of_its_own(cases: list[FindingsCase]) -> None:
    for case in cases:
        sentences = [finding.sentence for finding in case.findings]
        assert len(set(sentences)) == len(sentences)
        assert all(SENTENCE.fullmatch(sentence) for sentence in sentences)
        assert 2 <= sum(finding.present for finding in case.findings) <= 5


def test_a_nodule_lies_where_its_sentence_says(cases: list[FindingsCase]) -> None:
    for case in cases:
        for finding, nodules in zip(case.findings, case.nodules, strict=True):
            assert len(nodules) == finding.nodules
            for nodule in nodules:
                if not finding.present:
                    assert not nodule.any(), "a finding that is not there has no voxels"
                    continue
                right, _, head = np.argwhere(nodule).mean(axis=0) / 32
                assert (right > 0.5) == (finding.side == "right")
                assert ["lower", "middle", "upper"][int(head * 3)] == finding.level
                assert (nodule.sum() > 100) == (finding.size == "large")


def test_no_two_nodules_overlap(cases: list[FindingsCase]) -> None:
    for case in cases:
        assert np.concatenate(case.nodules).sum(axis=0).max() == 1


def test_only_training_labels_lack_nodules(cases: list[FindingsCase]) -> None:
    partial = [(case, index) for case in cases for index, one in enumerate(case.findings) if one.partial]
    assert partial
    for case, index in partial:
        assert case.labelled(index).sum() < case.mask(index).sum()
    for split in ("val", "test"):
        assert not any(one.partial for number in range(60) for one in list_findings(0, split, number))


def test_the_list_of_findings_is_that_of_the_volume(cases: list[FindingsCase]) -> None:
    for number, case in enumerate(cases):
        assert list_findings(0, "train", number) == case.findings


@pytest.mark.parametrize(
    ("known", "dice"),
    [
        (["size"], 0.626),
        (["side"], 0.611),
        (["level"], 0.690),
        (["side", "size"], 0.813),
        (["level", "size"], 0.895),
        (["side", "level"], 0.895),
    ],
    ids=["size", "side", "zone", "side and size", "zone and size", "side and zone"],
)
def test_an_answer_by_a_part_of_the_sentence_has_this_dice(known: list[str], dice: float) -> None:
    """Each answer has all nodules that agree with the words known; `docs/results.md` compares models with these."""
    found = []
    for number in range(24):
        case = draw_findings(SET_SEED, "test", number)
        for index, asked in enumerate(case.findings):
            agree = [
                case.mask(place)
                for place, one in enumerate(case.findings)
                if all(getattr(one, key) == getattr(asked, key) for key in known)
            ]
            answer, truth = np.any(agree, axis=0), case.mask(index)
            if answer.any() or truth.any():
                found.append(2 * (answer & truth).sum() / (answer.sum() + truth.sum()))
    assert np.mean(found) == pytest.approx(dice, abs=5e-4)
