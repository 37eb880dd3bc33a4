"""Every setting: its name, unit, default and meaning.

A setting is given as a flag (`striate serve --max-body-bytes 1000000`), in the environment
(`STRIATE_MAX_BODY_BYTES=1000000`) or in a TOML file (`max_body_bytes = 1_000_000`); the first of these wins.
"""

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from service.errors import SettingsError
from service.logs import LogFormat
from service.networks import Networks, Origins
from service.settings_file import read_table

ENVIRONMENT_PREFIX: Final = "STRIATE_"

DeviceName = Literal["auto", "cpu", "cuda"]
Decoding = Literal["fast", "exact"]


_MIB: Final = 2**20
_LONG: Final = 100_000  # a number of more digits is easier to read in groups


class Settings(BaseModel):
    """What an operator may choose."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    config: Path | None = Field(
        None, description="TOML file of settings, each under its name; flags and the environment go before it."
    )
    models: Path = Field(Path("models"), description="Folder of the model repository.")
    watch_seconds: Annotated[float, Field(ge=0, le=86400)] = Field(
        1.0,
        description="From one look for new, changed and removed models to the next, in seconds; what two looks in a row"
        " see is loaded, and the version before it serves until then. 0 never looks.",
    )
    max_model_bytes: Annotated[int, Field(ge=1)] = Field(2**31, description="Largest model.onnx, in bytes.")
    max_run_bytes: Annotated[int, Field(ge=1)] = Field(
        2**32,
        description="Most memory that the tensors of one run may take at once for one image, in bytes, as far as their"
        " shapes are known before; a model that takes more is not loaded.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every network.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="TCP port; 0 takes a free one.")
    device: DeviceName = Field(
        "auto",
        description="Where networks run: cpu, cuda (fails where CUDA does not come up), or auto (CUDA, else CPU).",
    )
    threads: Annotated[int, Field(ge=0, le=1024)] = Field(
        0, description="Cores to use; 0 takes what the CPU affinity and the container's quota allow."
    )
    workers: Annotated[int, Field(ge=1, le=128)] = Field(
        1,
        description="Processes that serve; each takes a share of the cores, of the queue and of the room for graphs,"
        " and holds the models once more. More than one is for machines with many cores, on Linux.",
    )
    max_batch: Annotated[int, Field(ge=0, le=1024)] = Field(
        0, description="Most images that share a run; 0 takes 32 on a GPU, and 1 on a CPU, where sharing gains nothing."
    )
    gpu_memory_bytes: Annotated[int, Field(ge=0)] = Field(
        0, description="Most memory that one session takes on a GPU, in bytes; 0 for no limit."
    )
    gpu_tf32: bool = Field(
        default=False, description="On a GPU, multiply in TensorFloat-32: faster, and off by about a thousandth."
    )
    gpu_nhwc: bool = Field(
        default=False, description="On a GPU, keep the channels of maps last in memory, as tensor cores like them."
    )
    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        1000,
        description="Most connections; on one more only questions about health are answered, all else is refused.",
    )
    head_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        10.0, description="Longest time for the head of a request (its line and headers) to arrive, in seconds."
    )
    keep_alive_seconds: Annotated[int, Field(ge=1)] = Field(
        75, description="How long a connection stays open on which nothing is asked, in seconds."
    )
    send_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        30.0,
        description="Seconds in which a caller must take something of the answer that waits for it, 1 KiB for each of"
        " them; else it is cut off.",
    )
    max_head_bytes: Annotated[int, Field(ge=1024)] = Field(
        32_768, description="Largest head of a request (its line and headers), in bytes."
    )
    max_url_bytes: Annotated[int, Field(ge=256, le=65_535)] = Field(
        8192, description="Longest target of a request (path and query), in bytes."
    )
    max_headers: Annotated[int, Field(ge=1)] = Field(100, description="Most headers of a request.")
    max_body_bytes: Annotated[int, Field(ge=1)] = Field(20 * _MIB, description="Largest request body, in bytes.")
    max_pixels: Annotated[int, Field(ge=1, le=150_000_000)] = Field(
        50_000_000, description="Largest image, width times height in pixels; checked before it is decoded."
    )
    decoding: Decoding = Field(
        "fast",
        description="How images are decoded where a request does not say: exact computes every pixel and resizes with"
        " Pillow; fast decodes large JPEGs at a part of their size and resizes with vector instructions.",
    )
    max_images: Annotated[int, Field(ge=1, le=1024)] = Field(16, description="Most images in one request.")
    max_layers: Annotated[int, Field(ge=1)] = Field(
        1024, description="Most layers in one answer; under /v2, most outputs."
    )
    max_json_depth: Annotated[int, Field(ge=1, le=32)] = Field(
        16, description="Most lists in each other in the JSON of a tensor; other JSON is as deep as its form says."
    )
    max_json_values: Annotated[int, Field(ge=1024)] = Field(
        65_536,
        description="Most values in JSON of more than 64 KiB, beside the numbers of tensors under `data`; commas and"
        " brackets in texts count, too, and 16 escapes count as one.",
    )
    max_answer_bytes: Annotated[int, Field(ge=1)] = Field(128 * _MIB, description="Largest answer, in bytes.")
    max_held_bytes: Annotated[int, Field(ge=0)] = Field(
        1024 * _MIB,
        description="Most bytes of bodies and answers that are held at once, on their way or waiting; a request that"
        " needs more is refused, unless it is alone.",
    )
    required_models: str = Field(
        "",
        description="Models that must be loaded for the service to be ready, separated by commas; where none is named,"
        " all must have been tried and one must be loaded.",
    )
    max_queue: Annotated[int, Field(ge=0)] = Field(
        256, description="Most requests that may wait while others are worked on; one more is refused."
    )
    deadline_seconds: Annotated[float, Field(gt=0)] = Field(
        30.0, description="Longest time from the end of a request's body to its answer, in seconds."
    )
    body_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        30.0, description="Longest time for a request's body to arrive, in seconds."
    )
    session_cache_bytes: Annotated[int, Field(ge=0)] = Field(
        512 * _MIB, description="Room for the graphs that were made to answer feature-map requests, in bytes."
    )
    keys_file: Path | None = Field(
        None,
        description="File of the keys of callers, by their hashes, as `striate keys new` makes them. With it every call"
        " takes a key, but for those that ask whether the service is live and ready, the page, and the documentation."
        " It is looked at again while the service runs.",
    )
    admin_key: str = Field(
        "",
        repr=False,
        description="One more key of the role admin, as it is sent: with it models can be loaded and unloaded. Better"
        " given in the environment, since flags can be seen by others on the machine.",
    )
    client_rate: Annotated[float, Field(ge=0, le=1_000_000)] = Field(
        0.0, description="Most requests a second of one caller, known by its key or else its address; 0 for no limit."
    )
    client_burst: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        20, description="Most requests of one caller at once, where client_rate is a limit."
    )
    trusted_proxies: Networks = Field(
        (),
        description="Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
    )
    cors_origins: Origins = Field(
        (),
        description="Origins whose pages may call this service from a browser, as https://example.org; * for any.",
    )
    tls_certificate: Path | None = Field(
        None, description="PEM file of a certificate and those above it: the service then speaks HTTPS only."
    )
    tls_key: Path | None = Field(
        None, description="PEM file of the private key of tls_certificate, where that does not hold it."
    )
    shutdown_seconds: Annotated[int, Field(ge=0)] = Field(
        30, description="After SIGTERM, longest wait for requests that were accepted, in seconds."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least important line to log.")
    log_format: LogFormat = Field(
        "auto",
        description="How lines of the log are written: console (for people), json (an object in each line), or auto"
        " (console where the standard error is a terminal, else json).",
    )
    otlp_endpoint: Annotated[str, Field(pattern=r"^(https?://[^\s/]+.*)?$")] = Field(
        "",
        description="Address of a collector to which traces are sent by OTLP (HTTP, protobuf), as in"
        " http://localhost:4318; OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_ENDPOINT and others) count too."
        " Without an address there are no traces.",
    )
    access_log: bool = Field(
        default=True, description="Log a line for each request; without it, only for those that fail by a fault (500)."
    )

    @property
    def required(self) -> tuple[str, ...]:
        """The names of `required_models`."""
        return tuple(name for part in self.required_models.split(",") if (name := part.strip()))


def read_settings(**flags: Any) -> Settings:  # noqa: ANN401  (each is checked by the class)
    """Make the settings from flags, the environment and the file that one of these names.

    Args:
        flags: Settings by name; None where a flag was not given.

    Raises:
        SettingsError: A setting is unknown, malformed or out of range, and every such one is named; or the file cannot
            be read.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    environment = {name.upper(): value for name, value in os.environ.items() if value}
    named = given.get("config", environment.get(variable("config")))
    file = {} if named is None else read_table(Path(named))
    if wrong := [*_unknown_variables(), *(f"{named}: {fault}" for fault in _faults(file))]:
        raise SettingsError("; ".join(wrong))
    found = {name: environment[variable(name)] for name in Settings.model_fields if variable(name) in environment}
    values = file | found | given
    try:
        return Settings(**values)
    except ValidationError as error:
        sources = {name: f"{named}: {name}" for name in file} | {name: variable(name) for name in found}
        sources |= {name: flag(name) for name in given}
        said = (_explain(str(e["loc"][0]), e["msg"], values, sources) for e in error.errors())
        raise SettingsError("; ".join(said)) from error


