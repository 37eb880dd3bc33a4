"""What the server says of a model (Open Inference Protocol, "Model Metadata", and the extensions about models)."""

from typing import Any

from tests.conformance.conftest import DTYPES, Check, Target


def test_model_ready(target: Target) -> None:
    """A model that is served is ready.

    Specification: The “model ready” health API indicates if a specific model is ready for inferencing.
    """
    assert target.client.get(f"{target.path}/ready").status_code == 200


def test_model_metadata(target: Target) -> None:
    """The metadata name the model, its platform, inputs and outputs.

    Specification: A successful model metadata request is indicated by a 200 HTTP status code.
    """
    found = target.metadata
    assert found["name"] == target.model
    assert isinstance(found["platform"], str)
    assert found["inputs"]
    assert found["outputs"]
    assert all(isinstance(version, str) for version in found.get("versions", []))


def test_tensor_metadata(target: Target) -> None:
    """Each tensor has a name, a datatype and a shape.

    Specification: Variable-size dimensions are specified as -1.
    """
    for tensor in (*target.metadata["inputs"], *target.metadata["outputs"]):
        assert isinstance(tensor["name"], str)
        assert tensor["datatype"] in {*DTYPES, "BYTES", "BF16"}
        assert all(isinstance(size, int) and size >= -1 for size in tensor["shape"])


def test_one_version(target: Target) -> None:
    """Every version that is listed can be named in a path.

    Specification: The model versions that may be explicitly requested via the appropriate endpoint.
    """
    for version in target.metadata.get("versions", []):
        answer = target.client.get(f"{target.path}/versions/{version}")
        assert answer.status_code == 200
        assert answer.json()["versions"] == [version]
        assert target.client.get(f"{target.path}/versions/{version}/ready").status_code == 200


def test_an_unknown_model(target: Target, refused: Check) -> None:
    """Metadata of a model or version that is not there are an error.

    Specification: A failed model metadata request must be indicated by an HTTP error status (typically 400).
    """
    refused(target.client.get("/v2/models/no-such-model"))
    refused(target.client.get(f"{target.path}/versions/987654321"))


def test_an_unknown_model_is_not_ready(target: Target) -> None:
    """A model that is not there is not ready.

    Specification: The model name and (optionally) version must be available in the URL.
    """
    assert target.client.get("/v2/models/no-such-model/ready").status_code >= 400


def test_configuration(target: Target) -> None:
    """Dimensions in the configuration are those of the metadata, without the batch.

    Specification: The contents of the response will be the JSON representation of the model's configuration
    described by the ModelConfig message (Triton, model_configuration).
    """
    target.needs("model_configuration")
    found = target.client.get(f"{target.path}/config").json()
    batched = found["max_batch_size"] > 0
    for kind in ("input", "output"):
        shapes = {tensor["name"]: tensor["shape"] for tensor in target.metadata[f"{kind}s"]}
        for tensor in found[kind]:
            assert tensor["data_type"].startswith("TYPE_")
            assert [int(size) for size in tensor["dims"]] == shapes[tensor["name"]][batched:]


def test_statistics(target: Target) -> None:
    """Everything that perf_analyzer reads unchecked is there.

    Specification: The response object, identified as $stats_model_response, is returned in the HTTP body for
    every successful statistics request (Triton, statistics).
    """
    target.needs("statistics")
    target.infer(target.request())
    models: list[dict[str, Any]] = target.client.get(f"{target.path}/stats").json()["model_stats"]
    assert any(model["inference_count"] > 0 for model in models)
    for model in models:
        assert model["name"] == target.model
        assert isinstance(model["version"], str)
        assert model["execution_count"] <= model["inference_count"]
        for name in ("success", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss"):
            assert model["inference_stats"][name].keys() >= {"count", "ns"}


def test_repository_index(target: Target) -> None:
    """The model is in the index, and ready.

    Specification: A successful index request is indicated by a 200 HTTP status code (Triton, model_repository).
    """
    target.needs("model_repository")
    answer = target.client.post("/v2/repository/index")
    assert answer.status_code == 200
    mine = [entry for entry in answer.json() if entry["name"] == target.model]
    assert any(entry.get("state", "READY") == "READY" for entry in mine)
