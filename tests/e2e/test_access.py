"""Keys, rates, certificates and pages from elsewhere, at a real service."""

import http.client
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from service.keys import Role, make_key
from tests import certificates, images, tiny_models
from tests.certificates import Certificate
from tests.e2e.conftest import ROOT, Server, Start

WORKERS = ("--workers", "2", "--threads", "2")
ALONE_AND_TOGETHER = pytest.mark.parametrize(
    "processes",
    [
        pytest.param((), id="one process"),
        pytest.param(
            WORKERS, id="two", marks=pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")
        ),
    ],
)


def replace_keys(file: Path, *roles: Role) -> list[str]:
    """Put a file with new keys in the place of the one before, in one step; returns the keys."""
    made = [make_key(f"the-{role}", role) for role in roles]
    beside = file.with_suffix(".new")
    beside.write_text("".join(f"{key.line()}\n" for _, key in made))
    beside.replace(file)
    return [sent for sent, _ in made]


def status(server: Server, path: str, key: str = "", *, method: str = "GET") -> int:
    """The status of an answer, asked over a connection of its own."""
    return httpx2.request(method, f"{server.url}{path}", headers={"X-API-Key": key}, timeout=60).status_code


def until_all_answer(server: Server, key: str, wanted: int) -> None:
    """Ask until each of several processes has given an answer of some status, and in a row."""
    with httpx2.Client(timeout=60) as one, httpx2.Client(timeout=60) as other:
        for _ in range(10_000):
            answers = [client.get(f"{server.url}/v1/models", headers={"X-API-Key": key}) for client in (one, other)]
            if [answer.status_code for answer in answers] == [wanted, wanted]:
                return
    pytest.fail(f"the answer never was {wanted}")


@ALONE_AND_TOGETHER
def test_keys_change_while_it_runs(start: Start, repository: Path, tmp_path: Path, processes: tuple[str, ...]) -> None:
    """In every process, without a restart; a broken file changes nothing, and the log says so."""
    tiny_models.publish(repository)
    file = tmp_path / "striate.keys"
    (old,) = replace_keys(file, "caller")
    with start(repository, "--keys-file", str(file), *processes) as server:
        assert status(server, "/v1/models") == 401
        until_all_answer(server, old, 200)
        (new,) = replace_keys(file, "caller")
        until_all_answer(server, new, 200)
        until_all_answer(server, old, 401)
        file.write_text("nonsense")
        with httpx2.Client(headers={"X-API-Key": new}, timeout=60) as client, ThreadPoolExecutor(1) as reader:
            told = reader.submit(server.log.until, "the keys stay as they were")
            while not told.done():  # it looks when it is asked
                assert client.get(f"{server.url}/v1/models").status_code == 200
        said = told.result()
        assert "line 1 is no key" in said
        assert new not in said


@ALONE_AND_TOGETHER
def test_roles(start: Start, repository: Path, tmp_path: Path, processes: tuple[str, ...]) -> None:
    """The key of a caller classifies, that of an admin loads models in every process, a wrong one does neither."""
    tiny_models.publish(repository)
    file = tmp_path / "striate.keys"
    caller, admin = replace_keys(file, "caller", "admin")
    with start(repository, "--keys-file", str(file), *processes) as server:
        load = "/v2/repository/models/brightness/load"
        assert [status(server, load, key, method="POST") for key in ("", "wrong", caller, admin)] == [
            401,
            401,
            403,
            200,
        ]
        assert status(server, "/v2/health/ready") == 200


