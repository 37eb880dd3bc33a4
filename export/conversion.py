"""A network becomes an ONNX model and its layer table.

The exporter traces; functions are inlined, constants folded and onnxscript's rules applied, except those that
fuse batch norms and padding into convolutions, so that each can be fetched; then the graph is cut back to what
its output needs, its tensors get the names of the modules, and everything is left out that tells of this machine.
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
OUTPUT: Final = "logits"

# Traced with 2: the exporter takes 0 and 1 for constants.
_TRACED_BATCH: Final = 2
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
        model: Opset 18, IR 10; its first axis is called `batch`.
        layers: Which tensor is the output of which module, in order of execution.
    """

    model: ModelProto
    layers: tuple[LayerEntry, ...]


def convert(network: nn.Module, spec: ImageInput) -> Converted:
    """Convert a network.

    Args:
        network: In evaluation mode, on the CPU.
        spec: The input that it takes.

    Raises:
        ConversionError: The exporter refuses the network, or gives something else than it should.
    """
    traced, paths = _traced(network, spec)
    simplified = _simplified(traced)
    tensors = _behind_identities(simplified, [value.name for value in simplified.graph.output])
    model = graph.cut(simplified, [OUTPUT])
    computed = frozenset(name for node in graph.computed(model) for name in node.output)
    table = layers.table(paths, tensors[1:], computed=computed)
    names = _module_names(model, table)
    return Converted(_clean(_renamed(model, names)), layers.renamed(table, names))


def _traced(network: nn.Module, spec: ImageInput) -> tuple[ModelProto, list[str]]:
    """The graph as the exporter gives it, with the output of each module call as an output, and their paths."""
    # Values do not matter to a trace; the batch axis must not be 0 or 1.
    example = torch.zeros(_TRACED_BATCH, spec.channels, spec.height, spec.width)
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
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim(BATCH_AXIS)},),
            )
    except torch.onnx.OnnxExporterError as error:
        raise ConversionError(f"PyTorch cannot export the network: {error}") from error
    if program is None:
        raise ConversionError("PyTorch gave no ONNX program")
    return program.model_proto, paths


def _simplified(model: ModelProto) -> ModelProto:
    """Without functions, and with constants folded; rules may make new constants, so twice."""
    ir = onnx_ir.from_proto(model)
    optimizer.inline(ir)
    for _ in range(2):
        optimizer.fold_constants(ir)
        rewriter.rewrite(ir, _RULES)
    return onnx_ir.to_proto(ir)


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


def _clean(model: ModelProto) -> ModelProto:
    """Only what a runtime needs: no traces of the exporter, and the shapes of all tensors.

    Raises:
        ConversionError: What is left is no valid model, or its output has lost the batch axis.
    """
    bare = helper.make_model(
        GraphProto(
            name="network",
            node=(_bare(node) for node in model.graph.node),
            input=(_typed(value) for value in model.graph.input),
            output=(_typed(value) for value in model.graph.output),
            initializer=(_plain(tensor) for tensor in model.graph.initializer),
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


def _plain(tensor: TensorProto) -> TensorProto:
    """An initialiser without documentation and metadata."""
    copy = TensorProto()
    copy.CopyFrom(tensor)
    copy.ClearField("doc_string")
    copy.ClearField("metadata_props")
    return copy
