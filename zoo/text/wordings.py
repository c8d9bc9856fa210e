"""Wordings: ten further sentences per class, in the words of other authors than that of the class prompts.

They answer whether a trained model understands a prompt that it has not seen. `configs/wordings/<prompts>.yaml` lies
beside `configs/prompts/<prompts>.yaml`, with the same classes in the same order. Training reads a wording only with
`--data.wordings N`, which leaves the others to the test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.errors import TextError
from zoo.registry import CONFIGS
from zoo.text.prompt_files import load_prompts, read_classes

COUNT = 10
"""Wordings per class."""


def find_wordings(prompts: str, names: Sequence[str]) -> dict[str, tuple[str, ...]] | None:
    """The wordings of the classes of a data set; None where the zoo has none for its prompt file.

    Args:
        prompts: The prompt file of the card: a name of `configs/prompts`, or a path.
        names: The class names of the card, in label order.

    Raises:
        TextError, ConfigError: As `load_wordings`.

    Example:
        >>> find_wordings("hippocampus", ["anterior", "posterior"])["anterior"][0]
        'The head of the hippocampus on a T1-weighted MR image.'
    """
    path = CONFIGS / "wordings" / f"{prompts}.yaml"
    return load_wordings(path, prompts, names) if path.is_file() else None


def load_wordings(path: Path, prompts: str, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read and check a file of wordings.

    Args:
        path: The file.
        prompts: The prompt file of the card: a name of `configs/prompts`, or a path.
        names: The class names of the card, in label order.

    Returns:
        Class -> its `COUNT` wordings.

    Raises:
        TextError: There is no version, the classes or their order differ from `names`, a class has not `COUNT` texts,
            or a text occurs twice or is that of the class prompts.
        ConfigError: The file is not YAML.
    """
    classes = read_classes(path, names, "[text, text, ...]")
    found = {name: _read_texts(path, name, classes[name]) for name in names}
    known = [prompt.sentence for prompt in load_prompts(prompts, names)]
    counts = Counter([*known, *(text for texts in found.values() for text in texts)])
    for name, texts in found.items():
        twice = next((text for text in texts if counts[text] > 1), None)
        if twice is not None:
            raise TextError(f"{path}: class '{name}': '{twice}' is written twice.", "Write another wording.")
    return found


def _read_texts(path: Path, name: str, entry: Any) -> tuple[str, ...]:
    if not isinstance(entry, list) or not all(isinstance(text, str) and text.strip() for text in entry):
        raise TextError(f"{path}: class '{name}': a list of texts is expected.", f"Write {COUNT} short sentences.")
    if len(entry) != COUNT:
        raise TextError(f"{path}: class '{name}' has {len(entry)} wordings.", f"Write {COUNT}.")
    return tuple(text.strip() for text in entry)
