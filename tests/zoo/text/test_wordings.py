"""The wordings that come with the zoo, and files that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from zoo.errors import TextError
from zoo.registry import CONFIGS, DATA
from zoo.text.wordings import COUNT, find_wordings, load_wordings

BUNDLED = sorted(path.stem for path in (CONFIGS / "wordings").glob("*.yaml"))


def test_class_sets_have_wordings() -> None:
    wanted = "acdc amos22 brats btcv chaos chaos_ct chaos_t1dual hippocampus phantom_abdomen phantom_chest"
    assert set(wanted.split()) <= set(BUNDLED)
    assert find_wordings("mmwhs_ct", ["x"]) is None


@pytest.mark.parametrize("stem", BUNDLED)
def test_wordings_are_short_distinct_texts_with_the_side_of_their_class(stem: str) -> None:
    found = find_wordings(stem, list(DATA.get(stem).about["classes"]))
    assert found is not None
    texts = [text for texts in found.values() for text in texts]
    assert len(set(texts)) == len(texts) == COUNT * len(found)
    for name, own in found.items():
        for text in own:
            words = text.lower().rstrip(".").replace(",", "").replace("'", " ").split()
            assert 1 <= len(words) <= 20
            assert text[0].isupper()
            assert text.endswith(".")
            for side, other in (("left", "right"), ("right", "left")):
                assert not (name.startswith(f"{side}_") and other in words)


def entry(**changes: Any) -> dict[str, Any]:
    classes = {
        name: [f"The {name}, wording {number}." for number in range(COUNT)] for name in ("anterior", "posterior")
    }
    return {"version": 1, "classes": classes | changes}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (entry(anterior=["One."]), "class 'anterior' has 1 wordings"),
        (entry(anterior="One."), "class 'anterior': a list of texts is expected"),
        (entry(anterior=["The same."] * COUNT), "'The same.' is written twice"),
        (entry(heart=["x"] * COUNT), "'heart' is no class of the data card"),
        ({"classes": {}}, "version None is not a version"),
        ({"version": 1}, "`classes` is missing"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(content: dict[str, Any], problem: str, tmp_path: Path) -> None:
    path = tmp_path / "hippocampus.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    with pytest.raises(TextError, match=problem) as caught:
        load_wordings(path, "hippocampus", ["anterior", "posterior"])
    assert str(path) in str(caught.value)
