"""Weights from a file."""

import hashlib
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from export import weights
from export.errors import CheckpointError
from tests.export.conftest import Trap


@pytest.fixture
def other() -> Trap:
    """The network of `trap` with other numbers."""
    torch.manual_seed(1)
    return Trap()


def same(first: nn.Module, second: nn.Module) -> bool:
    """Whether all numbers are."""
    theirs = second.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in first.state_dict().items())


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_a_state_dict_is_read_alone_or_beside_other_things(
    trap: Trap, other: Trap, tmp_path: Path, wrapper: str | None
) -> None:
    """As programs that train write it."""
    state = trap.state_dict()
    torch.save(state if wrapper is None else {wrapper: state, "epoch": 3}, tmp_path / "net.pth")
    weights.load(other, tmp_path / "net.pth")
    assert same(trap, other)


def test_a_safetensors_file_is_read(trap: Trap, other: Trap, tmp_path: Path) -> None:
    """As the hubs have it."""
    safetensors.torch.save_file(trap.state_dict(), tmp_path / "net.safetensors")
    weights.load(other, tmp_path / "net.safetensors")
    assert same(trap, other)


def test_a_file_of_another_network_is_refused_with_the_names_that_differ(trap: Trap, tmp_path: Path) -> None:
    """What it lacks, what is too many, and what has another shape; a network keeps its numbers then."""
    state = trap.state_dict()
    state["conv3.weight"] = state.pop("conv2.weight")
    state["conv1.bias"] = torch.zeros(7)
    torch.save(state, tmp_path / "net.pth")
    before = trap.conv1.weight.clone()
    with pytest.raises(CheckpointError) as caught:
        weights.load(trap, tmp_path / "net.pth")
    text = str(caught.value)
    assert (
        "it lacks conv2.weight; the network has no conv3.weight; of another shape: conv1.bias is (7,), not (4,)" in text
    )
    assert torch.equal(trap.conv1.weight, before)


def test_many_names_are_cut_short(trap: Trap, tmp_path: Path) -> None:
    """A message is not as long as a network."""
    torch.save({f"other.{index}": torch.zeros(1) for index in range(40)}, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=r"other\.4 and 35 more"):
        weights.load(trap, tmp_path / "net.pth")


def test_heads_that_a_network_is_built_without_are_left_out(trap: Trap, other: Trap, tmp_path: Path) -> None:
    """By the beginnings of their names."""
    torch.save({**trap.state_dict(), "aux1.fc.weight": torch.zeros(3)}, tmp_path / "net.pth")
    weights.load(other, tmp_path / "net.pth", left_out=("aux1.",))
    assert same(trap, other)


class Trick:
    """Would run a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """What a pickle runs."""
        return print, ("it ran",)


def test_nothing_in_a_file_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pickle can hold any program: it is refused, and what would be accepted is named."""
    torch.save({"state_dict": Trick()}, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=r"damaged, or holds more than weights; accepted is what `torch\.save"):
        weights.read(tmp_path / "net.pth")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("data", [b"", b"no weights", b"PK\x03\x04 and no more"])
@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
def test_a_damaged_file_is_told_plainly(tmp_path: Path, name: str, data: bytes) -> None:
    """Empty, text, or cut off."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged, or holds more than weights"):
        weights.read(tmp_path / name)


def test_a_missing_file_and_one_without_weights_are_told_plainly(tmp_path: Path) -> None:
    """Which file, and what is wrong with it."""
    with pytest.raises(CheckpointError, match="cannot be read: No such file"):
        weights.read(tmp_path / "net.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="holds no state dict"):
        weights.read(tmp_path / "list.pth")


def test_a_published_file_is_known_by_its_digits(tmp_path: Path) -> None:
    """The address holds the beginning of the SHA-256."""
    path = tmp_path / "net.pth"
    path.write_bytes(b"weights")
    digits = hashlib.sha256(b"weights").hexdigest()[:8]
    assert weights.is_published_as(path, f"https://example.org/net-{digits}.pth")
    assert not weights.is_published_as(path, "https://example.org/net-00000000.pth")
    assert not weights.is_published_as(path, "https://example.org/net.pth")
