"""`python -m app.tools.analyze_metrics RUN...`: how runs learned, side by side, as a table, JSON, or a picture."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

from app.domain.errors import InvalidInput, PlatformError
from app.runs.analysis import RunAnalysis, analyze
from app.runs.directory import RunDirectory, is_run, open_run
from app.runs.event_log import read_events
from app.runs.files import write_bytes_atomic
from app.settings import get_settings

BLOCKS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 24
Analyses = dict[str, RunAnalysis]


def spark(values: Sequence[float]) -> str:
    """A curve in at most 24 block letters, from its lowest to its highest value; a dash when there is none."""
    if not values:
        return "-"
    size = -(-len(values) // SPARK_WIDTH)
    means = [sum(values[k : k + size]) / len(values[k : k + size]) for k in range(0, len(values), size)]
    low, high = min(means), max(means)
    span = high - low or 1.0
    return "".join(BLOCKS[round((mean - low) / span * (len(BLOCKS) - 1))] for mean in means)


def _best(found: RunAnalysis) -> str:
    return "-" if found.best_step is None else f"{found.best_score:.4f} at step {found.best_step:,}"


def _progress(found: RunAnalysis) -> str:
    return f"{found.steps[-1].step:,} of {found.total_steps:,}" if found.steps else "-"


def _overfitting(found: RunAnalysis) -> str:
    over = found.overfitting
    if over is None:
        return "no"
    return f"from step {over.step:,}: eval loss {over.lowest_eval_loss:.3f} to {over.last_eval_loss:.3f}"


def _dips(found: RunAnalysis) -> str:
    if not found.dips:
        return "none"
    said = [f"steps {dip.first_step:,}-{dip.last_step:,} at {100 * dip.share:.0f} %" for dip in found.dips[:3]]
    return "; ".join(said) + (f"; {len(found.dips) - 3} more" if len(found.dips) > 3 else "")


def _eval_curve(name: str) -> Callable[[RunAnalysis], str]:
    return lambda found: spark([point.metrics[name] for point in found.evaluations if name in point.metrics])


ROWS: dict[str, Callable[[RunAnalysis], str]] = {
    "state": lambda found: found.state or "not finished",
    "attempts": lambda found: str(found.attempts),
    "steps": _progress,
    "best": lambda found: f"{found.metric} {_best(found)}",
    "no gain after": lambda found: "-" if found.plateau_step is None else f"step {found.plateau_step:,}",
    "over-fitting": _overfitting,
    "tokens a second": lambda found: (
        f"{found.median_tokens_per_second:,.0f}" if found.median_tokens_per_second else "-"
    ),
    "throughput dips": _dips,
    "peak memory": lambda found: f"{found.peak_memory_bytes / 1e6:,.0f} MB" if found.peak_memory_bytes else "-",
    "training loss": lambda found: spark([point.loss for point in found.steps]),
    "evaluation loss": _eval_curve("loss"),
    "accuracy": _eval_curve("accuracy"),
    "macro F1": _eval_curve("macro_f1"),
}


def print_table(analyses: Analyses) -> None:
    """One column a run; curves as block letters."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="bold")
    table.add_column("")
    for name in analyses:
        table.add_column(Text(name), overflow="fold")
    for title, cell in ROWS.items():
        table.add_row(title, *(Text(cell(found)) for found in analyses.values()))
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(80, 24 + 44 * len(analyses)))
    console.print(table)


def draw(analyses: Analyses) -> bytes:
    """PNG with the loss, the chosen metric, the learning rate and the throughput of every run."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.5), dpi=130, layout="constrained")
    loss, score, rate, speed = figure.subplots(2, 2).flat
    for index, (name, found) in enumerate(analyses.items()):
        colour, steps = colormaps["tab10"](index % 10), [point.step for point in found.steps]
        loss.plot(steps, [point.loss for point in found.steps], color=colour, alpha=0.45)
        measured = [(e.step, e.metrics["loss"]) for e in found.evaluations if "loss" in e.metrics]
        loss.plot([step for step, _ in measured], [value for _, value in measured], "o-", color=colour)
        scored = [(e.step, e.metrics[found.metric]) for e in found.evaluations if found.metric in e.metrics]
        label = f"{name} ({found.metric.replace('_', ' ')})"
        score.plot([step for step, _ in scored], [value for _, value in scored], "o-", color=colour, label=label)
        if found.best_step is not None:
            score.axvline(found.best_step, color=colour, linestyle=":")
        rate.plot(steps, [point.learning_rate for point in found.steps], color=colour)
        speed.plot(steps, [point.tokens_per_second for point in found.steps], color=colour)
        for dip in found.dips:
            speed.axvspan(dip.first_step - 0.5, dip.last_step + 0.5, color=colour, alpha=0.15)
    titles = ("loss (training pale, evaluation dotted)", "score, best step dotted", "learning rate", "tokens a second")
    for axes, title in zip((loss, score, rate, speed), titles, strict=True):
        axes.set(title=title, xlabel="step")
        axes.spines[["top", "right"]].set_visible(False)
    score.legend(frameon=False)
    content = BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def _open(results_dir: Path, given: str) -> RunDirectory:
    """A run by name, or by the path of its directory."""
    path = Path(given)
    return RunDirectory(path) if path.name != given and is_run(path) else open_run(results_dir, given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.tools.analyze_metrics", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="name of a run, or its directory")
    parser.add_argument("--json", action="store_true", help="print JSON, curves included")
    parser.add_argument("--png", type=Path, metavar="FILE", help="write the curves to a picture")
    parser.add_argument("--results-dir", type=Path, help="where runs are (default: RESULTS_DIR)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Analyse the named runs; 0 fine, 1 failed, 2 unknown run or wrong usage."""
    given = _parser().parse_args(arguments)
    try:
        results_dir = given.results_dir or get_settings().results_dir
        runs = [_open(results_dir, name) for name in dict.fromkeys(given.runs)]
        names = [run.name for run in runs]
        analyses = {
            run.name if names.count(run.name) == 1 else str(run.path): analyze(read_events(run.events)) for run in runs
        }
        if given.png:
            write_bytes_atomic(given.png, draw(analyses))
    except PlatformError as error:
        hint = f" ({error.hint})" if error.hint else ""
        print(f"error: {error.message}{hint}", file=sys.stderr)
        return 2 if isinstance(error, InvalidInput) else 1
    if given.json:
        found = [{"run": name, **analysis.model_dump(mode="json")} for name, analysis in analyses.items()]
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        print_table(analyses)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
