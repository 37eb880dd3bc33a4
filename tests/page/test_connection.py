"""Errors, a service that goes away, keys, and answers that come late."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, Route, expect

from service.keys import make_key
from tests import images, tiny_models
from tests.conftest import PHOTOS
from tests.e2e.conftest import ROOT, Start
from tests.page.conftest import Visit
from tests.page.gestures import drop, first_class, open_layer, pick


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"\0\0\0\x18ftypheic\0\0\0\0", "the bytes are a HEIC photo: save or share it as JPEG", id="heic"),
        pytest.param(b"no picture", "the bytes are text ('no picture'…); accepted: JPEG, PNG, WEBP, GIF", id="text"),
        pytest.param((PHOTOS / "coffee.jpg").read_bytes()[:5000], "the JPEG cannot be decoded", id="truncated"),
        pytest.param(b"", "the body is empty: send the bytes of an image", id="empty"),
    ],
)
def test_an_error_is_shown_in_the_words_of_the_service(page: Page, body: bytes, said: str) -> None:
    """As an alert; and the next photo is looked at as if nothing had been."""
    drop(page, body, "photo")
    expect(page.get_by_role("alert").filter(has_text=said)).to_be_visible()
    expect(page.locator("#classify .bars li")).to_have_count(0)
    page.get_by_role("button", name="Coffee").click()
    expect(first_class(page)).to_have_text("espresso")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_what_failed_can_be_tried_again(page: Page) -> None:
    """By a button beside the error."""
    busy = {
        "type": "urn:striate:queue-full",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "256 are waiting",
    }
    page.route("**/classify*", lambda route: route.fulfill(status=503, json=busy), times=1)
    page.get_by_role("button", name="Coffee").click()
    expect(page.get_by_role("alert")).to_contain_text("503 Service Unavailable")
    expect(page.get_by_role("alert")).to_contain_text("256 are waiting")
    page.get_by_role("button", name="Try again").click()
    expect(first_class(page)).to_have_text("espresso")


def test_a_photo_of_too_many_pixels_is_made_smaller(visit: Visit, start: Start) -> None:
    """By the page, until the service takes it; it says so, and why."""
    with start(ROOT / "models", "--max-pixels", "1000000") as server, visit(url=server.url) as page:
        drop(page, images.encode(images.gradient(2000, 4000), "jpeg"), "huge.jpg")
        caption = page.locator("#photo [data-part=caption]")
        expect(caption).to_contain_text("at most 1,000,000 are accepted (setting max_pixels)")
        expect(caption).to_contain_text("It gets a copy of 1024×512.")


def test_a_photo_of_too_many_bytes_is_made_smaller(visit: Visit, start: Start) -> None:
    """And then classified like any other."""
    with start(ROOT / "models", "--max-body-bytes", "60000") as server, visit(url=server.url) as page:
        pick(page, PHOTOS / "coffee.jpg")
        caption = page.locator("#photo [data-part=caption]")
        expect(caption).to_contain_text("larger than the 60,000 bytes accepted")
        expect(caption).to_contain_text("It gets a copy of 512×341.")
        expect(first_class(page)).to_have_text("espresso")


def test_a_body_far_beyond_the_limit_is_no_lost_service(visit: Visit, start: Start) -> None:
    """The service answers before all of it has arrived."""
    photo = images.encode(images.gradient(300, 300))
    with start(ROOT / "models") as server, visit(url=server.url) as page:
        drop(page, photo, "huge.png", zeros=24 * 2**20)
        expect(page.locator("#photo [data-part=caption]")).to_contain_text("It gets a copy of 300×300.")
        expect(page.locator("#banner")).to_be_hidden()


def test_a_lost_service_is_waited_for(visit: Visit, start: Start) -> None:
    """The page says that it is gone, looks for it, and goes on where it was."""
    with start(ROOT / "models") as server:
        visiting = visit("inside", url=server.url)
        page = visiting.__enter__()
        open_layer(page, "_bn0")
    page.locator("#inside [role=option]", has=page.get_by_text("_blocks.1._bn2", exact=True)).click()
    expect(page.locator("#banner")).to_contain_text("The service does not answer. Looking again in")
    with start(ROOT / "models", "--port", str(server.port)):
        page.get_by_role("button", name="Try now").click()
        expect(page.locator("#banner")).to_be_hidden()
        expect(page.locator("#inside h3")).to_have_text("_blocks.1._bn2")
        expect(page.locator("#inside canvas.drawn")).to_have_count(24)
        expect(page.locator("#said")).not_to_be_empty()
    visiting.__exit__(None, None, None)


def test_an_error_of_a_proxy_is_a_lost_service(page: Page) -> None:
    """A 502 that is no problem detail comes from what stands before the service."""
    page.route("**/v1/**", lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))
    page.get_by_role("button", name="Coffee").click()
    expect(page.locator("#banner")).to_contain_text("The service does not answer.")
    page.unroute("**/v1/**")
    expect(first_class(page)).to_have_text("espresso")


def test_models_that_are_still_loading_are_waited_for(visit: Visit) -> None:
    """At the start of the service the page says what it waits for."""
    with visit() as page:
        expect(first_class(page)).to_have_text("Egyptian cat")
        page.route("**/v1/models", _loading, times=1)
        page.reload()
        expect(page.locator("#banner")).to_contain_text("The service is loading its models.")
        expect(first_class(page)).to_have_text("Egyptian cat")
        expect(page.locator("#banner")).to_be_hidden()


def _loading(route: Route) -> None:
    answer = route.fetch()
    models = answer.json()
    models["models"][0]["state"] = "loading"
    route.fulfill(response=answer, json=models)


def test_a_model_that_failed_says_why(visit: Visit, start: Start, repository: Path) -> None:
    """In the service's words."""
    tiny_models.publish(repository)
    folder = tiny_models.publish(repository, name="broken")
    (folder / "model.onnx").write_bytes(b"nonsense")
    with start(repository) as server, visit(url=server.url) as page:
        page.get_by_role("combobox", name="Network").select_option(label="broken (failed)")
        expect(page.get_by_role("alert")).to_contain_text("broken could not be loaded")


