"""What a visitor does, where a browser has no one call for it."""

import base64
import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

_FOUR = re.compile(r"^-?\d+ -?\d+ \d+ \d+$")

_TRANSFER = """([encoded, name, type, zeros]) => {
  const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes, new Uint8Array(zeros)], name, { type }));
  return transfer;
}"""


def drop(page: Page, photo: bytes, name: str = "photo.jpg", *, zeros: int = 0) -> None:
    """Drag a file over the page and let it fall; so many zero bytes are behind the photo."""
    transfer = page.evaluate_handle(_TRANSFER, [base64.b64encode(photo).decode(), name, "image/jpeg", zeros])
    page.dispatch_event("main", "dragover", {"dataTransfer": transfer})
    expect(page.locator("#drop")).to_be_visible()
    page.dispatch_event("main", "drop", {"dataTransfer": transfer})
    expect(page.locator("#drop")).to_be_hidden()


def paste(page: Page, photo: bytes) -> None:
    """Paste a picture from the clipboard."""
    transfer = page.evaluate_handle(_TRANSFER, [base64.b64encode(photo).decode(), "image.png", "image/png", 0])
    page.evaluate("(data) => document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data}))", transfer)


def pick(page: Page, photo: Path) -> None:
    """Choose a file."""
    with page.expect_file_chooser() as chosen:
        page.get_by_role("button", name="Choose a photo").click()
    chosen.value.set_files(photo)


def first_class(page: Page) -> Locator:
    """The name of the most probable class."""
    return page.locator("#classify .bars .name").first


def open_layer(page: Page, path: str) -> None:
    """Open a layer, and wait until its first map is drawn, or its values."""
    page.locator("#inside [role=option]", has=page.get_by_text(path, exact=True)).click()
    expect(page.locator("#inside h3")).to_have_text(path)
    expect(page.locator("#inside canvas.drawn, #inside canvas.profile").first).to_be_visible()


def seen_box(canvas: Locator) -> dict[str, int]:
    """The box that is marked on a photo."""
    expect(canvas).to_have_attribute("data-box", _FOUR)
    text = canvas.get_attribute("data-box") or ""
    return dict(zip(("left", "top", "right", "bottom"), map(int, text.split()), strict=True))
