"""The server of `zoo app` in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from zoo.app.server import Server
from zoo.app.session import Session


@contextmanager
def serve(session: Session) -> Iterator[Server]:
    """Answer for a session until the block ends."""
    server = Server(session)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(30)
        assert not thread.is_alive()
