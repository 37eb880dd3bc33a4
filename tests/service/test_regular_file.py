"""Promises of service.regular_file."""

import os
import socket
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from service import regular_file
from service.errors import ModelFileError


def test_a_file_is_read(tmp_path: Path) -> None:
    """Also through a link, up to the limit."""
    (tmp_path / "a").write_bytes(b"four")
    (tmp_path / "b").symlink_to("a")
    assert regular_file.read(tmp_path / "b", max_bytes=4) == b"four"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """One of a terabyte that takes no room on the disk: it says how much is accepted."""
    path = tmp_path / "a"
    path.touch()
    os.truncate(path, 2**40)
    with pytest.raises(ModelFileError, match=r"a has 1,099,511,627,776 bytes; accepted: up to 1,000$"):
        regular_file.read(path, max_bytes=1000)


def test_what_would_be_waited_for_is_not_opened(tmp_path: Path) -> None:
    """A pipe without a writer, a device without an end, a folder, a socket."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name, kind in (("pipe", "a pipe"), ("device", "a pipe, a socket or a device"), ("folder", "a folder")):
        with pytest.raises(ModelFileError, match=f"^{name} cannot be read: it is {kind}"):
            regular_file.read(tmp_path / name, max_bytes=1000)
    with TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listener:  # whose path is short enough
        listener.bind(f"{short}/socket")
        with pytest.raises(ModelFileError, match="^socket cannot be read: it is a pipe, a socket"):
            regular_file.read(Path(short, "socket"), max_bytes=1000)


def test_what_takes_the_place_of_a_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe, in the moment between the look at it and the opening: opening it waits for nobody."""
    path = tmp_path / "a"
    path.write_bytes(b"four")
    opened = os.open

    def swap(name: Path, flags: int) -> int:
        path.unlink()
        os.mkfifo(path)
        assert flags & os.O_NONBLOCK, "it would wait"
        return opened(name, flags)

    monkeypatch.setattr(os, "open", swap)
    with pytest.raises(ModelFileError, match="^a cannot be read: it is a pipe"):
        regular_file.read(path, max_bytes=1000)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is of Linux")
def test_no_more_is_read_than_a_file_says_it_has() -> None:
    """It may grow meanwhile: as one of the system, which says that it is empty."""
    path = Path("/proc/self/maps")
    assert path.read_bytes()
    assert regular_file.read(path, max_bytes=1) == b""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "cannot be read: No such file"),
        ("circle", "cannot be read: Too many levels of symbolic links"),
        ("x" * 300, "cannot be read: File name too long"),
        ("null\0byte", "cannot be the name of a file"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, name: str, reason: str) -> None:
    """By its name, and without its folder."""
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(ModelFileError, match=reason) as raised:
        regular_file.read(tmp_path / name, max_bytes=1000)
    assert str(tmp_path) not in str(raised.value)


def test_a_link_to_nowhere_is_there(tmp_path: Path) -> None:
    """It is to be told, and not to be taken for a file that nobody wanted."""
    (tmp_path / "link").symlink_to("nowhere")
    assert regular_file.is_there(tmp_path / "link")
    assert not regular_file.is_there(tmp_path / "missing")
    assert not regular_file.is_there(tmp_path / "link" / "below")
    (tmp_path / "file").touch()
    assert not regular_file.is_there(tmp_path / "file" / "below")
    with pytest.raises(ModelFileError, match="^x+ cannot be read: File name too long"):
        regular_file.is_there(tmp_path / ("x" * 300))
