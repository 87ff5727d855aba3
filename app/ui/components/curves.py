"""Curves over steps or time, with the numbers behind them to read and to take along."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd  # type: ignore[import-untyped]
import streamlit as st

from app.ui.words import Words

Row = dict[str, Any]
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Curve:
    """One line of a plot: its name and its points."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Plot:
    """Lines over one axis."""

    title: str
    x: str
    y: str
    curves: Sequence[Curve]
    from_zero: bool = False


def points_of(rows: Iterable[tuple[float, Mapping[str, Any]]], name: str) -> list[tuple[float, float]]:
    """The finite values of a name, each at its place."""
    return [(place, float(values[name])) for place, values in rows if isinstance(values.get(name), int | float)]


def show_plot(plot: Plot, t: Words, key: str) -> None:
    """A plot; nothing where it has no point yet."""
    rows = _rows(plot)
    if not rows:
        return
    st.markdown(f"**{plot.title}**")
    names = [curve.name for curve in plot.curves if curve.points]
    shared = dict.fromkeys(names)
    encoding = {
        "x": alt.X("x:Q", title=plot.x, axis=alt.Axis(tickMinStep=1, grid=False)),
        "y": alt.Y("y:Q", title=plot.y, scale=alt.Scale(zero=plot.from_zero, nice=True)),
        "tooltip": [
            alt.Tooltip("name:N", title=t("Curve")),
            alt.Tooltip("x:Q", title=plot.x),
            alt.Tooltip("y:Q", title=plot.y, format=".4~g"),
        ],
    }
    if len(shared) > 1:
        legend = alt.Legend(title=None, orient="top", symbolType="stroke", columns=2 if len(shared) > 2 else 0)
        encoding["color"] = alt.Color("name:N", legend=legend, sort=names)
        encoding["strokeDash"] = alt.StrokeDash("name:N", legend=legend, sort=names)
    mark: dict[str, Any] = {"point": {"size": 30}} if len(rows) <= 60 else {}
    # As a frame the points travel beside the plot; as values altair checks each of them against its schema.
    chart = alt.Chart(pd.DataFrame(rows)).mark_line(**mark).encode(**encoding).properties(height=230)
    st.altair_chart(chart, width="stretch", key=key, alt=f"{plot.title}: {', '.join(names)}")


def show_numbers(plots: Sequence[Plot], t: Words, key: str, filename: str) -> None:
    """All numbers of some plots as a table, and as a file."""
    rows = [{"plot": plot.title, **row} for plot in plots for row in _rows(plot)]
    if not rows:
        return
    with st.expander(t("The numbers behind the curves"), icon=":material/table:"):
        columns = {"plot": t("Plot"), "name": t("Curve"), "x": t("Step or seconds"), "y": t("Value")}
        st.dataframe(rows, hide_index=True, height=260, column_order=list(columns), column_config=dict(columns))
        st.download_button(
            t("Download as CSV"), as_csv(rows), filename, "text/csv", key=f"{key}:csv", icon=":material/download:"
        )


def as_csv(rows: Sequence[Row]) -> bytes:
    """Rows of the same keys as CSV in UTF-8, for spreadsheets: with the mark they know it by, and without formulas."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _no_formula(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _no_formula(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula, with the sign before it that says it is none."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _rows(plot: Plot) -> list[Row]:
    return [{"name": curve.name, "x": x, "y": y} for curve in plot.curves for x, y in curve.points]
