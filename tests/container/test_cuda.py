"""What is promised of the image for NVIDIA GPUs, on a machine that has none."""

from tests.container.building import Image
from tests.container.conftest import Run, Tell
from tests.container.running import Container


def test_it_has_the_libraries(image: Image, tell: Tell) -> None:
    """Those of CUDA and cuDNN come with the packages."""
    tell(image.size)
    libraries = {path.name for path in image.folder.glob("opt/striate/lib/python3*/site-packages/nvidia/**/*.so*")}
    for name in ("libcudart.so", "libcublas.so", "libcudnn.so", "libcufft.so"):
        assert any(library.startswith(name) for library in libraries), name


def test_it_is_shown_the_gpu(image: Image) -> None:
    """By NVIDIA's container runtime, which looks for these."""
    assert image.environment["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert image.environment["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"


def test_it_falls_back_to_the_cpu_and_says_so(container: Container) -> None:
    """In the log and in `/v1/models`, with the reason."""
    device = container.serves()["device"]
    assert (device["requested"], device["used"]) == ("auto", "cpu")
    assert device["reason"]
    assert device["reason"] in container.log.read_text()


def test_it_does_not_start_where_a_gpu_is_demanded(run: Run) -> None:
    """It tells what does not come up."""
    with run(STRIATE_DEVICE="cuda") as container:
        assert container.wait() == 1
        assert "CUDA" in container.log.read_text()
