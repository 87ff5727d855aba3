"""Files of finished runs, fetched through the client: some to look into, others for the reader's own disk."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import streamlit as st

from app.schemas.experiments import Artifact, ArtifactList
from app.ui.context import Visitor

MAX_SHOWN_BYTES = 30_000_000
"""What a page looks into; larger files are for downloading."""
MAX_KEPT = 20


def fetched(fetch: Callable[[Path], object]) -> bytes:
    """What `fetch(target)` downloads."""
    with TemporaryDirectory(prefix="finetune-ui-") as folder:
        target = Path(folder) / "file"
        fetch(target)
        return target.read_bytes()


def fetch_artifact(visitor: Visitor, run: str, artifact: Artifact | str) -> bytes:
    """One file of a run."""
    return fetched(lambda target: visitor.client.artifacts.download(run, artifact, target))


def look_into(visitor: Visitor, files: ArtifactList, path: str) -> Any:
    """A JSON file of a run, fetched once a visit; None where the run has none, or one too large to look into."""
    found = next((one for one in files.items if one.path == path), None)
    if found is None or found.size_bytes > MAX_SHOWN_BYTES:
        return None
    kept: dict[tuple[str, str], Any] = st.session_state.setdefault("artifacts_looked_into", {})
    key = (files.run, found.sha256)
    if key not in kept:
        while len(kept) >= MAX_KEPT:
            del kept[next(iter(kept))]
        kept[key] = json.loads(fetch_artifact(visitor, files.run, found))
    return kept[key]
