"""A network becomes an ONNX model."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from export import layers
from export.conversion import Converted, convert
from export.errors import ConversionError, VerificationError
from export.verification import verify
from service import graph
from service.metadata import ClassOutput, ImageInput
from tests.export.conftest import Trap


def test_the_file_is_readable_by_old_runtimes(converted: Converted) -> None:
    """Opset 18 of ONNX and nothing else, IR 10, no functions."""
    model = converted.model
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    assert model.ir_version == 10
    assert not model.functions


def test_the_batch_axis_is_free_and_the_others_are_not(converted: Converted) -> None:
    """The input is called `images`, the output `logits`, and both begin with `batch`."""
    axes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*converted.model.graph.input, *converted.model.graph.output)
    }
    assert axes == {"images": ["batch", 3, 6, 8], "logits": ["batch", 5]}


def test_every_tensor_has_its_shape_in_the_file(converted: Converted) -> None:
    """A reader need not infer shapes."""
    known = {value.name: graph.dimensions(value) for value in converted.model.graph.value_info}
    assert known["conv1"] == (None, 4, 6, 8)
    assert known["head.0.0"] == (None, 192)


def test_batch_norms_stay_apart(converted: Converted) -> None:
    """Convolution, batch norm, ReLU and addition are nodes of their own, and nothing is left of the tracing."""
    operators = Counter(node.op_type for node in converted.model.graph.node)
    assert operators["BatchNormalization"] == 1
    assert operators["Conv"] == operators["Relu"] == 2
    assert not {"Identity", "CastLike", "Dropout", "Shape"} & operators.keys()


def test_padding_stays_apart(trap_input: ImageInput) -> None:
    """A padding module before a convolution has an output of its own."""
    network = nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(3, 1, kernel_size=3), nn.Flatten())
    assert [entry.path for entry in convert(network.eval(), trap_input).layers] == ["0", "1", "2"]


def test_nothing_tells_of_this_machine(converted: Converted) -> None:
    """No path, no stack trace, no metadata of the exporter, in any byte of the file."""
    data = converted.model.SerializeToString()
    here = (str(Path.home()), str(Path(__file__).parents[2]), torch.__file__.rpartition("/")[0])
    for trace in ("File ", "pkg.", "stack_trace", ".py", *here):
        assert trace.encode() not in data


def test_weights_have_their_pytorch_names(trap: Trap, converted: Converted) -> None:
    """The network can be rebuilt from the file."""
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in converted.model.graph.initializer}
    for name, value in trap.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(found[name], value.numpy())


def test_converting_twice_gives_the_same_bytes(trap: Trap, trap_input: ImageInput) -> None:
    """A model can be made again and compared by its checksum."""
    first, second = (convert(trap, trap_input).model.SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


def test_a_network_that_cannot_be_traced_is_told_plainly(trap_input: ImageInput) -> None:
    """A branch on the values of a picture cannot become a graph."""

    class Undecided(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images if images.sum() > 0 else -images

    with pytest.raises(ConversionError, match="PyTorch cannot export the network"):
        convert(Undecided().eval(), trap_input)


def test_weights_stay_as_they_are_where_a_graph_needs_them_otherwise(trap_input: ImageInput) -> None:
    """A matrix that is transposed for its product keeps its PyTorch name and values; the runtime folds it."""

    class Channels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Linear(3, 5)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            mixed: torch.Tensor = self.mix(images.permute(0, 2, 3, 1))
            return mixed.mean((1, 2))

    network = Channels().eval()
    found = {t.name: numpy_helper.to_array(t) for t in convert(network, trap_input).model.graph.initializer}
    np.testing.assert_array_equal(found["mix.weight"], network.mix.weight.detach().numpy())


def test_an_export_that_loses_a_layer_is_refused(
    trap: Trap, trap_input: ImageInput, trap_output: ClassOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lost one is named."""
    honest = layers.table
    monkeypatch.setattr(layers, "table", lambda *given, **options: honest(*given, **options)[1:])
    with pytest.raises(VerificationError, match="the first: layer 'conv1' is missing"):
        verify(trap, convert(trap, trap_input), trap_input, trap_output)
