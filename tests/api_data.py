"""Labelled rows to send, and data sets as they are stored, for tests that need either."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.domain.data_version import NamedVersion
    from app.services.platform import Platform

PLACES = ("harbour", "garden", "kitchen", "library", "meadow", "station", "theatre", "museum", "bakery", "forest")
LABELS = ("negative", "positive")


def labelled_rows(count: int = 24, mark: str = "") -> list[tuple[str, str]]:
    """Different short texts, every other one of each label."""
    words = ("a dull and noisy", "a bright and lovely")
    return [(f"{words[i % 2]} {PLACES[i % 10]} number {i} {mark}".strip(), LABELS[i % 2]) for i in range(count)]


def as_csv(rows: list[tuple[str, str]]) -> bytes:
    """Rows under the header `text,label`."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("text", "label"))
    writer.writerows(rows)
    return text.getvalue().encode()


def form(content: bytes, filename: str = "reviews.csv", **fields: Any) -> dict[str, Any]:
    """What `client.post(PATH, **form(...))` sends."""
    return {"files": {"file": (filename, content)}, "data": fields}


@dataclass(frozen=True)
class Store:
    """Puts versions into an installation's store, without a child process."""

    platform: "Platform"

    def put(
        self, name: str, owner: str | None, rows: list[tuple[str, str]] | None = None, *, is_owned: bool = True
    ) -> "NamedVersion":
        """The rows as the next version of a name; the last sixth is held out."""
        from app.data import catalogue, versioning
        from app.data.chunks import Example
        from app.db.repositories import datasets
        from app.domain.data_version import Origin
        from app.services.data_set_intake import measured_bytes

        given = rows or labelled_rows()
        cut = len(given) - len(given) // 6
        examples = [Example("train" if place < cut else "eval", *row) for place, row in enumerate(given)]
        before = catalogue.entries(self.results_dir, name)
        version = versioning.store(examples, self.results_dir, Origin(split_seed=42, eval_fraction=0.1))
        entry = catalogue.add(self.results_dir, name, version, before[-1].version if before else None)
        if is_owned:
            with self.platform.installation.database.write() as session:
                datasets.claim(session, name, owner).stored_bytes = measured_bytes(self.platform, name)
        return entry

    @property
    def results_dir(self) -> Path:
        """Of the installation."""
        return self.platform.settings.results_dir


def audited(platform: "Platform", action: str) -> list[Any]:
    """The recorded events of an action, oldest first."""
    from app.domain.audit import AuditFilter
    from app.domain.principal import Caller
    from app.services import audit_log

    found = audit_log.read_page(platform.audit, Caller(local_user="tests"), AuditFilter(action=action), 100, None)
    return sorted(found.items, key=lambda event: event.id)
