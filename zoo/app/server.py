"""The server of `zoo app`: it listens on this machine alone, and answers only who knows its address.

The address has a secret, because other users of the machine reach the port too. A host name other than this machine's
is refused, so that no page of another site reads answers. The page loads nothing from elsewhere.
"""

from __future__ import annotations

import io
import json
import secrets
import socket
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from zoo.app.session import Session
from zoo.errors import ZooError, to_one_line

HOST = "127.0.0.1"
LARGEST = 8 * 2**30
"""Bytes of a dropped file."""

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGES = {
    "": ("page.html", "text/html"),
    "page.js": ("page.js", "text/javascript"),
    "page.css": ("page.css", "text/css"),
}

Answer = Callable[[Request], Awaitable[Response]]


def build_app(session: Session, secret: str) -> Starlette:
    """Build the application of a session, under an address with a secret."""

    def page(name: str) -> Answer:
        file, kind = _PAGES[name]
        content = files("zoo.app").joinpath(file).read_text(encoding="utf-8")

        async def answer(_: Request) -> Response:
            return Response(content, media_type=kind, headers=_HEADERS)

        return answer

    async def models(_: Request) -> Response:
        return _json(session.describe())

    async def begin(_: Request) -> Response:
        await run_in_threadpool(session.begin)
        return _json({})

    async def receive(request: Request) -> Response:
        place = session.place_for(request.query_params["name"])
        size = 0
        with place.open("xb") as file:
            async for part in request.stream():
                size += len(part)
                if size > LARGEST:
                    return _json({"error": f"{place.name} is larger than {LARGEST // 2**30} GiB."}, 413)
                file.write(part)
        return _json({})

    async def open_scan(_: Request) -> Response:
        return _json(await run_in_threadpool(session.open))

    async def segment(request: Request) -> Response:
        asked = json.loads(await request.body())
        given = (int(asked["panel"]), str(asked["run"]), asked.get("text"), str(asked.get("kind", "")))
        return _json(await run_in_threadpool(session.segment, *given))

    async def picture(request: Request) -> Response:
        asked = request.query_params
        place = [int(asked[key]) for key in ("panel", "axis", "slice")]
        drawn = io.BytesIO()
        (await run_in_threadpool(session.draw, *place)).save(drawn, "PNG")
        return Response(drawn.getvalue(), media_type="image/png", headers=_HEADERS)

    async def probability(request: Request) -> Response:
        asked = request.query_params
        panel, axis, place = (int(asked[key]) for key in ("panel", "axis", "slice"))
        point = float(asked["across"]), float(asked["down"])
        return _json(await run_in_threadpool(session.probability, panel, axis, place, *point))

    async def refuse(_: Request, error: Exception) -> Response:
        text = to_one_line(error) if isinstance(error, ZooError) else f"not understood: {error}"
        return _json({"error": text.replace(f"{session.folder}/", "").replace(str(session.folder), "the series")}, 400)

    routes = [Route(f"/{name}", page(name)) for name in _PAGES]
    routes += [
        Route("/models", models),
        Route("/begin", begin, methods=["POST"]),
        Route("/file", receive, methods=["PUT"]),
        Route("/open", open_scan, methods=["POST"]),
        Route("/segment", segment, methods=["POST"]),
        Route("/picture", picture),
        Route("/probability", probability),
    ]
    return Starlette(
        routes=[Mount(f"/{secret}", routes=routes)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])],
        exception_handlers=dict.fromkeys((ZooError, ValueError, KeyError, TypeError), refuse),
    )


def _json(content: Any, status: int = 200) -> Response:
    return JSONResponse(content, status, headers=_HEADERS)


class Server:
    """The server of a session.

    Args:
        session: The session.
        port: The port; 0 for a free one.

    Raises:
        OSError: The port is taken.
    """

    def __init__(self, session: Session, port: int = 0) -> None:
        secret = secrets.token_urlsafe(16)
        self._socket = socket.create_server((HOST, port))
        self.address = f"http://{HOST}:{self._socket.getsockname()[1]}/{secret}/"
        quiet: Any = {
            "log_level": "error",
            "access_log": False,
            "lifespan": "off",
            "ws": "none",
            "server_header": False,
        }
        self._server = uvicorn.Server(uvicorn.Config(build_app(session, secret), **quiet))

    def run(self) -> None:
        """Answer until Ctrl-C or `stop`."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """End `run`, which another thread called."""
        self._server.should_exit = True
