"""Contamination: what cards say is inside a data set, and what initial weights have seen."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from torch import nn

from zoo.callbacks.pretraining_data import find_pretraining_data
from zoo.contamination import KEY, sets_inside, sets_of_encoder, sets_of_weights, sets_shared, share_cases
from zoo.encoders import build_text_encoder
from zoo.engine.seen_data import find_seen_data
from zoo.errors import ConfigError
from zoo.registry import DATA, ENCODERS, Card


def test_names_inside_cards_are_registered_or_public_names_of_others() -> None:
    small = [name for cards in (DATA, ENCODERS) for card in cards for name in card.about.get(KEY, ())]
    assert small
    assert [name for name in small if name == name.lower() and name not in DATA] == []


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("textbrats", "brats", True),
        ("brats", "BraTS", True),
        ("hippocampus", "msd_hippocampus", True),
        ("amos22", "amos22_mr", True),
        ("amos22_ct", "amos22_mr", False),  # other images of one archive
        ("chaos", "chaos_t1dual", True),  # two sequences of the same people
        ("btcv", "brats", False),
        ("CT-RATE", "ct_rate", True),
        ("Our scans (nifti_folder)", "Other scans (nifti_folder)", False),
    ],
)
def test_data_sets_share_cases_if_one_is_inside_the_other_or_both_are_one_archive(
    one: str, other: str, shared: bool
) -> None:
    assert share_cases(one, other) is share_cases(other, one) is shared


def test_what_is_inside_is_followed_through_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = {
        name: Card(name, {KEY: inside}) for name, inside in (("a", ["b"]), ("b", ["Third set"]), ("c", ["a", "c"]))
    }
    monkeypatch.setattr(DATA, "_sources", {name: (lambda card=card: card) for name, card in cards.items()})
    assert sets_inside("c") == {"c", "a", "b", "third_set"}
    assert sets_shared(["b", "d", "third set"], "a") == ("b", "third set")
    cards["a"] = Card("a", {KEY: "b"})
    monkeypatch.setattr(DATA, "_sources", {"a": lambda: cards["a"]})
    with pytest.raises(ConfigError, match=r"the card of 'a': about\.contains is no list of names"):
        sets_inside("a")


def test_the_card_of_weights_lies_beside_them(tmp_path: Path) -> None:
    weights = tmp_path / "voxtell.pth"
    assert sets_of_weights(weights) == ()
    (tmp_path / "card.yaml").write_text("contains: [btcv]\n", encoding="utf-8")
    assert sets_of_weights(weights) == sets_of_weights(tmp_path) == sets_of_encoder(str(tmp_path)) == ("btcv",)
    (tmp_path / "voxtell.yaml").write_text("title: VoxTell\ncontains: [amos22, WORD]\n", encoding="utf-8")
    assert sets_of_weights(weights) == ("amos22", "WORD")
    assert find_seen_data(weights) == ({"data": "amos22"}, {"data": "WORD"})
    (tmp_path / "voxtell.yaml").write_text("contain: [amos22]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"voxtell\.yaml: unknown key the card\.contain"):
        sets_of_weights(weights)


def test_a_run_has_seen_its_data_and_what_its_weights_had_seen(tmp_path: Path) -> None:
    manifest = {"data": "btcv", "split_hash": "1", "pretrained_on": ["amos22"]}
    seen = ({"data": "btcv", "split_hash": "1"}, {"data": "amos22"})
    run, package = tmp_path / "run", tmp_path / "package"
    (run / "checkpoints").mkdir(parents=True)
    package.mkdir()
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (package / "run.json").write_text(json.dumps({**manifest, "data_title": "Ours"}), encoding="utf-8")
    (package / "zoo.json").write_text("{}", encoding="utf-8")
    assert find_seen_data(run) == find_seen_data(run / "checkpoints" / "best.ckpt") == seen
    assert (
        find_seen_data(package)[0]["data"] == find_seen_data(package / "model.safetensors")[0]["data"] == "Ours (btcv)"
    )


def test_the_record_of_a_run_has_all_that_its_weights_have_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vision.yaml").write_text("contains: [kvasir]\n", encoding="utf-8")
    (tmp_path / "vision.pth").write_bytes(b"")
    model = nn.Sequential(build_text_encoder("tiny"))
    assert find_pretraining_data(model, {"data": "btcv"}) == []
    monkeypatch.setattr(model, "hparams", SimpleNamespace(get=lambda key: str(tmp_path / "vision.pth")), raising=False)
    monkeypatch.setitem(ENCODERS.get("tiny").about, KEY, ["monuseg"])
    earlier = {"trained_on": [{"data": "btcv", "split_hash": "1"}, {"data": "acdc", "split_hash": "1"}]}
    facts = {"data": "btcv", "split_hash": "1", "init_from": earlier}
    assert find_pretraining_data(model, facts) == ["acdc", "kvasir", "monuseg"]  # the same splits: no further case
    assert "btcv" in find_pretraining_data(model, {**facts, "split_hash": "2"})
