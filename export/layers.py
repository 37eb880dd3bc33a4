"""Which tensor of an ONNX model is the output of which module of the network.

A layer is addressed by the module path that PyTorch uses.  Forward hooks hand out the output of every module
call, in the order in which the calls end; while the exporter traces, they make each of these an output of the
graph, so that no name has to be guessed.  The hooks clone, since an in-place ReLU overwrites its input.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from service.metadata import LayerEntry


@contextmanager
def outputs_added(network: nn.Module) -> Iterator[list[str]]:
    """While this is open, the network returns its output and, behind it, the output of every module call.

    Outputs that are no tensors (tuples, for example) are left out.

    Args:
        network: It is the same as before when the context closes.

    Yields:
        The paths of the modules whose outputs were added, filled by each run of the network: in the order in
        which the calls end, so that a module comes before the one that it is a part of.
    """
    calls: list[tuple[str, Tensor]] = []
    paths: list[str] = []

    def record(path: str, output: object) -> None:
        if isinstance(output, Tensor):
            calls.append((path, output.clone()))

    def hand_out(output: Tensor) -> tuple[Tensor, ...]:
        paths[:] = [path for path, _ in calls]
        tensors = [tensor for _, tensor in calls]
        calls.clear()  # torch.export complains of tensors that outlive its trace
        return (output, *tensors)

    with ExitStack() as hooks:
        # A module that is registered twice has a path for each place.
        for path, module in network.named_modules(remove_duplicate=False):
            if path:
                hooks.enter_context(
                    module.register_forward_hook(lambda _m, _i, output, path=path: record(path, output))
                )
        hooks.enter_context(network.register_forward_hook(lambda _m, _i, output: hand_out(output)))
        yield paths


def run(network: nn.Module, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Run a network, and keep the output of every module call.

    Args:
        network: In evaluation mode.
        images: What it takes.

    Shape:
        images (N, C, H, W) float32.

    Returns:
        Its output; and by each name of a call, in order of execution, the output of that call.
    """
    with torch.inference_mode(), outputs_added(network) as paths:
        output, *tensors = network(images)
    return output, {name: tensor for names, tensor in zip(call_names(paths), tensors, strict=True) for name in names}


def call_names(paths: Sequence[str]) -> list[tuple[str, ...]]:
    """The names of module calls, the best first.

    A module that is called several times has the calls `relu:1`, `relu:2`, …, and `relu` is the last one.

    Args:
        paths: The path of the module of each call, in order.

    >>> call_names(["conv", "relu", "relu"])
    [('conv',), ('relu:1',), ('relu:2', 'relu')]
    """
    total = Counter(paths)
    so_far: Counter[str] = Counter()
    names: list[tuple[str, ...]] = []
    for path in paths:
        so_far[path] += 1
        if total[path] == 1:
            names.append((path,))
        elif so_far[path] < total[path]:
            names.append((f"{path}:{so_far[path]}",))
        else:
            names.append((f"{path}:{so_far[path]}", path))
    return names


def table(paths: Sequence[str], tensors: Sequence[str], *, computed: frozenset[str]) -> tuple[LayerEntry, ...]:
    """The layer table of a model.

    Calls with one and the same tensor are one layer.  Its path is that of the call that ended first, which is
    the deepest module, or the one before a dropout or other module that does nothing.

    Args:
        paths: The path of the module of each call, in order of execution.
        tensors: The tensor that each call gave.
        computed: The tensors that the model computes; calls with another one (the input itself) are no layers.
    """
    names: dict[str, list[str]] = {}
    for calls, tensor in zip(call_names(paths), tensors, strict=True):
        if tensor in computed:
            names.setdefault(tensor, []).extend(calls)
    return tuple(
        LayerEntry(path=path, tensor=tensor, aliases=tuple(aliases)) for tensor, (path, *aliases) in names.items()
    )


def renamed(table: Sequence[LayerEntry], names: Mapping[str, str]) -> tuple[LayerEntry, ...]:
    """The same table for a model whose tensors have new names, where `names` gives them."""
    return tuple(entry.model_copy(update={"tensor": names.get(entry.tensor, entry.tensor)}) for entry in table)
