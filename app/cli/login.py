"""`finetune login` and `finetune logout`: be somebody on a server, and nobody again."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import output, secret_input, server
from app.domain.errors import InvalidInput, PlatformError

if TYPE_CHECKING:
    from app.client import Client
    from app.client.credentials import CredentialFile, Entry


def login(
    server_: Annotated[
        str | None, typer.Option("--server", metavar="URL", help="Its address; else FINETUNE_SERVER.")
    ] = None,
    username: Annotated[str | None, typer.Option(metavar="NAME", help="The account; asked for without.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from the first line of stdin; ask without.")
    ] = False,
    api_key_stdin: Annotated[
        bool, typer.Option("--api-key-stdin", help="Keep an API key, read from stdin, instead of signing in.")
    ] = False,
    insecure_http: Annotated[
        bool, typer.Option("--insecure-http", help="Allow plain http to another machine: others can listen.")
    ] = False,
) -> None:
    """Sign in to a server; what proves it is kept in a file that only you can read."""
    from app.client import Client

    if api_key_stdin and (password_stdin or username):
        raise InvalidInput("--api-key-stdin goes without --username and --password-stdin", hint="give one or the other")
    with Client(_address(server_), insecure_http=insecure_http) as client:
        if not api_key_stdin:
            username = username or _ask_name()
            option = "--password-stdin"
            password = (
                secret_input.from_stdin("password", option)
                if password_stdin
                else secret_input.typed("password", option)
            )
            entry = _with_password(client, username, password)
        else:
            entry = _with_key(client, secret_input.from_stdin("API key", "--api-key-stdin"))
        me = client.me.show()
        file = _file()
        _end(client.server, file.get(client.server))
        file.put(client.server, entry.model_copy(update={"insecure_http": insecure_http}))
    print(output.printable(f"signed in to {client.server} as {me.username} ({me.role})"))
    if server.chosen() != client.server:
        print(f"  finetune --server {client.server} experiments list")


def logout(
    server_: Annotated[
        str | None, typer.Option("--server", metavar="URL", help="Its address; else FINETUNE_SERVER.")
    ] = None,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="End all sign-ins of the account, on every machine.")
    ] = False,
) -> None:
    """Sign out: the server ends the sign-in, and what was kept of it is removed."""
    from app.client.address import normalise

    file = _file()
    given = server_ or server.chosen()
    address = normalise(given, insecure_http=True) if given else _only_one(file.servers())
    entry = file.get(address)
    if entry is None:
        raise InvalidInput(f"you are not signed in to {address}", hint=_known(file.servers()))
    warning = _end(address, entry, everywhere=everywhere)
    file.remove(address)
    print(output.printable(f"signed out of {address}"))
    if warning:
        print(output.printable(f"warning: {warning}"), file=sys.stderr)


def _with_password(client: "Client", username: str, password: str) -> "Entry":
    from app.client.credentials import Entry

    return Entry(username=username, tokens=client.sign_in(username, password))


def _with_key(client: "Client", key: str) -> "Entry":
    from pydantic import SecretStr

    from app.client.credentials import Entry
    from app.client.sign_in import WithApiKey

    if not key.isascii() or not key.isprintable() or " " in key:
        raise InvalidInput("what is on stdin is no API key", hint="pipe in one line, as `POST /me/api-keys` gave it")
    client.connection.sign_in = WithApiKey(SecretStr(key))
    return Entry(username=client.me.show().username, api_key=SecretStr(key))


def _end(address: str, entry: "Entry | None", *, everywhere: bool = False) -> str:
    """End what was kept before on the server too; what could not be done, as a sentence."""
    from app.client import Client

    if entry is None or (entry.tokens is None and not everywhere):
        return "the API key itself stays valid; `DELETE /me/api-keys/ID` ends it" if entry else ""
    try:
        with Client.of_file(address, _file()) as client:
            client.sign_out(everywhere=everywhere)
    except PlatformError as error:
        return f"the server could not be told: {error.message}"
    return ""


def _address(given: str | None) -> str:
    address = given or server.chosen()
    if address is None:
        raise InvalidInput("which server?", hint="give --server URL, or set FINETUNE_SERVER")
    return address


def _ask_name() -> str:
    if not sys.stdin.isatty():
        raise InvalidInput("whose account?", hint="give --username NAME")
    return str(typer.prompt("name")).strip()


def _only_one(servers: list[str]) -> str:
    if len(servers) != 1:
        raise InvalidInput("which server?" if servers else "you are signed in nowhere", hint=_known(servers))
    return servers[0]


def _known(servers: list[str]) -> str:
    return f"give --server, one of {', '.join(servers)}" if servers else "sign in: finetune login --server URL"


def _file() -> "CredentialFile":
    from app.client.credentials import CredentialFile
    from app.settings import get_settings

    return CredentialFile(get_settings().config_dir)
