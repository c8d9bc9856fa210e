"""Trainings of `zoo bench tune` without a training: each step of a job runs in this process, as a function.

The validation Dice is highest at the learning rate 1e-3. A rate above `DIVERGES` gives a loss that is not finite.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.run.process_group import Ended
from tests.helpers.sealed_runs import write_run

DIVERGES = 0.005

MANIFEST = {
    "split_hash": "abc",
    "prompt_hash": "def",
    "budget": {"samples": 64, "batch_size": 8},
    "versions": {"torch": "2"},
    "zoo": "0",
}


class FakeTrials:
    """The trainings that ran, and what goes wrong.

    Attributes:
        commands: The words of each step, in order.
        killed: Names of trials (parts of a folder's name) whose training is killed.
        facts: Further entries of each manifest.
    """

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.killed: set[str] = set()
        self.facts: dict[str, Any] = {}

    def run(self, command: Sequence[str], output: int, **_: Any) -> Ended:
        """Run one step."""
        words = list(command[command.index("fit") :])
        self.commands.append(words)
        flags = dict(word.removeprefix("--").split("=", 1) for word in words if "=" in word)
        out, lr = Path(words[words.index("--out") + 1]), float(flags["model.lr"])
        if any(name in out.name for name in self.killed):
            return Ended(137, False)
        if lr > DIVERGES:
            os.write(output, b"zoo: error: The loss is not finite at step 3 (dice nan), cases a. Lower `--model.lr`.\n")
            return Ended(2, False)
        dice = 1 / (1 + abs(math.log10(lr) + 3)) - 0.01 * int(words[words.index("--seed") + 1])
        write_run(out, {**MANIFEST, "folder": out.name, "best_val_dice": dice, **self.facts})
        return Ended(0, False)
