"""`finetune users`: who may use this installation, and as what."""

from typing import Annotated, Literal

import typer

from app.cli import output, secret_input
from app.cli.backend import backend

app = typer.Typer(no_args_is_help=True)

RoleName = Literal["admin", "user", "viewer"]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of an account.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of stdin; ask without.")
]


@app.command()
def create(
    name: Name,
    role: Annotated[RoleName, typer.Option(help="What the account may do.")] = "user",
    password_stdin: PasswordStdin = False,
) -> None:
    """Add an account."""
    password = _password(from_stdin=password_stdin)
    from app.domain.principal import Role

    made = backend().users.create(name, password, Role(role))
    print(f"created {made.username} ({made.role})")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List accounts by name."""
    found = backend().users.list()
    if as_json:
        output.show_json([one.model_dump(mode="json") for one in found])
    elif not found:
        print("no accounts yet; make one with `finetune users create NAME --role admin`")
    else:
        rows = [
            (one.username, one.role, "disabled" if one.disabled else "active", one.created_at, one.last_login_at)
            for one in found
        ]
        output.show_table(
            ("name", "role", "state", "created", "last sign-in"),
            [(*row[:3], *(f"{time:%Y-%m-%d %H:%M}" if time else None for time in row[3:])) for row in rows],
        )


@app.command()
def disable(name: Name) -> None:
    """Keep an account from signing in, and sign it out everywhere; what it owns stays."""
    from app.schemas.users import UpdateUser

    backend().users.update(name, UpdateUser(disabled=True))
    print(f"{name} is disabled")


@app.command()
def enable(name: Name) -> None:
    """Let a disabled account sign in again."""
    from app.schemas.users import UpdateUser

    backend().users.update(name, UpdateUser(disabled=False))
    print(f"{name} is enabled")


@app.command("set-role")
def set_role(
    name: Name, role: Annotated[RoleName, typer.Argument(metavar="admin|user|viewer", help="What it may do.")]
) -> None:
    """Change what an account may do, from its next request on."""
    from app.domain.principal import Role
    from app.schemas.users import UpdateUser

    backend().users.update(name, UpdateUser(role=Role(role)))
    print(f"{name} is {role}")


@app.command("reset-password")
def reset_password(
    name: Name,
    password_stdin: PasswordStdin = False,
    keep_api_keys: Annotated[bool, typer.Option("--keep-api-keys", help="API keys stay valid.")] = False,
) -> None:
    """Give an account another password; its sign-ins and API keys end."""
    password = _password(from_stdin=password_stdin)
    backend().users.reset_password(name, password, revoke_api_keys=not keep_api_keys)
    print(f"{name} has another password and is signed out everywhere")


def _password(*, from_stdin: bool) -> str:
    option = "--password-stdin"
    return (
        secret_input.from_stdin("password", option)
        if from_stdin
        else secret_input.typed("password", option, twice=True)
    )
