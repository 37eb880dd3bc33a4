"""Addresses, networks and origins: where requests come from."""

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator

_IPV6_NETWORK_BITS: Final = 64  # what one subscriber gets: there are 2^64 addresses in it
_ORIGIN: Final = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d{1,5})?")


def network_of(address: str) -> str:
    """Whose an address is: an IPv4 address is its own, of IPv6 the first half counts.

    >>> network_of("192.0.2.1"), network_of("2001:db8::1:2"), network_of("::ffff:192.0.2.1")
    ('192.0.2.1', '2001:db8::/64', '192.0.2.1')
    """
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed), _IPV6_NETWORK_BITS), strict=False))


def _split(value: object) -> object:
    """A flag or variable has commas between the values of a list; in a file it is an array."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _each(check: Callable[[str], None]) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    def checked(values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            check(value)
        return values

    return checked


def _check_network(value: str) -> None:
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no address and no network; accepted: as 10.0.0.7 or 10.0.0.0/8") from error


def _check_origin(value: str) -> None:
    if value != "*" and not _ORIGIN.fullmatch(value):
        raise ValueError(f"{value!r} is no origin; accepted: as https://example.org or http://localhost:3000, or *")


Networks = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_each(_check_network))]
Origins = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_each(_check_origin))]
