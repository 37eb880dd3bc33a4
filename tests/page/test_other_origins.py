"""A page of another origin that calls the service from a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page

from tests import tiny_models
from tests.e2e.conftest import Server, Start

ASK = """async (url) => {
  const headers = { Authorization: "Bearer a-key", "X-Request-ID": "mine" };
  const answers = [];
  for (const path of ["/v1/models/brightness/classify", "/v2/models/brightness/infer"]) {
    const answer = await fetch(url + path, { method: "POST", headers, body: "no picture" });
    answers.push([answer.status, answer.headers.get("X-Request-ID"), (await answer.text()).length > 0]);
  }
  return answers;
}"""


@pytest.fixture
def elsewhere(browser: Browser, server: Server) -> Iterator[Page]:
    """A page of another origin, which has no policy of its own."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{server.url}/v2/health/live")
    yield page
    context.close()


def test_one_that_is_named_reads_answers_and_headers(
    elsewhere: Page, server: Server, start: Start, repository: Path
) -> None:
    """Under /v1 and /v2, with a key, also those that are errors."""
    tiny_models.publish(repository)
    with start(repository, "--cors-origins", server.url) as other:
        assert elsewhere.evaluate(ASK, other.url) == [[415, "mine", True], [400, "mine", True]]


def test_another_one_reads_nothing(elsewhere: Page, start: Start, repository: Path) -> None:
    """Its browser does not let it."""
    tiny_models.publish(repository)
    with (
        start(repository, "--cors-origins", "https://example.org") as other,
        pytest.raises(Error, match="Failed to fetch"),
    ):
        elsewhere.evaluate(ASK, other.url)
