"""The documentation of the calls, in a browser."""

from pathlib import Path

from playwright.sync_api import expect

from service.keys import make_key
from tests.e2e.conftest import ROOT, Start
from tests.page.conftest import Visit


def test_calls_can_be_tried(visit: Visit, start: Start, tmp_path: Path) -> None:
    """With a key, where they take one; nothing is loaded from elsewhere."""
    sent, key = make_key("web", "caller")
    (tmp_path / "striate.keys").write_text(key.line())
    with start(ROOT / "models", "--keys-file", str(tmp_path / "striate.keys")) as server, visit(url=server.url) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{server.url}/docs")
        page.get_by_role("button", name="Authorize").click()
        page.get_by_role("textbox").fill(sent)
        page.get_by_role("button", name="Apply credentials").click()
        page.get_by_role("button", name="Close").click()
        call = page.locator(".opblock", has_text="/v2/models").filter(has_text="List Models").first
        call.locator(".opblock-summary").click()
        call.get_by_role("button", name="Try it out").click()
        call.get_by_role("button", name="Execute").click()
        expect(call.locator(".live-responses-table .response")).to_contain_text("efficientnet-lite0")
        assert {url for url in asked if not url.startswith((server.url, "data:", "blob:"))} == set()
