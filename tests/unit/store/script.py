"""A server that says what a test tells it to: for what no server of the rig does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Script(ThreadingHTTPServer):
    """Takes each request whole and answers as the script says; the last answer serves for ever after."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ScriptHandler)
        self.answers: list[tuple[int, dict[str, str], bytes]] = [(200, {}, b"")]
        self.requests: list[tuple[dict[str, str], bytes]] = []

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class ScriptHandler(BaseHTTPRequestHandler):
    server: Script
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((headers, self.rfile.read(int(headers["content-length"]))))
        answers = self.server.answers
        status, extra, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        for name, value in (extra | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def scripted() -> Iterator[Script]:
    """Run one, in a thread of its own."""
    with Script() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def refusal(status: int, code: str) -> tuple[int, dict[str, str], bytes]:
    body = f"<Error><Code>{code}</Code><Message>https://example.com/?X-Amz-Signature=1</Message></Error>"
    return status, {"Content-Type": "application/xml"}, body.encode()


SCRIPT_KEYS = {"access_key_id": "AKIASCRIPT0000000000", "secret_access_key": "wrong-secret" * 3}
