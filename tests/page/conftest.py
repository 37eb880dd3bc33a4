"""A browser that looks at the page of a real service."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.conftest import ROOT, Server, Start, started

Visit = Callable[..., AbstractContextManager[Page]]

_PATIENCE = 60_000  # milliseconds: the machine may be busy with other tests
expect.set_options(timeout=_PATIENCE)

_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")  # Debian, and the runners of GitHub


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--pictures FOLDER` keeps a picture of every view."""
    parser.addoption("--pictures", type=Path, help="folder for pictures of the page")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The service with the shipped models."""
    with started(ROOT / "models") as running:
        yield running


@pytest.fixture
def start() -> Start:
    """Starts a service with a test's own models and flags."""
    return started


# Not for the whole session: while it is open, no other test could run an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The Chromium of the system."""
    if _CHROMIUM is None:
        pytest.skip("Chromium is not installed (sudo make packages)")
    with sync_playwright() as playwright:
        # Chromium's sandbox does not start as root, and the pages are our own.
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, chromium_sandbox=False)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, server: Server) -> Visit:
    """Opens the page at one of its views; fails when a script fails, or the page breaks its own policy."""

    @contextmanager
    def visiting(view: str = "", *, url: str = server.url, script: str = "", **options: Any) -> Iterator[Page]:  # noqa: ANN401
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(_PATIENCE)
        context.add_init_script(script)
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if "Security Policy" in message.text else None)
        page.goto(f"{url}/#{view}" if view else url)
        yield page
        context.close()
        assert faults == []

    return visiting


@pytest.fixture
def page(visit: Visit) -> Iterator[Page]:
    """The page as it opens, with the first sample classified."""
    with visit() as page:
        expect(page.locator("#classify .bars li")).to_have_count(5)
        yield page
