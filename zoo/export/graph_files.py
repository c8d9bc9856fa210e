"""Files of graphs: an ONNX file, which ONNX Runtime runs, or an exported program of PyTorch."""

from __future__ import annotations

import json
import logging
import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from zoo.errors import ConfigError, RunError, first_line
from zoo.utils.extras import advise_extra

KEY = "zoo"
"""Key of the metadata of a file, whose value is the description of the export as JSON."""

Run = Callable[..., list[Tensor]]
"""A graph of a file: tensors in, tensors out."""

_LARGEST = 1_900_000_000  # bytes of weights in one ONNX file; protobuf reads no file of 2 GiB


class GraphFile(ABC):
    """A graph, to be written with a description and to be run from the file.

    Args:
        program: The graph.
        inputs: The names of its inputs.
        outputs: The names of its outputs.
        axes: Name of an input or output -> the names of its axes that may have any size, by place.
    """

    suffix: str
    guarded: bool
    """Whether the file has the guards of the graph."""

    def __init__(
        self,
        program: ExportedProgram,
        inputs: Sequence[str],
        outputs: Sequence[str],
        axes: Mapping[str, Mapping[int, str]],
    ) -> None:
        self.program, self.inputs, self.outputs, self.axes = program, tuple(inputs), tuple(outputs), axes

    @abstractmethod
    def write(self, path: Path, description: Mapping[str, Any]) -> None:
        """Write the file, with the description in its metadata.

        Raises:
            ConfigError: The format has no form of an operation of the graph.
        """

    @abstractmethod
    def open(self, path: Path) -> Run:
        """Open a written file."""

    @staticmethod
    @abstractmethod
    def versions() -> dict[str, str]:
        """Return the versions of the packages that write and run the file."""


class OnnxFile(GraphFile):
    """An ONNX file."""

    suffix = ".onnx"
    guarded = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        try:
            with _quiet():
                found = torch.onnx.export(
                    self.program,
                    dynamo=True,
                    input_names=self.inputs,
                    output_names=self.outputs,
                    verbose=False,
                )
        except ImportError as error:
            raise ConfigError(f"--format onnx: {error}.", advise_extra("export")) from error
        except Exception as error:
            reason = first_line(error.__cause__ or error)
            raise ConfigError(
                f"ONNX has no form of this network: {reason[:200]}", "Use `--format torch_export`."
            ) from error
        assert found is not None  # noqa: S101 - only the older exporter returns nothing
        self._onnx = found
        _rename_axes(found.model.graph, self.axes)

    def write(self, path: Path, description: Mapping[str, Any]) -> None:
        """See `GraphFile.write`."""
        self._onnx.model.metadata_props[KEY] = json.dumps(description)
        size = sum(weight.numel() * weight.element_size() for weight in self.program.state_dict.values())
        self._onnx.save(path, external_data=size > _LARGEST)

    def open(self, path: Path) -> Run:
        """See `GraphFile.open`."""
        session = self.open_session(path)
        names = [one.name for one in session.get_inputs()]

        def run(*tensors: Tensor) -> list[Tensor]:
            given = {name: tensor.contiguous().numpy() for name, tensor in zip(self.inputs, tensors, strict=True)}
            return [torch.from_numpy(one) for one in session.run(None, {name: given[name] for name in names})]

        return run

    @staticmethod
    def open_session(path: Path) -> Any:
        """Open a file in ONNX Runtime, with as many threads as PyTorch has."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    @staticmethod
    def versions() -> dict[str, str]:
        """See `GraphFile.versions`."""
        return {name: version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime")}


class ProgramFile(GraphFile):
    """An exported program of PyTorch, which `torch.export.load` reads."""

    suffix = ".pt2"
    guarded = True

    def write(self, path: Path, description: Mapping[str, Any]) -> None:
        """See `GraphFile.write`."""
        with _quiet():
            torch.export.save(self.program, path, extra_files={f"{KEY}.json": json.dumps(description)})

    def open(self, path: Path) -> Run:
        """See `GraphFile.open`."""
        with _quiet():
            module = torch.export.load(path).module()

        def run(*tensors: Tensor) -> list[Tensor]:
            with torch.no_grad():
                found = module(*tensors)
            return [found] if isinstance(found, Tensor) else list(found)

        return run

    @staticmethod
    def versions() -> dict[str, str]:
        """See `GraphFile.versions`."""
        return {"torch": torch.__version__}


GRAPH_FILES: dict[str, type[GraphFile]] = {"onnx": OnnxFile, "torch_export": ProgramFile}
"""The formats of graphs by the value of `--format`."""


def check_packages(format_name: str) -> None:
    """Check that the packages of a format are installed, before a model is loaded.

    Raises:
        ConfigError: One is not.
    """
    if format_name != "onnx":
        return
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"--format onnx: {error}.", advise_extra("export")) from error


def _rename_axes(graph: Any, axes: Mapping[str, Mapping[int, str]]) -> None:
    """Give the axes of any size their names, in all shapes of an ONNX graph."""
    import onnx_ir

    names: dict[str, str] = {}
    for value in graph.inputs:
        for place, name in axes.get(value.name, {}).items():
            names[str(value.shape[place])] = name
    symbol = re.compile(r"\bs\d+\b")
    values = [*graph.inputs, *(value for node in graph for value in node.outputs)]
    for value in values:
        for place, size in enumerate(value.shape or ()):
            if not isinstance(size, int) and size.value is not None:
                renamed = symbol.sub(lambda found: names.get(found[0], found[0]), str(size.value))
                value.shape[place] = onnx_ir.SymbolicDim(renamed)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the warnings and log lines of exporters from the terminal: the check of the written file decides."""
    loggers = [
        logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir", "torch._export")
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def find_failure(error: BaseException) -> RunError:
    """Make one line of what a runtime said of a file that it cannot run."""
    return RunError(f"The exported file does not run: {first_line(error)[:200]}", "Use another --format.")
