"""Reads the text files that a user hands over, strictly: data sets, splits, cards, plans, prompts, configurations.

A file may be in UTF-8, UTF-16 or UTF-32, with or without a byte order mark, as editors of Windows write it. A key that
is in one mapping twice is refused, because each program would keep another value.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from zoo.utils.limits import get_limit, raise_limit

_SAFE_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times faster
_MERGE = "tag:yaml.org,2002:merge"


def read_text(path: Path) -> str:
    """Read a text file in any Unicode encoding; line ends are unchanged.

    Raises:
        OSError: The file cannot be read.
        ValueError: The text is not Unicode, and the message gives the line; or the file is too large.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "a.txt"
        ...     _ = file.write_bytes("Milz".encode("utf-16"))
        ...     read_text(file)
        'Milz'
    """
    most = get_limit("text_mb") * 1_000_000
    with path.open("rb") as file:  # one that never ends, such as /dev/zero, has no size
        content = file.read(most + 1)
    if len(content) > most:
        raise TooLargeError(
            f"more than {most // 1_000_000} MB of text. {raise_limit('text_mb', 2 * most // 1_000_000)}"
        )
    encoding = json.detect_encoding(content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        name = encoding.upper().replace("UTF-8-SIG", "UTF-8")
        raise ValueError(f"line {line}: the byte 0x{content[error.start]:02x} is not {name}") from error


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is not JSON, or a key is in one object twice; one line.
    """
    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=_to_dict, parse_constant=_reject_constant)
    except _DoubledKeyError as error:
        raise ValueError(doubled_key(text) or str(error)) from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def parse_yaml(text: str) -> Any:
    """Parse YAML to plain Python.

    Raises:
        ValueError: The text is not YAML, a key is in one mapping twice, or aliases repeat too many values; one line.

    Example:
        >>> parse_yaml("classes: {liver: 1, spleen: 2}")
        {'classes': {'liver': 1, 'spleen': 2}}
    """
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - it is a safe one
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except TooLargeError:
        raise
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(" ".join(str(error).split())) from error


def parse_value(text: str) -> Any:
    """Parse a value as YAML: `5` is a number, and a text that is not YAML stays a text.

    YAML takes `1e-5` for a text, and `1.0e-5` for a number.

    Example:
        >>> parse_value("5"), parse_value("[a")
        (5, '[a')
    """
    with suppress(ValueError):
        return parse_yaml(text)
    return text


def doubled_key(text: str) -> str:
    """Describe the first key that is in one mapping twice, with its line; empty if there is none.

    Example:
        >>> doubled_key("{liver: 1, liver: 2}")
        "line 1: the key 'liver' is there twice"
    """
    try:
        parse_yaml(text)
    except ValueError as error:
        return str(error) if isinstance(error.__cause__, _DoubledKeyError) else ""
    return ""


class TooLargeError(ValueError):
    """A text is larger than a limit, or stands for more values."""


class _DoubledKeyError(ValueError):
    """A key is in one mapping twice."""


class _StrictLoader(_SAFE_LOADER):  # type: ignore[misc, valid-type]
    """The safe loader of YAML, which refuses a key that is in one mapping twice, and too many values."""

    def construct_document(self, node: yaml.Node) -> Any:
        """Check the number of values before any is constructed."""
        _check_aliases(node)
        return super().construct_document(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Check the keys as written. Keys that a merge (`<<`) adds may be written again."""
        seen = set()
        for key, _ in node.value:
            name = "<<" if key.tag == _MERGE else self.construct_object(key, deep=True)
            if isinstance(name, Hashable):
                if name in seen:
                    raise _DoubledKeyError(f"line {key.start_mark.line + 1}: the key '{name}' is there twice")
                seen.add(name)
        found: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return found


def _check_aliases(root: yaml.Node) -> None:
    """Check how many values the aliases of a document repeat. A few lines can stand for more than any memory holds.

    Raises:
        ValueError: The aliases repeat too many values, or a value contains itself.
    """
    sizes: dict[int, int] = {}  # of each value, with all that is in it
    open_nodes: set[int] = set()
    stack = [root]
    while stack:
        node = stack[-1]
        children = _children(node)
        if id(node) in open_nodes:
            open_nodes.discard(id(node))
            sizes[id(node)] = 1 + sum(sizes[id(child)] for child in children)
            stack.pop()
            continue
        if id(node) in sizes:
            stack.pop()
            continue
        open_nodes.add(id(node))
        if any(id(child) in open_nodes for child in children):
            raise TooLargeError(f"line {node.start_mark.line + 1}: a value contains itself")
        stack += children
    repeated = sizes[id(root)] - len(sizes)
    if repeated > 1_000_000_000:
        raise TooLargeError("its aliases repeat more than 1000000000 values")
    if repeated > get_limit("repeated_values"):
        raise TooLargeError(f"its aliases repeat {repeated} values. {raise_limit('repeated_values', repeated)}")


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise _DoubledKeyError(f"the key '{double}' is there twice")
    return found


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")
