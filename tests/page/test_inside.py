"""The layers, and their maps."""

import io
import re

import httpx2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from service.http.routes.page import FOLDER
from tests.e2e.conftest import Server
from tests.page.conftest import Visit
from tests.page.gestures import drop, open_layer, seen_box

MODEL = "efficientnet-lite0"


def layer_of(server: Server, path: str) -> dict[str, object]:
    """One row of the layer table."""
    rows = httpx2.get(f"{server.url}/v1/models/{MODEL}/layers", timeout=60).json()["layers"]
    (row,) = (row for row in rows if row["path"] == path)
    assert isinstance(row, dict)
    return row


def point(canvas: Locator, row: int, column: int, size: int) -> None:
    """Hover the middle of a unit of a map of size x size."""
    box = canvas.bounding_box()
    assert box
    canvas.hover(position={"x": (column + 0.5) * box["width"] / size, "y": (row + 0.5) * box["height"] / size})


def test_the_strip_leads_from_input_to_output(visit: Visit, server: Server) -> None:
    """Every layer, with its operator, shape and receptive field."""
    with visit("inside") as page:
        cards = page.locator("#inside [role=option]")
        rows = httpx2.get(f"{server.url}/v1/models/{MODEL}/layers", timeout=60).json()["layers"]
        expect(cards).to_have_count(len(rows))
        expect(cards.nth(1)).to_contain_text("_conv_stem")
        expect(cards.nth(1)).to_contain_text("32×112×112")
        expect(cards.nth(1)).to_contain_text("sees 3×3")
        expect(cards.last).to_contain_text("sees everything")


def test_a_layer_opens_all_its_maps(visit: Visit) -> None:
    """Each with its number."""
    with visit("inside") as page:
        open_layer(page, "_bn0")
        expect(page.locator("#inside canvas.drawn")).to_have_count(32)
        expect(page.locator("#inside .facts")).to_contain_text("BatchNormalization · 32×112×112")
        expect(page.get_by_role("button", name="Channel 31")).to_be_visible()


def test_a_map_is_drawn_as_the_service_draws_it(visit: Visit, server: Server, chelsea: bytes) -> None:
    """In the same colours, on the same scale."""
    with visit("inside") as page:
        drop(page, chelsea)
        expect(page.locator("#photo [data-part=caption]")).to_contain_text("photo.jpg, at")
        open_layer(page, "_bn0")
        shown = (
            page.get_by_role("button", name="Channel 5", exact=True)
            .locator("canvas")
            .evaluate("(map) => [...map.getContext('2d').getImageData(0, 0, 112, 112).data]")
        )
    query = {"layer": "_bn0", "channels": "5", "format": "png", "colormap": "viridis", "enlarge": "1"}
    answer = httpx2.post(f"{server.url}/v1/models/{MODEL}/feature-maps", params=query, content=chelsea, timeout=60)
    with Image.open(io.BytesIO(answer.content)) as picture:
        expected = np.asarray(picture).astype(int)
    apart = np.abs(np.array(shown).reshape(112, 112, 4)[..., :3] - expected)
    assert apart.max() <= 4  # levels of 255: 256 colours here, and as many as there are values there


def test_maps_are_fetched_as_they_come_into_sight(visit: Visit) -> None:
    """A layer of 1,280 maps first gives those at the top, and at the end all that were scrolled by."""
    with visit("inside") as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        open_layer(page, "_swish:2")
        expect(page.locator("#inside button.map")).to_have_count(1280)
        expect(page.locator("#inside button.map").nth(1279).locator("canvas.drawn")).to_have_count(0)
        page.locator("#inside button.map").nth(1279).scroll_into_view_if_needed()
        expect(page.locator("#inside button.map").nth(1279).locator("canvas.drawn")).to_have_count(1)
        assert any("channels=0-63" in url for url in asked)
        assert any("channels=1216-1279" in url for url in asked)


@pytest.mark.parametrize(
    ("path", "size", "row", "column"),
    [
        pytest.param("_bn0", 112, 60, 30, id="early"),
        pytest.param("_blocks.5._bn2", 14, 10, 3, id="deep"),
        pytest.param("_blocks.5._bn2", 14, 0, 13, id="corner"),
    ],
)
def test_a_unit_shows_what_it_sees(visit: Visit, server: Server, path: str, size: int, row: int, column: int) -> None:
    """The box on the photo is the one of the service, also at the borders."""
    with visit("inside") as page:
        open_layer(page, path)
        point(page.locator("#inside canvas.drawn").nth(2), row, column, size)
        expect(page.locator("#photo [data-part=readout]")).to_contain_text(f"Channel 2, row {row}, column {column}: ")
        box = seen_box(page.locator("#photo canvas"))
        place = {"row": row, "column": column}
        answer = httpx2.get(
            f"{server.url}/v1/models/{MODEL}/layers/{path}/receptive-field", params=place, timeout=60
        ).json()
        assert box == answer["box"]
        page.mouse.move(0, 0)
        expect(page.locator("#photo canvas")).to_have_attribute("data-box", "")


def test_a_layer_without_places_shows_its_values(visit: Visit) -> None:
    """As bars side by side."""
    with visit("inside") as page:
        page.get_by_label("Find a layer").fill("_fc")
        open_layer(page, "_fc")
        expect(page.get_by_role("img", name=re.compile("1,000 values, from"))).to_be_visible()


