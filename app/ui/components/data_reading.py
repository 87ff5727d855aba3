"""How chosen files are read: what was found out and why, and the choices of whoever knows better."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import streamlit as st

from app.domain.base_models import CATALOG
from app.domain.data_reading import DELIMITERS, Encoding, FileFormat
from app.domain.train_config import AUTO, ModelConfig
from app.ui.components.drafts import Draft
from app.ui.words import N_, Words

ROLES = {"text_column": N_("Text column"), "label_column": N_("Label column")}
NO_MODEL = "none"
_FORMATS = {
    "csv": N_("Columns (csv)"),
    "tsv": N_("Columns between tabs (tsv)"),
    "text": N_("A label and a text in each line"),
    "fasttext": N_("Lines that begin with __label__ (fastText)"),
    "jsonl": N_("An object in each line (jsonl)"),
    "json": N_("A list of objects (json)"),
}
_ENCODINGS = {
    "utf-8": N_("Unicode (UTF-8)"),
    "utf-16": N_("Unicode (UTF-16)"),
    "cp1252": N_("Western European (Windows-1252)"),
    "latin-1": N_("Western European (Latin-1)"),
    "cp950": N_("Traditional Chinese (Big5)"),
    "gb18030": N_("Simplified Chinese (GB18030)"),
    "cp932": N_("Japanese (Shift JIS)"),
    "euc_jp": N_("Japanese (EUC)"),
    "cp949": N_("Korean (Windows-949)"),
    "cp1250": N_("Central European (Windows-1250)"),
    "cp1251": N_("Cyrillic (Windows-1251)"),
    "cp1253": N_("Greek (Windows-1253)"),
    "cp1254": N_("Turkish (Windows-1254)"),
    "cp1255": N_("Hebrew (Windows-1255)"),
    "cp1256": N_("Arabic (Windows-1256)"),
    "cp874": N_("Thai (Windows-874)"),
}
_SEPARATORS = {
    "comma": N_("Comma"),
    "tab": N_("Tab"),
    "semicolon": N_("Semicolon"),
    "bar": N_("Vertical bar"),
    "space": N_("Space"),
}
_QUOTES = {"yes": N_("They enclose cells"), "no": N_("They are part of the text")}
_HEADER = {"yes": N_("It names the columns"), "no": N_("It is a row like the others")}


def read_differently(draft: Draft, columns: Sequence[str], t: Words, *, expanded: bool = False) -> None:
    """All choices; each is checked at once on the file that is here already. `columns` are those of the file."""
    with st.expander(t("Read it differently"), icon=":material/tune:", expanded=expanded or bool(draft.reading)):
        st.caption(
            t("Each choice is checked at once, on the file that is here already, and the first rows shown again.")
        )
        first, second, third = st.columns(3, gap="medium")
        with first:
            _choice(draft, "format", t("Kind of file"), get_args(FileFormat)[1:], _FORMATS, t)
            _choice(draft, "quotes", t("Quotes"), tuple(_QUOTES), _QUOTES, t)
        with second:
            _choice(draft, "encoding", t("Encoding"), get_args(Encoding)[1:], _ENCODINGS, t)
            _choice(draft, "header", t("First row"), tuple(_HEADER), _HEADER, t)
        with third:
            about = t("What separates the columns. Choose one, or type another mark.")
            _choice(draft, "delimiter", t("Separator"), tuple(DELIMITERS), _SEPARATORS, t, about=about, others=True)
        if columns:
            for role, place in zip(ROLES, st.columns(3, gap="medium"), strict=False):
                with place:
                    choose_column(draft, role, columns, t)
        if draft.reading or draft.columns:
            st.button(t("Read it as it was found again"), icon=":material/restart_alt:", on_click=draft.read_as_found)


def choose_column(draft: Draft, role: str, columns: Sequence[str], t: Words) -> None:
    """Which column is the text, or the label."""
    chosen = draft.columns.get(role, AUTO)
    options = list(dict.fromkeys([AUTO, *columns, chosen]))
    key = draft.widget(role)

    def put() -> None:
        draft.choose_column(role, st.session_state[key])

    st.selectbox(
        t(ROLES[role]),
        options,
        index=options.index(chosen),
        format_func=lambda name: t("found by itself") if name == AUTO else name,
        help=t("Another choice is checked at once."),
        key=key,
        on_change=put,
    )


def choose_base_model(draft: Draft, t: Words) -> None:
    """Whose vocabulary the texts are held against: what it would cut off, what it cannot read."""
    options = [AUTO, *CATALOG, NO_MODEL]
    names = {
        AUTO: t("{name}, which trainings take by default", name=ModelConfig().name),
        NO_MODEL: t("none: do not check that"),
        **{name: f"{name} · {t(info.language)}" for name, info in CATALOG.items()},
    }
    key = draft.widget("base_model")
    st.selectbox(
        t("Can this base model read the texts?"),
        options,
        index=options.index(draft.base_model),
        format_func=lambda name: names[name],
        help=t("It decides which texts are too long, and which language or script it cannot read."),
        key=key,
        on_change=lambda: setattr(draft, "base_model", st.session_state[key]),
        width=420,
    )


def _choice(
    draft: Draft,
    name: str,
    label: str,
    options: Sequence[str],
    words: Mapping[str, str],
    t: Words,
    *,
    about: str | None = None,
    others: bool = False,
) -> None:
    chosen = draft.reading.get(name, AUTO)
    offered = list(dict.fromkeys([AUTO, *options, chosen]))
    key = draft.widget(name)
    shown: Callable[[str], str] = lambda one: t("found by itself") if one == AUTO else t(words.get(one, one))  # noqa: E731

    def put() -> None:
        draft.read(name, st.session_state[key] or AUTO)

    more: dict[str, Any] = {"accept_new_options": True} if others else {}
    st.selectbox(label, offered, offered.index(chosen), format_func=shown, help=about, key=key, on_change=put, **more)
