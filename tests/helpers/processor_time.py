"""`pytest --processor-time`: the processor time per folder of tests, and the twenty tests that take most of it.

Wall time depends on the other processes of a machine. The limit of CI is on processor time.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Generator, Mapping
from pathlib import Path
from statistics import median

import pytest

KEY = "processor_seconds"
SHOWN = 20
MODEL = re.compile(r"contracts/test_model.*\[(\w+-[23]d)")
"""A contract test of a model and a dimension."""
PROJECTED = 66
"""33 models in two dimensions."""
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def processor_seconds() -> float:
    """Return the processor time of this process and of its descendants; of the running ones on Linux alone."""
    return sum(os.times()[:4]) + _running_descendants(os.getpid())


def _running_descendants(pid: int) -> float:
    """Return the seconds of the running descendants; they are not part of `os.times()` before they end."""
    total, parents = 0.0, {pid}
    lines = [_stat(folder) for folder in Path("/proc").glob("[0-9]*")]
    processes = sorted((fields for fields in lines if fields), key=lambda fields: int(fields[0]))
    for number, _, parent, *rest in processes:  # a parent has, as a rule, the lower number
        if int(parent) in parents:
            parents.add(int(number))
            total += sum(map(int, rest[9:13])) / TICKS
    return total


def _stat(folder: Path) -> list[str]:
    """Return number, state, parent and the other fields of a process; nothing when the process has ended."""
    try:
        before, _, after = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
    except OSError:
        return []
    return [before.split()[0], *after.split()]


class ProcessorTime:
    """Measures each phase of each test where it runs, and prints the sums where the results arrive."""

    def __init__(self) -> None:
        self.last = processor_seconds()
        self.tests: defaultdict[str, float] = defaultdict(float)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the time since the last report. pytest-xdist carries it to the first process."""
        report = yield
        now = processor_seconds()
        report.user_properties.append((KEY, now - self.last))
        self.last = now
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the phase to its test."""
        self.tests[report.nodeid.partition("@")[0]] += sum(
            value for key, value in report.user_properties if key == KEY and isinstance(value, float)
        )

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table of folders, the slowest tests, and the cost of a model."""
        folders: defaultdict[str, float] = defaultdict(float)
        for name, seconds in self.tests.items():
            folders["/".join(name.split("/")[1:-1][:1])] += seconds
        terminalreporter.section(f"processor time of the tests: {sum(self.tests.values()):.0f} s")
        for table in (folders, self.tests):
            for name, seconds in sorted(table.items(), key=lambda entry: -entry[1])[:SHOWN]:
                terminalreporter.write_line(f"{seconds:8.1f} s  {name}")
            terminalreporter.write_line("")
        cases: defaultdict[str, float] = defaultdict(float)
        for name, seconds in self.tests.items():
            if found := MODEL.search(name):
                cases[found[1]] += seconds
        if cases:
            terminalreporter.write_line(_cost_of_models(cases))


def _cost_of_models(cases: Mapping[str, float]) -> str:
    """Return what the contract tests of a model and a dimension cost, against the import of torch and lightning."""
    before = os.times()
    subprocess.run([sys.executable, "-c", "import torch, lightning"], check=True)
    after = os.times()
    imports = sum(after[2:4]) - sum(before[2:4])
    mean, (dearest, most) = sum(cases.values()) / len(cases), max(cases.items(), key=lambda case: case[1])
    return (
        f"{len(cases)} models and dimensions: {mean:.1f} s each (median {median(cases.values()):.1f} s), "
        f"{most:.1f} s for {dearest} "
        f"({most / imports:.1f} times `import torch, lightning`, {imports:.1f} s); "
        f"{PROJECTED} would take {PROJECTED * mean:.0f} s"
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--processor-time", action="store_true", help="print the processor time per folder of tests")


def pytest_configure(config: pytest.Config) -> None:
    """Measure where the option is given; a worker of pytest-xdist has the options of the first process."""
    if config.getoption("--processor-time"):
        config.pluginmanager.register(ProcessorTime(), "processor-time")
