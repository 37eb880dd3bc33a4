"""The metrics of the service for Prometheus.  No other file imports `prometheus_client`.

What is counted lies in memory that all processes of the service share, and is read when somebody asks.  So nothing here
costs a request anything, any process can tell of all, and no counter goes down when one of them ends.
"""

import gzip
import itertools
import platform
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    UnknownMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from service import __version__, runtime
from service.engine import Engine
from service.http.observation import Observed
from service.inference_statistics import RUN_SIZES
from service.readiness import why_not_ready
from service.request_statistics import IMAGES, SECONDS, Counted, Histogram, Kind

_OTHER: Final = "other"  # the route of paths that lead nowhere
_REQUEST: Final = ("route", "model", "version", "status")
_MODEL: Final = ("model", "version")
_STATES: Final = ("loading", "ready", "failed")

# Names of gauges and counters that each process tells.
_QUEUE, _QUEUE_LIMIT, _IN_PROGRESS, _CACHE, _CACHE_LIMIT = "queue", "queue limit", "in progress", "cache", "cache limit"
_HITS, _MISSES, _EVICTIONS = "hits", "misses", "evictions"
_PENDING: Final = "pending"

# As Triton calls them: where each stands among the statistics of a model, and what it is.
_OF_TRITON: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "nv_inference_request_success": (("success", "count"), "Requests to a model that were answered."),
    "nv_inference_request_failure": (("fail", "count"), "Requests to a model that failed, or whose caller hung up."),
    "nv_inference_count": (("inference_count",), "Images, or entries of batches, that were computed."),
    "nv_inference_exec_count": (("execution_count",), "Requests that were computed."),
    "nv_inference_request_duration_us": (("success", "ns"), "Microseconds of requests that were answered."),
    "nv_inference_queue_duration_us": (("queue", "ns"), "Microseconds that they waited."),
    "nv_inference_compute_input_duration_us": (("compute_input", "ns"), "Microseconds of decoding their images."),
    "nv_inference_compute_infer_duration_us": (("compute_infer", "ns"), "Microseconds of computing."),
    "nv_inference_compute_output_duration_us": (("compute_output", "ns"), "Microseconds of encoding answers."),
}


class Metrics:
    """Tells how things stand in this process, and writes the metrics of all.

    Args:
        engine: Of this process.
        active: The requests that are being answered in it.
    """

    def __init__(self, engine: Engine, active: Collection[Observed]) -> None:
        self._engine = engine
        self._active = active
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Families(engine))

    def tell(self) -> None:
        """Tell the other processes how things stand here; to be called on the event loop, every second or so."""
        engine, sessions = self._engine, self._engine.sessions
        gauges = {
            _QUEUE: engine.scheduler.waiting,
            _QUEUE_LIMIT: engine.settings.max_queue,
            _IN_PROGRESS: len(self._active),
            _CACHE: sessions.bytes,
            _CACHE_LIMIT: engine.settings.session_cache_bytes,
        }
        for observed in self._active:
            if observed.model and observed.timings is not None and not observed.timings.begun:
                name = f"{_PENDING}\0{observed.model}\0{observed.version}"
                gauges[name] = gauges.get(name, 0) + 1
        counters = {_HITS: sessions.hits, _MISSES: sessions.misses, _EVICTIONS: sessions.evictions}
        engine.figures.tell(gauges, counters)

    def written(self, accept: str, accept_encoding: str) -> tuple[bytes, Mapping[str, str]]:
        """The metrics in the form that a caller accepts, and the headers that say which; work for a thread.

        Args:
            accept: The header of that name.
            accept_encoding: The header of that name.
        """
        write, content_type = choose_encoder(accept)
        body = write(self._registry)
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if "gzip" in accept_encoding:
            return gzip.compress(body, compresslevel=1), {**headers, "Content-Encoding": "gzip"}
        return body, headers


