"""What decoding faster does to the answers of a network, and what it saves.

Every photo of a folder, and each quarter of the large ones, is classified twice: decoded exactly, and fast.  Photos in
other formats than JPEG, and the quarters, are written as JPEG (quality 90) first.  In the table, by how much larger
than the input of the network the fast picture was when it was resized:

    same class    the share of pictures whose most probable class stays the same
    at stake      of those that change: the largest lead, in probability, of the first class over the second one
    change        of the probability of any class: the mean over pictures of the largest one, and the largest of all
    pixels        how far the inputs of the network are apart, 0 to 255: the mean, and the largest

Times are those of decoding alone, in one thread: the least disturbed of many, fast and exact in turn.
"""

import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import orjson
import typer
from PIL import Image, UnidentifiedImageError
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.errors import BenchmarkError
from service import image
from service.engine import open_engine
from service.image import crop_box, decode, decode_all
from service.metadata import ImageInput
from service.model import Model
from service.settings import Decoding, Settings

ROOT: Final = Path(__file__).resolve().parents[1]
SMALL_PHOTO: Final = ROOT / "tests" / "photos" / "chelsea.jpg"

_QUALITY: Final = 90
_QUARTERED: Final = 1100  # pixels: of photos whose short side is longer, quarters are taken too
_MOST_PIXELS: Final = 150_000_000
_MARGINS: Final = (1.0, 1.5, 2.0, 3.0, 1000.0)
_TWELVE_MEGAPIXELS: Final = (4000, 3000)
_DIGIT: Final[dict[str, Any]] = {
    "width": 28,
    "height": 28,
    "color": "grey",
    "crop_fraction": 1.0,
    "mean": (0.0,),
    "std": (1.0,),
}

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@dataclass(frozen=True)
class Comparison:
    """One picture, decoded fast and exactly.

    Args:
        scale: 1 where every pixel was decoded; 2, 4 or 8 where one in so many, each way.
        margin: How much larger than the input the decoded picture was, each way.
        same_class: Whether the most probable class is the same.
        lead: Of the first class over the second one, in the exact answer.
        change: The largest of a probability.
        pixels: The mean difference of the inputs of the network, 0 to 255.
        largest_pixel: The largest difference.
    """

    scale: int
    margin: float
    same_class: bool
    lead: float
    change: float
    pixels: float
    largest_pixel: int


@dataclass(frozen=True)
class Duration:
    """Milliseconds that decoding one image takes."""

    image: str
    fast: float
    exact: float


@app.command()
def main(
    folder: Annotated[Path, typer.Argument(help="Photos: JPEG, PNG or WebP; folders in it are searched too.")],
    *,
    model: Annotated[str, typer.Option(help="A shipped classifier.")] = "efficientnet-lite0",
    margin: Annotated[
        float, typer.Option(min=1, help="As if fast pictures had to stay so many times as large as the input.")
    ] = image.SCALED_MARGIN,
    json_: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file too.")] = None,
) -> None:
    """Compare fast decoding with exact decoding, over a folder of photos.

    **Example**: `python -m benchmarks.decoding ~/Pictures`
    """
    image.SCALED_MARGIN = margin  # type: ignore[misc,assignment]  # it is final to all but this
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=120)
    photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
    if not photos:
        raise BenchmarkError(f"{folder} holds no .jpg, .jpeg, .png or .webp")
    loaded = open_engine(Settings(models=ROOT / "models", device="cpu")).registry.load(model, None)
    compared: list[Comparison] = []
    for path in track(photos, "comparing", console=Console(stderr=True), transient=True):
        compared += [compare(loaded, data) for data in pictures(path)]
    durations = [measure(name, data, loaded.image_input) for name, data in timed(photos)]
    console.print(
        f"{len(photos)} photos, {len(compared)} pictures, {model}; fast pictures at least {margin:g} times the input"
    )
    console.print(agreement_table(compared), duration_table(durations), sep="\n\n")
    if json_ is not None:
        made = {"comparisons": [asdict(each) for each in compared], "durations": [asdict(each) for each in durations]}
        json_.write_bytes(orjson.dumps(made, option=orjson.OPT_INDENT_2))


def pictures(path: Path) -> Iterator[bytes]:
    """A photo as JPEG, and where it is large its four quarters."""
    data = path.read_bytes()
    try:
        photo = Image.open(io.BytesIO(data))
        whole = photo.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise BenchmarkError(f"{path} cannot be read: {error}") from error
    yield data if photo.format == "JPEG" else jpeg(whole)
    if min(whole.size) >= _QUARTERED:
        width, height = whole.width // 2, whole.height // 2
        for left, top in ((0, 0), (width, 0), (0, height), (width, height)):
            yield jpeg(whole.crop((left, top, left + width, top + height)))


