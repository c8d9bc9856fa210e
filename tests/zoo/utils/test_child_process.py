"""A function in a child process: its answer, its error, its crash and its end."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.paths import REPOSITORY
from zoo.utils.child_process import Answer, ChildError, ChildPool, serve


def echo(value: Any, length: int) -> Answer:
    """Return what it got, and an array."""
    sys.stdout.write("a line that is no answer\n")
    return {"value": value, "process": os.getpid()}, np.arange(length, dtype=np.int16).reshape(-1, 2)


def fail(text: str) -> Answer:
    raise RuntimeError(text)


def end_by(number: int) -> Answer:
    os.kill(os.getpid(), number)
    return {}, None


def sleep() -> Answer:
    time.sleep(600)
    return {}, None


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChildPool]:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    made = ChildPool()
    yield made
    made.close()


def test_an_answer_is_what_the_function_returns_and_one_process_answers_all(pool: ChildPool) -> None:
    answers = [pool.call(echo, {"value": ["\u00e9", 0.1], "length": length}, 60) for length in (4, 0, 100_000)]
    for (result, array), length in zip(answers, (4, 0, 100_000), strict=True):
        assert result["value"] == ["\u00e9", 0.1]
        assert array is not None
        np.testing.assert_array_equal(array, np.arange(length, dtype=np.int16).reshape(-1, 2))
    assert len({result["process"] for result, _ in answers} | {os.getpid()}) == 2
    with pytest.raises(ChildError, match=r"^RuntimeError: broken file$"):
        pool.call(fail, {"text": "broken file"}, 60)


def test_a_crash_and_a_long_call_end_the_child_only(pool: ChildPool) -> None:
    with pytest.raises(ChildError, match=r"ended by SIGSEGV$"):
        pool.call(end_by, {"number": int(signal.SIGSEGV)}, 60)
    with pytest.raises(ChildError, match=r"took more than 0\.3 s$"):
        pool.call(sleep, {}, 0.3)
    assert pool.call(echo, {"value": 1, "length": 2}, 60)[0]["value"] == 1


def test_requests_are_answered_until_the_stream_ends() -> None:
    requests = [{"function": f"{__name__}:{name}", "arguments": {"text": "x"}} for name in ("fail", "gone")]
    answers = io.BytesIO()
    serve(io.BytesIO("".join(f"{json.dumps(one)}\n" for one in requests).encode()), answers)
    found = [json.loads(line)["error"] for line in answers.getvalue().splitlines()]
    assert found[0] == "RuntimeError: x"
    assert found[1].startswith("AttributeError")


def test_a_child_ends_with_its_program(pool: ChildPool, tmp_path: Path) -> None:
    process = pool.call(echo, {"value": 1, "length": 2}, 60)[0]["process"]
    pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
