"""report.html: one self-contained page; every text in it is the user's data and is escaped by jinja2."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.domain.data_report import DataReport
from app.domain.events import Event
from app.domain.manifest import Proof
from app.domain.plan import TrainingPlan
from app.runs.analysis import analyze
from app.train.evaluation import Evaluation

TEMPLATES = Path(__file__).parent / "templates"


def render_page(
    run_name: str,
    plan: TrainingPlan,
    evaluations: dict[str, Evaluation],
    events: list[Event],
    train_summary: dict[str, Any],
    data_report: DataReport,
    proof: Proof | None,
) -> str:
    """The whole page as HTML."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("report.html.j2").render(
        run_name=run_name,
        plan=plan,
        evaluations=evaluations,
        analysis=analyze(events),
        train=train_summary,
        data=data_report,
        proof=proof,
    )
