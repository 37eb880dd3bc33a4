"""Where the evidence for a class is."""

import io

import httpx2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Server
from tests.page.conftest import Visit
from tests.page.gestures import drop


@pytest.fixture
def why(visit: Visit, coffee: bytes) -> Page:  # type: ignore[misc]
    """The view with a photo of a cup of coffee."""
    with visit("why") as page:
        drop(page, coffee)
        expect(page.locator("#why [data-part=caption]")).to_have_text("Evidence for espresso")
        yield page


def heat(server: Server, photo: bytes, **query: str) -> np.ndarray:
    """The numbers of the service: (height, width)."""
    url = f"{server.url}/v1/models/efficientnet-lite0/heatmap"
    answer = httpx2.post(url, params={"format": "npy", **query}, content=photo, timeout=60)
    values: np.ndarray = np.load(io.BytesIO(answer.content))[0]
    return values


def test_it_begins_with_the_most_probable_class(why: Page, server: Server, coffee: bytes) -> None:
    """Over the photo, with the scale of the numbers, and how they came about."""
    expect(why.get_by_role("img", name="Evidence for espresso, over the photo")).to_be_visible()
    expect(why.locator("#why [data-part=how]")).to_contain_text("Class activation map, of layer _swish:2, 7×7 places")
    values = heat(server, coffee)
    assert float(why.locator("#why [data-part=high]").inner_text()) == pytest.approx(values.max(), rel=0.01)
    assert float(why.locator("#why [data-part=low]").inner_text()) == pytest.approx(values.min(), rel=0.01)


def test_any_class_can_be_asked_for(why: Page, server: Server, coffee: bytes) -> None:
    """All thousand are in the list, the probable ones first."""
    options = why.locator("#why [data-part=class] option")
    expect(options).to_have_count(1000)
    expect(options.first).to_contain_text("espresso (9")
    why.get_by_role("combobox", name="Evidence for").select_option(label="goldfish")
    expect(why.locator("#why [data-part=caption]")).to_have_text("Evidence for goldfish")
    values = heat(server, coffee, **{"class": "goldfish"})
    assert float(why.locator("#why [data-part=high]").inner_text()) == pytest.approx(values.max(), rel=0.01)


def test_one_class_rather_than_another(why: Page, server: Server, coffee: bytes) -> None:
    """The colours have 0 in the middle: evidence for the one, and for the other."""
    why.get_by_role("combobox", name="rather than").select_option("968")
    expect(why.locator("#why [data-part=caption]")).to_have_text("Evidence for espresso rather than cup")
    values = heat(server, coffee, **{"class": "967", "vs": "968"})
    most = np.abs(values).max()
    assert float(why.locator("#why [data-part=high]").inner_text()) == pytest.approx(most, rel=0.01)
    assert float(why.locator("#why [data-part=low]").inner_text()) == pytest.approx(-most, rel=0.01)


def test_a_bar_leads_to_the_evidence_for_its_class(page: Page) -> None:
    """By the button beside it."""
    page.get_by_role("button", name="Why tabby?").click()
    expect(page.get_by_role("tab", name="Why")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#why [data-part=caption]")).to_have_text("Evidence for tabby")


def test_other_methods_can_be_chosen(why: Page) -> None:
    """And are named with what they show."""
    why.get_by_role("combobox", name="Method").select_option("occlusion")
    expect(why.locator("#why [data-part=how]")).to_contain_text("where a square is hidden. Occlusion, 224×224 places")


def test_eigen_cam_asks_for_no_class(why: Page) -> None:
    """So that none can be chosen."""
    why.get_by_role("combobox", name="Method").select_option("eigen-cam")
    expect(why.locator("#why [data-part=caption]")).to_have_text("Where the maps answer most")
    expect(why.get_by_role("combobox", name="Evidence for")).to_be_disabled()


def test_a_network_without_classes_leads_to_its_layers(why: Page) -> None:
    """There is no evidence for anything: the view is closed, and nothing of the network before stays."""
    why.get_by_role("combobox", name="Network").select_option(label="filter-bank")
    expect(why.get_by_role("tab", name="Look inside")).to_have_attribute("aria-selected", "true")
    expect(why.get_by_role("tab", name="Why")).to_be_disabled()
    expect(why.locator("#inside [role=option]").first).to_contain_text("luminance")
    expect(why.get_by_role("alert")).to_have_count(0)


def test_a_network_without_class_activation_maps_gets_score_cam(visit: Visit) -> None:
    """LeNet-5 ends in three dense layers."""
    with visit("why") as page:
        expect(page.locator("#why figure")).to_be_visible()
        page.get_by_role("combobox", name="Network").select_option(label="lenet5")
        page.get_by_role("button", name="Boot").click()
        expect(page.locator("#why [data-part=caption]")).to_have_text("Evidence for Ankle boot")
        expect(page.locator("#why [data-part=how]")).to_contain_text("Score-CAM, of layer")
