"""Prompt files: what is bundled, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from datamodules.build import build_datamodule
from tests.helpers.image_sets import make_own_pictures
from zoo.cli.info import main as info
from zoo.errors import TextError, ZooError
from zoo.registry import CONFIGS, DATA, Card, read_yaml
from zoo.text.prompt_files import CONCEPTS, load_prompts, prompt_file, prompt_version
from zoo.utils.hashing import hash_json

BUNDLED = sorted(path.stem for path in (CONFIGS / "prompts").glob("*.yaml"))
CARDS = [card for card in DATA if "prompts" in card.about]
BTCV = (
    *("spleen", "right_kidney", "left_kidney", "gallbladder", "esophagus", "liver", "stomach", "aorta"),
    *("inferior_vena_cava", "portal_and_splenic_veins", "pancreas", "right_adrenal_gland", "left_adrenal_gland"),
)


def entry(**changes: Any) -> dict[str, Any]:
    return {"sentence": "The liver.", **{key: f"Some {key}." for key in CONCEPTS}, **changes}


def write(folder: Path, content: object) -> Path:
    path = folder / "prompts.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def test_every_data_set_has_prompts() -> None:
    wanted = "acdc amos22 brats btcv hippocampus mmwhs_ct mmwhs_mr phantom_abdomen phantom_chest qata_cov19"
    assert set(wanted.split()) <= set(BUNDLED)


@pytest.mark.parametrize("stem", BUNDLED)
def test_bundled_prompts_are_short_distinct_sentences(stem: str) -> None:
    names = list(read_yaml(prompt_file(stem))["classes"])
    prompts = load_prompts(stem, names)
    assert len({prompt.sentence for prompt in prompts}) == len(prompts)
    for prompt in prompts:
        assert prompt.name.isidentifier()
        assert prompt.name == prompt.name.lower()
        assert len(prompt.concepts) == len(CONCEPTS)
        for text in (prompt.sentence, *prompt.concepts):
            assert 2 <= len(text.split()) <= 20
            assert text[0].isupper()
            assert text.endswith(".")


@pytest.mark.parametrize("stem", BUNDLED)
def test_the_sentence_of_a_class_has_the_side_of_its_name(stem: str) -> None:
    for prompt in load_prompts(stem, list(read_yaml(prompt_file(stem))["classes"])):
        for side, other in (("left", "right"), ("right", "left")):
            if prompt.name.startswith(f"{side}_"):
                assert side in prompt.sentence.split()
                assert other not in prompt.sentence.split()


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_every_card_finds_its_prompts(card: Card) -> None:
    names = list(card.about["classes"])
    assert [prompt.name for prompt in load_prompts(card.about["prompts"], names)] == names


def test_every_class_of_a_bundled_file_is_on_a_card() -> None:
    """A file may serve several cards, so that a class of no card is no error when the prompts are loaded."""
    used = {(card.about["prompts"], name) for card in CARDS for name in card.about["classes"]}
    assert {(stem, name) for stem in BUNDLED for name in read_yaml(prompt_file(stem))["classes"]} == used


def test_label_order_of_btcv() -> None:
    prompts = load_prompts("btcv", BTCV)
    assert [prompt.name for prompt in prompts] == list(BTCV)
    assert "patient's left" in prompts[2].sentence


def test_concepts_come_in_one_order_whatever_the_files(tmp_path: Path) -> None:
    backwards = dict(reversed(entry().items()))
    (prompt,) = load_prompts(write(tmp_path, {"version": 1, "classes": {"liver": backwards}}), ["liver"])
    assert prompt.concepts == tuple(f"Some {key}." for key in CONCEPTS)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ({"classes": {"liver": entry()}}, "version"),
        ({"version": 0, "classes": {"liver": entry()}}, "version 0"),
        ({"version": "one", "classes": {"liver": entry()}}, "version 'one'"),
        ({"version": True, "classes": {"liver": entry()}}, "version True"),
        ({"version": 1}, "classes"),
        ({"version": 1, "classes": {"spleen": entry()}}, "'liver'"),
        ({"version": 1, "classes": {"liver": entry(), "spleen": entry()}}, "'spleen'"),
        ({"version": 1, "classes": {"liver": entry(sentence=" ")}}, "'sentence'"),
        ({"version": 1, "classes": {"liver": {"sentence": "The liver."}}}, "'shape'"),
        ({"version": 1, "classes": {"liver": entry(contour=3)}}, "'contour'"),
        ({"version": 1, "classes": {"liver": entry(colour="Red.")}}, "'colour'"),
        ({"version": 1, "classes": {"liver": "The liver."}}, "mapping"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path: Path, content: object, word: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ZooError) as caught:
        load_prompts(path, ["liver"])
    assert str(path) in str(caught.value)
    assert word in str(caught.value)


def test_wrong_order_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, {"version": 1, "classes": {"spleen": entry(), "liver": entry()}})
    with pytest.raises(TextError, match="'spleen' is out of order"):
        load_prompts(path, ["liver", "spleen"])


def test_a_changed_text_has_another_version() -> None:
    """`prompt_versions.json` has the hash of each version. After a change, raise the version and renew its line."""
    pinned = json.loads((Path(__file__).parent / "prompt_versions.json").read_text(encoding="utf-8"))
    assert {
        stem: [prompt_version(stem), hash_json(read_yaml(prompt_file(stem))["classes"])] for stem in BUNDLED
    } == pinned


def test_the_version_of_the_prompts_is_in_the_facts_and_on_the_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_datamodule("btcv").facts["prompt_version"] == 1
    info("show", ["btcv"])
    assert "# prompts btcv, version 1\n" in capsys.readouterr().out
    info("show", ["unet"])
    assert "# prompts" not in capsys.readouterr().out
    own = make_own_pictures(tmp_path)
    assert build_datamodule("image_text_folder", root=str(own), title="Mine").facts["prompt_version"] == 0
    write(own, {"version": 3, "classes": {"red_spot": entry(), "blue_spot": entry()}})
    assert build_datamodule("image_text_folder", root=str(own), title="Mine").facts["prompt_version"] == 3


def test_an_unknown_prompt_file_lists_the_bundled_files() -> None:
    with pytest.raises(TextError, match="btcv"):
        load_prompts("btvc", ["liver"])
