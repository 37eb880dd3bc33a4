"""The call behind each view: what is copied works when it is pasted into a shell."""

import io
import json
import subprocess
from pathlib import Path

import httpx2
import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Server
from tests.page.conftest import Visit
from tests.page.gestures import drop, first_class, open_layer

CLIPBOARD = ["clipboard-read", "clipboard-write"]


def copied(page: Page, place: Locator) -> str:
    """Press Copy, and give what is in the clipboard then."""
    place.get_by_role("button", name="Copy").click()
    expect(place.get_by_role("button")).to_have_text("Copied")
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def pasted(command: str, folder: Path) -> bytes:
    """Run a command in a folder, as a shell does."""
    return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, check=True).stdout  # noqa: S607


def test_the_classes(visit: Visit, tmp_path: Path) -> None:
    """Of a sample, which the service has itself."""
    with visit(permissions=CLIPBOARD) as page:
        expect(first_class(page)).to_have_text("Egyptian cat")
        command = copied(page, page.locator("#classify .call"))
        answer = json.loads(pasted(command, tmp_path))
        shown = page.locator("#classify .bars .name").all_inner_texts()
    assert [one["label"] for one in answer["results"][0]["predictions"]] == shown


@pytest.mark.parametrize("name", ["photo.jpg", "it's $HOME; a photo.jpg", "@photo.jpg"])
def test_ones_own_photo(visit: Visit, tmp_path: Path, coffee: bytes, name: str) -> None:
    """By the name of its file, whatever that is."""
    (tmp_path / name).write_bytes(coffee)
    with visit(permissions=CLIPBOARD) as page:
        drop(page, coffee, name)
        expect(first_class(page)).to_have_text("espresso")
        expect(page.locator("#classify .call")).to_contain_text("Run it in the folder of the photo.")
        answer = json.loads(pasted(copied(page, page.locator("#classify .call")), tmp_path))
    assert answer["results"][0]["predictions"][0]["label"] == "espresso"


def test_the_maps(visit: Visit, server: Server, tmp_path: Path) -> None:
    """Those of the layer that is open, as an npy file."""
    with visit("inside", permissions=CLIPBOARD) as page:
        open_layer(page, "_bn0")
        pasted(copied(page, page.locator("#inside .call")), tmp_path)
    photo = httpx2.get(f"{server.url}/page/samples/cat.jpg", timeout=60).content
    url = f"{server.url}/v1/models/efficientnet-lite0/feature-maps"
    answer = httpx2.post(url, params={"layer": "_bn0", "format": "npy"}, content=photo, timeout=60)
    np.testing.assert_array_equal(np.load(tmp_path / "maps.npy"), np.load(io.BytesIO(answer.content)))


def test_one_map(visit: Visit, tmp_path: Path) -> None:
    """From the window of a channel."""
    with visit("inside", permissions=CLIPBOARD) as page:
        open_layer(page, "_bn0")
        page.get_by_role("button", name="Channel 3", exact=True).click()
        pasted(copied(page, page.locator("#channel .call")), tmp_path)
    assert np.load(tmp_path / "map.npy").shape == (1, 1, 112, 112)


def test_the_heat(visit: Visit, tmp_path: Path) -> None:
    """As an npy file."""
    with visit("why", permissions=CLIPBOARD) as page:
        expect(page.locator("#why figure")).to_be_visible()
        pasted(copied(page, page.locator("#why .call")), tmp_path)
    assert np.load(tmp_path / "heat.npy").shape == (1, 7, 7)


def test_a_shifted_photo(visit: Visit, tmp_path: Path) -> None:
    """The page made it, so it can be saved, and the command finds it."""
    with visit("ideas", permissions=CLIPBOARD, accept_downloads=True) as page:
        expect(page.locator("[data-part=early] .change")).to_contain_text("0.0 %")  # the view has begun
        page.get_by_role("slider").fill("6")
        call = page.locator("article[data-part=shift] .call")
        expect(page.locator("[data-part=early] .change")).to_contain_text("Moved back by 3:")
        with page.expect_download() as saving:
            call.get_by_role("link").click()
        saving.value.save_as(tmp_path / saving.value.suggested_filename)
        pasted(copied(page, call), tmp_path)
    assert np.load(tmp_path / "maps.npy").shape == (1, 32, 112, 112)


def test_the_costs(visit: Visit, tmp_path: Path) -> None:
    """They are in the layer table."""
    with visit("ideas", permissions=CLIPBOARD) as page:
        answer = json.loads(pasted(copied(page, page.locator("article[data-part=cost] .call")), tmp_path))
    assert answer["layers"][1]["dense"]["times_less_work"] == pytest.approx(5731.13, abs=0.01)


def test_a_key_is_not_written_out(page: Page) -> None:
    """It is taken from the environment, so that it is on no screen and in no history."""
    page.get_by_text("API key").first.click()
    page.get_by_label("API key").fill("open sesame")
    page.get_by_role("button", name="Use it").click()
    expect(page.locator("#classify .call code")).to_contain_text('-H "Authorization: Bearer $KEY"')
    expect(page.locator("#classify .call")).to_contain_text("Set KEY to your key first.")
    expect(page.locator("body")).not_to_contain_text("open sesame")


def test_it_is_copied_where_the_browser_has_no_clipboard(page: Page) -> None:
    """As over plain HTTP: the text is selected and copied the old way."""
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.locator("#classify .call").get_by_role("button").click()
    expect(page.locator("#classify .call").get_by_role("button")).to_have_text("Copied")
