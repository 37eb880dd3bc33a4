"""Speaks to an application without a server in between."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import FastAPI

TIMEOUT: Final = 20  # seconds; a request to a tiny network takes about a millisecond

Answer = tuple[int, bytes]


class Caller:
    """Speaks to an application without a socket; one event loop for all calls."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        """End the loop."""
        self._loop.close()

    def __call__(self, method: str, path: str, body: bytes, sent: dict[str, str], query: bytes = b"") -> Answer:
        """Send a request, and return the status and body of the answer."""
        call = self._call(method, path, body, sent, query)
        return self._loop.run_until_complete(asyncio.wait_for(call, TIMEOUT))

    async def _call(self, method: str, path: str, body: bytes, sent: dict[str, str], query: bytes) -> Answer:
        status, parts = 0, []
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if waiting:
                return waiting.pop()
            return await asyncio.Future[dict[str, Any]]()  # the caller stays

        async def send(message: Any) -> None:  # noqa: ANN401  (of ASGI)
            nonlocal status
            status = message.get("status", status)
            parts.append(message.get("body", b""))

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("utf-8", "replace"),
            "query_string": query,
            "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        call: Callable[..., Awaitable[None]] = self._app
        await call(scope, receive, send)
        return status, b"".join(parts)
