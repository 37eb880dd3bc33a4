"""Which form of an answer the caller wants: `?format=` goes before `Accept`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from service.errors import NotAcceptableError, ParameterError
from service.feature_maps import Format

MEDIA_TYPES: Final[Mapping[Format, str]] = {
    "json": "application/json",
    "npy": "application/x-npy",
    "npz": "application/x-npz",
    "safetensors": "application/x-safetensors",
    "png": "image/png",
}


def choose_format(parameter: str | None, accept: str, *, forms: Sequence[Format] = tuple(MEDIA_TYPES)) -> Format:
    """Choose the form of an answer.

    Args:
        parameter: The value of `?format=`, None where it is not given.
        accept: The `Accept` header; empty where it is not given.
        forms: Those that can be given; of equally good ones the first is taken.

    Raises:
        ParameterError: There is no such format here.
        NotAcceptableError: `Accept` names none that can be given.

    >>> choose_format(None, "image/png, application/json;q=0.5")
    'png'
    """
    if parameter is not None:
        for form in forms:
            if form == parameter:
                return form
        raise ParameterError(f"format is {parameter!r}; accepted: {', '.join(forms)}")
    for media_range in _by_preference(accept or "*/*"):
        for form in forms:
            media_type = MEDIA_TYPES[form]
            if media_range in ("*/*", media_type, f"{media_type.split('/')[0]}/*"):
                return form
    available = ", ".join(MEDIA_TYPES[form] for form in forms)
    raise NotAcceptableError(f"Accept is {accept!r}; available: {available}")


def _by_preference(accept: str) -> Iterator[str]:
    """The media ranges of an `Accept` header, those with the highest q first; q=0 means not this one."""
    weighted = []
    for item in accept.split(","):
        media_range, *parameters = (part.strip().lower() for part in item.split(";"))
        weighted.append((_weight(parameters), media_range))
    yield from (media_range for q, media_range in sorted(weighted, key=lambda pair: -pair[0]) if q > 0)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
