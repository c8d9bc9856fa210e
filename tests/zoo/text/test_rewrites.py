"""The rules that rewrite captions, on every caption of the chest phantom and, where it is at hand, of QaTa-COV19."""

from __future__ import annotations

from itertools import chain, combinations
from pathlib import Path

import pytest

from datamodules.phantoms.chest import ZONES as CHEST_ZONES
from datamodules.phantoms.chest import write_report
from tests.helpers.paths import REPOSITORY
from zoo.errors import NotApplicableError
from zoo.io.tables import read_table
from zoo.text.captions import read_caption
from zoo.text.laterality import names_side
from zoo.text.lung_zones import zone_bits
from zoo.text.rewrites import REWRITES, rewrite

PHANTOM = [write_report(zones, [True] * count) for count in (1, 2, 3) for zones in combinations(CHEST_ZONES, count)]
MOSMED = [
    "Bilateral pulmonary infection, two infected areas, all left lung and middle lower right lung.",
    "Unilateral pulmonary infection, two infected areas, left lung.",
    "Unilateral pulmonary infection, one infected areas, upper middle right lung..",
    "No pulmonary infection, zero infected areas.",
]


def list_captions(prompts: Path) -> list[str]:
    """The distinct captions of QaTa-COV19."""
    rows = chain.from_iterable(read_table(prompts / f"{part}.csv", "Image")[1] for part in ("train", "test"))
    return sorted({row[1] for row in rows})


def check_rules(caption: str) -> None:
    """Check what each rule keeps and what it changes."""
    own = read_caption(caption)
    assert own is not None
    bits, new = zone_bits(caption), {rule: rewrite(caption, rule) for rule in REWRITES}
    assert all(text != caption for rule, text in new.items() if own.zones or "missing" not in rule)
    assert zone_bits(new["paraphrase"]) == zone_bits(new["over_description"]) == bits
    assert new["over_description"].startswith(caption.rstrip(" ."))
    assert not names_side(new["missing_side"] + new["missing_location"])
    assert not any(level in new["missing_location"] for level in ("upper", "middle", "lower", "zone"))
    for side in ("left", "right"):
        assert (side in new["synonym"]) == (side in new["under_description"]) == (side in own.zones)
    assert not any(level in new["under_description"] for level in ("upper", "middle", "lower"))
    other = read_caption(new["contradict"])
    assert other is not None
    assert len(other.zones) == 1
    assert other.zones.keys() != own.zones.keys()  # another side, or one side where the finding is on both


@pytest.mark.parametrize("caption", [*PHANTOM, *MOSMED])
def test_each_rule_keeps_or_changes_the_zones_as_it_says(caption: str) -> None:
    check_rules(caption)


@pytest.mark.realdata
def test_each_rule_keeps_or_changes_the_zones_of_every_caption_of_qata(real_data: Path) -> None:
    captions = list_captions(real_data / "QaTa-COV19-v2" / "prompt")
    assert len(captions) == 52
    for caption in captions:
        check_rules(caption)


def test_a_contradiction_denies_the_side_with_more_zones() -> None:
    caption = "Bilateral pulmonary infection, four infected areas, middle left lung and upper middle lower right lung."
    got = "Unilateral pulmonary infection, three infected areas, upper middle lower left lung."
    assert rewrite(caption, "contradict") == got
    lesions = "Target lesions in the left lower zone and the right lower zone."
    assert rewrite(lesions, "contradict") == "Target lesions in the right lower zone."


def test_the_page_shows_what_the_rules_write() -> None:
    page = (REPOSITORY / "docs" / "open_text.md").read_text(encoding="utf-8")
    caption = "Bilateral pulmonary infection, two infected areas, upper left lung and middle right lung."
    assert f'"{caption}" becomes' in page
    for rule in REWRITES:
        shown = rewrite(caption, rule).replace(caption, "(the caption)")
        assert f"| `{rule}` | {shown} |" in page


def test_paraphrases_have_several_forms_that_the_seed_chooses() -> None:
    caption = "Unilateral pulmonary infection, one infected area, upper left lung."
    forms = {rewrite(caption, "paraphrase", seed) for seed in range(20)}
    assert len(forms) == 3
    assert {zone_bits(form) for form in forms} == {zone_bits(caption)}


@pytest.mark.parametrize("caption", ["", "One medium polyp on the bottom left.", "Infection, left lung, and effusion."])
def test_a_caption_of_another_form_is_not_rewritten(caption: str) -> None:
    with pytest.raises(NotApplicableError, match="do not know the form"):
        rewrite(caption, "paraphrase")