def test_layers_are_found_by_name_and_operator(visit: Visit, server: Server) -> None:
    """While the text is typed."""
    with visit("inside") as page:
        cards = page.locator("#inside [role=option]:visible")
        page.get_by_label("Find a layer").fill("gemm")
        expect(cards).to_have_count(1)
        page.get_by_label("Find a layer").fill("_blocks.3.")
        rows = httpx2.get(f"{server.url}/v1/models/{MODEL}/layers", timeout=60).json()["layers"]
        expect(cards).to_have_count(sum("_blocks.3." in " ".join([r["path"], *r["aliases"]]) for r in rows))
        page.get_by_label("Find a layer").fill("nothing like it")
        expect(page.locator("#inside [data-part=found]")).to_have_text("0 layers")


def test_the_strongest_maps_come_first(visit: Visit, server: Server, coffee: bytes) -> None:
    """By their mean, as the service orders them."""
    with visit("inside") as page:
        drop(page, coffee)
        expect(page.locator("#photo [data-part=caption]")).to_contain_text("photo.jpg, at")
        open_layer(page, "_bn0")
        page.get_by_label("Order").select_option("strength")
        query = {"layer": "_bn0", "channels": "top:5"}
        answer = httpx2.post(
            f"{server.url}/v1/models/{MODEL}/feature-maps", params=query, content=coffee, timeout=60
        ).json()
        strongest = answer["results"][0]["maps"][0]["channels"]
        expect(page.locator("#inside button.map").first).to_have_text(str(strongest[0]))
        assert page.locator("#inside button.map").all_inner_texts()[:5] == [str(number) for number in strongest]


def test_contrast_can_be_that_of_the_layer(visit: Visit) -> None:
    """Then a weak map looks weak."""
    with visit("inside") as page:
        open_layer(page, "_bn0")
        first = page.locator("#inside canvas.drawn").first
        before = first.evaluate("(canvas) => canvas.toDataURL()")
        page.get_by_label("Contrast").select_option("layer")
        expect(page.locator("#inside")).to_have_attribute("aria-busy", "false")
        assert first.evaluate("(canvas) => canvas.toDataURL()") != before


class TestChannel:
    """One channel, large."""

    @pytest.fixture
    def opened(self, visit: Visit) -> Page:  # type: ignore[misc]
        """The page with a channel of the first convolution open."""
        with visit("inside") as page:
            open_layer(page, "_conv_stem")
            page.get_by_role("button", name="Channel 5", exact=True).click()
            expect(page.get_by_role("dialog")).to_contain_text("_conv_stem, channel 5 of 32")
            expect(page.locator("#channel .kernel canvas")).to_have_count(4)
            yield page

    def test_it_has_statistics(self, opened: Page, server: Server) -> None:
        """Those of the service."""
        photo = (FOLDER / "samples/cat.jpg").read_bytes()
        query = {"layer": "_conv_stem", "channels": "5", "statistics": "true"}
        answer = httpx2.post(
            f"{server.url}/v1/models/{MODEL}/feature-maps", params=query, content=photo, timeout=60
        ).json()
        found = answer["results"][0]["maps"][0]["statistics"]
        shown = opened.locator("#channel dl").inner_text().split()
        assert float(shown[shown.index("mean") + 1]) == pytest.approx(found["mean"], rel=0.01)
        assert float(shown[shown.index("smallest") + 1]) == pytest.approx(found["min"], rel=0.01)

    def test_it_has_its_kernel(self, opened: Page) -> None:
        """In colour, and for each of the three colours."""
        expect(opened.locator("#channel .kernel figcaption")).to_have_text(["in colour", "red", "green", "blue"])

    def test_its_units_are_reached_by_arrow_keys(self, opened: Page) -> None:
        """And what each sees is marked on the photo."""
        opened.locator("#channel [data-part=map]").focus()
        opened.keyboard.press("ArrowRight")
        expect(opened.locator("#channel [data-part=readout]")).to_contain_text("Row 56, column 57: ")
        first = seen_box(opened.locator("#channel [data-part=photo]"))
        opened.keyboard.press("ArrowDown")
        expect(opened.locator("#channel [data-part=readout]")).to_contain_text("Row 57, column 57: ")
        second = seen_box(opened.locator("#channel [data-part=photo]"))
        assert (second["top"] - first["top"], second["left"] - first["left"]) == (2, 0)

    def test_the_next_one_is_a_step_away(self, opened: Page) -> None:
        """And so is the one before."""
        opened.get_by_role("button", name="Next channel").click()
        expect(opened.get_by_role("dialog")).to_contain_text("channel 6 of 32")
        opened.get_by_role("button", name="Previous channel").click()
        expect(opened.get_by_role("dialog")).to_contain_text("channel 5 of 32")

    def test_escape_leads_back_to_the_map(self, opened: Page) -> None:
        """And the focus with it."""
        opened.keyboard.press("Escape")
        expect(opened.locator("#channel")).to_be_hidden()
        expect(opened.get_by_role("button", name="Channel 5", exact=True)).to_be_focused()

    def test_the_map_lies_over_the_photo(self, opened: Page) -> None:
        """As strongly as the slider says."""
        canvas = opened.locator("#channel [data-part=photo]")
        opened.get_by_label("Map over photo").fill("0")
        bare = canvas.evaluate("(canvas) => canvas.toDataURL()")
        opened.get_by_label("Map over photo").fill("100")
        assert canvas.evaluate("(canvas) => canvas.toDataURL()") != bare


def test_a_layer_without_a_kernel_says_so(visit: Visit) -> None:
    """In the service's words."""
    with visit("inside") as page:
        open_layer(page, "_bn0")
        page.get_by_role("button", name="Channel 0", exact=True).click()
        expect(page.locator("#channel [data-part=kernel]")).to_contain_text(
            "layer '_bn0' is put out by BatchNormalization, which has no learned kernels; layers that have some:"
        )
