"""A fault that does not happen makes a test of failures worthless."""

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rig.servers.faults import Answer, Corrupt, FaultProxy, Hang, LoseReply, Refuse, Reset, Slow

BODY = b"0123456789" * 20_000


class Store(ThreadingHTTPServer):
    """Keeps the bodies of PUT requests and answers with their length."""

    bodies: list[bytes]


class StoreHandler(BaseHTTPRequestHandler):
    server: Store
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(str(len(self.server.bodies[-1])).encode())

    def do_GET(self) -> None:
        self.answer(BODY)

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def store() -> Iterator[Store]:
    with Store(("127.0.0.1", 0), StoreHandler) as server:
        server.bodies = []
        server.block_on_close = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(store: Store) -> Iterator[FaultProxy]:
    with FaultProxy(store.server_address[1]) as server:
        yield server


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)
    yield connection
    connection.close()


def put(client: http.client.HTTPConnection, path: str = "/b/k", **headers: str) -> tuple[int, bytes]:
    client.request("PUT", path, BODY, headers)
    reply = client.getresponse()
    return reply.status, reply.read()


def test_without_a_fault_requests_pass_unchanged_on_one_connection(
    store: Store, proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    assert put(client) == put(client, "/b/k2") == (200, str(len(BODY)).encode())
    client.request("GET", "/b/k")
    assert client.getresponse().read() == BODY
    assert store.bodies == [BODY, BODY]
    assert proxy.requests == ["PUT /b/k HTTP/1.1", "PUT /b/k2 HTTP/1.1", "GET /b/k HTTP/1.1"]


@pytest.mark.parametrize("at_byte", [0, 65_536, len(BODY) - 1], ids=["first", "middle", "last"])
def test_corrupt_changes_that_octet_and_no_other(
    store: Store, proxy: FaultProxy, client: http.client.HTTPConnection, at_byte: int
) -> None:
    proxy.set(Corrupt(at_byte))
    put(client)
    [body] = store.bodies
    assert [offset for offset in range(len(BODY)) if body[offset] != BODY[offset]] == [at_byte]


def test_refuse_closes_the_port_and_cuts_what_is_open(
    proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    put(client)
    proxy.set(Refuse())
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        put(client)
    client.close()
    with pytest.raises(ConnectionRefusedError):
        put(client)


def test_the_port_comes_back_when_the_fault_has_passed(
    proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    proxy.set(Refuse())
    proxy.set(Answer(500, "InternalError"))
    assert put(client)[0] == 500


def test_hang_takes_some_and_never_answers(
    store: Store, proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    proxy.set(Hang(after_bytes=1000))
    client.timeout = 0.2
    with pytest.raises(TimeoutError):
        put(client)
    assert store.bodies == []


@pytest.mark.parametrize("after_bytes", [0, 70_000])
def test_reset_is_a_reset_and_no_orderly_end(
    store: Store, proxy: FaultProxy, client: http.client.HTTPConnection, after_bytes: int
) -> None:
    proxy.set(Reset(after_bytes))
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        put(client)
    assert store.bodies == []


@pytest.mark.parametrize("headers", [{}, {"Expect": "100-continue"}], ids=["at once", "when invited"])
def test_an_answer_is_heard_by_a_client_that_sends_a_body(
    store: Store, proxy: FaultProxy, client: http.client.HTTPConnection, headers: dict[str, str]
) -> None:
    proxy.set(Answer())
    status, body = put(client, **headers)
    assert status == 503
    assert b"<Code>SlowDown</Code>" in body
    assert store.bodies == []


def test_a_lost_reply_leaves_the_object_stored(
    store: Store, proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    proxy.set(LoseReply())
    with pytest.raises(http.client.RemoteDisconnected):
        put(client, Expect="100-continue")
    assert store.bodies == [BODY]


def test_a_truncated_reply_ends_early(proxy: FaultProxy, client: http.client.HTTPConnection) -> None:
    proxy.set(LoseReply(after_bytes=100_000))
    client.request("GET", "/b/k")
    with pytest.raises(http.client.IncompleteRead):
        client.getresponse().read()


def test_slow_takes_the_time_that_its_pace_asks_for(
    store: Store, proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    proxy.set(Slow(bytes_per_s=10 * len(BODY)))
    thread = threading.Thread(target=put, args=(client,))
    thread.start()
    thread.join(0.08)
    assert thread.is_alive()
    thread.join()
    assert store.bodies == [BODY]


def test_a_fault_may_hold_for_some_requests_only(
    proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    proxy.set(Answer(), applies_to="envelope.json")
    assert put(client, "/b/message.eml")[0] == 200
    assert put(client, "/b/envelope.json")[0] == 503


def test_one_can_wait_for_a_request(proxy: FaultProxy, client: http.client.HTTPConnection) -> None:
    thread = threading.Thread(target=put, args=(client,))
    thread.start()
    proxy.wait_for_request("PUT /b/k")
    thread.join()
    with pytest.raises(TimeoutError, match="no request with 'DELETE'"):
        proxy.wait_for_request("DELETE", timeout_s=0.01)
