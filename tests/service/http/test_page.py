"""The files of the page, as they are served."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.http.routes.page import FOLDER

ROOT = Path(__file__).parents[3]
FILES = sorted(file.relative_to(FOLDER).as_posix() for file in FOLDER.rglob("*") if file.is_file())
SCRIPTS = [file for file in FILES if file.endswith(".js")]


def test_the_front_page_is_the_page(client: TestClient) -> None:
    """For a browser, in UTF-8."""
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text == (FOLDER / "index.html").read_text()


@pytest.mark.parametrize("file", FILES)
def test_every_file_is_served(client: TestClient, file: str) -> None:
    """With a type that a browser takes, as nothing is guessed from the bytes."""
    types = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    pictures = {"jpg": "image/jpeg", "png": "image/png"}
    answer = client.get(f"/page/{file}")
    assert answer.content == (FOLDER / file).read_bytes()
    assert answer.headers["content-type"].split(";")[0] == {**types, **pictures}[file.rsplit(".", 1)[1]]


def test_the_page_allows_nothing_that_it_does_not_need(client: TestClient) -> None:
    """Nothing inline, nothing evaluated, nothing from elsewhere, in no frame."""
    headers = client.get("/").headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"


def test_a_file_that_is_known_is_not_sent_again(client: TestClient) -> None:
    """It is asked for each time, and the answer is short while it is the same."""
    first = client.get("/page/style.css")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/page/style.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    other = client.get("/page/style.css", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


def test_head_sends_no_body(client: TestClient) -> None:
    """But the same headers."""
    named = {"X-Request-ID": "same"}
    got, asked = client.get("/", headers=named), client.head("/", headers=named)
    assert asked.content == b""
    assert {**asked.headers} == {**got.headers}


@pytest.mark.parametrize(
    "path",
    ["nothing.js", "", "js", "../__init__.py", "%2e%2e/__init__.py", "js/../../__init__.py", "/etc/passwd", "%00"],
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    """No path leads out of the folder."""
    answer = client.get(f"/page/{path}")
    assert answer.status_code in (400, 404)
    assert answer.headers["content-type"] == "application/problem+json"


def test_parameters_are_refused(client: TestClient) -> None:
    """As everywhere."""
    assert client.get("/", params={"nonsense": "1"}).status_code == 400
    assert client.post("/").status_code == 405


def test_it_is_small() -> None:
    """The page with all that belongs to it, samples included."""
    assert sum((FOLDER / file).stat().st_size for file in FILES) < 150_000


def test_nothing_comes_from_elsewhere() -> None:
    """No file of the page names an address beyond the service."""
    for file in FILES:
        if not file.endswith((".jpg", ".png")):
            found = re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", (FOLDER / file).read_text())
            assert [address for address in found if "www.w3.org/2000/svg" not in address] == []


def test_every_script_is_fetched_at_once() -> None:
    """The page names them all, so that none waits for another to be read."""
    page = (FOLDER / "index.html").read_text()
    named = set(re.findall(r'(?:modulepreload" href|src)="page/(js/[\w-]+\.js)"', page))
    assert named == set(SCRIPTS)


def test_a_wheel_holds_the_page(tmp_path: Path) -> None:
    """All of it: the container is made from one."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.iterdir()
    assert {f"service/page/{file}" for file in FILES} <= set(zipfile.ZipFile(wheel).namelist())
