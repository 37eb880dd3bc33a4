"""The web page: drop a photo, see what the network sees.

Its files lie in `service/page`.  They are served as they are, and the page asks the public API like any other caller.
"""

from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Header, Response
from starlette.exceptions import HTTPException

from service.http.etags import is_known, strong_tag

FOLDER: Final = Path(__file__).parents[2] / "page"

_MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
    ".png": "image/png",
}

# Nothing from elsewhere, nothing inline, in no frame; photos that the page makes are blobs.
_CONTENT_SECURITY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Cache-Control": "no-cache",  # kept, but asked for each time: a new service must not get an old page
    "Content-Security-Policy": _CONTENT_SECURITY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}

router = APIRouter()

IfNoneMatch = Annotated[str, Header()]


@dataclass(frozen=True)
class Asset:
    """One file of the page."""

    content: bytes
    media_type: str
    tag: str


@router.api_route("/", methods=["GET", "HEAD"])
async def show_page(if_none_match: IfNoneMatch = "") -> Response:
    """The page itself."""
    return _answer("index.html", if_none_match)


@router.api_route("/page/{path:path}", methods=["GET", "HEAD"])
async def show_asset(path: str, if_none_match: IfNoneMatch = "") -> Response:
    """A style sheet, a script, a picture."""
    return _answer(path, if_none_match)


def _answer(path: str, if_none_match: str) -> Response:
    asset = assets().get(path)
    if asset is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    headers = {**_HEADERS, "ETag": asset.tag}
    if is_known(if_none_match, asset.tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(asset.content, headers=headers, media_type=asset.media_type)


@cache
def assets() -> dict[str, Asset]:
    """Every file of the page by its path: read once, so that no path of a caller ever reaches the disk."""
    files = (file for file in FOLDER.rglob("*") if file.suffix in _MEDIA_TYPES)
    return {file.relative_to(FOLDER).as_posix(): _read(file) for file in files}


def _read(file: Path) -> Asset:
    content = file.read_bytes()
    return Asset(content, _MEDIA_TYPES[file.suffix], strong_tag(content))
