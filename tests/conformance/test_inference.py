"""Inference in JSON (Open Inference Protocol, "Inference", "Tensor Data")."""

import math
from typing import Any

import pytest

from tests.conformance.conftest import Check, Target


def test_every_output_where_none_is_named(target: Target) -> None:
    """A request that names no outputs gets all of them.

    Specification: Optional, if not specified all outputs produced by the model will be returned using default
    $request_output settings.
    """
    answer = target.infer(target.request()).json
    wanted = [tensor["name"] for tensor in target.metadata["outputs"]]
    assert [output["name"] for output in answer["outputs"]] == wanted
    assert answer["model_name"] == target.model


def test_outputs_have_the_shape_that_they_tell(target: Target) -> None:
    """As many values come as the shape of an output has.

    Specification: Each output is described using the $response_output schema.
    """
    for output in target.infer(target.request()).json["outputs"]:
        assert len(_flat(output["data"])) == math.prod(output["shape"])


def test_outputs_in_the_order_asked_for(target: Target) -> None:
    """Outputs come in the order of the request.

    Specification: The output tensors requested for this inference.
    """
    names = [tensor["name"] for tensor in target.metadata["outputs"]][::-1]
    answer = target.infer(target.request(outputs=[{"name": name} for name in names])).json
    assert [output["name"] for output in answer["outputs"]] == names


def test_the_id_comes_back(target: Target) -> None:
    """What a request calls itself is in its answer.

    Specification: Optional, but if specified this identifier must be returned in the response.
    """
    assert target.infer(target.request(id="a-1")).json["id"] == "a-1"


def test_data_may_be_nested_or_flat(target: Target) -> None:
    """Nested lists and a flat one are the same tensor.

    Specification: the shape and data must represent the full shape and contents of the entire batch.
    """
    flat = target.request()
    nested = target.request()
    for tensor in nested["inputs"]:
        tensor["data"] = _nested(tensor["data"], tensor["shape"])
    assert target.infer(nested).json["outputs"] == target.infer(flat).json["outputs"]


def test_keys_that_are_not_known_are_ignored(target: Target) -> None:
    """The example of the binary extension sends a key that $inference_request does not have.

    Specification: { "model_name" : "mymodel", "inputs" : [ … (Triton, binary_tensor_data)
    """
    target.infer(target.request(model_name=target.model))


def test_a_version_may_be_named(target: Target) -> None:
    """Every version that is listed can be asked.

    Specification: The model name and (optionally) version must be available in the URL.
    """
    for version in target.metadata.get("versions", []):
        answer = target.client.post(f"{target.path}/versions/{version}/infer", json=target.request())
        assert answer.status_code == 200
        assert answer.json().get("model_version", version) == version


def test_chunks(target: Target) -> None:
    """A body may come in chunks, without its length (RFC 9112, 7.1).

    Specification: An inference request is made with an HTTP POST to an inference endpoint.
    """
    body = target.client.build_request("POST", "/", json=target.request()).read()
    parts = (body[start : start + 5000] for start in range(0, len(body), 5000))
    assert target.client.post(f"{target.path}/infer", content=parts).status_code == 200


def _another(datatype: str) -> str:
    return "FP64" if datatype == "INT8" else "INT8"


def _first(request: dict[str, Any], **changes: object) -> dict[str, Any]:
    """The request with another first input."""
    first, *others = request["inputs"]
    return {**request, "inputs": [{**first, **changes}, *others]}


@pytest.mark.parametrize(
    "break_",
    [
        pytest.param(lambda _: {}, id="nothing"),
        pytest.param(lambda _: [], id="no object"),
        pytest.param(lambda r: {**r, "inputs": []}, id="no inputs"),
        pytest.param(lambda r: {**r, "inputs": [*r["inputs"], r["inputs"][0]]}, id="an input twice"),
        pytest.param(lambda r: {**r, "outputs": [{"name": "no such output"}]}, id="unknown output"),
        pytest.param(lambda r: _first(r, name="no such input"), id="unknown input"),
        pytest.param(lambda r: _first(r, datatype="FP12"), id="unknown datatype"),
        pytest.param(lambda r: _first(r, datatype=_another(r["inputs"][0]["datatype"])), id="another datatype"),
        pytest.param(lambda r: _first(r, data=r["inputs"][0]["data"][1:]), id="too few elements"),
        pytest.param(lambda r: _first(r, data=[*r["inputs"][0]["data"], 0]), id="too many elements"),
        pytest.param(lambda r: _first(r, data="text"), id="data is no list"),
        pytest.param(lambda r: _first(r, shape=[-1, *r["inputs"][0]["shape"][1:]]), id="negative size"),
        pytest.param(lambda r: _first(r, shape=[2**60, 2**60]), id="shape overflow"),
        pytest.param(lambda r: _first(r, shape=[*r["inputs"][0]["shape"], 1]), id="too many axes"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused(target: Target, refused: Check, break_: Any) -> None:  # noqa: ANN401  (a function)
    """What does not fit the model is an error, and not the server's.

    Specification: A failed inference request must be indicated by an HTTP error status (typically 400).
    """
    answer = target.send(break_(target.request()))
    assert refused(answer)
    assert answer.status_code < 500


def test_what_is_no_json_is_refused(target: Target, refused: Check) -> None:
    """A body that cannot be read is an error, and not the server's.

    Specification: In the request the HTTP body contains the Inference Request JSON Object.
    """
    answer = target.client.post(f"{target.path}/infer", content=b'{"inputs": [')
    assert refused(answer)
    assert answer.status_code < 500


def test_an_unknown_model_is_refused(target: Target, refused: Check) -> None:
    """A model that is not there cannot be asked.

    Specification: In the corresponding response the HTTP body contains the Inference Response JSON Object or
    Inference Response JSON Error Object.
    """
    assert refused(target.client.post("/v2/models/no-such-model/infer", json=target.request()))


def _flat(data: list[Any]) -> list[Any]:
    return [value for item in data for value in (_flat(item) if isinstance(item, list) else [item])]


def _nested(data: list[Any], shape: list[int]) -> list[Any]:
    if len(shape) < 2:
        return data
    step = len(data) // shape[0]
    return [_nested(data[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]
