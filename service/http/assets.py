"""Files that browsers get: read once, so that no path of a caller ever reaches the disk."""

from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Final

from fastapi import Header, Response

from service.http.etags import is_known, strong_tag

MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
    ".png": "image/png",
}

# Beside a policy of what a page may load: uvicorn adds that no type is to be guessed, to every answer.
HEADERS: Final = {
    "Cache-Control": "no-cache",  # kept, but asked for each time: a new service must not get an old page
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # The button that takes a photo opens the camera of the system, for which no page needs a permission.
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}

IfNoneMatch = Annotated[str, Header()]


@dataclass(frozen=True)
class Asset:
    """One file."""

    content: bytes
    media_type: str
    tag: str

    @staticmethod
    def of(content: bytes, suffix: str) -> "Asset":
        """A file with some content, whose name ends in `suffix`."""
        return Asset(content, MEDIA_TYPES[suffix], strong_tag(content))

    @staticmethod
    def read(file: Path) -> "Asset":
        """A file of the disk."""
        return Asset.of(file.read_bytes(), file.suffix)

    def answer(self, if_none_match: str, *, policy: str) -> Response:
        """Send it, unless the caller has it.

        Args:
            if_none_match: The tags that the caller knows.
            policy: What the page that it belongs to may load.
        """
        headers = {**HEADERS, "Content-Security-Policy": policy, "ETag": self.tag}
        if is_known(if_none_match, self.tag):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(self.content, headers=headers, media_type=self.media_type)
