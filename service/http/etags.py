"""Entity tags: whether a caller already has an answer (RFC 9110, section 8.8.3)."""

import hashlib
import re
from typing import Final

_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


def strong_tag(content: bytes) -> str:
    """The strong tag of what an answer is made of.

    >>> strong_tag(b"")
    '"e3b0c44298fc1c149afbf4c8996fb924"'
    """
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def is_known(header: str, tag: str | None) -> bool:
    """Whether `If-None-Match` names a tag.

    >>> is_known('W/"a", "b"', '"a"')
    True
    """
    return tag is not None and (header.strip() == "*" or tag in _TAG.findall(header))
