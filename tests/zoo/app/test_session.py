"""The session and the server of `zoo app`: who may ask, which files are read, and what a point says."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch

from tests.helpers.data_sets import write_nifti, write_png
from zoo import make_facts
from zoo.app.points import plane_of, probability_at, voxel_at
from zoo.app.server import Server
from zoo.app.session import Session
from zoo.cli.main import main
from zoo.errors import DataError
from zoo.models import UNet
from zoo.preprocessing import PreprocessingSpec
from zoo.preprocessing.training_input import TrainingInput
from zoo.segment.segmenter import Segmenter


def ask(server: Server, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> tuple[int, Any]:
    """Ask the server for a path under its address, or for a whole path."""
    parts = urlsplit(server.address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    connection.request(method, path if path.startswith("/") else f"{parts.path}{path}", body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content) if answer.headers.get_content_type() == "application/json" else content


def test_only_who_knows_the_address_is_answered_and_only_on_this_machine(server: Server) -> None:
    parts = urlsplit(server.address)
    assert len(parts.path) > 20
    assert ask(server, "models")[0] == 200
    assert ask(server, "/models")[0] == 404
    assert ask(server, "/")[0] == 404
    assert ask(server, "models", Host="evil.example")[0] == 400
    assert ask(server, "page.js/../../../../etc/passwd")[0] == 404
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {parts.hostname}
    for other in others:
        with pytest.raises(OSError), socket.create_connection((str(other), parts.port), timeout=5):  # noqa: PT011
            pass


def test_files_go_into_the_folder_of_the_session_alone(server: Server, session: Session, tmp_path: Path) -> None:
    picture = write_png(tmp_path / "a.png", np.zeros((8, 8), np.uint8)).read_bytes()
    ask(server, "begin", "POST")
    assert ask(server, "file?name=..%2F..%2Fx%2Fa.png", "PUT", picture) == (200, {})
    assert [path.name for path in session.folder.iterdir()] == ["a.png"]
    status, told = ask(server, "file?name=a.png", "PUT", picture)
    assert (status, told["error"].partition(".")[0]) == (400, "Two dropped files have the name a")
    assert ask(server, "open", "POST") == (200, {"sizes": [8, 8], "files": ["a.png"]})
    asked = json.dumps({"panel": 0, "run": "film", "text": None}).encode()
    status, told = ask(server, "segment", "POST", asked)
    assert (status, told["error"]) == (
        400, 'This model was trained with a report per image. Give a report, or "" for none.',
    )  # fmt: skip
    asked = json.dumps({"panel": 0, "run": "/etc", "text": ""}).encode()
    assert ask(server, "segment", "POST", asked)[1]["error"].startswith("There is no model '/etc'")
    ask(server, "begin", "POST")
    assert not [*session.folder.iterdir()]
    asked = json.dumps({"panel": 0, "run": "film", "text": ""}).encode()
    assert ask(server, "segment", "POST", asked)[1]["error"] == "There is no image yet. Drop one onto the page."


def test_a_point_of_a_volume_has_the_probabilities_of_the_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = UNet(make_facts(["liver", "spleen"], patch=[16, 16, 16]), vision="unet", width=4, stages=2).eval()
    spec = PreprocessingSpec(crop_above=10.0, size=(16, 16, 16))
    segmenter = Segmenter(model, TrainingInput({"": spec}, "mm"))
    array = np.zeros((20, 24, 14), np.float32)
    array[2:18, 3:20, 1:12] = np.random.default_rng(0).integers(20, 255, (16, 17, 11))
    write_nifti(tmp_path / "ct.nii.gz", array, np.eye(4))
    session = Session({"unet": segmenter}, tmp_path / "dropped")
    session.folder.mkdir()
    session.place_for("ct.nii.gz").write_bytes((tmp_path / "ct.nii.gz").read_bytes())
    assert session.open()["sizes"] == [20, 24, 14]
    session.segment(1, "unet", None, "")
    found = segmenter(tmp_path / "ct.nii.gz")
    whole = {name: found.probabilities(name) for name in ("liver", "spleen")}
    for voxel in ((10, 11, 5), (2, 3, 1), (17, 19, 11), (0, 0, 0)):
        assert probability_at(found, voxel) == pytest.approx(
            {name: float(values[voxel]) for name, values in whole.items()}, abs=1e-5
        )
    points = np.indices(array.shape).astype(float)
    for axis in range(3):
        plane = plane_of(points, axis, 5)
        rows, columns = plane.shape[1:]
        picture = session.draw(1, axis, 5)
        assert picture.size[0] / picture.size[1] == pytest.approx(columns / rows, abs=0.01)
        at = voxel_at(array.shape, axis, 5, across=3.5 / columns, down=2.5 / rows)
        assert plane[:, 2, 3].tolist() == list(at)
    assert session.probability(0, 2, 5, 0.5, 0.5) == {}


def test_a_broken_file_and_a_wrong_port_are_one_line(
    session: Session, report_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session.place_for("a.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"a\.png"):
        session.open()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["app", "--run", str(report_run), "--port", port, "--device", "cpu"]) == 2
    told = capsys.readouterr().err
    assert f"--port {port}: Address already in use. Leave it out for a free port." in told
    assert told.count("\n") == 1
