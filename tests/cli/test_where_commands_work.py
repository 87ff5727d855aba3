"""Every command either works on a server or says in one line that it does not."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer

WORK_REMOTELY = {
    "audit export", "audit list", "audit verify",
    "config schema",
    "data add", "data diff", "data export", "data list", "data profile", "data remove", "data show", "data validate",
    "experiments assign", "experiments compare", "experiments delete", "experiments export", "experiments list",
    "experiments logs", "experiments show",
    "login", "logout", "plan", "predict", "train",
    "users create", "users disable", "users enable", "users list", "users reset-password", "users set-role",
}  # fmt: skip


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def _local_only(command: Any) -> str | None:
    function = command.callback
    while function is not None:
        if hasattr(function, "local_only"):
            return str(function.local_only)
        function = getattr(function, "__wrapped__", None)
    return None


def _all() -> dict[str, Any]:
    from app.cli.main import app

    return dict(_commands(typer.main.get_command(app)))


def test_every_command_has_its_place() -> None:
    here = {name for name, command in _all().items() if _local_only(command)}
    assert here & WORK_REMOTELY == set()
    assert sorted(here | WORK_REMOTELY) == sorted(_all())


def test_a_command_that_works_here_alone_calls_itself_by_its_name() -> None:
    assert [name for name, command in _all().items() if _local_only(command) not in (None, name)] == []


@pytest.mark.parametrize(
    "words",
    [
        ("serve",),
        ("start",),
        ("worker",),
        ("checkpoints", "list", "x"),
        ("experiments", "verify", "x"),
        ("data", "gc"),
        ("data", "validate", "x.csv", "--fix", "y.csv"),
        ("keys", "rotate"),
    ],
    ids=" ".join,
)
def test_it_says_so_in_one_line(finetune: Callable[..., Any], words: tuple[str, ...]) -> None:
    answer = finetune("--server", "http://127.0.0.1:1", *words)
    assert answer.status == 2
    name = " ".join(words[:2] if len(words) > 1 else words)
    assert answer.err.startswith(f"error: finetune {name}")
    assert "works on this machine alone, not on http://127.0.0.1:1\n  hint: leave --server out" in answer.err


def test_a_server_named_for_one_command_is_not_that_of_the_next_in_this_process(
    there: Callable[..., Any], finetune: Callable[..., Any]
) -> None:
    assert there("users", "list").status == 0
    from app.cli import server

    assert server.chosen() is None
