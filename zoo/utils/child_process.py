"""Calls a function in a child process. A library that crashes on a damaged file then ends the child, not the program.

A child answers many calls, so that its imports are paid once. Arguments and results are JSON and one array of numbers.
Nothing is pickled: whoever made a file that takes over the child must not take over the program.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

Answer = tuple[dict[str, Any], NDArray[Any] | None]
"""What a function returns: content of JSON, and an array of numbers."""

_MEMORY = 8 << 30  # bytes that a child may allocate


class ChildError(Exception):
    """The function raised an error, or its process crashed or took too long; the text is the reason."""


class ChildPool:
    """Child processes that wait for calls. Threads may call at the same time; each call has a child of its own."""

    def __init__(self) -> None:
        self._idle: list[_Child] = []
        self._lock = threading.Lock()
        self._owner = os.getpid()
        atexit.register(self.close)

    def call(self, function: Callable[..., Answer], arguments: Mapping[str, Any], seconds: float) -> Answer:
        """Call a function of a module in a child process.

        Args:
            function: The function; the child imports its module.
            arguments: Its keyword arguments, as content of JSON.
            seconds: Time limit.

        Raises:
            ChildError: The function raised an error, or its process crashed or took too long.
        """
        child = self._take()
        kept = False
        try:
            answer = child.ask(f"{function.__module__}:{function.__qualname__}", arguments, seconds)
            kept = True
        finally:
            if kept:
                with self._lock:
                    self._idle.append(child)
            else:
                child.stop()
        if isinstance(answer, str):
            raise ChildError(answer)
        return answer

    def close(self) -> None:
        """End the waiting processes."""
        with self._lock:
            waiting, self._idle = self._idle, []
        for child in waiting if self._owner == os.getpid() else []:
            child.stop()

    def _take(self) -> _Child:
        with self._lock:
            if self._owner != os.getpid():  # in a fork: the children belong to the other process
                self._owner, self._idle = os.getpid(), []
            if self._idle:
                return self._idle.pop()
        return _Child()


class _Child:
    """One child process."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", "-m", __name__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603

    def ask(self, function: str, arguments: Mapping[str, Any], seconds: float) -> Answer | str:
        """Return the answer of a function, or the text of its error.

        Raises:
            ChildError: The process crashed or took too long.
        """
        late = threading.Timer(seconds, self._process.kill)
        late.daemon = True
        late.start()
        request = json.dumps({"function": function, "arguments": dict(arguments)}).encode()
        try:
            answer = _exchange(cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout), request)
        finally:
            timed_out = not late.is_alive()
            late.cancel()
        if answer is None:
            code = self._process.wait()
            name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            raise ChildError(f"the reader took more than {seconds:g} s" if timed_out else f"the reader ended by {name}")
        return answer

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                cast(IO[bytes], stream).close()


def _exchange(to_child: IO[bytes], from_child: IO[bytes], request: bytes) -> Answer | str | None:
    """Send a request; return the answer, the text of an error, or None if the process has ended."""
    try:
        to_child.write(request + b"\n")
        to_child.flush()
    except BrokenPipeError:
        return None
    line = from_child.readline()
    if not line.endswith(b"\n"):
        return None
    found = json.loads(line)
    if found["error"] is not None:
        return str(found["error"])
    if found["array"] is None:
        return found["result"], None
    dtype, shape = np.dtype(found["array"]["dtype"]), tuple(found["array"]["shape"])
    if dtype.kind not in "biuf":
        return f"an array of {dtype}"
    size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
    content = from_child.read(size)
    return (found["result"], np.frombuffer(content, dtype).reshape(shape)) if len(content) == size else None


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer the requests of a stream until it ends."""
    for line in requests:
        request = json.loads(line)
        module, _, name = request["function"].partition(":")
        error, result, array = None, None, None
        try:
            result, array = getattr(import_module(module), name)(**request["arguments"])
        except Exception as caught:  # noqa: BLE001 - the program raises it again as `ChildError`
            error = f"{type(caught).__name__}: {caught}"
        described = None if array is None else {"dtype": array.dtype.str, "shape": array.shape}
        answers.write(json.dumps({"error": error, "result": result, "array": described}).encode() + b"\n")
        if array is not None:
            answers.write(np.ascontiguousarray(array).tobytes())
        answers.flush()


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the program, which ends this process
    with suppress(ImportError, OSError, ValueError):  # a system without this limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    _main()