def test_a_refusal_does_not_wait_for_the_body(start: Start, repository: Path, tmp_path: Path) -> None:
    """A caller without a key is answered when its head has arrived."""
    tiny_models.publish(repository)
    replace_keys(tmp_path / "striate.keys", "caller")
    with (
        start(repository, "--keys-file", str(tmp_path / "striate.keys")) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as caller,
    ):
        caller.sendall(
            b"POST /v1/models/brightness/classify HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert caller.recv(65_536).startswith(b"HTTP/1.1 401 ")


@ALONE_AND_TOGETHER
def test_who_asks_too_often_has_to_wait(start: Start, repository: Path, processes: tuple[str, ...]) -> None:
    """All processes together give no more than the burst; health answers on, and no claimed address helps."""
    tiny_models.publish(repository)
    with start(repository, "--client-rate", "0.001", "--client-burst", "4", *processes) as server:
        claimed = [{"X-Forwarded-For": f"192.0.2.{number}"} for number in range(20)]
        answers = [httpx2.get(f"{server.url}/v1/models", headers=headers, timeout=60) for headers in claimed]
        assert [answer.status_code for answer in answers].count(200) <= 4
        refused = answers[-1]
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 2000
        assert {status(server, "/v2/health/live") for _ in range(10)} == {200}


def test_a_proxy_that_is_trusted_tells_addresses(start: Start, repository: Path) -> None:
    """Each of them has a rate of its own then."""
    tiny_models.publish(repository)
    flags = ("--client-rate", "0.001", "--client-burst", "1", "--trusted-proxies", "127.0.0.1")
    with start(repository, *flags) as server:
        claimed = [{"X-Forwarded-For": f"192.0.2.{number}"} for number in (1, 2, 1)]
        answers = [
            httpx2.get(f"{server.url}/v1/models", headers=headers, timeout=60).status_code for headers in claimed
        ]
        assert answers == [200, 200, 429]


@pytest.fixture
def made(tmp_path: Path) -> Certificate:
    """A self-signed certificate for 127.0.0.1."""
    return certificates.make(tmp_path)


@pytest.fixture(params=[(), WORKERS], ids=["one process", "two"])
def secure(start: Start, repository: Path, made: Certificate, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A service with a certificate."""
    tiny_models.publish(repository)
    flags = ("--tls-certificate", str(made.certificate), "--tls-key", str(made.key), *request.param)
    with start(repository, *flags) as server:
        yield server


def ask_plainly(server: Server) -> None:
    """Ask without TLS."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as caller:
        caller.request("GET", "/v2/health/live")
        caller.getresponse()


def test_https(secure: Server, made: Certificate) -> None:
    """A caller who trusts the certificate gets answers, large ones too; another one gets none, nor one without TLS."""
    assert secure.url.startswith("https://")
    trusting = ssl.create_default_context(cafile=str(made.certificate))
    picture = images.plain(255, size=(2000, 2000))
    with httpx2.Client(verify=trusting, base_url=secure.url, timeout=60) as client:
        for _ in range(3):  # on one connection
            assert client.post("/v1/models/brightness/classify", content=picture).status_code == 200
        assert len(client.get("/openapi.json").content) > 65_536
    with pytest.raises(httpx2.ConnectError, match="self-signed"):
        httpx2.get(f"{secure.url}/v2/health/live", timeout=60)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        ask_plainly(secure)
    with httpx2.Client(verify=trusting, timeout=60) as client:  # nobody's failure is another's
        assert client.get(f"{secure.url}/v2/health/ready").status_code == 200


def test_its_health_can_be_asked_here(secure: Server, made: Certificate) -> None:
    """By the command, as in a container, which knows from the settings that it is HTTPS."""
    command = [sys.executable, "-m", "service", "health", "--port", str(secure.port)]
    told = subprocess.run(
        [*command, "--tls-certificate", str(made.certificate)], cwd=ROOT, capture_output=True, check=False
    )
    assert (told.returncode, told.stdout) == (0, b"ready\n")


def shake_hands(server: Server, made: Certificate, cipher: str) -> None:
    """Offer one cipher, in TLS 1.2: that of TLS 1.3 cannot be chosen."""
    context = ssl.create_default_context(cafile=str(made.certificate))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as caller:
        context.wrap_socket(caller, server_hostname="localhost").close()


def test_weak_ciphers_are_refused(secure: Server, made: Certificate) -> None:
    """Those without forward secrecy, and those in blocks; before TLS 1.2 there were no others."""
    shake_hands(secure, made, "ECDHE-RSA-AES128-GCM-SHA256")
    for weak in ("AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384"):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            shake_hands(secure, made, weak)


def test_every_answer_says_that_nothing_is_to_be_guessed(server: Server) -> None:
    """And none says which program gave it: not an answer, an error, the page, nor what uvicorn refuses itself."""
    answers = [
        httpx2.get(f"{server.url}{path}", timeout=60)
        for path in (
            "/",
            "/page/style.css",
            "/docs",
            "/openapi.json",
            "/v1/models",
            "/v1/nothing",
            "/v2",
            "/v2/nothing",
        )
    ]
    heads = [str(answer.headers).lower() for answer in answers]
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as caller:
        caller.sendall(b"nonsense\r\n\r\n")
        heads.append(caller.recv(65_536).decode().lower())
    for head in heads:
        assert "x-content-type-options" in head
        assert re.search(r"\bserver['\":]+ ", head) is None
        assert "uvicorn" not in head
