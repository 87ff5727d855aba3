"""What is shown while a run trains, off a terminal."""

import io

from rich.console import Console

from app.cli.progress import PlainView
from app.domain.events import EvalLogged, ParametersCounted, Planned, Warned


def shown(*events: EvalLogged | ParametersCounted | Planned | Warned) -> str:
    """The lines for some events."""
    out = io.StringIO()
    view = PlainView(Console(file=out, width=120))
    for event in events:
        view.event(event)
    return out.getvalue()


def test_shares_are_shown_in_percent_and_the_loss_as_it_is() -> None:
    scores = {"accuracy": 0.925, "macro_f1": 0.9, "loss": 0.123456}
    line = shown(EvalLogged(step=4, epoch=1.0, train_seconds=1.0, metrics=scores))
    assert "accuracy 92.5 %, macro_f1 90.0 %, loss 0.1235" in line


def test_brackets_and_colons_in_tables_and_warnings_are_shown_as_written() -> None:
    text = "[/x] [red] :smile:"
    group = {text: text, "parameters": 4}
    out = shown(
        Warned(code="a.b", message=text, hint=text),
        Planned(plan={"decisions": [{"key": text, "value": text, "reason": text}]}),
        ParametersCounted(trainable=1, total=4, groups=[group]),
    )
    assert out.count(text) == 7
