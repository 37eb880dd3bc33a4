"""The documentation of every call, to try them: Swagger UI, from this service and from nowhere else.

The files of Swagger UI come with the package `fastapi-offline`, none of whose own code is run.
"""

from functools import cache
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

from service.http.assets import Asset, IfNoneMatch

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Striate: every call</title>
<link rel="icon" href="page/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="docs/swagger-ui.css">
<script src="docs/swagger-ui-bundle.js" defer></script>
<script src="docs/start.js" defer></script>
</head>
<body>
<div id="calls"></div>
<noscript>This page needs JavaScript; <a href="openapi.json">openapi.json</a> has the same for programs.</noscript>
</body>
</html>
"""
_START: Final = """\
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#calls",
  deepLinking: true,
  validatorUrl: null,
});
"""
_FROM_SWAGGER_UI: Final = ("swagger-ui.css", "swagger-ui-bundle.js")

# As strict as Swagger UI allows: it styles elements in place, and draws from data URLs.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter()


@router.get("/docs")
async def show_documentation(if_none_match: IfNoneMatch = "") -> Response:
    """The page."""
    return _answer("index.html", if_none_match)


@router.get("/docs/{path:path}")
async def show_asset(path: str, if_none_match: IfNoneMatch = "") -> Response:
    """What it consists of."""
    return _answer(path, if_none_match)


def _answer(path: str, if_none_match: str) -> Response:
    asset = assets().get(path)
    if asset is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return asset.answer(if_none_match, policy=_POLICY)


@cache
def assets() -> dict[str, Asset]:
    """Every file by its name."""
    package = find_spec("fastapi_offline")
    assert package is not None and package.submodule_search_locations  # noqa: S101, PT018  (we depend on it)
    folder = Path(package.submodule_search_locations[0]) / "static"
    files = {name: Asset.read(folder / name) for name in _FROM_SWAGGER_UI}
    return {"index.html": Asset.of(_PAGE.encode(), ".html"), "start.js": Asset.of(_START.encode(), ".js"), **files}
