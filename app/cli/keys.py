"""`finetune keys`: what signs the tokens of this installation."""

import typer

from app.cli.server import local_only

app = typer.Typer(no_args_is_help=True)


@app.callback()
def keys() -> None:
    """The keys that sign access tokens."""


@app.command()
@local_only("keys rotate")
def rotate() -> None:
    """Sign with a new key from now on; whoever is signed in stays so, and a running API needs no restart."""
    from app.cli.platform import local_platform
    from app.services import signing_keys
    from app.services.terminal import local_caller

    platform = local_platform()
    print(f"key {signing_keys.rotate(platform.settings, platform.audit, local_caller())} signs from now on")