def test_a_key_is_sent_and_kept_in_memory_only(page: Page) -> None:
    """With each request as a bearer token, nowhere else, and gone after a reload."""
    page.get_by_text("API key").first.click()
    page.get_by_label("API key").fill("open sesame")
    with page.expect_request(re.compile("/classify")) as sent:
        page.get_by_role("button", name="Use it").click()
    assert sent.value.headers["authorization"] == "Bearer open sesame"
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    with page.expect_request(re.compile("/classify")) as sent:
        page.reload()
    assert "authorization" not in sent.value.headers


def test_a_refused_key_is_an_error_in_words(page: Page) -> None:
    """A 401 is shown, and a key can be given."""
    refusal = {"type": "urn:striate:key-required", "title": "Unauthorized", "status": 401, "detail": "a key is needed"}
    page.route("**/v1/**", lambda route: route.fulfill(status=401, json=refusal))
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("a key is needed")
    page.unroute("**/v1/**")
    page.get_by_text("API key").first.click()
    page.get_by_label("API key").fill("open sesame")
    page.get_by_role("button", name="Use it").click()
    expect(first_class(page)).to_have_text("Egyptian cat")


def test_an_old_answer_never_comes_after_a_new_one(page: Page, coffee: bytes) -> None:
    """A request that is not wanted any more is ended."""
    held: list[Route] = []
    failed: list[Request] = []

    def hold(route: Route) -> None:
        held.append(route)

    def note(request: Request) -> None:
        failed.append(request)

    page.on("requestfailed", note)
    page.route("**/classify*", hold, times=1)
    with page.expect_request(re.compile("/classify")):
        drop(page, coffee)
    with page.expect_event("requestfailed"):
        page.get_by_role("button", name="Cat", exact=True).click()
    expect(first_class(page)).to_have_text("Egyptian cat")
    assert [re.search(r"/(classify)\b", request.url) is not None for request in failed] == [True]
    assert len(held) == 1


def test_a_view_that_is_left_stops_its_work(page: Page) -> None:
    """What was asked for it is ended."""
    page.route("**/heatmap*", lambda _: None)
    page.get_by_role("tab", name="Why").click()
    with page.expect_event("requestfailed") as ended:
        page.get_by_role("tab", name="Classify").click()
    assert "heatmap" in ended.value.url


def test_a_service_that_takes_keys(visit: Visit, start: Start, tmp_path: Path) -> None:
    """The page opens without one, says what is missing, and works with the key that is typed in."""
    sent, key = make_key("web", "caller")
    (tmp_path / "striate.keys").write_text(key.line())
    with start(ROOT / "models", "--keys-file", str(tmp_path / "striate.keys")) as server, visit(url=server.url) as page:
        expect(page.get_by_role("alert").filter(has_text="this takes a key")).to_be_visible()
        page.get_by_text("API key").first.click()
        page.get_by_label("API key").fill(sent)
        page.get_by_role("button", name="Use it").click()
        expect(first_class(page)).to_have_text("Egyptian cat")
        expect(page.get_by_role("alert")).to_have_count(0)
