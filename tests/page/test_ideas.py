"""The ideas of the texts, on one's own photo."""

from pathlib import Path

import httpx2
import numpy as np
import pytest
from onnx import helper
from playwright.sync_api import Locator, Page, expect

from service.metadata import ClassOutput, LayerEntry
from tests import images, tiny_models
from tests.e2e.conftest import Server, Start
from tests.page.conftest import Visit
from tests.page.gestures import drop


@pytest.fixture
def ideas(visit: Visit) -> Page:  # type: ignore[misc]
    """The view, with the first sample."""
    with visit("ideas") as page:
        expect(page.locator("[data-part=early] canvas")).to_have_count(4)
        yield page


def changes(side: Locator) -> list[float]:
    """How much a layer has changed, and how much when it is moved back, in percent."""
    return [float(text.removesuffix(" %")) for text in side.locator("strong").all_inner_texts()]


def test_shifted_maps_are_the_same_maps_moved(ideas: Page) -> None:
    """16 pixels are 8 places in maps of stride 2; moved back they are what they were, to the last bit."""
    ideas.get_by_role("slider").fill("16")
    early = ideas.locator("[data-part=early] .change")
    expect(early).to_contain_text("Moved back by 8:")
    changed, back = changes(early)
    assert changed > 30
    assert back == 0


def test_what_is_pooled_changes_less(ideas: Page) -> None:
    """Global average pooling throws the place away."""
    ideas.get_by_role("slider").fill("8")
    expect(ideas.locator("[data-part=early] .change")).to_contain_text("Moved back by 4:")
    expect(ideas.locator("[data-part=late] select option:checked")).to_have_text("_avg_pooling (1280×1×1)")
    (pooled,) = changes(ideas.locator("[data-part=late] .change"))
    assert 0 < pooled < changes(ideas.locator("[data-part=early] .change"))[0] / 2


def test_a_shift_can_be_taken_back(ideas: Page) -> None:
    """Then nothing is changed."""
    ideas.get_by_role("slider").fill("5")
    expect(ideas.locator("[data-part=early] strong").first).not_to_have_text("0.0 %")
    ideas.get_by_role("button", name="Back to 0").click()
    expect(ideas.locator("[data-part=early] strong")).to_have_text(["0.0 %"])
    expect(ideas.locator("[data-part=late] strong")).to_have_text(["0.0 %"])


def test_any_two_layers_can_be_compared(ideas: Page) -> None:
    """Chosen from lists."""
    ideas.locator("[data-part=late] select").select_option(label="_bn0 (32×112×112)")
    expect(ideas.locator("[data-part=late] canvas")).to_have_count(4)


def test_a_layer_costs_less_than_a_dense_one(ideas: Page, server: Server) -> None:
    """Operations and numbers, as in the layer table."""
    cost = ideas.locator("article[data-part=cost]")
    rows = httpx2.get(f"{server.url}/v1/models/efficientnet-lite0/layers", timeout=60).json()["layers"]
    (stem,) = (row for row in rows if row["path"] == "_conv_stem")
    expect(cost.locator("option:checked")).to_have_text("_conv_stem (32×112×112)")
    expect(cost).to_contain_text(f"{round(stem['dense']['times_less_work'], -1):,.0f} times fewer")
    expect(cost.locator(".number")).to_have_text(["21.3 million", "122 billion", "864", "61 billion"])
    cost.get_by_role("combobox").select_option(label="_fc (1000)")
    expect(cost).to_contain_text("no fewer: it is a dense layer")


def test_without_a_filter_bank_nothing_is_said_of_it(visit: Visit, start: Start, repository: Path) -> None:
    """The page offers what is served."""
    tiny_models.publish(repository)
    with start(repository) as server, visit("ideas", url=server.url) as page:
        expect(page.get_by_role("heading", name="What a convolution saves")).to_be_visible()
        expect(page.get_by_role("heading", name="Edges in your photo")).to_be_hidden()


def test_the_filters_of_the_bank_are_drawn(visit: Visit, start: Start, repository: Path) -> None:
    """Each layer of the model `filter-bank`, with its name."""
    kernel = np.array([[[[-1, 1]]]], np.float32)
    made = tiny_models.model(
        [helper.make_node("Conv", ["images", "kernel"], ["edges"])],
        {"kernel": kernel},
        input_shape=["batch", 1, 8, 8],
        output=("edges", ["batch", 1, 8, 7]),
    )
    tiny_models.publish(
        repository,
        made,
        name="filter-bank",
        input=tiny_models.image_input(size=8),
        output=ClassOutput(name="edges", values="none", labels=None),
        layers=(LayerEntry(path="edge", tensor="edges", aliases=()),),
    )
    with start(repository) as server, visit("ideas", url=server.url) as page:
        drop(page, images.encode(images.gradient(8, 8)))
        drawn = page.get_by_role("img", name="The photo through edge")
        expect(drawn).to_be_visible()
        assert drawn.evaluate("(canvas) => [canvas.height, canvas.width]") == [8, 7]
