"""Files somebody has chosen and not stored yet; they outlive the widgets they came from, and a sign-in that ended."""

import re
import shutil
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st
from pydantic import BaseModel

from app.client.connection import new_key
from app.client.datasets import Files
from app.domain.train_config import AUTO
from app.schemas.data_fixes import Remedy
from app.ui import uploads
from app.ui.uploads import Picked

_STATE = "data_draft"
MAX_NAME_BYTES = 150
LARGE_BYTES = 5_000_000
"""Whoever tries out how a larger file is to be read sees it on its beginning first; all of it takes a while."""
BEGINNING_BYTES = 500_000
_PACKED = (b"PK\x03\x04", b"\x1f\x8b", b"PAR1")
"""How files begin whose beginning alone cannot be read."""


def _new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="finetune-ui-", dir=uploads.folder()))


@dataclass
class Draft:
    """Files by split in a folder of their own, how they shall be read and mended, and what was asked about them.

    `reading` is by field of the form; what is not in it is found out. `base_model` is whose vocabulary is asked. While
    `is_trying`, what is chosen is shown on the `beginning` of the training file alone.

    `answers` and `tasks` are by what was asked; `keys` make each request happen once however often it is sent. The
    folder goes with the draft, or when `let_go` is called.
    """

    folder: Path = field(default_factory=_new_folder)
    paths: dict[str, Path] = field(default_factory=dict)
    name: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    reading: dict[str, str] = field(default_factory=dict)
    base_model: str = AUTO
    remedies: list[tuple[Remedy, str]] = field(default_factory=list)
    answers: dict[str, BaseModel] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    turn: int = 0
    is_trying: bool = False
    beginning: "Draft | None" = None

    def __post_init__(self) -> None:
        self.let_go = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def put(self, split: str, picked: Picked) -> None:
        """Keep a file as the rows of a split (train, eval, test)."""
        uploads.keep(picked, self.place(split, picked.name))
        uploads.let_go(picked)

    def place(self, split: str, name: str) -> Path:
        """Where the rows of a split are to be written; the platform sees the last part of the name alone."""
        folder = self.folder / split
        folder.mkdir(exist_ok=True)
        for before in folder.iterdir():
            before.unlink()
        self.paths[split] = folder / safe_name(name)
        self.beginning = None
        return self.paths[split]

    def files(self) -> Files:
        """As the client takes them."""
        return Files.model_validate(self.paths)

    def wishes(self, *, mended: bool = True) -> dict[str, Any]:
        """The fields that every form about the files has."""
        wanted = {kind: [code for one, code in self.remedies if one == kind] for kind in ("drop", "allow")}
        kinds = {kind for kind, _ in self.remedies}
        fixes = {"fix": bool(kinds & {"fix", "drop", "mask"}), "mask": "mask" in kinds, "drop": wanted["drop"]}
        return {**self.columns, **self.reading, **(fixes if mended else {}), "allow": wanted["allow"]}

    def read(self, name: str, value: str) -> None:
        """Have the files read so; another layout has other columns."""
        self.reading.pop(name, None)
        if value != AUTO:
            self.reading[name] = value
        if name != "encoding":
            self.columns.clear()
            self.turn += 1
        self.is_trying = self.can_try()

    def choose_column(self, role: str, name: str) -> None:
        """Have a column taken for the text or the label."""
        self.columns.pop(role, None)
        if name != AUTO:
            self.columns[role] = name
        self.is_trying = self.can_try()

    def can_try(self) -> bool:
        """Whether the training file is large, and its beginning can be read by itself."""
        path = self.paths["train"]
        if path.stat().st_size <= LARGE_BYTES or path.suffix.lower() == ".json" or self.reading.get("format") == "json":
            return False
        with path.open("rb") as file:
            return not file.read(4).startswith(_PACKED)

    def begin(self) -> "Draft":
        """The beginning of the training file as a draft of its own, read in the same way."""
        if self.beginning is None:
            self.beginning = Draft(base_model="none")
            with self.paths["train"].open("rb") as file:
                start = file.read(BEGINNING_BYTES)
            self.beginning.place("train", self.paths["train"].name).write_bytes(
                start[: start.rfind(b"\n") + 1] or start
            )
        self.beginning.columns, self.beginning.reading = self.columns, self.reading
        return self.beginning

    def try_out(self) -> None:
        """Show what is chosen on the beginning alone."""
        self.is_trying = True

    def read_whole(self) -> None:
        """Enough was tried."""
        self.is_trying = False

    def read_as_found(self) -> None:
        """Have the files read as they were found to be."""
        self.reading.clear()
        self.columns.clear()
        self.turn += 1
        self.is_trying = False

    def widget(self, name: str) -> str:
        """The key of a widget that shows a choice; another one when choices were taken back."""
        return f"data_{name}_{self.folder.name}_{self.turn}"

    def asked(self, form: BaseModel) -> str:
        """What a request is about: the form and the files."""
        stamps = [(split, path.name, path.stat().st_mtime_ns) for split, path in sorted(self.paths.items())]
        return f"{type(form).__name__} {form.model_dump_json()} {stamps}"

    def key(self, asked: str) -> str:
        """The idempotency key of a request."""
        return self.keys.setdefault(asked, new_key())


def current() -> Draft | None:
    """The files at hand, if any."""
    found = st.session_state.get(_STATE)
    return found if isinstance(found, Draft) else None


def keep(draft: Draft) -> None:
    """Have these files at hand from now on."""
    forget()
    st.session_state[_STATE] = draft


def forget() -> None:
    """Let the files go."""
    draft = st.session_state.pop(_STATE, None)
    if isinstance(draft, Draft):
        draft.let_go()


def safe_name(name: str) -> str:
    """A file name that is no path, and not too long for a disk."""
    last = re.split(r"[/\\]", name)[-1].replace("\0", "").strip()
    if last in ("", ".", ".."):
        return "file"
    stem, dot, suffix = last.rpartition(".")
    if len(last.encode()) <= MAX_NAME_BYTES:
        return last
    return _cut(stem or suffix, MAX_NAME_BYTES - 20) + (f"{dot}{_cut(suffix, 19)}" if stem else "")


def name_from(filename: str) -> str:
    """A name for a data set, made of a file's."""
    stem = safe_name(filename).partition(".")[0]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem)[:80].strip("-._") or "data"


def watched(text: Callable[[int], str]) -> Callable[[int, int | None], None]:
    """A progress bar for bytes on their way, drawn where it is made; `text` says how many are done."""
    bar = st.progress(0.0)
    shown = -1

    def hear(done: int, total: int | None) -> None:
        nonlocal shown
        share = min(1.0, done / total) if total else 0.0
        if int(share * 100) != shown:
            shown = int(share * 100)
            bar.progress(share, text=text(done))

    return hear


def _cut(text: str, num_bytes: int) -> str:
    return text.encode()[:num_bytes].decode(errors="ignore")
