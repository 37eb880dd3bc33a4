"""What each request holds of the room that there is for bodies and answers, from its first byte to its end."""

import asyncio
from collections.abc import Mapping
from typing import Final

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.buffer import Content
from service.room import Room

_HELD: Final = "striate.held"
_PIECE_BYTES: Final = 65_536
_TURN_BYTES: Final = 8 * _PIECE_BYTES


class Holding:
    """Gives back what a request held, however it ended.

    Args:
        app: What answers.
        room: What is held of.
    """

    def __init__(self, app: ASGIApp, room: Room) -> None:
        self._app = app
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        try:
            await self._app(scope, receive, send)
        finally:
            if held := scope.get(_HELD):
                self._room.give(held)


def hold(request: Request, room: Room, count: int) -> None:
    """Take room for a request, for as long as it lasts.

    Raises:
        NoRoomError: There is none.
    """
    own = request.scope.get(_HELD, 0)
    room.take(count, own=own)
    request.scope[_HELD] = own + count


def held(request: Request, room: Room, content: Content, *, media_type: str, headers: Mapping[str, str]) -> Response:
    """An answer; a large one takes room until it is sent.

    Raises:
        NoRoomError: There is none: callers who take their answers slowly have it.
    """
    if len(content) <= _PIECE_BYTES:
        return Response(content, media_type=media_type, headers=headers)
    hold(request, room, len(content))
    return _InPieces(content, media_type=media_type, headers=headers)


class _InPieces(Response):
    """An answer that waits until the caller has taken most of what it was sent, and lets others go before meanwhile."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  (Starlette's)
        """Send it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        content = memoryview(self.body)
        for start in range(0, len(content), _PIECE_BYTES):
            piece = content[start : start + _PIECE_BYTES]
            await send({"type": "http.response.body", "body": piece, "more_body": start + len(piece) < len(content)})
            # To a caller who takes all at once, it would all be sent in one turn of the loop.
            if start % _TURN_BYTES == 0:
                await asyncio.sleep(0)
