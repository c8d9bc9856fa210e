"""A fake `zoo` command for kill tests: it trains in steps, writes a checkpoint after each step, and writes slowly.

The result of a fit is a chain of hashes over its steps. A step that is lost, taken twice or taken from an incomplete
checkpoint therefore changes the Dice of its tests. With `--trainer.devices 2` there is a second process. If it ends,
the first ends too, as ranks of Lightning do. STUB_STEPS is the number of steps and STUB_SECONDS the time of a step.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from hashlib import sha256
from pathlib import Path

import yaml

from tests.helpers.sample_rows import row
from tests.helpers.sealed_runs import CONFIG, write_test
from zoo.engine.run_folder import RunFolder
from zoo.engine.run_seals import seal_files
from zoo.metrics.case_scores import METRIC_VERSION
from zoo.utils.atomic_files import UNFINISHED
from zoo.utils.seals import FILES, add_seal

STEPS, SECONDS = int(os.environ.get("STUB_STEPS", "6")), float(os.environ.get("STUB_SECONDS", "0.05"))


def main() -> int:
    verb, *rest = sys.argv[1:]
    pairs = [word for words in rest for word in words.split("=", 1)]
    flags = dict(zip(pairs[::2], pairs[1::2], strict=True))
    out = Path(flags["--out"])
    rank = SecondRank() if flags.get("--trainer.devices") == "2" else None
    if verb == "fit":
        fit(out, flags)
    else:
        test(out, flags.get("--data.text", "true"))
    if rank is not None:
        rank.end()
    return 0


def fit(out: Path, flags: dict[str, str]) -> None:
    facts = {
        "text_track": "class" if "--model.encoder" in flags else "none",
        "encoder": flags.get("--model.encoder"),
        "split_hash": "abc",
        "prompt_hash": "def",
        "metric_version": METRIC_VERSION,
        "budget": {"samples": 4 * STEPS, "batch_size": 4},
        "params": 10,
        "params_trainable": 10,
        "finished": None,
    }
    write(out / "manifest.json", json.dumps(facts), 0.0)
    last = out / "checkpoints" / "last.ckpt"
    seed = f"{flags['--model']} {flags['--data']} {flags['--seed']}"
    step, chain = json.loads(last.read_text()).values() if last.is_file() else (0, seed)
    print(f"from step {step}")  # noqa: T201 - to the job's log
    while step < STEPS:
        time.sleep(SECONDS)
        step, chain = step + 1, sha256(f"{chain} {step}".encode()).hexdigest()
        write(last, json.dumps({"step": step, "chain": chain}), SECONDS)
    (out / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    files = seal_files(RunFolder(out), {})
    write(out / "manifest.json", json.dumps(add_seal(facts | {"finished": "2025-01-01", FILES: files})), 0.0)


def test(out: Path, text: str) -> None:
    chain = json.loads((out / "checkpoints" / "last.ckpt").read_text())["chain"]
    dices = [int(sha256(f"{chain} {text} {case}".encode()).hexdigest()[:4], 16) / 65536 for case in range(5)]
    dices = [round(dice, 3) for dice in dices]  # as the counts of a row have it
    path = out / ("test" if text == "true" else f"test-{text}") / "cases.csv"
    tear(path, SECONDS)
    write_test(out, path.parent.name, [row(f"c{case}", "x", dice) for case, dice in enumerate(dices)])


def write(path: Path, text: str, seconds: float) -> None:
    """Write a file as the zoo does: under another name first, with a moment in which the file is incomplete."""
    part = tear(path, seconds)
    part.write_text(text)
    part.replace(path)


def tear(path: Path, seconds: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{UNFINISHED}{os.getpid()}-{path.name}")
    part.write_text('{"torn')
    time.sleep(seconds)
    return part


class SecondRank:
    """A second process. If it ends, this process ends too."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", *sys.argv[1:]])
        self._over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        self._process.wait()
        if not self._over.is_set():
            os.kill(os.getpid(), signal.SIGKILL)

    def end(self) -> None:
        self._over.set()
        self._process.kill()
        self._process.wait()


if __name__ == "__main__":
    sys.exit(main())
