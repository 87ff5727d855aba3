"""`finetune config`: what a configuration means, and which keys there are."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli import output
from app.cli.backend import backend
from app.cli.server import local_only

app = typer.Typer(no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


@app.command()
@local_only("config show")
def show(
    config: Annotated[Path | None, typer.Argument(metavar="[CONFIG]", help="YAML file.", show_default=False)] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a configuration and print all of it, defaults included."""
    import sys

    from app.services.configuration import ineffective_settings, load_config

    loaded = load_config(config, set_ or [])
    for warning in ineffective_settings(loaded):
        print(f"warning: {output.printable(warning)}", file=sys.stderr)
    if as_json:
        output.show_json(loaded.as_dict())
    else:
        import yaml

        print(yaml.safe_dump(loaded.as_dict(), sort_keys=False, allow_unicode=True), end="")


@app.command()
def schema(as_json: AsJson = False) -> None:
    """List every key, what it takes and its default; with --json the JSON Schema."""
    found = backend().config_schema()
    if as_json:
        output.show_json(found)
        return
    from app.services.configuration_help import describe_schema, leaf_keys_in

    rows = [
        (".".join(key), describe_schema(node), _default(node.get("default")), node.get("description", ""))
        for key, node in leaf_keys_in(found).items()
    ]
    output.show_table(("key", "takes", "default", "meaning"), rows)


def _default(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "[]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
