"""The arguments of a model, a data set or Lightning's Trainer, as a help text shows them: types, docstrings, values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from jsonargparse import ArgumentParser

_LINKED = {"model": ("facts",), "data": ("seed",), "trainer": ()}
"""Arguments that the command line sets itself: facts from the data set, the seed from `--seed`."""

_LONGEST_TYPE = 44


class Argument(NamedTuple):
    """One argument.

    Attributes:
        option: The option as it is typed: "--model.lr".
        kind: Its type, in short.
        text: Its docstring.
        value: Its value if the command does not give one: that of the layers, else of the class.
    """

    option: str
    kind: str
    text: str
    value: Any


def describe_arguments(section: str, kind: type, layers: Mapping[str, Any]) -> list[Argument]:
    """Return the arguments of a class with those of its parents, in the order of their definition.

    Args:
        section: "model", "data" or "trainer".
        kind: The class.
        layers: The merged layers; their values are shown instead of those of the class.
    """
    parser = ArgumentParser()
    parser.add_class_arguments(kind, section, fail_untyped=False, skip=set(_LINKED[section]))
    return list(_arguments(parser, section, _values(layers, section)))


def _values(layers: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    chosen: Mapping[str, Any] = layers.get(section) or {}
    return chosen if section == "trainer" else chosen.get("init_args") or {}


def _arguments(parser: ArgumentParser, section: str, values: Mapping[str, Any]) -> Iterator[Argument]:
    for action in parser._actions:
        kind = getattr(action, "_typehint", None)
        if kind is None or action.dest.endswith(".help"):  # options of the parser itself
            continue
        names = action.dest.split(".")[1:]
        value = values.get(names[0], action.default)
        if len(names) > 1:  # an option of a group: `released.tokens`
            value = value.get(names[1], action.default) if isinstance(value, Mapping) else action.default
        yield Argument(f"--{action.dest}", _short_type(kind), _one_line(action.help or ""), value)


def _short_type(kind: Any) -> str:
    text = kind.__name__ if isinstance(kind, type) and not hasattr(kind, "__args__") else str(kind)
    text = re.sub(r"\b(?:[A-Za-z_]\w*\.)+(\w+)", r"\1", text)  # without modules
    text = re.sub(r"Optional\[(.+)\]$", r"\1 | None", text).replace("NoneType", "None")
    return text if len(text) <= _LONGEST_TYPE else f"{text[: _LONGEST_TYPE - 4]} ..."


def _one_line(text: str) -> str:
    """Return a docstring as one line, without the default, which is shown apart, and without marks of Sphinx."""
    line = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", " ".join(text.split())).replace("``", "`")
    return re.sub(r"\s*Default:? `[^`]*`\.?|\s*Default: \S+$", "", line)
