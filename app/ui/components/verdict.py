"""Whether a run is any good: scores with their intervals against the baseline, and where it fails."""

from collections.abc import Mapping
from itertools import product
from typing import Any

import streamlit as st

from app.domain.wording import Sentence
from app.schemas.experiments import ArtifactList, ExperimentView
from app.ui.components import figures, measures
from app.ui.components.artifacts import look_into
from app.ui.components.states import empty, plain
from app.ui.context import Visitor
from app.ui.words import N_, Words

MEASURED = "evaluation/evaluation.json"
SLICES = {"length": N_("By length of the text"), "label": N_("By label"), "language": N_("By language")}
MIN_INTERVAL_ROWS = 30


def scores(visitor: Visitor, view: ExperimentView, files: ArtifactList | None) -> None:
    """Scores, confusion, calibration, slices."""
    t = visitor.t
    split = _split(view, t)
    if split is None:
        return
    found = view.metrics[split]
    _verdict(found, t)
    _score_table(found, view.name, t)
    measured = _measured(visitor, files, split)
    if measured is None:
        st.caption(t("What else was measured is in the report, which you can download."))
        return
    st.subheader(t("Which labels are taken for which"), anchor=False)
    _confusion(measured, view.name, t)
    left, right = st.columns(2, gap="large")
    with left:
        _calibration(measured, view.name, t)
    with right:
        _slices(measured, view.name, t)


def mistakes(visitor: Visitor, view: ExperimentView, files: ArtifactList | None) -> None:
    """The wrong answers the model was surest of."""
    t = visitor.t
    split = _split(view, t)
    if split is None:
        return
    measured = _measured(visitor, files, split)
    if measured is None:
        st.caption(t("What else was measured is in the report, which you can download."))
    elif not measured["mistakes"]:
        empty(t("Not one row is wrong."), icon=":material/done_all:")
    else:
        st.markdown(t("The wrong answers the model was surest of. Look first whether the given label is right."))
        rows = [
            {
                t("Text"): one["text"],
                t("Given label"): one["label"],
                t("Model says"): one["predicted"],
                t("Probability"): one["probability"],
                t("Row"): one["row"],
            }
            for one in measured["mistakes"]
        ]
        columns = {
            t("Text"): st.column_config.TextColumn(width="large"),
            t("Probability"): st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1),
        }
        figures.table(rows, f"{view.name}-{split}-mistakes", t, columns)


def _split(view: ExperimentView, t: Words) -> str | None:
    """The rows to look at: the test rows where there are some."""
    splits = measures.splits_of(view)
    if not splits:
        empty(t("There are no scores yet."), t("They are there once the training is done."), ":material/speed:")
        return None
    if len(splits) == 1:
        return splits[0]
    return st.segmented_control(
        t("Measured on"),
        splits,
        default=splits[0],
        required=True,
        format_func=lambda split: t(measures.SPLITS[split]),
        key="experiment_split",
        persist_state="page",
        help=t("Test rows were never looked at in training. By the evaluation rows the best step was chosen."),
    )


def _measured(visitor: Visitor, files: ArtifactList | None, split: str) -> dict[str, Any] | None:
    found = look_into(visitor, files, MEASURED) if files else None
    measured: dict[str, Any] | None = (found or {}).get(split)
    return measured


def _verdict(found: dict[str, Any], t: Words) -> None:
    if found.get("headline"):
        headline = t.told(str(found["headline"]), _sentence(found.get("headline_said")))
        st.info(plain(headline[:1].upper() + headline[1:]), icon=":material/flag:")
    if found.get("collapsed"):
        st.warning(t("The model gives nearly every row the same label: it has learned nothing."))
    tiles = st.columns(4)
    for tile, name in zip(tiles, ("accuracy", "macro_f1", "gain", "ece"), strict=True):
        title, meaning = measures.SCORES[name]
        if found.get(name) is None:
            continue
        between = measures.interval(found, name, t)
        tile.metric(
            t(title),
            measures.score(found, name, t),
            delta=between or None,
            delta_color="off",
            delta_arrow="off",
            help=t(meaning),
            border=True,
            height="stretch",
        )
    if found.get("accuracy_ci95"):
        st.caption(t("Below a score is its 95 % interval: what it would be on other rows like these."))
    if found.get("majority_baseline") is not None:
        st.caption(
            t(
                "Baseline: always guessing “{label}” is right for {share} of the {rows} rows.",
                label=plain(str(found["majority_label"])),
                share=t.percent(found["majority_baseline"]),
                rows=t.number(found["rows"]),
            )
        )
    if found.get("rows", MIN_INTERVAL_ROWS) < MIN_INTERVAL_ROWS:
        st.caption(t("So few rows tell little: look at the intervals."))


