"""Promises of service.http.negotiation."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import NotAcceptableError, ParameterError
from service.feature_maps import Format
from service.http.negotiation import MEDIA_TYPES, choose_format

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


ranges = st.sampled_from([*MEDIA_TYPES.values(), "*/*", "image/*", "text/html", ""])
weights = st.sampled_from(["", ";q=0", ";q=0.5", "; Q=1", ";q=nan", ";q=inf", ";q=-1", ";q=x", ";level=1;q=.1"])


@given(
    items=st.lists(st.builds(str.__add__, ranges, weights) | st.text(max_size=8), max_size=6),
    parameter=st.none() | st.sampled_from([*MEDIA_TYPES]) | st.text(max_size=5),
)
def test_any_header_chooses_a_form_or_is_refused(items: list[str], parameter: str | None) -> None:
    """Whatever a caller accepts."""
    with contextlib.suppress(NotAcceptableError, ParameterError):
        assert choose_format(parameter, ",".join(items)) in MEDIA_TYPES


@given(form=st.sampled_from([*MEDIA_TYPES]), others=st.lists(ranges, max_size=4))
def test_what_is_wanted_most_is_given(form: Format, others: list[str]) -> None:
    """Wherever in the header it stands."""
    lesser = [f"{other};q=0.9" for other in others]
    for place in range(len(lesser) + 1):
        accept = ", ".join([*lesser[:place], MEDIA_TYPES[form], *lesser[place:]])
        assert choose_format(None, accept) == form
