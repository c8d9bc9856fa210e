"""What the terms of a data set allow to publish: from its card, and from the manifest of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from datamodules.index.card import DataCard
from zoo.config import compose
from zoo.errors import ConfigError
from zoo.publishing import KINDS, Publish, find_run_terms, find_terms, read_terms
from zoo.registry import DATA, card_from


def test_every_card_of_the_zoo_states_its_terms() -> None:
    for card in DATA:
        if card.origin == "zoo":
            assert set(card.about["publish"]) == set(KINDS), card.name
            assert DataCard.of(card).publish == find_terms(card.name)


def test_what_is_closed_by_a_registration_is_not_published() -> None:
    for card in DATA:
        closed = any(word in str(card.about.get("licence")) for word in ("registration", "not passed on"))
        assert not (closed and find_terms(card.name).allows("images")), card.name


def test_unknown_counts_as_no() -> None:
    for terms in (Publish(), find_terms("no_such_set"), find_run_terms({}), read_terms({"publish": None}, "mine.yaml")):
        assert not any(terms.allows(kind) for kind in KINDS)
    assert [Publish(images=one).allows("images") for one in (True, "yes", "same terms", False, "no", "unknown")] == (
        [True] * 3 + [False] * 3
    )


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ("{images: perhaps}", r"publish.images is 'perhaps', not one of yes, same terms, no, unknown"),
        ("{image: yes}", "unknown key publish.image. Did you mean images"),
        ("yes", "publish is not a mapping"),
    ],
)
def test_a_wrong_term_of_a_card_is_one_line(terms: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"about: {{publish: {terms}}}", encoding="utf-8")
    card = card_from("mine", file)
    with pytest.raises(ConfigError, match=message):
        read_terms(card.about, card.place)


def test_the_user_can_state_what_no_card_knows_and_not_what_a_card_forbids() -> None:
    assert Publish(rows="no").permit(["weights"], "mine") == Publish(weights="yes", rows="no")
    assert Publish(images="same terms").permit(["images"], "mine").images == "same terms"
    with pytest.raises(ConfigError, match="the card of btcv says that its images may not be published"):
        find_terms("btcv").permit(["images"], "btcv")
    with pytest.raises(ConfigError, match=r"--permit scores: no kind of content\. Choose from images, weights, rows"):
        Publish().permit(["scores"], "mine")


def test_a_run_has_the_terms_of_the_card_that_trained_it(tmp_path: Path) -> None:
    content = yaml.safe_load(Path(DATA.get("phantom_chest").file).read_text(encoding="utf-8"))
    content["about"]["publish"] = {"images": False, "weights": "same terms"}
    card = tmp_path / "hippocampus.yaml"  # the name of a card of the zoo
    card.write_text(yaml.safe_dump(content), encoding="utf-8")
    known = compose("unet", str(card)).publish.to_dict()
    assert find_run_terms({"data": "hippocampus", "publish": known}) == Publish("no", "same terms", "unknown")
    assert find_run_terms({"data": "hippocampus"}) == find_terms("hippocampus")  # of an earlier version
