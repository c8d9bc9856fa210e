"""Compares one of our functions with the same work of another package, in turn and in one process.

A script of a claim makes two functions of the same result and calls `compare`, whose return value is its exit code.
"""

from __future__ import annotations

import ctypes
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

_MIB = 1024


@dataclass(frozen=True)
class Bars:
    """What a claim must reach.

    Attributes:
        speed: Smallest ratio of processor times, peer over ours.
        memory: Largest ratio of peak memory, ours over the peer's; None: memory is printed only.
        difference: Largest difference of the results.
    """

    speed: float
    memory: float | None = None
    difference: float = 0.0


@dataclass(frozen=True)
class Side(Generic[T]):
    """One of the two ways to compute a result.

    Attributes:
        name: Name in the printed lines.
        run: Computes the result.
        unrelated: Returns the seconds of the last call that both ways need and that the claim leaves out, as a pair of
            time by the clock and processor time; None: all of the time counts.
    """

    name: str
    run: Callable[[], T]
    unrelated: Callable[[], tuple[float, float]] | None = None


@dataclass
class Measured:
    """Seconds by the clock and of the processor per call, and the largest peak of memory in MiB over the start."""

    clock: list[float]
    processor: list[float]
    peak: float = 0.0

    def line(self, name: str) -> str:
        """Return minimum, median and maximum of both times, and the peak of memory."""
        clock, processor = (
            "/".join(f"{value:.4g}" for value in (min(times), statistics.median(times), max(times)))
            for times in (self.clock, self.processor)
        )
        return f"  {name}: {clock} s by the clock, {processor} s of processor time, peak {self.peak:.0f} MiB\n"


def compare(
    claim: str, ours: Side[T], peer: Side[T], difference: Callable[[T, T], float], bars: Bars, repeats: int = 3
) -> int:
    """Run both sides in turn, print their times, ratios, largest difference and memory, and judge them.

    Both sides run once before, so that compilation and the first pages of memory do not count.

    Args:
        claim: What is compared.
        ours: Our way.
        peer: The way of the other package.
        difference: Returns the largest difference of two results, 0 where they are equal.
        bars: What must be reached.
        repeats: Number of measured calls per side, 3 or more for a claim.

    Returns:
        0 where all bars are reached, else 1.
    """
    found = difference(ours.run(), peer.run())
    for side in (ours, peer):
        if side.unrelated:
            side.unrelated()  # of the calls that do not count
    results = {side.name: Measured([], []) for side in (ours, peer)}
    for _ in range(repeats):
        for side in (ours, peer):
            _measure(side, results[side.name])
    mine, other = results[ours.name], results[peer.name]
    clock, processor = (
        statistics.median(b) / statistics.median(a)
        for a, b in ((mine.clock, other.clock), (mine.processor, other.processor))
    )
    memory = mine.peak / other.peak if other.peak else float("inf")
    lines = [f"{claim}\n", *(measured.line(name) for name, measured in results.items())]
    lines.append(f"  ratio of medians {clock:.2f}, of processor time {processor:.2f} (bar {bars.speed:g})\n")
    lines.append(f"  memory {memory:.3f} of the peer's" + (f" (bar {bars.memory:g})\n" if bars.memory else "\n"))
    lines.append(f"  largest difference {found:g} (bar {bars.difference:g})\n")
    met = processor >= bars.speed and found <= bars.difference and (bars.memory is None or memory <= bars.memory)
    lines.append("  met\n" if met else "  MISSED\n")
    sys.stdout.write("".join(lines))
    sys.stdout.flush()
    return 0 if met else 1


def _measure(side: Side[T], measured: Measured) -> None:
    ctypes.CDLL(None).malloc_trim(0)  # memory that an earlier call has freed must not hide what this call takes
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory starts anew
    before, begin, start = _status("VmRSS"), resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    side.run()
    clock, end = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    processor = end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime
    left_out = side.unrelated() if side.unrelated else (0.0, 0.0)
    measured.clock.append(clock - left_out[0])
    measured.processor.append(processor - left_out[1])
    measured.peak = max(measured.peak, (_status("VmHWM") - before) / _MIB)


def _status(key: str) -> int:
    """Return a value of this process in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))
