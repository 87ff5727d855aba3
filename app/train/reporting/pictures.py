"""confusion.png and calibration.png, for readers without a browser: matplotlib, no display, no global state."""

from collections.abc import Sequence
from io import BytesIO
from itertools import chain

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font

from app.train.calibration import Calibration, ReliabilityBin
from app.train.evaluation import Evaluation

CJK_FONTS = (
    "Noto Sans CJK TC",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans TC",
    "Noto Sans SC",
    "Source Han Sans TC",
    "PingFang TC",
    "PingFang HK",
    "Heiti TC",
    "Hiragino Sans GB",
    "Microsoft JhengHei",
    "Microsoft YaHei",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Arial Unicode MS",
)
LATIN_FONT = "DejaVu Sans"
MAX_NAMED_LABELS = 40
MAX_COUNTED_LABELS = 20
INK, ACCENT, SECOND = "#1f2937", "#2563eb", "#0f9d8f"


def _covers(path: str, letters: set[str]) -> bool:
    known = FT2Font(path).get_charmap()
    return all(ord(letter) in known for letter in letters)


def choose_fonts(names: Sequence[str]) -> list[str] | None:
    """Font families that together have every letter of `names`; None when this machine has none that do."""
    letters = {letter for letter in chain.from_iterable(names) if not letter.isspace()}
    latin = font_manager.findfont(LATIN_FONT)
    missing = {letter for letter in letters if not _covers(latin, {letter})} if not _covers(latin, letters) else set()
    if not missing:
        return [LATIN_FONT]
    installed = {entry.name: entry.fname for entry in font_manager.fontManager.ttflist}
    for family in CJK_FONTS:
        if family in installed and _covers(installed[family], missing):
            return [LATIN_FONT, family]
    return None


def _png(figure: Figure) -> bytes:
    content = BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def _shorten(name: str, limit: int = 24) -> str:
    return name if len(name) <= limit else name[: limit - 1] + "…"


def _name_ticks(axes: Axes, labels: Sequence[str]) -> None:
    """Label names on both axes; ids, with a note, where the names cannot be written with the fonts at hand."""
    count = len(labels)
    shown = [_shorten(name.replace("$", r"\$")) for name in labels]
    fonts = choose_fonts(shown)
    every = 1 if count <= MAX_NAMED_LABELS else -(-count // MAX_NAMED_LABELS)
    ticks = list(range(0, count, every))
    if fonts is None or every > 1:
        shown = [str(label_id) for label_id in range(count)]
        reason = "no font here has all letters of the names" if fonts is None else f"{count} labels"
        axes.set_title(f"numbers are label ids ({reason})", fontsize=8, color="#6b7280", loc="left")
        fonts = [LATIN_FONT]
    size = 10 if count <= 12 else 7
    axes.set_xticks(ticks, [shown[k] for k in ticks], rotation=90 if count > 4 else 0, fontsize=size, family=fonts)
    axes.set_yticks(ticks, [shown[k] for k in ticks], fontsize=size, family=fonts)


def draw_confusion(evaluation: Evaluation) -> bytes:
    """PNG of the confusion matrix; shades are shares of the given label's rows, numbers are rows."""
    counts = np.array(evaluation.confusion)
    given = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, given, out=np.zeros(counts.shape), where=given > 0)
    side = float(np.clip(3.2 + 0.55 * len(counts), 5.0, 13.0))
    figure = Figure(figsize=(side, side), dpi=150, layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _name_ticks(axes, evaluation.labels)
    if len(counts) <= MAX_COUNTED_LABELS:
        for row, column in np.ndindex(counts.shape):
            colour = "white" if shares[row, column] > 0.55 else INK
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=colour, fontsize=9)
    axes.set_xlabel("predicted label", color=INK)
    axes.set_ylabel("given label", color=INK)
    axes.spines[:].set_visible(False)
    return _png(figure)


def _reliability_line(axes: Axes, bins: Sequence[ReliabilityBin], colour: str, name: str) -> None:
    filled = [b for b in bins if b.rows]
    axes.plot(
        [b.confidence or 0.0 for b in filled], [b.accuracy or 0.0 for b in filled], "o-", color=colour, label=name
    )


def draw_calibration(calibration: Calibration) -> bytes:
    """PNG of the reliability plot before and after the fitted temperature, with the rows of each bin below."""
    figure = Figure(figsize=(6, 6.6), dpi=150, layout="constrained")
    axes, rows = figure.subplots(2, 1, height_ratios=[4, 1], sharex=True)
    axes.plot([0, 1], [0, 1], "--", color="#9ca3af", label="perfect")
    _reliability_line(axes, calibration.bins, ACCENT, f"as trained, ECE {100 * calibration.ece:.1f} %")
    if calibration.temperature != 1.0:
        after = f"temperature {calibration.temperature:.2f}, ECE {100 * calibration.ece_after_temperature:.1f} %"
        _reliability_line(axes, calibration.bins_after_temperature, SECOND, after)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share of rows right")
    axes.legend(loc="upper left", frameon=False)
    width = 1 / len(calibration.bins)
    rows.bar([b.low for b in calibration.bins], [b.rows for b in calibration.bins], width, align="edge", color=ACCENT)
    rows.set(xlabel="confidence (probability of the predicted label)", ylabel="rows")
    for part in (axes, rows):
        part.spines[["top", "right"]].set_visible(False)
    return _png(figure)
