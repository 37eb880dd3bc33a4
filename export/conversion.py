"""A network becomes an ONNX model and its layer table.

The exporter traces; functions are inlined, constants folded and onnxscript's rules applied, except those that
fuse batch norms and padding into convolutions, so that each can be fetched; then the graph is cut back to what
its output needs, its tensors get the names of the modules, and everything is left out that tells of this machine.
Large weights stay out of all that, and are written into the file at the end: half a gigabyte is copied once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import onnx
import onnx_ir
import torch
from onnx import GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto, helper
from onnxscript import optimizer, rewriter
from torch import nn

from export import layers
from export.errors import ConversionError
from service import graph
from service.metadata import ImageInput, LayerEntry

OPSET: Final = 18
IR_VERSION: Final = 10
BATCH_AXIS: Final = "batch"
SIZE_AXES: Final = ("height", "width")
OUTPUT: Final = "logits"

# Traced with 2: the exporter takes 0 and 1 for constants.
_TRACED_BATCH: Final = 2
# Bytes.  Shapes and limits are computed with, while the graph is simplified; weights are not.
_SMALL: Final = 1024
# These rules swallow the output of a module.  ONNX Runtime does the same when it loads a model, at the same speed.
_LEFT_OUT: Final = ("FuseBatchNormInto", "FuseConvPad", "FuseConvIntegerPad")
_RULES: Final = tuple(
    rule
    for rule in rewriter._DEFAULT_REWRITE_RULES  # noqa: SLF001  (there is no public list of them)
    if not (rule.name or "").startswith(_LEFT_OUT)
)


@dataclass(frozen=True)
class Converted:
    """A network as an ONNX model.

    Args:
        model: Opset 18, IR 10; its first axis is called `batch`, and two more are called `height` and `width` where
            it takes images of any size.
        layers: Which tensor is the output of which module, in order of execution.
    """

    model: ModelProto
    layers: tuple[LayerEntry, ...]


def convert(
    network: nn.Module,
    spec: ImageInput,
    *,
    output: str = OUTPUT,
    any_size: bool = False,
    windows_only: bool = False,
) -> Converted:
    """Convert a network.

    Args:
        network: In evaluation mode, on the CPU.
        spec: The input that it takes.
        output: What its output is to be called.
        any_size: Leave the height and the width of the input free.
        windows_only: The network never computes with the size of a map: windows move over maps, and averages are taken
            of the whole.  Then its graph at one size is that of all sizes.  Others are traced with symbols for the
            sizes, which takes several times as long.

    Raises:
        ConversionError: The exporter refuses the network, or gives something else than it should.
    """
    program, paths = _traced(network, spec, output, symbols=any_size and not windows_only)
    _simplify(program, keep=frozenset(network.state_dict()))
    weights = _take_out_weights(program)
    simplified = onnx_ir.to_proto(program)
    tensors = _behind_identities(simplified, [value.name for value in simplified.graph.output])
    model = graph.cut(simplified, [output])
    if any_size:
        _free_sizes(model, spec)
    computed = frozenset(name for node in graph.computed(model) for name in node.output)
    table = layers.table(paths, tensors[1:], computed=computed)
    names = _module_names(model, table)
    return Converted(_clean(_renamed(model, names), weights), layers.renamed(table, names))


def _traced(network: nn.Module, spec: ImageInput, output: str, *, symbols: bool) -> tuple[onnx_ir.Model, list[str]]:
    """The graph as the exporter gives it, with the output of each module call as an output, and their paths."""
    # Values do not matter to a trace; the batch axis must not be 0 or 1.
    example = torch.zeros(_TRACED_BATCH, spec.channels, spec.height, spec.width)
    # By names alone, since PyTorch 2.14 fails to solve what a rounding pooling asks of a `Dim`.
    free = {0: BATCH_AXIS, **(dict(enumerate(SIZE_AXES, start=2)) if symbols else {})}
    try:
        with layers.outputs_added(network) as paths:
            program = torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                optimize=False,
                external_data=False,
                verbose=False,
                opset_version=OPSET,
                input_names=[spec.name],
                output_names=[output],
                dynamic_shapes=(free,),
            )
    except torch.onnx.OnnxExporterError as error:
        raise ConversionError(f"PyTorch cannot export the network: {error}") from error
    if program is None:
        raise ConversionError("PyTorch gave no ONNX program")
    return program.model, paths


def _free_sizes(model: ModelProto, spec: ImageInput) -> None:
    """Take back the height and the width at which a network was traced."""
    for value in graph.inputs(model):
        if value.name == spec.name:
            for axis, name in enumerate(SIZE_AXES, start=2):
                value.type.tensor_type.shape.dim[axis].dim_param = name


def _simplify(model: onnx_ir.Model, *, keep: frozenset[str]) -> None:
    """Leave out functions, and fold constants; rules may make new constants, so twice.

    Args:
        model: It is changed in place.
        keep: Weights that stay as they are, so that the network can be rebuilt from the file: a transposed matrix, say,
            is folded when the model is loaded, and not here.
    """
    optimizer.inline(model)

    def should_fold(node: onnx_ir.Node) -> bool | None:
        return False if any(value is not None and value.name in keep for value in node.inputs) else None

    for _ in range(2):
        optimizer.fold_constants(model, should_fold=should_fold)
        rewriter.rewrite(model, _RULES)


def _take_out_weights(model: onnx_ir.Model) -> dict[str, onnx_ir.TensorProtocol]:
    """Put a reference to nothing in the place of each large weight, with its type and shape."""
    weights = {}
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor is not None and tensor.nbytes > _SMALL:
            weights[name] = tensor
            value.const_value = onnx_ir.ExternalTensor(
                "taken-out", 0, tensor.nbytes, tensor.dtype, shape=onnx_ir.Shape(tensor.shape.numpy()), name=name
            )
    return weights


def _behind_identities(model: ModelProto, tensors: Sequence[str]) -> list[str]:
    """For each tensor the one that it is a plain copy of."""
    copies = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Identity"}

    def origin(tensor: str) -> str:
        while tensor in copies:
            tensor = copies[tensor]
        return tensor

    return [origin(tensor) for tensor in tensors]


def _module_names(model: ModelProto, table: Sequence[LayerEntry]) -> dict[str, str]:
    """A new name for each tensor that needs one.

    The exporter's names (`relu_3`) change with the network and with PyTorch; the paths of modules stay.
    Inputs, outputs and weights keep their names; a tensor in the way of a path makes room.
    """
    values = {value.name for value in (*model.graph.input, *model.graph.output)}
    fixed = values | {tensor.name for tensor in model.graph.initializer}
    names = {entry.tensor: entry.path for entry in table if entry.tensor not in fixed and entry.path not in fixed}
    taken = fixed | set(names.values())
    for tensor in (name for node in model.graph.node for name in node.output):
        if tensor in names.values() and tensor not in names:
            names[tensor] = _free_name(tensor, taken)
            taken.add(names[tensor])
    return names


def _free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _renamed(model: ModelProto, names: Mapping[str, str]) -> ModelProto:
    """A copy with new names for some tensors of the main graph."""
    copy = ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    return copy


def _clean(model: ModelProto, weights: Mapping[str, onnx_ir.TensorProtocol]) -> ModelProto:
    """Only what a runtime needs: no traces of the exporter, and the shapes of all tensors.

    Args:
        model: Its large weights are references to nothing.
        weights: What they are.

    Raises:
        ConversionError: What is left is no valid model, or its output has lost the batch axis.
    """
    initialisers = model.graph.initializer
    bare = helper.make_model(
        GraphProto(
            name="network",
            node=(_bare(node) for node in model.graph.node),
            # A weight without values passes for an input.
            input=[*map(_typed, model.graph.input), *(_as_input(t) for t in initialisers if t.name in weights)],
            output=(_typed(value) for value in model.graph.output),
            initializer=(_plain(tensor, name=tensor.name) for tensor in initialisers if tensor.name not in weights),
        ),
        producer_name="striate",
        ir_version=IR_VERSION,
        opset_imports=[OperatorSetIdProto(domain="", version=OPSET)],
    )
    try:
        shaped = onnx.shape_inference.infer_shapes(bare, check_type=True, strict_mode=True, data_prop=True)
        onnx.checker.check_model(shaped, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ConversionError(f"the exported graph is not valid: {error}") from error
    del shaped.graph.input[len(model.graph.input) :]
    del shaped.graph.initializer[:]
    for tensor in initialisers:
        found = onnx_ir.to_proto(weights[tensor.name]) if tensor.name in weights else tensor
        shaped.graph.initializer.append(_plain(found, name=tensor.name))
    return shaped


def _bare(node: NodeProto) -> NodeProto:
    return NodeProto(
        op_type=node.op_type,
        domain=node.domain,
        name=node.name,
        input=node.input,
        output=node.output,
        attribute=node.attribute,
    )


def _typed(value: ValueInfoProto) -> ValueInfoProto:
    return ValueInfoProto(name=value.name, type=value.type)


def _as_input(tensor: TensorProto) -> ValueInfoProto:
    return helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)


def _plain(tensor: TensorProto, *, name: str) -> TensorProto:
    """An initialiser without documentation and metadata."""
    copy = TensorProto()
    copy.CopyFrom(tensor)
    copy.ClearField("doc_string")
    copy.ClearField("metadata_props")
    copy.name = name
    return copy
