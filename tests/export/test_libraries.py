"""Networks of torchvision and timm, by name."""

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torchvision import models
from torchvision.models import MNASNet0_5_Weights

from export import libraries
from export.errors import CheckpointError, RecipeError, ToolsError

SMALL = "torchvision/mnasnet0_5"
WEIGHTS = MNASNet0_5_Weights.DEFAULT


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Random weights of a small network."""
    torch.manual_seed(0)
    path = tmp_path / "net.pth"
    torch.save(models.mnasnet0_5(weights=None).state_dict(), path)
    return path


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    """As they have to be typed; networks that are no classifiers are not among them."""
    with pytest.raises(
        RecipeError, match=r"no classifier 'convnext_tin'; the nearest names: torchvision/convnext_tiny"
    ):
        libraries.find_architecture("torchvision/convnext_tin")
    with pytest.raises(RecipeError, match="no classifier 'fcn_resnet50'"):
        libraries.untrained("torchvision/fcn_resnet50")
    with pytest.raises(RecipeError, match="'keras' in 'keras/vgg16' is no library; there are: torchvision, timm"):
        libraries.untrained("keras/vgg16")


def test_one_of_our_own_is_found_by_its_key() -> None:
    """And an unknown one is answered with those that there are."""
    assert libraries.find_architecture("lenet5").build.__module__ == "export.architectures.lenet5"
    with pytest.raises(RecipeError, match="no architecture is called 'lenet'"):
        libraries.find_architecture("lenet")


def test_the_input_is_what_torchvision_says_of_its_weights() -> None:
    """Size, crop, interpolation, mean and deviation: bicubic and 236 of 256 here."""
    spec = libraries.untrained("torchvision/convnext_tiny").input
    preset = models.ConvNeXt_Tiny_Weights.DEFAULT.transforms()
    assert (spec.height, spec.width) == (preset.crop_size[0],) * 2
    assert spec.crop_fraction == preset.crop_size[0] / preset.resize_size[0]
    assert (spec.interpolation, spec.mean, spec.std) == (
        preset.interpolation.value,
        tuple(preset.mean),
        tuple(preset.std),
    )


def test_the_input_is_what_timm_says_of_its_weights() -> None:
    """From `pretrained_cfg`."""
    spec = libraries.untrained("timm/resnet18.a1_in1k").input
    assert (spec.height, spec.crop_fraction, spec.interpolation) == (224, 0.95, "bicubic")
    assert libraries.untrained("timm/resnet18.a1_in1k").name == "timm-resnet18.a1-in1k-random"


def test_without_timm_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is optional."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ToolsError, match=r"pip install 'striate\[timm\]'"):
        libraries.untrained("timm/resnet18")


def test_weights_of_a_file_that_nobody_knows_come_without_claims(checkpoint: Path) -> None:
    """No classes, no figures, no licence: they would be those of other weights."""
    found = libraries.trained(SMALL, checkpoint=checkpoint)
    assert torch.equal(found.network.state_dict()["classifier.1.weight"], torch.load(checkpoint)["classifier.1.weight"])
    assert (found.labels, found.reported, found.license) == (None, (), "NOASSERTION")
    assert (found.weights, found.dataset) == ("the file net.pth", "not known here")
    assert not found.network.training


def test_a_file_that_torchvision_published_is_known_by_its_digest(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Downloaded elsewhere, it comes with its classes and figures."""
    digits = hashlib.sha256(checkpoint.read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(
        type(WEIGHTS), "url", property(lambda _self: f"https://example.org/net-{digits}.pth"), raising=False
    )
    check(libraries.trained(SMALL, checkpoint=checkpoint))


def test_downloaded_weights_come_with_all_that_torchvision_says(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Classes, figures with their source, and honest words about the licence."""
    asked = []

    def download(url: str, **_options: object) -> dict[str, torch.Tensor]:
        asked.append(url)
        return torch.load(checkpoint)  # type: ignore[no-any-return]

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    found = libraries.trained(SMALL, checkpoint=None)
    assert asked == [WEIGHTS.url]
    assert torch.equal(found.network.state_dict()["classifier.1.weight"], torch.load(checkpoint)["classifier.1.weight"])
    check(found)


def check(found: libraries.Trained) -> None:
    """What is said of torchvision's own weights."""
    assert found.labels == tuple(WEIGHTS.meta["categories"])
    [top1, top5] = found.reported
    assert (top1.metric, top1.value, top1.images) == ("top-1 accuracy", 0.67734, 50_000)
    assert (top5.metric, top5.source) == ("top-5 accuracy", WEIGHTS.meta["recipe"])
    assert found.license == "NOASSERTION"
    assert "states no licence" in found.limits[0]


def test_a_download_that_fails_names_the_way_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a firewall, say."""

    def download(*_given: object, **_options: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    with pytest.raises(RecipeError, match=r"cannot be downloaded: .*no route to host.*; pass --checkpoint FILE"):
        libraries.trained(SMALL, checkpoint=None)


def test_a_checkpoint_of_another_network_is_refused(checkpoint: Path) -> None:
    """With the names that differ."""
    with pytest.raises(CheckpointError, match=r"net\.pth is of another network: it lacks "):
        libraries.trained("torchvision/squeezenet1_1", checkpoint=checkpoint)


def test_torchvisions_inception_is_taken_from_a_file_with_its_auxiliary_head(tmp_path: Path) -> None:
    """The file that torchvision publishes has one; the network is built without."""
    full = models.googlenet(weights=None, aux_logits=True, init_weights=False)
    torch.save(full.state_dict(), tmp_path / "net.pth")
    found = libraries.trained("torchvision/googlenet", checkpoint=tmp_path / "net.pth")
    assert not [name for name in found.network.state_dict() if name.startswith("aux")]
    assert found.network.transform_input


def test_a_licence_that_a_library_states_is_passed_on(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some weights of torchvision have one."""
    monkeypatch.setitem(WEIGHTS.meta, "license", "https://example.org/LICENSE")
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *_, **__: torch.load(checkpoint))
    found = libraries.trained(SMALL, checkpoint=None)
    assert found.limits[0] == "The licence of the weights: https://example.org/LICENSE"


def test_importing_this_does_not_import_timm() -> None:
    """It takes seconds, and need not be there."""
    program = "import sys; import export.libraries; assert 'timm' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
