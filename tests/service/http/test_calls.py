"""Promises of service.http.calls."""

import pytest
from fastapi.testclient import TestClient

from tests import images

ROUTES = ["classify", "preprocessed", "feature-maps?layer=0", "embeddings", "heatmap"]


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_about_images_decodes_as_asked(client: TestClient, route: str) -> None:
    """And says in a header how."""
    found = [
        client.post(
            f"/v1/models/brightness/{route}{'&' if '?' in route else '?'}decoding={asked}", content=images.plain(7)
        )
        for asked in ("fast", "exact")
    ]
    assert [answer.headers["striate-decoding"].split(";")[0] for answer in found] == ["fast", "exact"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("asked", ["quick", "", "Exact"])
def test_a_way_of_decoding_that_there_is_not_is_refused(client: TestClient, route: str, asked: str) -> None:
    """With those that there are."""
    path = f"/v1/models/brightness/{route}{'&' if '?' in route else '?'}decoding={asked}"
    answer = client.post(path, content=images.plain(7))
    assert answer.status_code == 400
    assert "decoding: Input should be 'fast' or 'exact'" in answer.json()["detail"]
