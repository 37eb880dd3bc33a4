"""How long a visitor waits, on the machine that serves: the best of several visits, since others work there too.

It is tried until it is as quick as promised, or has never been.

pytest tests/page/test_speed.py --log-cli-level=info      tells the figures
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import helper
from playwright.sync_api import Page, expect

from service.metadata import ClassOutput, LayerEntry
from tests import tiny_models
from tests.e2e.conftest import Start
from tests.page.conftest import Visit

log = logging.getLogger(__name__)

VISITS = 20

# Notes, in the browser's own clock, when the page has its first class and has drawn it: a test that looks again and
# again would see it late.
_WATCHING = """new MutationObserver((_, observer) => {
  if (!document.querySelector("#classify .bars li")) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => { document.documentElement.dataset.seen = performance.now(); }));
}).observe(document, { childList: true, subtree: true });"""

# From the click to the frame in which all maps are drawn, as the browser's own clock has it.
_OPENING = """([path, count]) => new Promise((done) => {
  const cards = [...document.querySelectorAll("#inside [role=option]")];
  const start = performance.now();
  cards.find((card) => card.querySelector("strong").textContent === path).click();
  const look = () => {
    const drawn = document.querySelectorAll("#inside canvas.drawn").length;
    const open = document.querySelector("#inside h3").textContent === path;
    open && drawn === count ? done(performance.now() - start) : requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})"""


def quick(taken: Sequence[float], limit: float) -> bool:
    """Whether one of some visits took less than so many milliseconds."""
    return any(one < limit for one in taken)


def opening(page: Page, path: str, count: int) -> float:
    """Milliseconds from the click on a layer to its last map."""
    taken: float = page.evaluate(_OPENING, [path, count])
    return taken


def test_the_first_view_within_a_second(visit: Visit) -> None:
    """From the address to the classes of the first sample, nothing of the page being known before."""
    taken: list[float] = []
    while len(taken) < VISITS and not quick(taken, 1000):
        with visit(script=_WATCHING) as page:
            page.wait_for_selector("html[data-seen]")
            taken.append(float(page.locator("html").get_attribute("data-seen") or "nan"))
    log.info("first view: %s ms", sorted(map(round, taken)))
    assert quick(taken, 1000), taken


def test_the_maps_of_a_first_stage_within_300_milliseconds(visit: Visit, start: Start, repository: Path) -> None:
    """64 maps of 112x112, by a 7x7 convolution of stride 2: what ResNet-50 begins with."""
    kernel = np.random.default_rng(0).normal(size=(64, 3, 7, 7)).astype(np.float32)
    made = tiny_models.model(
        [
            helper.make_node("Conv", ["images", "kernel"], ["maps"], strides=[2, 2], pads=[3, 3, 3, 3]),
            helper.make_node("Relu", ["maps"], ["relu"]),
        ],
        {"kernel": kernel},
        input_shape=["batch", 3, 224, 224],
        output=("relu", ["batch", 64, 112, 112]),
    )
    layers = (LayerEntry(path="conv1", tensor="maps", aliases=()), LayerEntry(path="relu", tensor="relu", aliases=()))
    output = ClassOutput(name="relu", values="none", labels=None)
    given = tiny_models.image_input(channels=3, size=224)
    tiny_models.publish(repository, made, name="stage", input=given, output=output, layers=layers)
    with start(repository) as server, visit("inside", url=server.url, viewport={"width": 1280, "height": 1400}) as page:
        expect(page.locator("#inside canvas.drawn")).to_have_count(64)
        opening(page, "relu", 64)
        taken: list[float] = []
        while len(taken) < VISITS and not quick(taken, 300):
            taken.append(opening(page, ("conv1", "relu")[len(taken) % 2], 64))
    log.info("64 maps: %s ms", sorted(map(round, taken)))
    assert quick(taken, 300), taken
