"""Reads a pickled dictionary of texts and numbers, and runs nothing of the file.

A pickle is a program, and `pickle.load` runs it. The opcodes are read here by `pickletools`, which runs none of them.
Only those that make a dictionary of texts, whole numbers and truth values are known, with the frame that numpy writes
around one Python object (an array of type "object" without axes). Every other opcode, name and value is refused.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

Plain: TypeAlias = str | int | bool

_RECONSTRUCT = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")  # numpy 1 and 2
_NAMES = (*_RECONSTRUCT, "numpy.ndarray", "numpy.dtype", "_codecs.encode")
_IGNORED = ("PROTO", "FRAME")
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_VALUES = ("BINUNICODE", "SHORT_BINUNICODE", "SHORT_BINBYTES", "BININT", "BININT1", "BININT2", "LONG1")
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MOST_OPCODES = 1_000_000


class _Name(NamedTuple):
    """A name of the frame. It stands for itself: nothing is imported."""

    name: str


class _Made(NamedTuple):
    """What a name of the frame would make of its arguments. Nothing is called."""

    name: str
    arguments: tuple[Any, ...]


class _Mark:
    """The start of the items of a tuple, list or dictionary."""


def parse_pickled_dict(content: bytes) -> dict[str, Plain]:
    """Read a pickled dictionary, alone or as the one item of a pickled numpy array without axes.

    Args:
        content: The pickle.

    Raises:
        ValueError: The pickle is damaged, or has an opcode, a name, a key or a value that is not known here.

    Example:
        >>> import pickle
        >>> parse_pickled_dict(pickle.dumps({"1": "Liver", "instance_label": 0}))
        {'1': 'Liver', 'instance_label': 0}
    """
    machine = _Machine()
    try:
        for number, (opcode, argument, _) in enumerate(_list_opcodes(content)):
            if number >= _MOST_OPCODES:
                raise ValueError(f"more than {_MOST_OPCODES} opcodes")
            machine.do(opcode, argument)
    except (IndexError, KeyError, TypeError) as error:  # an opcode that finds nothing, or another thing, on the stack
        raise ValueError("its opcodes do not fit together") from error
    return _check_dict(_open_frame(machine.result()))


def _list_opcodes(content: bytes) -> Iterator[tuple[str, Any, int | None]]:
    """The opcodes with their arguments and positions."""
    try:
        for opcode, argument, position in pickletools.genops(content):
            yield opcode.name, argument, position
    except (struct.error, OverflowError, IndexError) as error:
        raise ValueError(f"it is damaged: {error}") from error


class _Machine:
    """The stack of an unpickler, which holds plain values and the marks of what a frame would make."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._steps: dict[str, Callable[[], None]] = {
            "EMPTY_LIST": lambda: self._stack.append([]),
            "EMPTY_DICT": lambda: self._stack.append({}),
            "MARK": lambda: self._stack.append(_Mark()),
            "TUPLE": lambda: self._stack.append(tuple(self._pop_items())),
            "APPEND": lambda: self._extend([self._stack.pop()]),
            "APPENDS": lambda: self._extend(self._pop_items()),
            "SETITEM": lambda: self._set_items([self._stack.pop(-2), self._stack.pop()]),
            "SETITEMS": lambda: self._set_items(self._pop_items()),
            "STACK_GLOBAL": lambda: self._push_name(f"{self._stack.pop(-2)}.{self._stack.pop()}"),
            "REDUCE": self._reduce,
            "BUILD": self._build,
            "STOP": lambda: None,
        }

    def do(self, opcode: str, argument: Any) -> None:
        """Do one opcode.

        Raises:
            ValueError: The opcode is not known here.
        """
        if opcode in _IGNORED:
            return
        if opcode in _CONSTANTS:
            self._stack.append(_CONSTANTS[opcode])
        elif opcode in _VALUES:
            self._stack.append(argument)
        elif opcode in _TUPLES:
            items = [self._stack.pop() for _ in range(_TUPLES[opcode])]
            self._stack.append(tuple(reversed(items)))
        elif opcode == "GLOBAL":
            self._push_name(str(argument).replace(" ", "."))
        elif opcode in ("MEMOIZE", "BINPUT", "LONG_BINPUT"):
            self._memo[len(self._memo) if opcode == "MEMOIZE" else argument] = self._stack[-1]
        elif opcode in ("BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[argument])
        elif opcode in self._steps:
            self._steps[opcode]()
        else:
            raise ValueError(f"it has the opcode {opcode}")

    def result(self) -> Any:
        """The only thing on the stack at the end.

        Raises:
            ValueError: There are more, or there is none.
        """
        if len(self._stack) != 1:
            raise ValueError(f"it leaves {len(self._stack)} values")
        return self._stack[0]

    def _pop_items(self) -> list[Any]:
        """Everything above the last mark."""
        place = max(number for number, one in enumerate(self._stack) if isinstance(one, _Mark))
        items = self._stack[place + 1 :]
        del self._stack[place:]
        return items

    def _extend(self, items: list[Any]) -> None:
        if not isinstance(self._stack[-1], list):
            raise TypeError("no list")
        self._stack[-1].extend(items)

    def _set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise TypeError("no dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str):
                raise ValueError(f"it has the key {key!r:.40}, which is no text")
            if key in target:
                raise ValueError(f"it has the key '{key:.40}' twice")
            target[key] = value

    def _push_name(self, name: str) -> None:
        if name not in _NAMES:
            raise ValueError(f"it names {name:.80}")
        self._stack.append(_Name(name))

    def _reduce(self) -> None:
        arguments, called = self._stack.pop(), self._stack.pop()
        if not isinstance(called, _Name) or not isinstance(arguments, tuple):
            raise TypeError("nothing to call")
        self._stack.append(_Made(called.name, arguments))

    def _build(self) -> None:
        """Give a made thing its state. The state of an array holds its content; that of a type says nothing here."""
        state, made = self._stack.pop(), self._stack[-1]
        if not isinstance(made, _Made) or not isinstance(state, tuple):
            raise TypeError("nothing to build")
        if made.name in _RECONSTRUCT:
            self._stack[-1] = _Made("array", state)


def _open_frame(found: Any) -> Any:
    """The one item of a numpy array; any other thing is returned as it is."""
    if not isinstance(found, _Made):
        return found
    if found.name != "array" or len(found.arguments) != 5:
        raise ValueError("it is no array")
    _, shape, _, _, items = found.arguments
    if shape != () or not isinstance(items, list) or len(items) != 1:
        raise ValueError("its array has not exactly one item without axes")
    return items[0]


def _check_dict(found: Any) -> dict[str, Plain]:
    """Check the keys and values."""
    if type(found) is not dict:
        raise ValueError(f"it holds no dictionary ({type(found).__name__})")
    for key, value in found.items():
        if type(value) not in (str, int, bool):
            raise ValueError(f"the value of '{key:.40}' is no text, whole number or truth value")
    return found
