"""What is promised of the image for the CPU only."""

from tests.container.building import Image
from tests.container.conftest import Tell
from tests.container.running import Container

MEGABYTE = 1_000_000


def test_it_is_small(image: Image, tell: Tell) -> None:
    """What comes on top of the base, and the whole on a slim one."""
    tell(image.size)
    assert image.own_bytes < 250 * MEGABYTE
    assert image.bytes < 450 * MEGABYTE


def test_it_serves_on_the_cpu(container: Container) -> None:
    """Every shipped model."""
    served = container.serves()
    assert served["device"]["used"] == "cpu"
    assert "efficientnet-lite0" in {model["model"] for model in served["models"]}
    assert {(model["state"], model["device"]) for model in served["models"]} == {("ready", "cpu")}
