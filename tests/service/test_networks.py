"""Promises of service.networks."""

import pytest
from pydantic import TypeAdapter, ValidationError

from service.networks import Networks, Origins, network_of


@pytest.mark.parametrize(
    ("address", "other"),
    [
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"),
        ("2001:DB8:0:0:1::", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::2"),
    ],
)
def test_addresses_of_one(address: str, other: str) -> None:
    """Half of an IPv6 address is anybody's own choice; an IPv4 address may be written as one of IPv6."""
    assert network_of(address) == network_of(other)


@pytest.mark.parametrize(
    ("address", "other"),
    [
        ("192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8:0:1::1"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("nonsense:", ""),
    ],
)
def test_addresses_of_two(address: str, other: str) -> None:
    """Neither takes anything from the other."""
    assert network_of(address) != network_of(other)


@pytest.mark.parametrize("value", ["10.0.0.7", "10.0.0.0/8", "::1", "2001:db8::/32", "10.0.0.7, ::1", ["::1"], ""])
def test_networks_are_accepted(value: object) -> None:
    """With commas between them, or as an array."""
    TypeAdapter[tuple[str, ...]](Networks).validate_python(value)


@pytest.mark.parametrize("value", ["10.0.0.1/8", "*", "proxy.example.org", "10.0.0.7;::1", [1]])
def test_what_is_no_network_is_refused(value: object) -> None:
    """Also a name, as nobody asks for its address at each request."""
    with pytest.raises(ValidationError, match=r"accepted: as 10\.0\.0\.7|valid string"):
        TypeAdapter[tuple[str, ...]](Networks).validate_python(value)


@pytest.mark.parametrize("value", ["https://example.org", "http://localhost:3000,https://[::1]:8443", "*"])
def test_origins_are_accepted(value: str) -> None:
    """Scheme, host and port."""
    assert TypeAdapter[tuple[str, ...]](Origins).validate_python(value) == tuple(value.split(","))


@pytest.mark.parametrize("value", ["example.org", "https://example.org/", "https://*.example.org", "null", "file://"])
def test_what_is_no_origin_is_refused(value: str) -> None:
    """A browser never sends it, so that it would have no effect."""
    with pytest.raises(ValidationError, match="is no origin"):
        TypeAdapter[tuple[str, ...]](Origins).validate_python(value)