def _score_table(found: dict[str, Any], name: str, t: Words) -> None:
    columns = {"row": t("Score"), "value": t("Value"), "low": t("Lower end"), "high": t("Upper end")}
    rows = []
    for key, (title, _meaning) in measures.SCORES.items():
        ends = measures.ends_of(found, key)
        if ends is not None and key not in ("gain", "ece"):
            rows.append(_row(columns, t(title), *ends))
    if not rows:
        return
    chart = figures.intervals(rows, columns, baseline=found.get("majority_baseline"))
    figures.figure(chart, rows, f"{name}-scores", t)
    if found.get("majority_baseline") is not None:
        st.caption(t("Dots are the scores, bars their 95 % intervals; the dashed line is the baseline."))


def _confusion(measured: dict[str, Any], name: str, t: Words) -> None:
    labels = measured["labels"]
    given = {one["label"]: one["support"] for one in measured["per_label"]}
    columns = {
        "given": t("Given label"),
        "predicted": t("Model says"),
        "rows": t("Rows"),
        "share": t("Share of the given label"),
    }
    cells = {(row, column): count for row, column, count in measured["confusion"]}
    if len(labels) <= figures.MAX_COUNTED_LABELS:
        every = range(len(labels))
        cells = {cell: cells.get(cell, 0) for cell in product(every, every)}
    numbers = [
        _row(columns, labels[row], labels[column], count, count / max(1, given[labels[row]]))
        for (row, column), count in cells.items()
    ]
    left, right = st.columns([3, 2], gap="large")
    with left:
        figures.figure(figures.heat_map(numbers, columns, labels), numbers, f"{name}-confusion", t)
    with right:
        titles = {"label": t("Label"), "precision": t("Precision"), "recall": t("Recall"), "f1": "F1"}
        titles["support"] = t("Rows")
        labels_table = [{title: one[key] for key, title in titles.items()} for one in measured["per_label"]]
        percent = {
            titles[one]: st.column_config.NumberColumn(format="percent") for one in ("precision", "recall", "f1")
        }
        figures.table(labels_table, f"{name}-labels", t, percent)


def _calibration(measured: dict[str, Any], name: str, t: Words) -> None:
    st.subheader(t("Can its probabilities be believed?"), anchor=False)
    found = measured["calibration"]
    columns = {
        "confidence": t("Probability given"),
        "right": t("Share that is right"),
        "rows": t("Rows"),
        "series": t("Series"),
    }
    series = {t("as trained"): found["bins"]}
    if found["temperature"] != 1.0:
        series[t("after temperature {value}", value=t.number(found["temperature"], 2))] = found[
            "bins_after_temperature"
        ]
    numbers = [
        _row(columns, one["confidence"], one["accuracy"], one["rows"], title)
        for title, bins in series.items()
        for one in bins
        if one["rows"]
    ]
    figures.figure(figures.reliability(numbers, columns), numbers, f"{name}-calibration", t)
    st.caption(
        t("On the dashed line a probability of 80 % is right 8 times out of 10. Larger dots stand for more rows.")
    )


def _slices(measured: dict[str, Any], name: str, t: Words) -> None:
    st.subheader(t("Where it is better and where worse"), anchor=False)
    kinds = [kind for kind in SLICES if any(one["kind"] == kind for one in measured["slices"])]
    if not kinds:
        return
    kind = st.segmented_control(
        t("Groups"), kinds, default=kinds[0], required=True, format_func=lambda one: t(SLICES[one]),
        key="experiment_slices", label_visibility="collapsed", persist_state="page",
    )  # fmt: skip
    columns = {"row": t("Group"), "value": t("Accuracy"), "low": t("Lower end"), "high": t("Upper end")}
    columns["rows"] = t("Rows")
    numbers = [
        _row(columns, _group(one, t), one["accuracy"], *_ends(one["accuracy_ci95"]), one["rows"])
        for one in measured["slices"]
        if one["kind"] == kind
    ]
    figures.figure(figures.intervals(numbers[: figures.MAX_NAMED_LABELS], columns), numbers, f"{name}-{kind}", t)


def _group(group: Mapping[str, Any], t: Words) -> str:
    """What a group of rows is called; a label by its own name."""
    said = group.get("said", {}).get("name")
    return str(group["name"]) if group["kind"] == "label" else t.told(str(group["name"]), _sentence(said))


def _sentence(made: Any) -> Sentence | None:
    """What a sentence of a report was made of; reports of earlier versions do not say."""
    return Sentence.model_validate(made) if made else None


def _row(columns: Mapping[str, str], *values: object) -> dict[str, Any]:
    """A line of a table by the titles of its columns."""
    return dict(zip(columns.values(), values, strict=True))


def _ends(interval: Mapping[str, float]) -> tuple[float, float]:
    return interval["low"], interval["high"]
