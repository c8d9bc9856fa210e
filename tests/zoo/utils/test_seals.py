"""A seal changes with the content of its file."""

from __future__ import annotations

import json
from pathlib import Path

from zoo.utils.hashing import hash_text
from zoo.utils.seals import add_seal, hash_file, hash_file_once, is_intact


def test_content_with_its_seal_is_intact_after_a_file_has_held_it() -> None:
    sealed = add_seal({"patch": (32, 32), "folds": {0: "a"}, "dice": 0.1 + 0.2, "none": None})
    assert is_intact(json.loads(json.dumps(sealed, indent=2)))
    assert is_intact(add_seal(sealed)), "a seal does not count itself"


def test_each_change_of_the_content_breaks_the_seal() -> None:
    sealed = add_seal({"cases_hash": "a", "subjects": {"c0": "p0"}})
    for changes in ({"cases_hash": "b"}, {"subjects": {"c0": "p1"}}, {"seal": "0"}, {"more": 1}):
        assert not is_intact(sealed | changes), changes
    assert not is_intact({})


def test_a_large_file_is_hashed_again_only_after_a_change(tmp_path: Path) -> None:
    path = tmp_path / "best.ckpt"
    path.write_text("weights")
    assert hash_file(path) == hash_file_once(path) == hash_file_once(path) == hash_text("weights")
    path.write_text("other weights")
    assert hash_file_once(path) == hash_text("other weights")
