"""Which method, which layer, which class, how many runs: what a request for heat maps means for a model.

Without a method, a model whose classes come from its last maps by averages and one linear layer gets the class
activation map, every other one Eigen-CAM.
"""

from dataclasses import dataclass
from typing import Final, Literal

from service.addressing import default_layer
from service.attribution import Windows
from service.classes import parse_class
from service.errors import ModelTaskError, ParameterError, RequestTooLargeError
from service.heads import Head, NoHead
from service.layers import TENSOR_PREFIX, Layer
from service.metadata import ImageInput
from service.model import Model

Method = Literal["cam", "eigen-cam", "score-cam", "occlusion"]

MAX_RUNS: Final = 512  # of a network, for one request
DEFAULT_CHANNELS: Final = 32

_WINDOWS_ACROSS: Final = 7  # the default window is this part of the shorter side


@dataclass(frozen=True)
class HeatRequest:
    """What is asked of a model; None where nothing is said.

    Args:
        method: How evidence is told.
        layer: Whose maps are used (`eigen-cam`, `score-cam`).
        target: The class whose evidence is wanted, as it was written; None for the most probable one of each image.
        versus: Another class, as it was written: evidence for the one rather than the other.
        channels: How many maps `score-cam` tries, the strongest.
        window: The side of the square that `occlusion` hides, in pixels.
        stride: From one such square to the next, in pixels.
    """

    method: Method | None = None
    layer: Layer | None = None
    target: str | None = None
    versus: str | None = None
    channels: int | None = None
    window: int | None = None
    stride: int | None = None


@dataclass(frozen=True)
class HeatPlan:
    """What will be computed.

    Args:
        method: How evidence is told.
        layer: The name of the layer whose maps are used; None for occlusion, which looks at none.
        tensor: Its tensor in model.onnx.
        shape: Of the heat map of one image; None where it cannot be told before it is computed.
        target: The number of a class; None for the most probable one of each image, or where classes do not matter.
        versus: The number of another class.
        channels: How many maps `score-cam` tries.
        windows: What `occlusion` hides.
    """

    method: Method
    layer: str | None
    tensor: str | None
    shape: tuple[int, int] | None
    target: int | None = None
    versus: int | None = None
    channels: int = 0
    windows: Windows | None = None

    @property
    def runs(self) -> int:
        """How often the network runs for one image, the run for its classes and maps not counted."""
        return len(self.windows) if self.windows is not None else self.channels


def plan(model: Model, request: HeatRequest, *, images: int) -> HeatPlan:
    """Decide what a request means for a model.

    Args:
        model: Any model that takes images.
        request: What is wanted.
        images: Of how many images.

    Raises:
        ModelTaskError: The model takes no images, or is not made for the method.
        UnknownLayerError: It has no layer with maps.
        ParameterError: A parameter is not for this method, or out of range.
        RequestTooLargeError: The network would have to run too often.
    """
    spec = model.image_input
    method = request.method or _best_method(model, request)
    _refuse_what_is_for_others(method, request, model.head)
    made = _plan_of(method, model, request, spec)
    if made.runs * images > MAX_RUNS:
        raise RequestTooLargeError(_too_many_runs(made, images))
    return made


def _best_method(model: Model, request: HeatRequest) -> Method:
    """The class activation map where there is one, and no other layer is asked for."""
    head = model.head
    if isinstance(head, Head) and (request.layer is None or request.layer.tensor == head.tensor):
        return "cam"
    return "eigen-cam"


def _refuse_what_is_for_others(method: Method, request: HeatRequest, head: Head | NoHead) -> None:
    """Refuse parameters that a method does not have: nothing is ignored."""
    given = {
        "class": (request.target, ("cam", "score-cam", "occlusion")),
        "vs": (request.versus, ("cam", "score-cam", "occlusion")),
        "layer": (request.layer, ("cam", "eigen-cam", "score-cam")),
        "channels": (request.channels, ("score-cam",)),
        "window": (request.window, ("occlusion",)),
        "stride": (request.stride, ("occlusion",)),
    }
    for name, (value, methods) in given.items():
        if value is not None and method not in methods:
            chosen = "method is" if request.method else "without a method this model gets"
            why = ", which asks for no class" if name in ("class", "vs") else ""
            here = [one for one in methods if one != "cam" or isinstance(head, Head)]
            raise ParameterError(f"{chosen} {method}{why}; {name} is for {', '.join(here)}")


