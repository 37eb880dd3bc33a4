"""PyTorch modules of one's own, and what their output means."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from export import modules
from export.errors import RecipeError
from export.recipes import OwnModule
from service.metadata import ImageInput

MADE_FROM = OwnModule(
    name="mine",
    summary="A network of one's own.",
    path="mine:build",
    checkpoint=Path("mine.pt"),
    input=ImageInput(
        name="images",
        height=4,
        width=4,
        color="grey",
        crop_fraction=1.0,
        interpolation="bilinear",
        rescale_factor=1 / 255,
        mean=(0.5,),
        std=(0.5,),
    ),
    values=None,
    labels=None,
    license="NOASSERTION",
)
CLASSES = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
MAPS = nn.Conv2d(1, 2, 3)


class Pair(nn.Module):
    """Two answers."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The images twice."""
        return images, images


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a module, which is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    monkeypatch.setattr("sys.modules", dict(__import__("sys").modules))
    (tmp_path / "own_network.py").write_text(
        "from torch import nn\ndef build():\n    return nn.Conv2d(1, 2, 3)\ndef wrong():\n    return 3\n"
    )
    return tmp_path


@pytest.mark.usefixtures("here")
def test_a_factory_in_the_working_directory_is_called() -> None:
    """As is a class."""
    assert isinstance(modules.build("own_network:build"), nn.Conv2d)
    assert isinstance(modules.build("torch.nn:Identity"), nn.Identity)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("own_network", "is no Python path; accepted: package.file:factory"),
        ("own_network:", "is no Python path"),
        ("gone:build", "gives no network: ModuleNotFoundError: No module named 'gone'"),
        ("own_network:gone", "gives no network: AttributeError"),
        ("torch.nn:Linear", "gives no network: TypeError"),
        ("own_network:wrong", "gives no PyTorch module, but a int"),
    ],
)
def test_a_path_that_gives_no_network_is_told(path: str, message: str) -> None:
    """With what Python says."""
    with pytest.raises(RecipeError, match=message):
        modules.build(path)


def test_what_an_output_means_follows_from_its_shape() -> None:
    """A row of numbers is logits, anything else no classes, and it can be said otherwise."""
    classes = modules.output_of(CLASSES, MADE_FROM)
    assert (classes.name, classes.values) == ("logits", "logits")
    maps = modules.output_of(MAPS, MADE_FROM)
    assert (maps.name, maps.values) == ("output", "none")
    probabilities = modules.output_of(
        CLASSES, dataclasses.replace(MADE_FROM, values="probabilities", labels=("a", "b", "c"))
    )
    assert (probabilities.name, probabilities.labels) == ("probabilities", ("a", "b", "c"))


@pytest.mark.parametrize(
    ("network", "changes", "message"),
    [
        (CLASSES, {"labels": ("a", "b")}, r"there are 2 labels, and mine:build gives \(3,\) for an image"),
        (MAPS, {"labels": ("a", "b")}, r"there are 2 labels, and mine:build gives \(2, 2, 2\)"),
        (MAPS, {"values": "logits"}, r"gives \(2, 2, 2\) for an image; classes are one row of numbers"),
        (nn.Conv2d(3, 2, 3), {}, r"does not take images \(1, 4, 4\): RuntimeError"),
        (Pair(), {}, "gives a tuple; accepted: one tensor"),
    ],
    ids=["too few labels", "labels of maps", "maps as classes", "another input", "two outputs"],
)
def test_an_output_that_does_not_fit_is_told(network: nn.Module, changes: dict[str, object], message: str) -> None:
    """Before anything is converted."""
    with pytest.raises(RecipeError, match=message):
        modules.output_of(network.eval(), dataclasses.replace(MADE_FROM, **changes))  # type: ignore[arg-type]


def test_a_module_is_run_as_it_answers_later(here: Path) -> None:
    """Without gradients, and as many images as there may be."""
    del here
    seen: list[torch.Size] = []

    class Watched(nn.Flatten):
        def forward(self, images: Tensor) -> Tensor:
            assert torch.is_inference_mode_enabled()
            seen.append(images.shape)
            return super().forward(images)

    modules.output_of(Watched(), MADE_FROM)
    assert seen == [torch.Size((2, 1, 4, 4))]
