"""`make test-mutants`: change one place of a module that makes numbers, and see whether the module's tests notice.

`python -m tests.helpers.mutants --sample 300 --seed 0` draws the sample, prints each survivor as it is found, and ends
with exit code 1 if more than 5 % survive without a reason in `tests/helpers/mutant_reasons.yaml`.

The script is ours because mutmut and cosmic-ray start from a test command. They draw no seeded sample, and they do not
fork a process that has imported torch and scipy, which would take most of the two hours.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType

import yaml

from tests.helpers.mutations import Mutation, mutate, mutations
from tests.helpers.paths import REPOSITORY

METRICS, LEADERBOARD, LOADING = "tests/zoo/metrics", "tests/benchmarks/leaderboard", "tests/datamodules/loading"
TESTS = {
    "zoo/metrics/surface.py": METRICS,
    "zoo/metrics/distance_kernels.py": METRICS,
    "zoo/metrics/compiled_comparison.py": METRICS,
    "zoo/metrics/far_search.py": METRICS,
    "zoo/metrics/scipy_comparison.py": METRICS,
    "zoo/metrics/scoring.py": METRICS,
    "zoo/metrics/summary.py": METRICS,
    "zoo/metrics/case_scores.py": METRICS,
    "zoo/metrics/class_masks.py": METRICS,
    "datamodules/index/splits.py": "tests/datamodules/index",
    "datamodules/loading/cache.py": LOADING,
    "datamodules/loading/entry.py": LOADING,
    "datamodules/loading/samplers.py": LOADING,
    "benchmarks/leaderboard/comparability.py": LEADERBOARD,
    "benchmarks/leaderboard/statistics.py": LEADERBOARD,
    "benchmarks/leaderboard/subjects.py": LEADERBOARD,
    "benchmarks/storage/seeds.py": f"tests/benchmarks/storage {LEADERBOARD}",
    "zoo/preprocessing/apply.py": "tests/zoo/preprocessing",
    "zoo/preprocessing/label_grid.py": "tests/zoo/preprocessing",
    "zoo/preprocessing/label_steps.py": "tests/zoo/preprocessing",
    "zoo/preprocessing/undo.py": "tests/zoo/preprocessing",
    "zoo/io/same_grid.py": "tests/zoo/io/test_same_grid.py",
}
"""The modules of metrics, split, store, sampler, comparability, statistics and geometry, each with its tests."""

WARM = (
    "torch",
    "lightning.pytorch",
    "monai.losses",
    "scipy.stats",
    "scipy.ndimage",
    "nibabel",
    "hypothesis",
    "PIL.Image",
)
"""Packages that are imported once. Ours are imported after the fork, so that the changed module is the one in use."""

REASONS = Path(__file__).with_name("mutant_reasons.yaml")
ALLOWED = 0.05
PATIENCE = 300.0
"""Seconds after which a change counts as noticed: it may have made a loop endless."""


@dataclass(frozen=True)
class Mutant:
    """A changed module.

    Attributes:
        path: The module, relative to the repository.
        mutation: What is changed in it; None for the module as it is.
    """

    path: str
    mutation: Mutation | None

    def __str__(self) -> str:
        return f"{self.path}: {self.mutation or 'unchanged'}"

    @property
    def key(self) -> str:
        """The change without its line, which later edits of the module move."""
        return f"{self.path}: {self.mutation.key if self.mutation else 'unchanged'}"


class _Changed(SourceFileLoader):
    """Loads one module from a changed tree, and neither reads nor writes its byte code."""

    def __init__(self, name: str, path: str, mutation: Mutation) -> None:
        super().__init__(name, path)
        self._mutation = mutation

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the changed module."""
        tree = mutate(Path(self.path).read_text(encoding="utf-8"), self._mutation)
        code: CodeType = compile(tree, self.path, "exec", dont_inherit=True)
        return code


class _Finder:
    """Finds the changed module before the finders of the interpreter do."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._name = mutant.path.removesuffix(".py").replace("/", ".")

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Return the changed module; None for every other name."""
        if name != self._name or self._mutant.mutation is None:
            return None
        path = str(REPOSITORY / self._mutant.path)
        return spec_from_file_location(name, path, loader=_Changed(name, path, self._mutant.mutation))


