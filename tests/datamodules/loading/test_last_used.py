"""What threads share is made once, and each thread keeps the last thing that it used."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from datamodules.loading.last_used import LastUsed


def test_one_thread_keeps_the_last_two_things() -> None:
    things, made = LastUsed[str](), Counter[str]()
    for name in "aabbaccba":
        assert things.get(name, lambda name=name: made.update(name) or name) == name  # type: ignore[misc]
    assert made == {"a": 2, "b": 1, "c": 1}, "a was forgotten once c was made"


def test_a_thing_is_made_once_for_all_threads() -> None:
    things, made, start = LastUsed[str](), Counter[str](), Barrier(4)

    def ask(name: str) -> str:
        start.wait(10)
        return things.get(name, lambda: made.update(name) or name)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, "aabb")) == list("aabb")
    assert made == {"a": 1, "b": 1}


def test_a_thread_keeps_its_last_thing_while_others_work() -> None:
    things, made, step = LastUsed[str](), Counter[str](), Barrier(4)

    def work(name: str) -> None:
        for _ in range(3):
            step.wait(10)
            things.get(name, lambda: made.update(name) or name)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, "abcd"))
    assert made == dict.fromkeys("abcd", 1)
    things.get("e", lambda: "e")
    assert len(things._found) == 2, "the threads have ended"


def test_what_cannot_be_made_is_not_kept() -> None:
    things = LastUsed[int]()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            things.get("a", lambda: 1 // 0)
    assert things.get("a", lambda: 7) == 7
