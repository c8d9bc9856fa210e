"""Kill a benchmark at random moments by SIGKILL, and start it again by the same command until it is done."""

from __future__ import annotations

import csv
import io
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

from zoo.cli.main import main
from zoo.utils.atomic_files import UNFINISHED

VICTIMS = ("runner", "job", "rank", "checkpoint", "result")
"""What is killed: the runner, a job, one of its ranks, or a job while it writes a checkpoint or a result."""

LONGEST = 3600.0


@dataclass(frozen=True)
class Process:
    """A process that works in a folder."""

    pid: int
    parent: int
    command: str


@dataclass
class Benchmark:
    """A benchmark whose processes are killed.

    Attributes:
        command: The command that starts the benchmark, also after a kill.
        folder: The folder of the benchmark.
        environment: The environment of its processes.
    """

    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str]

    def start(self) -> subprocess.Popen[bytes]:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        log = self.folder.with_suffix(".log").open("ab")
        return subprocess.Popen(list(self.command), env=dict(self.environment), stdout=log, stderr=log)

    def table(self, kind: str) -> str:
        printed = io.StringIO()
        with redirect_stdout(printed):
            assert main(["bench", "table", str(self.folder), "--format", kind]) == 0
        return printed.getvalue()

    def run_to_end(self) -> None:
        assert self.start().wait(LONGEST) == 0

    def under_fire(
        self, victims: Sequence[str], seed: int, pause: tuple[float, float], patience: float = LONGEST
    ) -> Counter[str]:
        """Kill each of the victims once, at random moments; return how often each kind was hit.

        A write takes milliseconds. If none is seen within `patience` seconds, a job is killed instead.
        """
        draws, hits = random.Random(seed), Counter[str]()  # noqa: S311 - moments, not secrets
        runner = self.start()
        end = time.monotonic() + LONGEST
        for victim in victims:
            time.sleep(draws.uniform(*pause))
            begun, kind = time.monotonic(), victim
            while time.monotonic() < end:
                if runner.poll() is not None:  # done, or done except for what was killed
                    if runner.returncode == 0:
                        return hits
                    runner = self.start()
                if time.monotonic() - begun > patience:
                    kind = "job"
                if self._kill(kind, runner, draws):
                    hits[kind] += 1
                    break
                time.sleep(0.002)
            if victim == "runner":
                runner.wait()
        while runner.wait(LONGEST):
            assert time.monotonic() < end
            runner = self.start()
        return hits

    def _kill(self, victim: str, runner: subprocess.Popen[bytes], draws: random.Random) -> bool:
        """Kill a victim; return whether there was one in this moment."""
        if victim == "runner":
            runner.kill()
            return True
        if victim in ("checkpoint", "result"):
            written = f"{'checkpoints' if victim == 'checkpoint' else 'test*'}/{UNFINISHED}*"
            torn = [path for run in self.folder.glob("results/*") for path in run.glob(written)]
            owners = {pid for path in torn if (pid := _owner(path)) is not None}
            pids = [one.pid for one in self._jobs() if one.pid in owners]
        elif victim == "job":
            pids = [one.pid for one in self._jobs()]
        else:
            jobs = {one.pid for one in self._jobs()}
            pids = [one.pid for one in self.processes() if one.parent in jobs]
        for pid in draws.sample(pids, min(1, len(pids))):
            with suppress(ProcessLookupError):  # it ended in this moment
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    def _jobs(self) -> list[Process]:
        """Return the processes that the guards have started."""
        found = list(self.processes())
        guards = {one.pid for one in found if "benchmarks.run.process_guard" in one.command}
        return [one for one in found if one.parent in guards]

    def processes(self) -> Iterator[Process]:
        """Give the processes whose command line has the folder."""
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it ended in this moment
                continue
            if str(self.folder) in command and stat[0] != "Z":
                yield Process(int(entry.name), int(stat[1]), command)

    def counted_twice(self) -> list[str]:
        """Return the cases and classes that are more than once in a file of rows."""
        twice = []
        for path in sorted(self.folder.glob("results/*/test*/cases.csv")):
            with path.open(newline="", encoding="utf-8") as file:
                pairs = Counter((line["case_id"], line["label"]) for line in csv.DictReader(file))
            twice += [f"{path}: {pair}" for pair, n in pairs.items() if n > 1]
        return twice


def _owner(path: Path) -> int | None:
    """Return the process in the name of an unfinished file: `.part-<pid>-cases.csv`."""
    pid = path.name.removeprefix(UNFINISHED).partition("-")[0]
    return int(pid) if pid.isdecimal() else None