def start(mutant: Mutant) -> int:
    """Fork a process that runs the tests of a changed module, and return its number."""
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    output = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(output, stream)
    os._exit(_run_tests(mutant))


def _run_tests(mutant: Mutant) -> int:
    import hypothesis
    import pytest

    hypothesis.settings.register_profile(
        "mutants",
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        database=None,
        derandomize=True,
        deadline=None,  # on a busy machine, slowness would count as a change that was noticed
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    hypothesis.settings.load_profile("mutants")  # to shrink an example would take longer than to find it
    sys.dont_write_bytecode = True
    sys.meta_path.insert(0, _Finder(mutant))
    with tempfile.TemporaryDirectory() as folder:
        words = ["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:cov"]
        return int(pytest.main([*words, "--basetemp", f"{folder}/t", *list_tests(mutant.path)]))


def list_tests(path: str) -> list[str]:
    """List the tests of a module; the file with its name comes first, because it notices most changes."""
    folders = TESTS[path].split()
    own = [f"{folder}/test_{Path(path).stem}.py" for folder in folders]
    return [*(file for file in own if (REPOSITORY / file).is_file()), *folders]


def run(mutants: Sequence[Mutant], at_once: int) -> Iterator[tuple[Mutant, bool]]:
    """Run the tests of each mutant, some at a time; yield it with whether a test has noticed the change."""
    waiting, running = list(reversed(mutants)), dict[int, tuple[Mutant, float]]()
    while waiting or running:
        while waiting and len(running) < at_once:
            mutant = waiting.pop()
            running[start(mutant)] = mutant, time.monotonic()
        for pid, (mutant, begun) in list(running.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                if code not in (0, 1, 2) and code > 0:
                    raise SystemExit(f"{mutant}: pytest ended with {code}. Run its tests: {TESTS[mutant.path]}.")
                del running[pid]
                yield mutant, code != 0
            elif time.monotonic() - begun > PATIENCE:
                os.killpg(pid, signal.SIGKILL)
        time.sleep(0.05)


def draw(sample: int, seed: int, only: str) -> list[Mutant]:
    """Draw mutants from all places of the modules. A changed place moves no other place in or out of the sample."""
    every = [
        Mutant(path, mutation)
        for path in TESTS
        if only in path
        for mutation in mutations((REPOSITORY / path).read_text(encoding="utf-8"))
    ]
    return sorted(every, key=lambda mutant: hashlib.sha256(f"{seed} {mutant.key}".encode()).digest())[:sample]


def main(argv: Sequence[str] | None = None) -> int:
    """Draw, run and count."""
    parser = argparse.ArgumentParser(prog="mutants")
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="a part of the path of a module")
    options = parser.parse_args(argv)
    os.chdir(REPOSITORY)
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in WARM:
        importlib.import_module(name)
    chosen = draw(options.sample, options.seed, options.only)
    unchanged = [Mutant(path, None) for path in dict.fromkeys(mutant.path for mutant in chosen)]
    if broken := [str(mutant) for mutant, noticed in run(unchanged, options.jobs) if noticed]:
        raise SystemExit(f"The tests fail without a change: {'; '.join(broken)}. Mend them first.")
    reasons: dict[str, str] = yaml.safe_load(REASONS.read_text(encoding="utf-8")) or {}
    survived, explained = 0, 0
    for number, (mutant, noticed) in enumerate(run(chosen, options.jobs), start=1):
        if noticed:
            continue
        explained += mutant.key in reasons
        survived += mutant.key not in reasons
        why = reasons.get(mutant.key, "no reason is written")
        sys.stdout.write(f"[{number}/{len(chosen)}] survives: {mutant}\n    {why}\n")
        sys.stdout.flush()
    share = survived / max(len(chosen), 1)
    sys.stdout.write(
        f"{len(chosen)} mutants: {len(chosen) - explained - survived} noticed, {explained} survive with a reason, "
        f"{survived} without one ({share:.1%})\n"
    )
    return int(share > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
