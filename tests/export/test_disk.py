"""Room on the disk."""

from pathlib import Path

import pytest

from export.disk import require_space
from export.errors import SpaceError


def test_what_does_not_fit_is_told_with_what_is_free(tmp_path: Path) -> None:
    """The folder need not be there yet; a million terabytes are nowhere."""
    folder = tmp_path / "not" / "there"
    require_space(folder, 1, what="checkpoints")
    with pytest.raises(SpaceError, match=r"checkpoints take 1,000,000,000,000\.0 MB, and .*there has [0-9,.]+ MB free"):
        require_space(folder, 10**18, what="checkpoints")
