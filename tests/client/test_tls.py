"""Certificates are verified, and nothing turns that off."""

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.client import Client
from app.client.retrying import NEVER
from app.domain.errors import ServiceUnavailable


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"status": "ok"}')

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_request: object) -> None:
        """A client that hangs up is what is tested here."""


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[str]:
    """A server whose certificate nobody vouches for."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with _Server(("127.0.0.1", 0), _Answers) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"https://localhost:{server.server_address[1]}"
        server.shutdown()


def test_a_certificate_nobody_vouches_for_is_refused(self_signed: str) -> None:
    with Client(self_signed, retrying=NEVER) as client, pytest.raises(ServiceUnavailable, match="CERTIFICATE"):
        client.system.health()


def test_nothing_turns_verification_off(repository: Path) -> None:
    sources = [*(repository / "app" / "client").glob("*.py"), *(repository / "app" / "cli").glob("*.py")]
    words = ("verify=", "CERT_NONE", "_create_unverified", "check_hostname")
    assert [path.name for path in sources if any(word in path.read_text(encoding="utf-8") for word in words)] == []
