"""report.html: one self-contained page; every text in it is the user's data and is escaped by jinja2."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from app.domain.data_report import DataReport
from app.domain.events import Event, ParametersCounted
from app.domain.manifest import Proof
from app.domain.plan import TrainingPlan
from app.reporting import pages
from app.reporting.formats import count, duration, moment, percent, setting, size
from app.runs.analysis import RunAnalysis, analyze
from app.train.evaluation import Evaluation
from app.train.intervals import Interval
from app.train.reporting.curves import draw_learning_curves
from app.train.reporting.views import make_view

TEMPLATES = Path(__file__).parent / "templates"
PACKAGES = ("torch", "transformers", "peft", "finetune-30-days")
MAX_LABEL_COUNTS = 12


def _within(interval: Interval, unit: str = "") -> str:
    return f"95 % interval {100 * interval.low:.1f} to {100 * interval.high:.1f}{unit}"


def _tiles(evaluation: Evaluation, train: dict[str, Any]) -> list[dict[str, str]]:
    calibration = evaluation.calibration
    tiles = [
        {"name": "Accuracy", "value": percent(evaluation.accuracy), "note": _within(evaluation.accuracy_ci95)},
        {"name": "Macro F1", "value": percent(evaluation.macro_f1), "note": _within(evaluation.macro_f1_ci95)},
        {
            "name": "Gain",
            "value": f"{100 * evaluation.gain:+.1f}",
            "unit": "points",
            "note": _within(evaluation.gain_ci95),
        },
        {"name": "Weighted F1", "value": percent(evaluation.weighted_f1), "note": f"loss {evaluation.loss:.3f}"},
        {
            "name": "Calibration error",
            "value": percent(calibration.ece),
            "note": f"{percent(calibration.ece_after_temperature)} at temperature {calibration.temperature:.2f}",
        },
    ]
    if "runtime_seconds" in train:
        rate = f"{count(train['tokens_per_second'])} tokens a second" if "tokens_per_second" in train else ""
        tiles.append({"name": "Training time", "value": duration(train["runtime_seconds"]), "note": rate})
    return [{"unit": "", **tile} for tile in tiles]


def _learning_words(analysis: RunAnalysis) -> str:
    said = []
    if analysis.best_step is not None and analysis.best_score is not None:
        said.append(
            f"Best {analysis.metric.replace('_', ' ')} {analysis.best_score:.4f} at step {analysis.best_step:,}."
        )
    if analysis.plateau_step is not None:
        said.append(f"After step {analysis.plateau_step:,} it gained no more.")
    if analysis.overfitting:
        over = analysis.overfitting
        said.append(
            f"Over-fitting from step {over.step:,}: evaluation loss rose from {over.lowest_eval_loss:.3f} to"
            f" {over.last_eval_loss:.3f} while training loss fell from {over.train_loss_then:.3f} to"
            f" {over.last_train_loss:.3f} (shaded)."
        )
    if analysis.dips:
        dips = "once" if len(analysis.dips) == 1 else f"{len(analysis.dips)} times"
        said.append(f"Throughput fell below 60 % of its median {dips} (shaded).")
    if analysis.attempts > 1:
        said.append(f"The run was resumed; this was attempt {analysis.attempts}.")
    return " ".join(said)


def _recipe(plan: TrainingPlan) -> list[tuple[str, str]]:
    config = plan.config
    batch = count(plan.train_batch_size)
    if plan.gradient_accumulation_steps > 1:
        batch += f" x {plan.gradient_accumulation_steps} accumulated"
    lora = config.lora
    return [
        ("base model", f"{plan.base.hub_id} ({plan.base.architecture}, {plan.base.language})"),
        (
            "adapter",
            f"{lora.variant}, r {lora.r}, alpha {setting(lora.lora_alpha)}, dropout {setting(lora.lora_dropout)}",
        ),
        ("on", f"{len(plan.target_modules)} kinds or names of linear layers; {setting(plan.modules_to_save)} in full"),
        (
            "epochs",
            f"{setting(plan.num_train_epochs)} ({count(plan.total_steps)} steps, {plan.warmup_steps} of warm-up)",
        ),
        ("batch size", batch),
        ("learning rate", f"{setting(plan.learning_rate)}, {config.training.lr_scheduler_type}"),
        ("weight decay", setting(config.training.weight_decay)),
        ("label weights", setting(plan.label_weights) if plan.label_weights else "none"),
        ("longest text", f"{plan.max_length} tokens"),
        ("seed", str(config.training.seed)),
    ]


def _parameters(events: list[Event]) -> dict[str, Any] | None:
    counted = [event for event in events if isinstance(event, ParametersCounted)]
    if not counted:
        return None
    rows = counted[-1].groups
    columns = list(dict.fromkeys(key for row in rows for key in row))
    numeric = {key for key in columns if all(type(row.get(key)) is int for row in rows)}
    return {
        "total": counted[-1].total,
        "trainable": counted[-1].trainable,
        "share": counted[-1].trainable / max(1, counted[-1].total),
        "columns": columns,
        "numeric": numeric,
        "rows": [{key: row.get(key) for key in columns} for row in rows],
    }


def _label_counts(report: DataReport) -> dict[str, Any]:
    identity = report.identity
    counts = sorted(zip(identity.labels, identity.train_label_counts, strict=True), key=lambda item: -item[1])
    most = max((rows for _, rows in counts), default=0) or 1
    rest = counts[MAX_LABEL_COUNTS:]
    more = f"and {len(rest)} more labels with {count(rest[-1][1])} to {count(rest[0][1])} rows" if rest else ""
    shown = [{"label": label, "rows": rows, "share": rows / most} for label, rows in counts[:MAX_LABEL_COUNTS]]
    return {"shown": shown, "more": more}


def _package_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _run_facts(plan: TrainingPlan, train: dict[str, Any]) -> list[tuple[str, str]]:
    shown = {
        "device": f"{plan.device} ({plan.hardware.device_name}), {plan.num_threads} threads",
        "precision": plan.precision,
        "seed": str(plan.config.training.seed),
    }
    forms = {
        "steps": ("steps", count),
        "runtime_seconds": ("training time", duration),
        "samples_per_second": ("rows a second", count),
        "tokens_per_second": ("tokens a second", count),
        "peak_memory_bytes": ("peak memory", size),
        "cpu_percent_mean": ("mean CPU", lambda value: f"{value:.0f} % of one core"),
    }
    shown |= {name: form(train[key]) for key, (name, form) in forms.items() if train.get(key) is not None}
    shown |= {package: _package_version(package) for package in PACKAGES}
    return [*shown.items(), ("Python", platform.python_version())]


def render_page(
    run_name: str,
    plan: TrainingPlan,
    evaluations: dict[str, Evaluation],
    events: list[Event],
    train: dict[str, Any],
    data: DataReport,
    proof: Proof | None,
) -> str:
    """The whole page as HTML; the headline is that of the test rows where there are some."""
    views = [make_view(split, evaluation) for split, evaluation in evaluations.items()]
    main = next((view for view in views if view.split == "test"), views[0])
    analysis = analyze(events)
    ends = [event.time for event in events if event.time]
    return pages.render(
        TEMPLATES,
        "report.html.j2",
        run_name=run_name,
        finished=moment(max(ends)) if ends else None,
        plan=plan,
        main=main,
        others=[view for view in views if view is not main],
        tiles=_tiles(main.evaluation, train),
        analysis=analysis,
        curves=draw_learning_curves(analysis),
        learning_words=_learning_words(analysis),
        recipe=_recipe(plan),
        parameters=_parameters(events),
        data=data,
        label_counts=_label_counts(data),
        findings=[{"split": split, "finding": f} for split, source in data.reports.items() for f in source.findings],
        proof=proof,
        run_facts=_run_facts(plan, train),
    )
