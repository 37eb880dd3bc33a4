"""The web page: drop a photo, see what the network sees.

Its files lie in `service/page`.  They are served as they are, and the page asks the public API like any other caller.
"""

from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

from service.http.assets import MEDIA_TYPES, Asset, IfNoneMatch

FOLDER: Final = Path(__file__).parents[2] / "page"

# Nothing from elsewhere, nothing inline, in no frame; photos that the page makes are blobs.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter()


@router.get("/")
async def show_page(if_none_match: IfNoneMatch = "") -> Response:
    """The page itself."""
    return _answer("index.html", if_none_match)


@router.get("/page/{path:path}")
async def show_asset(path: str, if_none_match: IfNoneMatch = "") -> Response:
    """A style sheet, a script, a picture."""
    return _answer(path, if_none_match)


def _answer(path: str, if_none_match: str) -> Response:
    asset = assets().get(path)
    if asset is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return asset.answer(if_none_match, policy=_POLICY)


@cache
def assets() -> dict[str, Asset]:
    """Every file of the page by its path."""
    files = (file for file in FOLDER.rglob("*") if file.suffix in MEDIA_TYPES)
    return {file.relative_to(FOLDER).as_posix(): Asset.read(file) for file in files}
