"""Promises of service.http.certificates."""

from pathlib import Path

import pytest

from service.errors import SettingsError
from service.http.certificates import check
from tests import certificates


def test_a_certificate_and_its_key_are_good(tmp_path: Path) -> None:
    """In two files, or in one; and so is none at all."""
    made = certificates.make(tmp_path)
    check(made.certificate, made.key)
    both = tmp_path / "both.pem"
    both.write_bytes(made.certificate.read_bytes() + made.key.read_bytes())
    check(both, None)
    check(None, None)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    """In plain words."""
    one, other = certificates.make(tmp_path, "one"), certificates.make(tmp_path, "other")
    with pytest.raises(
        SettingsError, match=r"one.pem with tls_key .*other-key.pem .*: the key is not that of the cert"
    ):
        check(one.certificate, other.key)


def test_half_of_it_is_refused(tmp_path: Path) -> None:
    """A key without a certificate, and a certificate without its key."""
    made = certificates.make(tmp_path)
    with pytest.raises(SettingsError, match=r"tls_key is .*, but there is no tls_certificate"):
        check(None, made.key)
    with pytest.raises(SettingsError, match="server.pem, which has to hold its key too, cannot be used"):
        check(made.certificate, None)


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_is_refused(tmp_path: Path, content: bytes) -> None:
    """Empty, no PEM, or damaged."""
    made = certificates.make(tmp_path)
    made.certificate.write_bytes(content)
    with pytest.raises(SettingsError, match=r"server.pem .*it is no PEM file of a certificate and its key$"):
        check(made.certificate, made.key)


def test_a_weak_key_is_refused(tmp_path: Path) -> None:
    """With the reason that OpenSSL gives."""
    made = certificates.make(tmp_path, bits=512)
    with pytest.raises(SettingsError, match=r"server.pem .* cannot be used: .* \(EE_KEY_TOO_SMALL\)"):
        check(made.certificate, made.key)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Which of the two, and why."""
    made = certificates.make(tmp_path)
    with pytest.raises(SettingsError, match=r"tls_certificate .*missing cannot be read: No such file"):
        check(tmp_path / "missing", made.key)
    with pytest.raises(SettingsError, match=r"tls_key .* cannot be read: Is a directory"):
        check(made.certificate, tmp_path)


def test_nobody_is_asked_for_a_password(tmp_path: Path) -> None:
    """A service that waits at the terminal does not start."""
    made = certificates.make(tmp_path)
    locked = tmp_path / "locked.pem"
    certificates.openssl("pkey", "-in", str(made.key), "-out", str(locked), "-aes128", "-passout", "pass:secret")
    with pytest.raises(SettingsError, match="the private key is encrypted"):
        check(made.certificate, locked)
