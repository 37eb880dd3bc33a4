"""The certificate of the service: checked before it serves, so that what is wrong with it is told in plain words."""

import ssl
from pathlib import Path
from typing import Final

from service.errors import SettingsError

# Forward secrecy, and no cipher that is known to be weak; TLS 1.3, which has no others, takes none of these names.
CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


def check(certificate: Path | None, key: Path | None) -> None:
    """Load them as the server will.

    Raises:
        SettingsError: One of them is missing, cannot be read, is no PEM file, is encrypted, or is not for the other.
    """
    if certificate is None:
        if key is not None:
            raise SettingsError(f"tls_key is {str(key)!r}, but there is no tls_certificate for it")
        return
    for name, file in (("tls_certificate", certificate), ("tls_key", key)):
        if file is not None:
            _open(name, file)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, _refuse_to_decrypt)
    except ssl.SSLError as error:
        raise SettingsError(f"{_names(certificate, key)} cannot be used: {_reason(error)}") from error


def _open(name: str, file: Path) -> None:
    try:
        file.open("rb").close()
    except OSError as error:
        raise SettingsError(f"{name} {file} cannot be read: {error.strerror}") from error


def _refuse_to_decrypt() -> str:
    """OpenSSL asks for a password, and would ask on the terminal."""
    raise SettingsError("the private key is encrypted, and there is nobody to ask for its password; decrypt it")


def _names(certificate: Path, key: Path | None) -> str:
    return f"tls_certificate {certificate}" + (f" with tls_key {key}" if key else ", which has to hold its key too,")


def _reason(error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key is not that of the certificate"
    return "it is no PEM file of a certificate and its key" + (f" ({error.reason})" if error.reason else "")
