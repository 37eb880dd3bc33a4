"""Promises of service.http.routes.filters."""

import io
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from service.metadata import LayerEntry
from service.settings import Settings
from tests import tiny_models
from tests.service.http.conftest import Connect

MODEL = "/v1/models/brightness"
PATH = f"{MODEL}/layers/conv/filters"


def test_json_has_kernels_and_bias(client: TestClient) -> None:
    """The convolution is 2 * x - 1."""
    assert client.get(PATH).json() == {
        "model": "brightness",
        "version": 1,
        "layer": "conv",
        "operator": "Conv",
        "shape": [1, 1, 1, 1],
        "data": [[[[2]]]],
        "bias": [-1],
    }


def test_statistics_come_in_place_of_the_kernels(client: TestClient) -> None:
    """Of the linear layer (0, 1, 2), whose first output is dead."""
    answer = client.get(f"{MODEL}/layers/head/filters?statistics=true").json()
    assert answer["shape"] == [3, 1]
    assert "data" not in answer
    assert (answer["statistics"]["mean"], answer["statistics"]["dead_channels"]) == (1, [0])


def test_npy_is_an_array(client: TestClient) -> None:
    """By parameter and by Accept; any name of the layer will do."""
    by_index = client.get(f"{MODEL}/layers/0/filters", headers={"Accept": "application/x-npy"})
    by_tensor = client.get(f"{MODEL}/layers/tensor:conv_out/filters?format=npy")
    assert by_index.content == by_tensor.content
    array = np.load(io.BytesIO(by_index.content))
    assert (array.dtype, array.tolist()) == (np.float32, [[[[2]]]])


def test_png_is_a_picture(client: TestClient) -> None:
    """The linear layer as a matrix: white for 0, red for the largest."""
    answer = client.get(f"{MODEL}/layers/head/filters?format=png&enlarge=2")
    with Image.open(io.BytesIO(answer.content)) as shown:
        assert shown.size == (2 + 2, 6 + 2)
        assert shown.getpixel((1, 1)) == (247, 245, 245)
        assert shown.getpixel((1, 6)) == (103, 0, 31)


def test_names_of_layers_may_hold_slashes(repository: Path, settings: Settings, connect: Connect) -> None:
    """As ONNX files from elsewhere have them, also one that ends in `filters`."""
    names = ("/features/conv", "block/filters", "pool", "head")
    layers = [
        LayerEntry(path=name, tensor=entry.tensor, aliases=())
        for name, entry in zip(names, tiny_models.LAYERS, strict=True)
    ]
    tiny_models.publish(repository, layers=tuple(layers))
    with connect(settings) as client:
        found = client.get(f"{MODEL}/layers//features/conv/filters")
        escaped = client.get(f"{MODEL}/versions/1/layers/%2Ffeatures%2Fconv/filters")
        other = client.get(f"{MODEL}/layers/block/filters/filters")
    assert found.json()["layer"] == escaped.json()["layer"] == "/features/conv"
    assert other.status_code == 422


def test_an_answer_is_not_sent_twice(client: TestClient) -> None:
    """304 for its tag, also where it is one of several or weak."""
    first = client.get(PATH)
    tag = first.headers["etag"]
    assert tag.startswith('"')
    for header in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = client.get(PATH, headers={"If-None-Match": header})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(PATH, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_tag_is_of_layer_form_and_parameters(client: TestClient) -> None:
    """Another answer has another tag."""
    paths = [
        PATH,
        f"{PATH}?format=npy",
        f"{PATH}?format=png",
        f"{PATH}?format=png&enlarge=2",
        f"{MODEL}/layers/head/filters",
    ]
    assert len({client.get(path).headers["etag"] for path in paths}) == len(paths)


def test_only_a_version_may_be_kept_unasked(client: TestClient) -> None:
    """Without one in the path another version may answer tomorrow."""
    assert client.get(PATH).headers["cache-control"] == "no-cache"
    assert client.get(f"{MODEL}/versions/1/layers/conv/filters").headers["cache-control"] == "max-age=86400"


def test_another_file_has_another_tag(repository: Path, settings: Settings, connect: Connect) -> None:
    """And one without metadata, whose bytes nobody vouches for, has none."""
    tiny_models.publish(repository)
    tiny_models.publish(repository, tiny_models.brightness(size=3), version=2, input=tiny_models.image_input(size=3))
    tiny_models.publish(repository, name="bare", described=False)
    with connect(settings) as client:
        tags = [client.get(f"{MODEL}/versions/{i}/layers/conv/filters").headers["etag"] for i in (1, 2)]
        bare = client.get("/v1/models/bare/layers/conv_out/filters")
    assert tags[0] != tags[1]
    assert bare.json()["data"] == [[[[2]]]]
    assert "etag" not in bare.headers


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("layers/conf/filters", 404, "the nearest: conv"),
        ("layers/pool/filters", 422, "layer 'pool' is put out by GlobalAveragePool, which has no learned kernels"),
        ("layers/*o*/filters", 400, "accepted is one layer"),
        ("layers/conv/filters?format=npz", 400, "accepted: json, npy, png"),
        ("layers/conv/filters?colormap=grey", 400, "are for format png, and format is json"),
        ("layers/conv/filters?format=npy&statistics=true", 400, "statistics come as json, and format is npy"),
        ("layers/conv/filters?format=png&enlarge=65", 400, "enlarge: Input should be less than or equal to 64"),
        ("layers/conv/filters?format=png&input_channel=0", 400, "have no extent"),
        ("layers/conv/filters?layer=1", 400, "there is no parameter 'layer'; accepted: colormap, enlarge, format"),
    ],
)
def test_a_wrong_request_is_refused(client: TestClient, path: str, status: int, message: str) -> None:
    """The answer says what would be accepted."""
    answer = client.get(f"{MODEL}/{path}")
    assert answer.status_code == status
    assert message in answer.json()["detail"]


def test_an_answer_over_the_limit_is_refused(repository: Path, settings: Settings, connect: Connect) -> None:
    """413, with what would fit."""
    tiny_models.publish(repository)
    with connect(settings.model_copy(update={"max_answer_bytes": 12})) as client:
        json, npy, png = (client.get(f"{MODEL}/layers/head/filters?format={form}") for form in ("json", "npy", "png"))
    assert [json.status_code, npy.status_code, png.status_code] == [413, 200, 413]
    assert "it would fit with format=npy, or statistics=true" in json.json()["detail"]
