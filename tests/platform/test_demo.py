"""`make demo`: everything is there to look at, and ends with Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.platform.conftest import PATIENCE_SECONDS, REPOSITORY, wait_until
from tests.servers import free_port


def test_the_demonstration_has_an_administrator_data_and_a_finished_run(tmp_path: Path) -> None:
    api, ui, shown = free_port(), free_port(), tmp_path / "terminal.txt"
    settings = {"API_PORT": str(api), "UI_PORT": str(ui), "SERVE_PORT": str(free_port())}
    settings["RESULTS_DIR"] = str(tmp_path / "results")
    command = [sys.executable, str(REPOSITORY / "scripts" / "demo.py"), "--no-browser", "--max-steps", "2"]
    with shown.open("wb") as output:
        demo = subprocess.Popen(
            command, cwd=tmp_path, env=os.environ | settings, stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait_until(lambda: "  password  " in shown.read_text() or demo.poll() is not None, "the password")
        assert demo.poll() is None, shown.read_text()
        password = re.findall(r"^  password  (\S+)$", shown.read_text(), re.MULTILINE)[0]
        with httpx.Client(base_url=f"http://127.0.0.1:{ui}", timeout=PATIENCE_SECONDS, trust_env=False) as browser:
            assert browser.get("/", headers={"Accept": "text/html"}).headers["location"] == "/sign-in?next=/"
            signed_in = browser.post("/sign-in", data={"username": "demo", "password": password})
            assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/")
            assert "HttpOnly" in signed_in.headers["set-cookie"]
            assert browser.get("/", headers={"Accept": "text/html"}).status_code == 200
        tokens = httpx.post(f"http://127.0.0.1:{api}/login", json={"username": "demo", "password": password}).json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        found = httpx.get(f"http://127.0.0.1:{api}/me/experiments", headers=headers).json()["items"]
        assert [(one["name"], one["state"]) for one in found] == [("reviews-001", "SUCCESS")]
    finally:
        os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(PATIENCE_SECONDS) == 0
    assert not (tmp_path / "results" / "experiments.db").exists()
