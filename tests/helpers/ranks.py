"""Two processes that form one gloo group and serve every multi-rank test of a session.

Starting a process costs seconds of imports, so they are started once, from a process that has imported
(`tests.helpers.warm_process`). They look like a job that torchrun started, which Lightning takes as it is.
"""

from __future__ import annotations

import os
import socket
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any

from tests.helpers.line_probes import measure_process
from tests.helpers.warm_process import WARM


def _serve(rank: int, world: int, port: int, pipe: Connection) -> None:
    measure_process()
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": str(world),
        "GROUP_RANK": "0",
        "TORCHELASTIC_RUN_ID": "tests",
        "OMP_NUM_THREADS": "1",
    }
    while True:
        task = pipe.recv()
        if task is None:
            return
        function, args = task
        try:
            pipe.send((True, function(*args)))
        except BaseException:  # noqa: BLE001 - whatever it is, the test must see it
            pipe.send((False, traceback.format_exc()))


class RankPool:
    """Runs a function on every rank at once.

    Args:
        world: Number of ranks.
    """

    def __init__(self, world: int = 2) -> None:
        self.world = world
        self._start()

    def _start(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.pipes: list[Connection] = []
        self.processes = []
        for rank in range(self.world):
            ours, theirs = WARM.Pipe()
            process = WARM.Process(target=_serve, args=(rank, self.world, port, theirs), daemon=True)
            process.start()
            self.pipes.append(ours)
            self.processes.append(process)

    def run(self, function: Callable[..., Any], *args: Any, timeout: float = 300) -> list[Any]:
        """Return the value of the function on every rank; an exception or a silent rank fails the test."""
        for pipe in self.pipes:
            pipe.send((function, args))
        values: dict[int, Any] = {}
        while len(values) < len(self.pipes):
            waiting = [pipe for rank, pipe in enumerate(self.pipes) if rank not in values]
            ready = wait(waiting, timeout)
            if not ready:
                raise TimeoutError(f"ranks {set(range(len(self.pipes))) - set(values)} are silent after {timeout} s")
            for rank in (rank for rank, pipe in enumerate(self.pipes) if pipe in ready):
                good, values[rank] = self.pipes[rank].recv()
                if not good:  # the others may wait for this rank without end
                    self.restart()
                    raise RuntimeError(f"rank {rank}:\n{values[rank]}")
        return [values[rank] for rank in range(len(self.pipes))]

    def restart(self) -> None:
        """Kill the ranks and start others."""
        for process in self.processes:
            process.kill()
        self._start()

    def close(self) -> None:
        """End the ranks."""
        for pipe, process in zip(self.pipes, self.processes, strict=True):
            pipe.send(None)
            process.join(10)
            process.kill()
