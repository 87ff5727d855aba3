"""A server of its own process, from its first start on: the printed code, a sign-in, a key rotated while it runs."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import jwt
import pytest

ADA = {"username": "ada", "password": "a quiet river at dusk"}
CODE = re.compile(r"The code (\S+) makes the first administrator")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server that has just been started without accounts, and the file of what it printed."""
    printed = tmp_path / "printed"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = [sys.executable, "-m", "app.main", str(listening.fileno())]
        with printed.open("wb") as output:
            process = subprocess.Popen(command, pass_fds=[listening.fileno()], stdout=output, stderr=output)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        yield address, printed
    finally:
        process.terminate()
        process.wait(60)


def test_the_first_account_a_sign_in_and_a_key_rotated_meanwhile(server: tuple[str, Path]) -> None:
    address, printed = server
    # The socket listened before the server did: the first request waits until there is somebody to answer it.
    with httpx.Client(base_url=address, timeout=120) as client:
        assert client.post("/login", json=ADA).status_code == 401
        code = CODE.search(printed.read_text())
        assert code, printed.read_text()
        assert client.post("/setup", json={"code": code[1], **ADA}).status_code == 201
        token = client.post("/login", json=ADA).json()["access_token"]

        rotated = subprocess.run(
            [sys.executable, "-m", "app.cli", "keys", "rotate"], capture_output=True, text=True, check=True
        )
        mine = {"Authorization": f"Bearer {token}"}
        assert client.get("/me", headers=mine).json()["username"] == "ada"
        newer = client.post("/login", json=ADA).json()["access_token"]
        assert jwt.get_unverified_header(newer)["kid"] == rotated.stdout.split()[1]
        assert jwt.get_unverified_header(token)["kid"] != jwt.get_unverified_header(newer)["kid"]
        assert client.get("/me", headers={"Authorization": f"Bearer {newer}"}).status_code == 200
        assert client.post("/setup", json={"code": code[1], **ADA}).status_code == 409
    assert "Traceback" not in printed.read_text()