def variable(name: str) -> str:
    """The environment variable of a setting.

    >>> variable("port")
    'STRIATE_PORT'
    """
    return ENVIRONMENT_PREFIX + name.upper()


def flag(name: str) -> str:
    """The flag of a setting.

    >>> flag("max_queue")
    '--max-queue'
    """
    return f"--{name.replace('_', '-')}"


def default_of(field: FieldInfo) -> str:
    """The default of a setting, for people."""
    default = field.default
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, int):
        return f"{default:,}" if default >= _LONG else str(default)
    return "none" if default in (None, "", ()) else str(default)


def _explain(name: str, message: str, values: Mapping[str, Any], sources: Mapping[str, str]) -> str:
    if not Settings.model_fields[name].repr:  # a secret
        return f"{sources[name]}: {message}"
    return f"{sources[name]} is {str(values[name])!r}: {message.removeprefix('Value error, ')}"


def _faults(file: Mapping[str, Any]) -> Iterable[str]:
    """What is wrong with a file before the values are looked at."""
    known = [name for name in Settings.model_fields if name != "config"]
    for name, value in file.items():
        if name not in known:
            yield f"{name} is no setting{_nearest(name, known)}"
        elif isinstance(value, bool) and Settings.model_fields[name].annotation is not bool:
            yield f"{name} is {str(value).lower()}: that is for settings that are on or off"  # else it counted as 1


def _unknown_variables() -> list[str]:
    known = [variable(name) for name in Settings.model_fields]
    found = [name for name in os.environ if name.upper().startswith(ENVIRONMENT_PREFIX) and name.upper() not in known]
    return [f"{name} is no setting{_nearest(name, known)}" for name in found]


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else "; `striate serve --help` lists them"
