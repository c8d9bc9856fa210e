"""A small https server for tests of downloads: ranges, cuts, redirects, changed files."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import trustme


@dataclass
class Shelf:
    """The files of the server and the requests that it got.

    Attributes:
        files: Path to content.
        redirects: Path to address.
        etag: The version of all files; empty for none.
        ranges: Whether the server answers requests for a range.
        cut_after: Bytes after which the connection is closed, once, at the next longer file; None for never.
        said: What the next requests get word for word, before the connection is closed.
        asked: (path, Range, If-Range) of each request.
        posts: Path to function, which gets the form of a POST and returns what can be written as JSON.
        token: What `Authorization` must be for paths below `/datasets/`; empty for nothing.
    """

    base: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    etag: str = '"one"'
    ranges: bool = True
    cut_after: int | None = None
    said: list[bytes] = field(default_factory=list)
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    posts: dict[str, Callable[[dict[str, list[str]]], Any]] = field(default_factory=dict)
    token: str = ""


@contextmanager
def https_shelf(folder: Path) -> Iterator[tuple[Shelf, Path]]:
    """Start a server; give it and the file of the authority that signed its certificate."""
    authority, shelf = trustme.CA(), Shelf()
    trusted = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = _Server(("localhost", 0), _handler(shelf))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    shelf.base = f"https://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield shelf, trusted
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    """Prints nothing about clients that close the connection or do not trust the server: tests do both."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing."""


def _handler(shelf: Shelf) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
            self.path = self.path.partition("?")[0]
            shelf.asked.append((self.path, wanted, condition))
            if shelf.token and self.path.startswith("/datasets/"):
                allowed = self.headers.get("Authorization") == f"Bearer {shelf.token}"
                if not allowed:
                    return self._head(403 if "Authorization" in self.headers else 401, {"Content-Length": "0"})
            if shelf.said:
                self.close_connection = True
                self.wfile.write(shelf.said.pop(0))
            elif self.path in shelf.redirects:
                self._head(302, {"Location": shelf.redirects[self.path], "Content-Length": "0"})
            elif self.path not in shelf.files:
                self._head(404, {"Content-Length": "0"})
            else:
                self._body(shelf.files[self.path], wanted, condition)

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            shelf.asked.append((self.path, None, None))
            answer = json.dumps(shelf.posts[self.path](form)).encode()
            self._head(200, {"Content-Length": str(len(answer)), "Content-Type": "application/json"})
            self.wfile.write(answer)

        def _body(self, content: bytes, wanted: str | None, condition: str | None) -> None:
            start, status, headers = 0, 200, {"ETag": shelf.etag} if shelf.etag else {}
            if wanted and shelf.ranges and condition in (None, shelf.etag):
                start, status = int(wanted.removeprefix("bytes=").rstrip("-")), 206
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            rest = content[start:]
            self._head(status, {**headers, "Content-Length": str(len(rest))})
            if shelf.cut_after is not None and len(rest) > shelf.cut_after:
                rest, shelf.cut_after = rest[: shelf.cut_after], None
                self.close_connection = True
            self.wfile.write(rest)

        def _head(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Print nothing."""

    return Handler
