"""`finetune users`: who may use this installation, and as what."""

import getpass
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli import output
from app.domain.errors import InvalidInput

if TYPE_CHECKING:
    from app.schemas.users import UpdateUser, UserView

app = typer.Typer(no_args_is_help=True)

RoleName = Literal["admin", "user", "viewer"]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of an account.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of stdin; ask without.")
]
MAX_PASSWORD_BYTES = 8192


@app.command()
def create(
    name: Name,
    role: Annotated[RoleName, typer.Option(help="What the account may do.")] = "user",
    password_stdin: PasswordStdin = False,
) -> None:
    """Add an account."""
    password = _password(from_stdin=password_stdin)
    from app.cli.caller import local_caller
    from app.cli.platform import local_platform
    from app.domain.principal import Role
    from app.services.accounts import create_user

    made = create_user(local_platform(), local_caller(), name, password, Role(role))
    print(f"created {made.username} ({made.role})")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List accounts by name."""
    found = _all_users()
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

    _update(name, UpdateUser(disabled=True))
    print(f"{name} is disabled")


@app.command()
def enable(name: Name) -> None:
    """Let a disabled account sign in again."""
    from app.schemas.users import UpdateUser

    _update(name, UpdateUser(disabled=False))
    print(f"{name} is enabled")


@app.command("set-role")
def set_role(
    name: Name, role: Annotated[RoleName, typer.Argument(metavar="admin|user|viewer", help="What it may do.")]
) -> None:
    """Change what an account may do, from its next request on."""
    from app.domain.principal import Role
    from app.schemas.users import UpdateUser

    _update(name, UpdateUser(role=Role(role)))
    print(f"{name} is {role}")


@app.command("reset-password")
def reset_password(
    name: Name,
    password_stdin: PasswordStdin = False,
    keep_api_keys: Annotated[bool, typer.Option("--keep-api-keys", help="API keys stay valid.")] = False,
) -> None:
    """Give an account another password; its sign-ins and API keys end."""
    password = _password(from_stdin=password_stdin)
    from app.cli.caller import local_caller
    from app.cli.platform import local_platform
    from app.services import accounts

    accounts.reset_password(local_platform(), local_caller(), name, password, revoke_api_keys=not keep_api_keys)
    print(f"{name} has another password and is signed out everywhere")


def _update(name: str, changes: "UpdateUser") -> None:
    from app.cli.caller import local_caller
    from app.cli.platform import local_platform
    from app.services.accounts import update_user

    update_user(local_platform(), local_caller(), name, changes)


def _all_users() -> "list[UserView]":
    from app.cli.platform import local_platform
    from app.schemas.paging import MAX_LIMIT
    from app.services.accounts import list_users

    platform, found, cursor = local_platform(), [], None
    while True:
        page = list_users(platform, limit=MAX_LIMIT, cursor=cursor)
        found += page.items
        cursor = page.next
        if cursor is None:
            return found


def _password(*, from_stdin: bool) -> str:
    """The password a person types, twice, or the first line of stdin; never an argument, which others can see."""
    if from_stdin:
        line = sys.stdin.buffer.readline(MAX_PASSWORD_BYTES)
        try:
            password = line.decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise InvalidInput("the password on stdin is no UTF-8 text", hint="check what is piped in") from error
        if not password:
            raise InvalidInput("there is no password on stdin", hint="pipe it in: `... --password-stdin < FILE`")
        return password
    if not sys.stdin.isatty():
        raise InvalidInput("nobody is there to type a password", hint="give --password-stdin and pipe it in")
    password = getpass.getpass("password: ")
    if getpass.getpass("once more: ") != password:
        raise InvalidInput("these are two different passwords", hint="run the same command again")
    return password
