"""For everybody: by keyboard alone, by ear, on a phone, in the dark."""

import io
import re
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect

from tests.page.conftest import Visit
from tests.page.gestures import first_class

Scheme = Literal["light", "dark"]

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
WALL = {"width": 1920, "height": 1080}

READY = {
    "classify": "#classify .bars li",
    "inside": "#inside canvas.drawn",
    "why": "#why figure:not([hidden])",
    "ideas": "[data-part=late] canvas",
    "channel": "#channel .kernel canvas",
    "error": ".problem",
}


def reach(page: Page, view: str) -> None:
    """Wait until a view shows what it has."""
    if view == "channel":
        page.get_by_role("button", name="Channel 5", exact=True).click()
    if view == "error":
        expect(page.locator(READY["classify"]).first).to_be_visible()
        page.locator("#photo [data-part=file]").set_input_files(
            {"name": "photo.heic", "mimeType": "image/heic", "buffer": b"\0\0\0\x18ftypheic\0\0\0\0"}
        )
    expect(page.locator(READY[view]).first).to_be_visible()
    if view == "ideas":
        page.get_by_role("slider").fill("16")
        page.get_by_role("slider").blur()
        expect(page.locator("[data-part=early] .change")).to_contain_text("Moved back by 8:")
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", READY)
def test_axe_finds_nothing(visit: Visit, view: str, scheme: Scheme) -> None:
    """No violation of WCAG 2.2 AA, contrast included, nor of axe's best practices."""
    address = {"channel": "inside", "error": ""}.get(view, view)
    with visit(address, color_scheme=scheme, reduced_motion="reduce") as page:
        reach(page, view)
        found = Axe().run(page)
        assert found.response["violations"] == []


@pytest.mark.parametrize("size", [PHONE, DESK, WALL], ids=["phone", "desk", "wall"])
@pytest.mark.parametrize("view", READY)
def test_nothing_is_cut_off(visit: Visit, request: pytest.FixtureRequest, view: str, size: dict[str, int]) -> None:
    """The page never scrolls sideways, and what is touched is large enough; a picture is kept where it is wanted."""
    address = {"channel": "inside", "error": ""}.get(view, view)
    scheme: Scheme = "dark" if size is WALL else "light"
    with visit(address, viewport=size, has_touch=size is PHONE, is_mobile=size is PHONE, color_scheme=scheme) as page:
        reach(page, view)
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        heights = page.locator("button:visible, select:visible").evaluate_all(
            "(all) => all.map((one) => one.getBoundingClientRect().height)"
        )
        assert min(heights) >= 24  # WCAG 2.2, target size
        shown = "phone" if size is PHONE else scheme if size is WALL else "desk"
        keep(page, request, f"{view}-{shown}", whole=view == "ideas")


def keep(page: Page, request: pytest.FixtureRequest, name: str, *, whole: bool) -> None:
    """Keep a picture of what is seen of the page, or of the whole of it, where `--pictures FOLDER` is given."""
    folder: Path | None = request.config.getoption("--pictures", default=None)
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(page.screenshot(full_page=whole))) as picture:
        picture.convert("RGB").save(folder / f"{name}.webp", quality=72, method=6)


def test_everything_by_keyboard(visit: Visit) -> None:
    """From the top of the page to a unit of a map, and back, without a mouse."""
    with visit() as page:
        expect(first_class(page)).to_have_text("Egyptian cat")
        press = page.keyboard.press
        press("Tab")
        expect(page.get_by_role("link", name="Skip to the results")).to_be_focused()
        press("Enter")
        press("Tab")
        expect(page.get_by_role("tab", name="Classify")).to_be_focused()
        press("ArrowRight")
        expect(page.get_by_role("tab", name="Look inside")).to_be_focused()
        expect(page.locator("#inside canvas.drawn").first).to_be_visible()
        press("Tab")
        expect(page.get_by_label("Find a layer")).to_be_focused()
        press("Tab")
        expect(page.locator("#inside [role=option]").nth(1)).to_be_focused()
        press("ArrowRight")
        press("Enter")
        expect(page.locator("#inside h3")).to_have_text("_bn0")
        for _ in range(4):
            press("Tab")
        expect(page.locator("#inside canvas.drawn")).to_have_count(32)
        expect(page.get_by_role("button", name="Channel 0", exact=True)).to_be_focused()
        press("ArrowRight")
        press("ArrowDown")
        press("End")
        expect(page.get_by_role("button", name="Channel 31", exact=True)).to_be_focused()
        press("Enter")
        expect(page.get_by_role("dialog")).to_contain_text("channel 31 of 32")
        page.locator("#channel [data-part=map]").focus()
        press("ArrowDown")
        expect(page.locator("#channel [data-part=readout]")).to_contain_text("Row 57, column 56: ")
        press("Escape")
        expect(page.get_by_role("button", name="Channel 31", exact=True)).to_be_focused()


def test_the_focus_is_always_seen(page: Page) -> None:
    """Whatever Tab reaches has an outline, but for what only takes the focus in between."""
    for _ in range(25):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            "[document.activeElement.tagName, getComputedStyle(document.activeElement).outlineStyle]"
        )
        assert outline[0] == "BODY" or outline[1] == "solid"


def test_a_screen_reader_is_told(page: Page) -> None:
    """Of results, without moving the focus."""
    expect(page.get_by_role("status").filter(has_text=re.compile("Egyptian cat, 42"))).to_have_count(1)


def test_still_where_motion_is_not_wanted(visit: Visit) -> None:
    """Nothing turns and nothing slides."""
    with visit(reduced_motion="reduce") as page:
        expect(first_class(page)).to_have_text("Egyptian cat")
        assert page.locator(".fill").first.evaluate("(fill) => getComputedStyle(fill).transitionDuration") == "0s"


def test_a_view_has_an_address(visit: Visit) -> None:
    """So that it can be linked to."""
    with visit("why") as page:
        expect(page.get_by_role("tab", name="Why")).to_have_attribute("aria-selected", "true")
        page.get_by_role("tab", name="Ideas").click()
        expect(page).to_have_url(re.compile("#ideas$"))


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("view", ["inside", "why", "ideas"])
def test_a_link_to_a_view_leads_to_the_top_of_the_page(visit: Visit, view: str, size: dict[str, int]) -> None:
    """Nothing of it is out of sight, however long the view gets."""
    with visit(view, viewport=size) as page:
        reach(page, view)
        assert page.evaluate("scrollY") == 0