class _Families(Collector):
    """All metrics, made anew for whoever asks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """The metrics."""
        yield from _of_requests(list(self._engine.requests.kinds()))
        yield self._runs()
        yield _counter("striate_errors", "Requests answered with an error.", self._engine.requests.errors(), ["reason"])
        yield from self._figures(self._engine.figures.gauges(), self._engine.figures.counters())
        yield from self._models()
        yield from self._of_triton()
        yield from _of_processes(self._engine.figures.processes())

    def _runs(self) -> Metric:
        counts, total = self._engine.statistics.runs()
        runs = HistogramMetricFamily("striate_batch_size", "Images, or entries, of runs that requests may share.")
        runs.add_metric([], *_buckets(Histogram(counts, total), RUN_SIZES))
        return runs

    def _figures(self, gauges: Mapping[str, int], counters: Mapping[str, int]) -> Iterator[Metric]:
        for name, key, text in (
            ("striate_queue_depth", _QUEUE, "Requests that wait for a thread."),
            ("striate_queue_limit", _QUEUE_LIMIT, "Most requests that may wait."),
            ("striate_requests_in_progress", _IN_PROGRESS, "Requests that are being received, worked on or answered."),
            ("striate_session_cache_bytes", _CACHE, "Size of the graphs made to answer feature-map requests."),
            ("striate_session_cache_limit_bytes", _CACHE_LIMIT, "Room for them."),
        ):
            yield GaugeMetricFamily(name, text, gauges.get(key, 0))
        for name, key, text in (
            ("striate_session_cache_hits", _HITS, "Requests whose graph was there."),
            ("striate_session_cache_misses", _MISSES, "Requests whose graph had to be made."),
            ("striate_session_cache_evictions", _EVICTIONS, "Graphs that had to go for others."),
        ):
            yield CounterMetricFamily(name, text, counters.get(key, 0))
        pending = GaugeMetricFamily("nv_inference_pending_request_count", "Requests that wait.", labels=_MODEL)
        for model, version in self._known():
            pending.add_metric([model, str(version)], gauges.get(f"{_PENDING}\0{model}\0{version}", 0))
        yield pending

    def _models(self) -> Iterator[Metric]:
        engine, device = self._engine, self._engine.device
        states = GaugeMetricFamily(
            "striate_model_state", "1 for the state that a model is in, else 0.", labels=[*_MODEL, "state"]
        )
        for entry, state in itertools.product(engine.registry.entries, _STATES):
            states.add_metric([entry.folder.name, str(entry.folder.version), state], entry.state == state)
        yield states
        ready = why_not_ready(engine.registry, engine.settings.required) is None
        yield GaugeMetricFamily("striate_ready", "1 where every required model is loaded and can be asked.", ready)
        yield InfoMetricFamily(
            "striate_device",
            "Where networks run, and whether that is for want of a better one.",
            {
                "requested": device.requested,
                "used": device.used,
                "fallback": "true" if device.reason else "false",
                "reason": device.reason or "",
            },
        )
        versions = {"version": __version__, "python": platform.python_version(), "onnxruntime": runtime.VERSION}
        yield InfoMetricFamily("striate_build", "What is running.", versions)

    def _of_triton(self) -> Iterator[Metric]:
        """Counters under the names of Triton, which have no `_total`: so OpenMetrics would not let them be counters."""
        statistics = [(key, self._engine.statistics.of(*key)) for key in self._known()]
        for name, (path, text) in _OF_TRITON.items():
            made = UnknownMetricFamily(name, text, labels=_MODEL)
            for (model, version), found in statistics:
                made.add_metric([model, str(version)], _at(found, path))
            yield made

    def _known(self) -> Sequence[tuple[str, int]]:
        """The names and versions of models that are there, or were asked."""
        there = ((entry.folder.name, entry.folder.version) for entry in self._engine.registry.entries)
        return list(dict.fromkeys((*there, *self._engine.statistics.asked())))


def _of_requests(kinds: Sequence[tuple[Kind, Counted]]) -> Iterator[Metric]:
    whole = HistogramMetricFamily("striate_request_duration_seconds", "Time to answer a request.", labels=_REQUEST)
    stages = HistogramMetricFamily(
        "striate_stage_duration_seconds", "Time that requests spend in each stage.", labels=["stage", *_REQUEST]
    )
    images = HistogramMetricFamily("striate_request_images", "Images that a request holds.", labels=_REQUEST)
    for kind, counted in kinds:
        labels = [kind.route or _OTHER, kind.model, kind.version, kind.status]
        whole.add_metric(labels, *_buckets(counted.seconds, SECONDS))
        for stage, found in counted.stages.items():
            stages.add_metric([stage, *labels], *_buckets(found, SECONDS))
        if any(counted.images.counts):
            images.add_metric(labels, *_buckets(counted.images, IMAGES))
    return iter((whole, stages, images))


def _at(statistics: Mapping[str, Any], path: Sequence[str]) -> int:
    """A value among the statistics of a model; durations are in nanoseconds there, and in microseconds here."""
    if len(path) == 1:
        return int(statistics[path[0]])
    total, field = path
    value = int(statistics["inference_stats"][total][field])
    return value // 1000 if field == "ns" else value


def _buckets(histogram: Histogram, ends: Iterable[float]) -> tuple[list[tuple[str, float]], float]:
    """A histogram as Prometheus has it: how many values are at most as large as each end."""
    names = [*(f"{float(end)}" for end in ends), "+Inf"]
    return list(zip(names, itertools.accumulate(histogram.counts), strict=True)), histogram.total


def _counter(name: str, text: str, values: Mapping[str, int], labels: Sequence[str]) -> Metric:
    made = CounterMetricFamily(name, text, labels=labels)
    for label, value in values.items():
        made.add_metric([label], value)
    return made


def _of_processes(processes: Mapping[int, int]) -> Iterator[Metric]:
    """What the system tells of each process: for itself, since a sum would go down when one ends."""
    found: dict[str, Metric] = {}
    for number, process in processes.items():
        for metric in ProcessCollector(pid=partial(int, process), registry=None).collect():
            made = found.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
            for sample in metric.samples:
                made.add_sample(sample.name, {"worker": str(number)}, sample.value)
    yield from found.values()
