"""How long `finetune --help` takes beside an empty Typer app; the promise is at most 1.5 times.

The two are started in turn, so that a busy machine slows both alike, and the medians are compared.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EMPTY_APP = """
import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def nothing() -> None:
    pass


app()
"""
OURS = "from app.cli.main import main; main()"
NUM_ROUNDS = 15
PROMISED_RATIO = 1.5


def seconds(command: list[str]) -> float:
    """Wall time of one process from start to exit."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> int:
    """Print both medians and their ratio; 1 when the promise is broken."""
    with tempfile.TemporaryDirectory() as folder:
        empty_app = Path(folder) / "empty_app.py"
        empty_app.write_text(EMPTY_APP, encoding="utf-8")
        commands = {
            "an empty Typer app": [sys.executable, str(empty_app), "--help"],
            "finetune": [sys.executable, "-c", OURS, "--help"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for command in commands.values():
            seconds(command)
        for _ in range(NUM_ROUNDS):
            for name, command in commands.items():
                times[name].append(seconds(command))
    empty, ours = (statistics.median(values) for values in times.values())
    print(f"--help, median of {NUM_ROUNDS}: empty Typer app {empty:.3f} s, finetune {ours:.3f} s")
    print(f"ratio {ours / empty:.2f} (promised: at most {PROMISED_RATIO})")
    return int(ours / empty > PROMISED_RATIO)


if __name__ == "__main__":
    raise SystemExit(main())
