"""Composition root of the command line: hangs the nouns together and turns known errors into one line."""

import sys
from typing import Annotated, NoReturn

try:
    import typer

    from app.cli import (
        api,
        audit,
        checkpoints,
        config,
        data,
        experiments,
        keys,
        output,
        predict,
        serve,
        start,
        train,
        ui,
        users,
        worker,
    )
    from app.cli import login as signing_in
    from app.cli import plan as planning
    from app.cli import server as chosen_server
    from app.domain.errors import PlatformError
except KeyboardInterrupt:
    sys.exit("stopped; nothing was begun")

app = typer.Typer(
    name="finetune",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _installation(
    context: typer.Context,
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="Work on a server; FINETUNE_SERVER without, else this machine.")
    ] = None,
) -> None:
    """LoRA fine-tuning from a labelled file to a proven adapter."""
    chosen_server.choose(server)
    context.call_on_close(chosen_server.finish)


app.command("train")(train.train)
app.command("plan")(planning.plan)
app.command("predict")(predict.predict)
app.command("serve")(serve.serve)
for name, program in (
    ("start", start.start),
    ("stop", start.stop),
    ("api", api.api),
    ("ui", ui.ui),
    ("worker", worker.worker),
):
    app.command(name)(chosen_server.local_only(name, heed_settings=False)(program))
app.add_typer(config.app, name="config", help="What a configuration means, and which keys there are.")
app.add_typer(experiments.app, name="experiments", help="Every run this installation knows.")
app.add_typer(checkpoints.app, name="checkpoints", help="Which checkpoints a run has, and room on the disk.")
app.add_typer(data.app, name="data", help="Look at labelled files before anything is trained on them.")
app.add_typer(audit.app, name="audit", help="Who did what here, and whether that record is whole.")
app.add_typer(users.app, name="users", help="Who may use this installation, and as what.")
app.add_typer(keys.app, name="keys", help="What signs the tokens of this installation.")
app.command("login")(signing_in.login)
app.command("logout")(signing_in.logout)


def main() -> None:
    """Entry point of `finetune`."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        app()
    except KeyboardInterrupt:
        _stop()
    except SystemExit as ended:
        if ended.code == output.EXIT_INTERRUPTED:
            _stop()
        raise
    except PlatformError as error:
        if debug:
            raise
        output.show_error(error)
        raise SystemExit(output.exit_status(error)) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(output.EXIT_FAILED) from None
    except Exception as error:
        if debug:
            raise
        log = output.log_crash()
        place = f"; the traceback is in {log}" if log else ""
        output.show_failure(
            f"{type(error).__name__}: {error}{place}", "run the same command with --debug to see the traceback"
        )
        raise SystemExit(output.EXIT_FAILED) from None


def _stop() -> NoReturn:
    """End after a Ctrl-C: a run that has begun handles it itself, so here none has."""
    print("stopped; nothing was begun", file=sys.stderr)
    raise SystemExit(output.EXIT_FAILED) from None
