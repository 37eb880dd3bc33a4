"""Who may call: keys by their hashes, each with the name of a caller and a role.

A file of keys has a line for each key; what follows a `#` is a remark:

    # name   role     SHA-256 of the key
    web      caller   sha256:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8

A key is 256 random bits: nobody finds them from their SHA-256 by guessing, so that the slow and salted hashes that
passwords need would only make requests slow.
"""

import hashlib
import hmac
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from service import regular_file
from service.errors import ModelFileError, SettingsError

log = logging.getLogger(__name__)

Role = Literal["caller", "metrics", "admin"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HASH: Final = re.compile(r"sha256:([0-9a-f]{64})")
_PREFIX: Final = "striate_"  # by which programs that look for leaked secrets know a key
_RANDOM_BYTES: Final = 32
_MAX_BYTES: Final = 2**20
_LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Key:
    """One key, which itself is known to nobody but its caller.

    Args:
        name: Of the caller.  Several keys may have it, as the old and the new one while a caller changes over.
        role: `caller` may do all but what the others are for, `metrics` may read the metrics, `admin` may do anything.
        digest: The SHA-256 of the key.
    """

    name: str
    role: Role
    digest: bytes

    def may(self, role: Role) -> bool:
        """Whether it is good for what takes a role."""
        return self.role in (role, "admin")

    def line(self) -> str:
        """Its line in a file of keys."""
        return f"{self.name} {self.role} sha256:{self.digest.hex()}"


_NOBODY: Final = Key("", "caller", bytes(hashlib.sha256().digest_size))


def make_key(name: str, role: Role) -> tuple[str, Key]:
    """Make a key: what the caller sends, and what the service keeps.

    Raises:
        SettingsError: The name is no name of a caller.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(f"the name is {name!r}; accepted: up to 64 of A-Z, a-z, 0-9, '.', '_' and '-'")
    sent = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    return sent, Key(name, role, digest_of(sent.encode()))


def digest_of(sent: bytes) -> bytes:
    """The SHA-256 of a key."""
    return hashlib.sha256(sent).digest()


def parse_keys(content: bytes) -> list[Key]:
    """Read a file of keys.  No error repeats what a line holds: a key itself may stand there by mistake.

    Raises:
        SettingsError: A line is no key, a key is there twice, or there is none.
    """
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise SettingsError("it is no text") from error
    words = [(number, line.split("#")[0].split()) for number, line in enumerate(lines, 1)]
    keys = [_parse(number, found) for number, found in words if found]
    if len({key.digest for key in keys}) < len(keys):
        raise SettingsError("a key is there twice")
    if not keys:
        raise SettingsError("there is no key in it")
    return keys


def _parse(number: int, words: list[str]) -> Key:
    match words:
        case [name, ("caller" | "metrics" | "admin") as role, hashed] if _NAME.fullmatch(name):
            if found := _HASH.fullmatch(hashed):
                return Key(name, role, bytes.fromhex(found[1]))
    raise SettingsError(
        f"line {number} is no key; accepted: NAME ROLE sha256:HEX with the role {', '.join(ROLES)}"
        " and 64 hexadecimal digits, as `striate keys new NAME` prints it"
    )


class KeyRing:
    """The keys that are good now.  A file of keys is looked at again once a second; a wrong one changes nothing.

    Args:
        file: A file of keys; where there is one, every call takes a key.
        admin_key: One more key of the role `admin`, as it is sent; empty for none.
        clock: Seconds.

    Raises:
        SettingsError: The file cannot be read, or is no file of keys.
    """

    def __init__(
        self, file: Path | None = None, *, admin_key: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._file = file
        self._own = [Key("admin", "admin", digest_of(admin_key.encode()))] if admin_key else []
        self._clock = clock
        self._keys: Mapping[bytes, Key] = {}
        self._content: bytes | None = None
        self._fault = ""
        self._look_at = clock() + _LOOK_SECONDS
        if file is None:
            self._use(self._own)
        else:
            self._content = _read(file)
            self._use([*_parsed(file, self._content), *self._own])

    @property
    def guards(self) -> bool:
        """Whether every call takes a key, and not only those of an admin."""
        return self._file is not None

    @property
    def has_admin(self) -> bool:
        """Whether there is a key for the calls of an admin."""
        return any(key.role == "admin" for key in self._keys.values())

    def find(self, sent: bytes) -> Key | None:
        """The key that was sent; None where it is none of these.

        It is looked up by its SHA-256, and compared in constant time, so that the time that this takes tells nothing
        about any key; and it takes as long for a wrong one, or none at all.
        """
        if self._file is not None and self._clock() >= self._look_at:
            self._look(self._file)
        digest = digest_of(sent)
        key = self._keys.get(digest, _NOBODY)
        return key if hmac.compare_digest(key.digest, digest) else None

    def _look(self, file: Path) -> None:
        """Read the file again.  Its content is compared: times of files are too coarse to tell every change."""
        self._look_at = self._clock() + _LOOK_SECONDS
        try:
            content = _read(file)
            if content == self._content:
                return
            keys = _parsed(file, content)
        except SettingsError as error:
            if str(error) != self._fault:
                log.error("the keys stay as they were: %s", error)  # noqa: TRY400  (it is no fault of ours)
            self._fault = str(error)
            return
        self._content, self._fault = content, ""
        self._use([*keys, *self._own])
        log.info("keys read again: %d in %s", len(keys), file)

    def _use(self, keys: Iterable[Key]) -> None:
        self._keys = {key.digest: key for key in keys}


def parse_file(file: Path) -> list[Key]:
    """Read a file of keys.

    Raises:
        SettingsError: It cannot be read, or is no file of keys.
    """
    return _parsed(file, _read(file))


def _read(file: Path) -> bytes:
    try:
        return regular_file.read(file, max_bytes=_MAX_BYTES)
    except ModelFileError as error:
        raise SettingsError(f"keys_file {file}: {error}") from error


def _parsed(file: Path, content: bytes) -> list[Key]:
    try:
        return parse_keys(content)
    except SettingsError as error:
        raise SettingsError(f"keys_file {file}: {error}") from error