def jpeg(picture: Image.Image) -> bytes:
    """A picture as cameras would store it."""
    file = io.BytesIO()
    picture.save(file, "jpeg", quality=_QUALITY)
    return file.getvalue()


def compare(model: Model, data: bytes) -> Comparison:
    """Classify a picture twice."""
    spec = model.image_input
    fast, exact = (decode_all([data], spec, max_pixels=_MOST_PIXELS, decoding=each) for each in ("fast", "exact"))
    said, right = model.probabilities(fast)[0], model.probabilities(exact)[0]  # (classes,) each
    apart = np.abs(fast.astype(np.int16) - exact)
    second, first = np.sort(right)[-2:]
    scale, margin = scaled(data, spec)
    return Comparison(
        scale=scale,
        margin=margin,
        same_class=bool(said.argmax() == right.argmax()),
        lead=float(first - second),
        change=float(np.abs(said - right).max()),
        pixels=float(apart.mean()),
        largest_pixel=int(apart.max()),
    )


def scaled(data: bytes, spec: ImageInput) -> tuple[int, float]:
    """At which part of its size a picture is decoded, and how much larger than the input it is then."""
    left, _, right, _ = crop_box(Image.open(io.BytesIO(data)).size, spec)
    spare = (right - left) / spec.width
    scale = next((scale for scale in (8, 4, 2) if spare / scale >= image.SCALED_MARGIN), 1)
    return scale, spare / scale


def agreement_table(compared: list[Comparison]) -> Table:
    """A line for the pictures whose every pixel is decoded, and one for each range of margins of the others."""
    table = Table("fast pictures", "pictures", "same class", "at stake", "change, mean / largest", "pixels", box=None)
    _add(table, "every pixel decoded", [each for each in compared if each.scale == 1])
    for low, high in pairwise(_MARGINS):
        name = f"{low:g} to {high:g} times the input" if high < 1000 else f"{low:g} times the input and more"
        _add(table, name, [each for each in compared if each.scale > 1 and low <= each.margin < high])
    _add(table, "all", compared)
    return table


def _add(table: Table, name: str, rows: list[Comparison]) -> None:
    if not rows:
        return
    changed = [each.lead for each in rows if not each.same_class]
    table.add_row(
        name,
        str(len(rows)),
        f"{1 - len(changed) / len(rows):.1%}",
        f"{max(changed):.3f}" if changed else "-",
        f"{np.mean([each.change for each in rows]):.4f} / {max(each.change for each in rows):.3f}",
        f"{np.mean([each.pixels for each in rows]):.2f} / {max(each.largest_pixel for each in rows)}",
    )


def timed(photos: list[Path]) -> Iterator[tuple[str, bytes]]:
    """A small photo, one of twelve megapixels (the largest file of a folder, resized), and a digit's worth of PNG."""
    yield "451x300 JPEG", SMALL_PHOTO.read_bytes()
    largest = Image.open(max(photos, key=lambda path: path.stat().st_size)).convert("RGB")
    large = largest.resize(_TWELVE_MEGAPIXELS, Image.Resampling.BICUBIC)
    yield "4000x3000 JPEG", jpeg(large)
    progressive = io.BytesIO()
    large.save(progressive, "jpeg", quality=_QUALITY, progressive=True)
    yield "4000x3000 progressive JPEG", progressive.getvalue()
    tiny = io.BytesIO()
    largest.convert("L").resize((28, 28)).save(tiny, "png")
    yield "28x28 PNG", tiny.getvalue()


def measure(name: str, data: bytes, spec: ImageInput) -> Duration:
    """Time fast and exact decoding in turn, in a thread, as the service does it."""
    own = spec if "PNG" not in name else spec.model_copy(update=_DIGIT)

    def milliseconds(decoding: Decoding) -> float:
        start = time.perf_counter()
        decode(data, own, max_pixels=_MOST_PIXELS, decoding=decoding)
        return 1000 * (time.perf_counter() - start)

    def work() -> Duration:
        rounds = 200 if len(data) < 100_000 else 15
        pairs = [(milliseconds("fast"), milliseconds("exact")) for _ in range(rounds)]
        fast, exact = (min(column) for column in zip(*pairs, strict=True))
        return Duration(f"{name}, {len(data):,} bytes", fast, exact)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def duration_table(durations: list[Duration]) -> Table:
    """Milliseconds."""
    table = Table("image", "fast, ms", "exact, ms", "exact / fast", box=None)
    for each in durations:
        table.add_row(each.image, f"{each.fast:.3f}", f"{each.exact:.3f}", f"{each.exact / each.fast:.1f}")
    return table


if __name__ == "__main__":
    app()
