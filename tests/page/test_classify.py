"""Photos in, classes on the page."""

import io
from pathlib import Path

import httpx2
import numpy as np
from onnx import helper
from PIL import Image
from playwright.sync_api import Page, expect

from service.metadata import ClassOutput, LayerEntry
from tests import images, tiny_models
from tests.conftest import PHOTOS
from tests.e2e.conftest import Server, Start
from tests.page.conftest import Visit
from tests.page.gestures import drop, first_class, paste, pick


def test_a_dropped_photo_is_classified(page: Page, coffee: bytes) -> None:
    """The first class is what the photo shows, and screen readers are told."""
    drop(page, coffee)
    expect(first_class(page)).to_have_text("espresso")
    expect(page.locator("#said")).to_contain_text("espresso, 9")


def test_a_picked_photo_is_classified(page: Page) -> None:
    """By the button that opens the files."""
    pick(page, PHOTOS / "coffee.jpg")
    expect(first_class(page)).to_have_text("espresso")


def test_a_pasted_photo_is_classified(page: Page, coffee: bytes) -> None:
    """From the clipboard."""
    paste(page, coffee)
    expect(first_class(page)).to_have_text("espresso")


def test_a_sample_is_one_click_away(page: Page) -> None:
    """Also by its name."""
    page.get_by_role("button", name="Coffee").click()
    expect(first_class(page)).to_have_text("espresso")


def test_a_phone_takes_a_photo(visit: Visit) -> None:
    """Where there is a finger rather than a mouse, a button asks for the camera."""
    with visit(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844}) as page:
        expect(page.get_by_role("button", name="Take a photo")).to_be_visible()
        with page.expect_file_chooser() as chosen:
            page.get_by_role("button", name="Take a photo").click()
        assert chosen.value.element.get_attribute("capture") == "environment"


def test_the_same_file_can_be_picked_again(page: Page, tmp_path: Path, chelsea: bytes, coffee: bytes) -> None:
    """After it was changed, for example."""
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(coffee)
    pick(page, photo)
    expect(first_class(page)).to_have_text("espresso")
    photo.write_bytes(chelsea)
    pick(page, photo)
    expect(first_class(page)).to_have_text("Egyptian cat")


def test_the_bars_are_the_probabilities(page: Page, server: Server, chelsea: bytes) -> None:
    """As the service gives them, in its order."""
    drop(page, chelsea)
    expect(page.locator("#photo [data-part=caption]")).to_contain_text("photo.jpg, at")
    answer = httpx2.post(f"{server.url}/v1/models/efficientnet-lite0/classify", content=chelsea, timeout=60).json()
    found = answer["results"][0]["predictions"]
    expect(page.locator("#classify .bars .name")).to_have_text([one["label"] for one in found])
    shown = page.locator("#classify .bars .fill").evaluate_all(
        "(fills) => fills.map((fill) => fill.getBoundingClientRect().width / fill.parentElement.clientWidth)"
    )
    np.testing.assert_allclose(shown, [one["probability"] for one in found], atol=0.01)


def test_the_crop_is_what_the_network_saw(page: Page, server: Server, chelsea: bytes) -> None:
    """To the pixel."""
    drop(page, chelsea)
    expect(page.locator("#photo [data-part=caption]")).to_contain_text("photo.jpg, at 224×224 pixels")
    shown = page.locator("#photo canvas").evaluate(
        """(canvas) => {
          const small = new OffscreenCanvas(224, 224).getContext("2d");
          small.imageSmoothingEnabled = false;
          small.drawImage(canvas, 0, 0, 224, 224);
          return [...small.getImageData(0, 0, 224, 224).data];
        }"""
    )
    answer = httpx2.post(f"{server.url}/v1/models/efficientnet-lite0/preprocessed", content=chelsea, timeout=60)
    with Image.open(io.BytesIO(answer.content)) as picture:
        saw = np.asarray(picture)
    np.testing.assert_array_equal(np.array(shown).reshape(224, 224, 4)[..., :3], saw)


def test_it_tells_where_the_time_went(page: Page) -> None:
    """Each stage of the service, and what is left for the way."""
    expect(page.locator("#classify [data-part=timing] dt")).to_have_text(
        [
            "waiting for its turn",
            "decoding and resizing the photo",
            "running the network",
            "writing the answer",
            "on the way",
        ]
    )
    spent = page.locator("#classify [data-part=timing] dd").all_inner_texts()
    assert all(text.endswith(" ms") for text in spent)
    assert float(spent[2].removesuffix(" ms")) > 0


def test_another_network_looks_at_the_same_photo(page: Page) -> None:
    """Every model that is served can be chosen."""
    page.get_by_role("button", name="Boot").click()
    page.get_by_role("combobox", name="Network").select_option(label="lenet5")
    expect(first_class(page)).to_have_text("Ankle boot")
    expect(page.locator("#photo [data-part=caption]")).to_contain_text("boot.png, at 28×28 pixels")


def test_a_network_without_classes_only_lets_look_inside(visit: Visit, start: Start, repository: Path) -> None:
    """The service says that it is none, and the page follows."""
    made = tiny_models.model(
        [helper.make_node("Relu", ["images"], ["maps"])],
        {},
        input_shape=["batch", 1, 4, 4],
        output=("maps", ["batch", 1, 4, 4]),
    )
    output = ClassOutput(name="maps", values="none", labels=None)
    layers = (LayerEntry(path="relu", tensor="maps", aliases=()),)
    tiny_models.publish(
        repository, made, name="maps", input=tiny_models.image_input(size=4), output=output, layers=layers
    )
    with start(repository) as server, visit(url=server.url) as page:
        expect(page.get_by_role("tab", name="Classify")).to_be_disabled()
        expect(page.get_by_role("tab", name="Why")).to_be_disabled()
        expect(page.get_by_role("tab", name="Look inside")).to_have_attribute("aria-selected", "true")
        expect(page.locator("#inside canvas.drawn")).to_have_count(1)


def test_classes_without_labels_are_numbered(visit: Visit, start: Start, repository: Path) -> None:
    """As `class 2`."""
    tiny_models.publish(repository, output=ClassOutput(name="logits", values="logits", labels=None))
    with start(repository) as server, visit(url=server.url) as page:
        page.get_by_role("button", name="Coffee").click()
        expect(page.locator("#classify .bars .name")).to_contain_text(["class", "class", "class"])


def test_a_hostile_label_is_text(visit: Visit, start: Start, repository: Path) -> None:
    """Nothing of a model becomes markup."""
    labels = ("<img src=x onerror=alert(1)>", "<b>middle</b>", "bright")
    tiny_models.publish(repository, output=ClassOutput(name="logits", values="logits", labels=labels))
    with start(repository) as server, visit(url=server.url) as page:
        drop(page, images.plain(0), "<i>dark.png")
        expect(first_class(page)).to_have_text(labels[0])
        expect(page.locator("#photo [data-part=caption]")).to_contain_text("<i>dark.png")