def _plan_of(method: Method, model: Model, request: HeatRequest, spec: ImageInput) -> HeatPlan:
    match method:
        case "cam":
            return _plan_cam(model, request)
        case "eigen-cam":
            layer = request.layer or default_layer(model.layers)
            return HeatPlan(method, layer.path, layer.tensor, _extent(layer))
        case "score-cam":
            layer = request.layer or default_layer(model.layers)
            target, versus = _classes(model, request)
            channels = _channels(layer, request.channels)
            return HeatPlan(method, layer.path, layer.tensor, _extent(layer), target, versus, channels)
        case "occlusion":
            target, versus = _classes(model, request)
            windows = _windows(spec, request)
            return HeatPlan(method, None, None, (spec.height, spec.width), target, versus, windows=windows)


def _plan_cam(model: Model, request: HeatRequest) -> HeatPlan:
    target, versus = _classes(model, request)
    head = model.head
    if not isinstance(head, Head):
        raise ModelTaskError(
            f"model {model.name!r} has no class activation map: its classes do not come from global average pooling and"
            f" one linear layer, {head.reason}; methods that work: eigen-cam, score-cam, occlusion"
        )
    layer = next((layer for layer in model.layers if layer.tensor == head.tensor), None)
    name = layer.path if layer is not None else TENSOR_PREFIX + head.tensor
    if request.layer is not None and request.layer.tensor != head.tensor:
        raise ParameterError(
            f"layer is {request.layer.path!r}; the class activation map of this model is of layer {name!r}, and other"
            " layers are for method eigen-cam or score-cam"
        )
    return HeatPlan("cam", name, head.tensor, _extent(layer) if layer is not None else None, target, versus)


def _classes(model: Model, request: HeatRequest) -> tuple[int | None, int | None]:
    """The numbers of the class and the other class; whether they exist is known here where there are labels."""
    labels = model.class_output.labels
    target = parse_class(request.target, labels, name="class") if request.target is not None else None
    versus = parse_class(request.versus, labels, name="vs") if request.versus is not None else None
    if target is not None and target == versus:
        raise ParameterError(f"class and vs are both class {target}; vs is another class to compare with")
    return target, versus


def _extent(layer: Layer) -> tuple[int, int] | None:
    """Height and width of the maps of a layer.

    Raises:
        ParameterError: It has no maps.
    """
    if layer.shape is None:
        return None
    if len(layer.shape) != 3:
        raise ParameterError(f"layer {layer.path!r} has outputs of shape {layer.shape}; heat maps need maps (C, H, W)")
    _, height, width = layer.shape
    return (height, width) if height is not None and width is not None else None


def _channels(layer: Layer, wanted: int | None) -> int:
    there = layer.shape[0] if layer.shape is not None and len(layer.shape) == 3 else None
    most = min(there or MAX_RUNS, MAX_RUNS)
    if wanted is not None and not 1 <= wanted <= most:
        raise ParameterError(f"channels is {wanted}; accepted: 1 to {most}")
    return wanted or min(DEFAULT_CHANNELS, most)


def _windows(spec: ImageInput, request: HeatRequest) -> Windows:
    shorter = min(spec.height, spec.width)
    side = request.window if request.window is not None else max(1, round(shorter / _WINDOWS_ACROSS))
    if not 1 <= side <= shorter:
        raise ParameterError(
            f"window is {side}; accepted: 1 to {shorter} pixels: the network sees {spec.width}x{spec.height}"
        )
    stride = request.stride if request.stride is not None else max(1, side // 2)
    if not 1 <= stride <= side:
        raise ParameterError(f"stride is {stride}; accepted: 1 to {side} pixels, the window: more would leave gaps")
    return Windows(spec.height, spec.width, side, stride)


def _too_many_runs(made: HeatPlan, images: int) -> str:
    counted = f"{made.runs:,} runs of the network for each image, {made.runs * images:,} in all"
    fitting = [f"{MAX_RUNS // made.runs} images"] if made.runs <= MAX_RUNS else []
    if made.windows is None:
        fitting += [f"channels={MAX_RUNS // images}"] if images <= MAX_RUNS else []
    else:
        fitting += _larger_windows(made.windows, images)
    advice = f": it would fit with {', or '.join(fitting)}" if fitting else ""
    return f"{made.method} needs {counted}; at most {MAX_RUNS} are made for a request{advice}"


def _larger_windows(windows: Windows, images: int) -> list[str]:
    """The smallest stride, and if there is none the smallest window, with which the runs fit."""
    height, width = windows.height, windows.width
    for stride in range(windows.stride, windows.side + 1):
        if len(Windows(height, width, windows.side, stride)) * images <= MAX_RUNS:
            return [f"stride={stride}"]
    for side in range(windows.side, min(height, width) + 1):
        if len(Windows(height, width, side, side)) * images <= MAX_RUNS:
            return [f"window={side} and stride={side}"]
    return []
