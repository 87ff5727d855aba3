"""What runs left behind over HTTP: lists, files and parts of files, the archive, the report; all recorded."""

import hashlib
import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from app.domain.audit import AuditFilter
from app.domain.principal import Caller
from app.services import artifacts, audit_log
from app.services.platform import Platform
from tests.api_runs import MODEL_FILES, Runs

SignIn = Callable[..., TestClient]
WEIGHTS = "artifacts/final_model/adapter_model.safetensors"
URL = f"/experiments/a/artifacts/{WEIGHTS}"


@pytest.fixture
def runs(platform: Platform) -> Runs:
    return Runs(platform)


@pytest.fixture
def user(runs: Runs, sign_in: SignIn) -> TestClient:
    """Somebody with a finished run called a."""
    runs.add("a")
    return sign_in("user")


def downloads(platform: Platform) -> list[tuple[str, str, str]]:
    found = audit_log.read_page(
        platform.audit, Caller(local_user="t"), AuditFilter(action="artifact.download"), 99, None
    )
    return [(event.actor, event.resource, event.details["path"]) for event in found.items]


def test_the_list_is_the_receipts(user: TestClient) -> None:
    body = user.get("/experiments/a/artifacts").json()
    sizes = {item["path"]: (item["size_bytes"], item["sha256"]) for item in body["items"]}
    for path, content in MODEL_FILES.items():
        assert sizes[path] == (len(content), hashlib.sha256(content).hexdigest())
    assert sizes.keys() == {*MODEL_FILES, "config.yaml", "receipt.json"}
    assert body["total_bytes"] == sum(size for size, _ in sizes.values())


def test_a_file_comes_as_it_is_and_is_recorded(platform: Platform, user: TestClient) -> None:
    answer = user.get(URL)
    content = MODEL_FILES[WEIGHTS]
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["x-content-sha256"] == hashlib.sha256(content).hexdigest()
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''adapter_model.safetensors"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert downloads(platform) == [("user", "experiment:a", WEIGHTS)]


def test_a_download_that_broke_goes_on(user: TestClient) -> None:
    content, etag = MODEL_FILES[WEIGHTS], user.get(URL).headers["etag"]
    part = user.get(URL, headers={"Range": "bytes=1000-", "If-Range": etag})
    assert (part.status_code, part.content) == (206, content[1000:])
    assert part.headers["content-range"] == f"bytes 1000-{len(content) - 1}/{len(content)}"
    assert user.get(URL, headers={"Range": "bytes=-5"}).content == content[-5:]
    changed = user.get(URL, headers={"Range": "bytes=1000-", "If-Range": '"another"'})
    assert (changed.status_code, changed.content) == (200, content)


def test_a_part_that_is_not_there_is_a_problem_like_any(user: TestClient) -> None:
    size = len(MODEL_FILES[WEIGHTS])
    for header, status in ((f"bytes={size}-", 416), ("bytes=9-1", 400), ("lines=1-2", 400), ("bytes=", 400)):
        answer = user.get(URL, headers={"Range": header})
        assert (answer.status_code, answer.json()["code"]) == (status, "request.bad_range"), header
        assert answer.headers["content-type"] == "application/problem+json"
    assert user.get(URL, headers={"Range": f"bytes={size}-"}).headers["content-range"] == f"bytes */{size}"


ELSEWHERE = [
    "%2e%2e/b/config.yaml",
    "..%2f..%2fexperiments.db",
    "%2e%2e/%2e%2e/secrets/jwt.json",
    "artifacts/%2e%2e/config.yaml",
    "artifacts%5c..%5cconfig.yaml",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "....//config.yaml",
    "config.yaml%00",
    "config.yaml/",
    "%2e/config.yaml",
    "CONFIG.YAML",
    "events.jsonl",
    "attempt.json",
    ".lock",
    "file:///etc/passwd",
    "%252e%252e%252fconfig.yaml",
    "config.yaml%ff",
    "%ef%bc%8e%ef%bc%8e/config.yaml",
]


def test_nothing_else_can_be_reached_however_it_is_written(platform: Platform, runs: Runs, user: TestClient) -> None:
    runs.add("b", owner="other")
    for path in ELSEWHERE:
        answer = user.get(f"/experiments/a/artifacts/{path}")
        assert answer.status_code == 404, path
    assert downloads(platform) == []


