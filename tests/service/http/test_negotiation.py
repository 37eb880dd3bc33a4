"""Promises of service.http.negotiation."""

import pytest

from service.errors import NotAcceptableError, ParameterError
from service.http.negotiation import choose_format

BROWSER = "text/html,application/xhtml+xml,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("parameter", "accept", "form"),
    [
        (None, "", "json"),
        (None, "*/*", "json"),
        (None, BROWSER, "json"),
        (None, "image/*", "png"),
        (None, "application/x-npz", "npz"),
        (None, "Application/X-NPY", "npy"),
        (None, "application/json;q=0.5, image/png", "png"),
        (None, "image/png;q=0, */*;q=0.1", "json"),
        ("npy", "image/png", "npy"),
    ],
)
def test_the_parameter_goes_before_the_header(parameter: str | None, accept: str, form: str) -> None:
    """And the header by its weights."""
    assert choose_format(parameter, accept) == form


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", ";;,,", "application/json;q=x"])
def test_a_form_that_cannot_be_given_is_refused(accept: str) -> None:
    """The error lists those that can."""
    with pytest.raises(NotAcceptableError, match="available: application/json, .*image/png"):
        choose_format(None, accept)


def test_an_unknown_format_is_refused() -> None:
    """The error lists those that are known."""
    with pytest.raises(ParameterError, match="format is 'jpg'; accepted: json, npy, npz, safetensors, png"):
        choose_format("jpg", "")


@pytest.mark.parametrize(
    ("parameter", "accept", "form"),
    [
        (None, "", "json"),
        (None, "application/*", "json"),
        (None, "application/json;q=0.5, application/x-npy", "npy"),
        (None, "image/png, application/x-npy;q=0.1", "npy"),
        ("npy", "application/json", "npy"),
    ],
)
def test_a_route_may_have_some_forms_only(parameter: str | None, accept: str, form: str) -> None:
    """What cannot be given is passed over."""
    assert choose_format(parameter, accept, forms=("json", "npy")) == form


def test_a_form_that_a_route_does_not_have_is_refused() -> None:
    """The error lists those that it has."""
    with pytest.raises(ParameterError, match="format is 'png'; accepted: json, npy"):
        choose_format("png", "", forms=("json", "npy"))
    with pytest.raises(NotAcceptableError, match="available: image/png"):
        choose_format(None, "image/png;q=0", forms=("png",))
