"""A fake `zoo` command: it writes a run folder as `zoo fit` and `zoo test` do, without training.

Environment variables control it: FAKE_CALLS (a file that gets one line per call), FAKE_SLEEP (seconds in the middle
of each fit), FAKE_FAIL (a model whose fit fails) and FAKE_BUG (a model whose fit ends with a traceback).
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from tests.helpers.sample_rows import row
from tests.helpers.sealed_runs import write_run, write_test
from zoo.metrics.case_scores import METRIC_VERSION


def main() -> int:
    verb, *rest = sys.argv[1:]
    pairs = [word for words in rest for word in words.split("=")]
    flags = dict(zip(pairs[::2], pairs[1::2], strict=True))
    out, model, text = Path(flags["--out"]), flags["--model"], flags.get("--data.text", "true")
    with Path(os.environ["FAKE_CALLS"]).open("a", encoding="utf-8") as calls:
        calls.write(f"{out.name} {verb} {text} {os.getpid()}\n")
    if model == os.environ.get("FAKE_FAIL"):
        sys.stderr.write("some log line\nzoo: error: No such file img.nii.gz. Mend it.\n")
        return 2
    if model == os.environ.get("FAKE_BUG"):
        raise ValueError("three | bars")
    if verb == "fit":
        fit(out, flags)
    else:
        reads = flags.get("--model.use_text") != "false"
        dice = ({"true": 0.8, "shuffled": 0.5, "blank": 0.4, "names": 0.45}[text] if reads else 0.6) + 0.01 * int(
            flags["--seed"]
        )
        folder = "test" if text == "true" else f"test-{text}"
        write_test(out, folder, [row("a", "x", dice), row("b", "x", dice)])
    return 0


def fit(out: Path, flags: dict[str, str]) -> None:
    facts = {
        "encoder": flags.get("--model.encoder"),
        "text_track": "class" if "--model.encoder" in flags else "none",
        "split_hash": "abc",
        "prompt_hash": "def",
        "metric_version": METRIC_VERSION,
        "budget": {"samples": 100, "batch_size": 4},
        "params": 1_250_000,
        "params_trainable": 1_000_000,
        "finished": None,
    }
    (out / "manifest.json").write_text(json.dumps(facts))
    time.sleep(float(os.environ.get("FAKE_SLEEP", "0")))
    write_run(out, facts | {"finished": "2025-01-01", "folder": out.name})


if __name__ == "__main__":
    sys.exit(main())
