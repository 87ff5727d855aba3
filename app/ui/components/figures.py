"""Plots that anybody can read: with titles on their axes, and the numbers behind them a click away."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import altair as alt
import streamlit as st

from app.ui.components.curves import Row, as_csv
from app.ui.words import Words

Chart = alt.Chart | alt.LayerChart | alt.FacetChart
HEIGHT = 320
MAX_NAMED_LABELS = 30
MAX_COUNTED_LABELS = 12
_FILL, _INK, _INK_ON_DARK = "#3f74f0", "#16181d", "#eceef3"


def figure(chart: Chart, numbers: Sequence[Row], name: str, t: Words) -> None:
    """A plot, and below it what it shows as a table and as a file called `name`.csv."""
    st.altair_chart(chart, width="stretch")
    with st.expander(t("The numbers behind it"), icon=":material/table:"):
        table(numbers, name, t)


def table(numbers: Sequence[Row], name: str, t: Words, columns: Mapping[str, Any] | None = None) -> None:
    """Numbers to look at and to take along; `columns` says how Streamlit shall show some of them."""
    st.dataframe(numbers, hide_index=True, column_config=dict(columns or {}))
    st.download_button(
        t("Download as CSV"),
        data=lambda: as_csv(numbers),
        file_name=f"{name}.csv",
        mime="text/csv",
        icon=":material/download:",
        key=f"csv_{name}",
        on_click="ignore",
    )


def intervals(
    rows: Sequence[Row], names: Mapping[str, str], *, baseline: float | None = None, height: int = 0
) -> Chart:
    """A dot and its interval a row; `names` says which columns are `row`, `value`, `low`, `high`.

    A dashed line stands at the baseline.
    """
    row = alt.Y(field=names["row"], type="nominal", sort=None, title=None, axis=alt.Axis(labelLimit=220))
    scale = alt.Scale(domain=[0, 1])
    percent = alt.Axis(format="%", tickCount=5)
    base = _chart(rows)
    tips = [_tip(names["row"], "nominal")] + [
        alt.Tooltip(field=names[one], type="quantitative", format=".1%") for one in ("value", "low", "high")
    ]
    bars = base.mark_rule(strokeWidth=3, opacity=0.8, color="gray").encode(
        x=alt.X(field=names["low"], type="quantitative", scale=scale, axis=percent, title=names["value"]),
        x2=alt.X2(field=names["high"]),
        y=row,
        tooltip=tips,
    )
    dots = base.mark_circle(size=110, opacity=1).encode(
        x=alt.X(field=names["value"], type="quantitative"), y=row, tooltip=tips
    )
    layers: list[alt.Chart] = [bars, dots]
    if baseline is not None:
        line = _chart([{"baseline": baseline}]).mark_rule(strokeDash=[5, 4], strokeWidth=1.5, color="gray")
        layers.append(line.encode(x=alt.X("baseline:Q")))
    return alt.layer(*layers).properties(height=height or 60 + 34 * len(rows))


def heat_map(rows: Sequence[Row], names: Mapping[str, str], labels: list[str]) -> Chart:
    """Given labels down, predicted ones across; `names` are those of `given`, `predicted`, `rows` and `share`."""
    few = len(labels) <= MAX_NAMED_LABELS
    axis = alt.Axis(labelLimit=160, labelAngle=0 if len(labels) <= 6 else -45, labels=few, ticks=few)
    x = alt.X(field=names["predicted"], type="nominal", sort=labels, axis=axis, scale=alt.Scale(domain=labels))
    y = alt.Y(
        field=names["given"],
        type="nominal",
        sort=labels,
        axis=alt.Axis(labelLimit=160, labels=few, ticks=few),
        scale=alt.Scale(domain=labels),
    )
    tips = [_tip(names[one], "nominal") for one in ("given", "predicted")] + [
        _tip(names["rows"], "quantitative"),
        alt.Tooltip(field=names["share"], type="quantitative", format=".1%"),
    ]
    base = _chart(rows).encode(x=x, y=y, tooltip=tips)
    is_counted = len(labels) <= MAX_COUNTED_LABELS
    legend = None if is_counted else alt.Legend(format="%", orient="right")
    shade = alt.Scale(domain=[0, 1], range=[0.06, 0.55 if is_counted else 1.0])
    cells = base.mark_rect(cornerRadius=3, color=_FILL).encode(
        opacity=alt.Opacity(field=names["share"], type="quantitative", scale=shade, legend=legend)
    )
    height = min(620, 90 + 64 * len(labels))
    if not is_counted:
        return cells.properties(height=height)
    counts = base.mark_text(fontSize=15, fontWeight="bold", color=ink()).encode(
        text=alt.Text(field=names["rows"], type="quantitative")
    )
    return alt.layer(cells, counts).properties(height=height)


def ink() -> str:
    """The colour of texts in a plot, which Streamlit leaves black on a dark page."""
    return _INK_ON_DARK if st.context.theme.type == "dark" else _INK


def reliability(rows: Sequence[Row], names: Mapping[str, str]) -> Chart:
    """Confidence against the share that was right; `names`: `confidence`, `right`, `rows`, `series`.

    Perfect is on the dashed diagonal.
    """
    scale, percent = alt.Scale(domain=[0, 1]), alt.Axis(format="%")
    ideal = _chart([{"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 1.0}]).mark_line(
        strokeDash=[5, 4], opacity=0.6, strokeWidth=1.5, color="gray"
    )
    x = alt.X(field=names["confidence"], type="quantitative", scale=scale, axis=percent, title=names["confidence"])
    y = alt.Y(field=names["right"], type="quantitative", scale=scale, axis=percent, title=names["right"])
    series = list(dict.fromkeys(row[names["series"]] for row in rows))
    legend = alt.Legend(orient="bottom", title=None)
    base = _chart(rows).encode(
        x=x,
        y=y,
        color=alt.Color(field=names["series"], type="nominal", sort=series, legend=legend),
        tooltip=[
            _tip(names["series"], "nominal"),
            alt.Tooltip(field=names["confidence"], type="quantitative", format=".1%"),
            alt.Tooltip(field=names["right"], type="quantitative", format=".1%"),
            _tip(names["rows"], "quantitative"),
        ],
    )
    line = base.mark_line(strokeWidth=1.5, opacity=0.6).encode(
        strokeDash=alt.StrokeDash(field=names["series"], type="nominal", sort=series, legend=legend)
    )
    dots = base.mark_circle(opacity=0.9).encode(
        size=alt.Size(field=names["rows"], type="quantitative", legend=None, scale=alt.Scale(range=[30, 320]))
    )
    place = {"x": alt.X("x:Q", title=names["confidence"]), "y": alt.Y("y:Q", title=names["right"])}
    return alt.layer(ideal.encode(**place), line, dots).properties(height=HEIGHT)


def _chart(rows: Sequence[Row]) -> alt.Chart:
    return alt.Chart(alt.Data(values=list(rows)))


def _tip(field: str, kind: Literal["nominal", "quantitative"]) -> alt.Tooltip:
    return alt.Tooltip(field=field, type=kind)