def test_a_receipt_that_was_tampered_with_leads_nowhere(platform: Platform, runs: Runs, user: TestClient) -> None:
    run = runs.add("forged")
    (run.directory.path / "link").symlink_to("/etc/passwd")
    (run.directory.path / "folder").symlink_to(platform.installation.results_dir)
    receipt = json.loads(run.directory.receipt.read_text())
    paths = ["link", "../a/config.yaml", "/etc/passwd", "folder/a/config.yaml", "artifacts"]
    receipt["files"] |= dict.fromkeys(paths, "0" * 64)
    run.directory.receipt.write_text(json.dumps(receipt))
    for path in paths:
        assert user.get(f"/experiments/forged/artifacts/{path}").status_code == 404, path
        assert user.get(f"/experiments/forged/artifacts/{path.replace('/', '%2f')}").status_code == 404, path
    listed = {item["path"] for item in user.get("/experiments/forged/artifacts").json()["items"]}
    assert not listed & set(paths)
    assert downloads(platform) == []


@pytest.mark.parametrize("state", ["PENDING", "STARTED", "FAILURE"])
def test_a_run_that_has_not_finished_has_left_nothing(runs: Runs, sign_in: SignIn, state: str) -> None:
    runs.add("a", state=state)
    user = sign_in("user")
    for path in ("/artifacts", f"/artifacts/{WEIGHTS}", "/archive", "/report"):
        answer = user.get(f"/experiments/a{path}")
        assert (answer.status_code, answer.json()["code"]) == (409, "run.incomplete")


def test_files_that_are_gone_from_the_disk_are_said_to_be(runs: Runs, user: TestClient) -> None:
    run = runs.add("damaged")
    (run.directory.path / WEIGHTS).unlink()
    for path in (f"/artifacts/{WEIGHTS}", "/archive"):
        answer = user.get(f"/experiments/damaged{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "run.files_gone")
    assert user.get("/experiments/damaged/report").status_code == 200


def test_the_archive_is_the_final_model(platform: Platform, user: TestClient) -> None:
    answer = user.get("/experiments/a/archive")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''a.zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    model = {path: content for path, content in MODEL_FILES.items() if path.startswith("artifacts/final_model/")}
    assert found == {f"a/{path.removeprefix('artifacts/final_model/')}": content for path, content in model.items()}
    assert downloads(platform) == [("user", "experiment:a", "artifacts/final_model")]
    assert user.get("/experiments/a/archive").content == answer.content


def test_an_archive_is_made_a_piece_at_a_time(platform: Platform, runs: Runs) -> None:
    from app.domain.manifest import Proof
    from app.domain.principal import Principal, Role
    from app.runs.receipt import write_receipt

    run = runs.add("large")
    big = run.directory.final_model / "weights.safetensors"
    with big.open("wb") as file:
        file.truncate(64_000_000)
    proof = Proof(passed=True, rows=1, label_agreement=1.0, max_abs_logit_diff=0.0)
    write_receipt(run.directory, data_version="", code_revision="", proof=proof)
    principal = Principal(user_id=1, username="user", role=Role.USER, via="token")
    tracemalloc.start()
    try:
        total = sum(map(len, artifacts.archive(platform, Caller(principal=principal), "large")))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total > 64_000_000
    assert peak < 10_000_000


def test_the_report_can_do_nothing_in_a_browser(platform: Platform, user: TestClient) -> None:
    answer = user.get("/experiments/a/report")
    assert answer.content == MODEL_FILES["evaluation/report.html"]
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment;")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script" not in policy
    assert downloads(platform) == [("user", "experiment:a", "evaluation/report.html")]


def test_a_download_that_cannot_be_recorded_does_not_happen(
    platform: Platform, user: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.domain.errors import AuditUnavailable

    def fail(*_arguments: object, **_named: object) -> int:
        raise AuditUnavailable("the audit log cannot be written")

    monkeypatch.setattr(platform.audit, "append_now", fail)
    for path in (f"/artifacts/{WEIGHTS}", "/archive", "/report"):
        assert user.get(f"/experiments/a{path}").status_code == 503


def test_viewers_read_what_is_shared_with_them(runs: Runs, user: TestClient, sign_in: SignIn) -> None:
    viewer = sign_in("viewer")
    assert viewer.get(URL).status_code == 404
    runs.share("a", "viewer")
    assert viewer.get(URL).status_code == 200


def test_a_program_with_an_api_key_may_download_and_remove_too(user: TestClient) -> None:
    key = user.post("/me/api-keys", json={"name": "build"}).json()["key"]
    headers = {"Authorization": f"Bearer {key}"}
    assert user.get(URL, headers=headers).content == MODEL_FILES[WEIGHTS]
    assert user.delete("/experiments/a", params={"confirm": "a"}, headers=headers).status_code == 204
