"""Ten thousand damaged images, and ten thousand damaged requests: no fault, no hang, no end of memory."""

from pathlib import Path
from typing import Final

from tests.fuzz.targets import ImageTarget, RequestTarget, fuzz

CASES: Final = 10_000


def test_images() -> None:
    """Each is decoded, or refused by an error that says why."""
    tally = fuzz(ImageTarget(0), cases=CASES)
    assert tally.cases == CASES
    # Where nearly all or nearly none are refused, what lies behind the headers was not reached.
    assert CASES * 0.1 < tally.answered < CASES * 0.9


def test_requests(tmp_path: Path) -> None:
    """Each is answered, or refused with a status and a message."""
    target = RequestTarget(0, tmp_path)
    tally = fuzz(target, cases=CASES)
    target.close()
    assert tally.cases == CASES
    assert CASES * 0.1 < tally.answered < CASES * 0.9
