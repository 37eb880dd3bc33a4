"""Promises of service.workers.launch."""

import os
import socket
import sys
from pathlib import Path

import pytest

from service.errors import SettingsError
from service.settings import Settings
from service.workers.launch import plan, shares
from service.workers.plan import Plan


@pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")
def test_what_is_counted_for_all_is_divided() -> None:
    """The shares are whole, differ by at most 1, and together are what was given; all else is as it was."""
    given = Settings(
        workers=3,
        threads=8,
        max_queue=256,
        session_cache_bytes=100,
        client_rate=30,
        client_burst=2,
        port=1234,
        max_connections=1000,
        max_held_bytes=7,
    )
    found = shares(given)
    assert [share.threads for share in found] == [3, 3, 2]
    assert [share.max_queue for share in found] == [86, 85, 85]
    assert [share.session_cache_bytes for share in found] == [34, 33, 33]
    assert [share.max_connections for share in found] == [334, 333, 333]
    assert [share.max_held_bytes for share in found] == [3, 2, 2]
    assert [share.client_rate for share in found] == [10, 10, 10]
    assert [share.client_burst for share in found] == [1, 1, 1]  # with none, nobody could ask at all
    divided = (
        "threads",
        "max_queue",
        "session_cache_bytes",
        "max_connections",
        "max_held_bytes",
        "client_rate",
        "client_burst",
    )
    for share in found:
        assert share.model_dump(exclude=set(divided)) == given.model_dump(exclude=set(divided))


@pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")
def test_a_worker_reads_its_settings_as_they_were_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment says once more does not count."""
    monkeypatch.setenv("STRIATE_MAX_IMAGES", "3")
    (share, _) = shares(Settings(workers=2, threads=2, max_images=5, admin_key="a-key"))
    assert Settings.model_validate_json(share.model_dump_json()) == share
    assert (share.max_images, share.admin_key) == (5, "a-key")


@pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")
def test_each_worker_needs_a_core() -> None:
    """The error says how many there are, and which setting tells."""
    with pytest.raises(SettingsError, match=r"workers is 3, with 2 cores \(setting threads\); accepted: 1 to 2"):
        shares(Settings(workers=3, threads=2))


def test_other_systems_have_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says so."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SettingsError, match="workers is 2: on darwin the service is one process; accepted: 1"):
        shares(Settings(workers=2, threads=2))


@pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")
def test_a_plan_is_read_as_it_was_written() -> None:
    """Through a file that others cannot open."""
    written = Plan(
        command=["python"],
        listeners=[3, 4],
        url="http://127.0.0.1:80",
        shares=["{}"],
        threads=2,
        patience_seconds=35,
        log_level="info",
        log_format="json",
    )
    file = written.save()
    assert os.get_inheritable(file)
    assert Plan.load(file) == written
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)


@pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")
def test_a_plan_is_made_of_settings() -> None:
    """Whoever connects from now on waits, and the program that follows has the sockets."""
    made = plan(Settings(workers=2, threads=3, host="localhost", port=0, shutdown_seconds=7, log_level="error"))
    assert (len(made.shares), made.threads, made.patience_seconds, made.log_level) == (2, 3, 12, "error")
    ports = set()
    for file in made.listeners:
        with socket.socket(fileno=file) as listener:
            assert os.get_inheritable(file)
            ports.add(listener.getsockname()[1])
            socket.create_connection(listener.getsockname()).close()
    assert [made.url] == [f"http://localhost:{port}" for port in ports]


@pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")
@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param(["127.0.0.1", "127.0.0.2"], id="two"),
        pytest.param(["127.0.0.1", "127.0.0.1"], id="one that is named twice"),
    ],
)
def test_every_address_of_a_host_is_listened_on(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> None:
    """On one port."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    listeners = [socket.socket(fileno=file) for file in plan(Settings(workers=1, threads=1, port=0)).listeners]
    assert [listener.getsockname()[0] for listener in listeners] == list(dict.fromkeys(addresses))
    assert len({listener.getsockname()[1] for listener in listeners}) == 1
    for listener in listeners:
        listener.close()


@pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")
def test_an_address_that_cannot_be_listened_on_is_refused() -> None:
    """The error names it, and says why."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        expected = f"cannot listen on host '127.0.0.1', port {port}: Address already in use"
        with pytest.raises(SettingsError, match=expected):
            plan(Settings(workers=1, threads=1, host="127.0.0.1", port=port))


@pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")
def test_the_service_is_called_as_it_is_reached(tmp_path: Path) -> None:
    """With a scheme for certificates, and brackets around an address that has colons."""
    files = {name: tmp_path / name for name in ("tls_certificate", "tls_key")}
    made = plan(Settings(workers=1, threads=1, host="::1", port=0, **files))
    with socket.socket(fileno=made.listeners[0]) as listener:
        assert made.url == f"https://[::1]:{listener.getsockname()[1]}"
