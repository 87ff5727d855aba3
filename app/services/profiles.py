"""Profiles of data: of a file, or of a stored version, which keeps one. Encoders run in a child process."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.data import catalogue, versioning
from app.data.analysis import Encoder, Progress, no_progress, profile_rows
from app.data.checks.texts import MAX_TOKENS_PER_LETTER, MAX_UNKNOWN_SHARE
from app.data.near_duplicates import near_duplicate_groups
from app.data.prepare import check
from app.data.profiling.sampling import spread
from app.data.readability import BaseTokenizer, read_by_script
from app.data.splitting import fold
from app.data.validation import Checked
from app.domain.data_profile import DataProfile
from app.domain.data_version import NamedVersion, VersionManifest
from app.domain.errors import ModelUnusable
from app.domain.train_config import DataConfig
from app.services.embeddings import embed
from app.services.training import base_tokenizer

DEFAULT_BASE_MODEL = "minilm"
NO_BASE_MODEL = "none"
_MAX_READ = 1_000


def profile(
    data: DataConfig,
    results_dir: Path,
    *,
    base_model: str | None = None,
    with_map: bool = False,
    may_embed: bool = True,
    progress: Progress = no_progress,
) -> DataProfile:
    """Profile the file or stored version that `data.train` names.

    The profile stored with a version is taken where it has what is asked for. `base_model` is a name, "none", or None
    for the default: its tokenizer counts tokens, and for a map its encoder compares the texts, unless it cannot read
    them or `may_embed` is False: then their words do. Raises ModelUnusable where a model is named that is not there.
    """
    entry = catalogue.find_source(results_dir, data.train) if data.train else None
    embeddings_in = results_dir if with_map and may_embed else None
    if entry is None:
        checked = check(data, results_dir)["train"]
        return _profile(
            checked.texts,
            checked.labels,
            checked.num_near_duplicates,
            base_model,
            embeddings_in,
            progress,
            with_map=with_map,
        )
    stored = read_stored(versioning.read_manifest(entry.version, results_dir))
    if stored is not None and base_model is None and not with_map:
        return stored
    texts, labels = _given_as_training_data(entry, results_dir)
    groups = near_duplicate_groups(list(dict.fromkeys(map(fold, texts))))
    near_duplicates = sum(len(group) - 1 for group in groups)
    return _profile(texts, labels, near_duplicates, base_model, embeddings_in, progress, with_map=with_map)


def profile_checked(
    checked: Checked, *, base_model: str | None = None, progress: Progress = no_progress
) -> DataProfile:
    """Profile checked rows, without a map."""
    repeated = checked.num_near_duplicates
    return _profile(checked.texts, checked.labels, repeated, base_model, None, progress, with_map=False)


def as_stored(profile: DataProfile) -> dict[str, Any]:
    """The form in which a version keeps its profile."""
    return profile.model_dump(mode="json")


def read_stored(manifest: VersionManifest) -> DataProfile | None:
    """The profile a version keeps; None where it has none, or one of another schema."""
    return versioning.stored_profile(manifest)


def _given_as_training_data(entry: NamedVersion, results_dir: Path) -> tuple[list[str], list[str]]:
    """Texts and labels of the training rows and of those held out of them."""
    was_split = versioning.read_manifest(entry.version, results_dir).origin.split_seed is not None
    splits = ("train", "eval") if was_split else ("train",)
    rows = [row for row in versioning.load(entry.version, results_dir) if row.split in splits]
    return [row.text for row in rows], [row.label for row in rows]


def _profile(
    texts: Sequence[str],
    labels: Sequence[str],
    near_duplicates: int,
    base_model: str | None,
    embeddings_in: Path | None,
    progress: Progress,
    *,
    with_map: bool,
) -> DataProfile:
    tokenizer = _tokenizer(base_model)
    encoder = None
    if embeddings_in is not None and tokenizer is not None and can_read(tokenizer, texts):
        name = base_model or DEFAULT_BASE_MODEL
        encoder = Encoder(tokenizer.name, lambda chosen, hear: embed(chosen, name, embeddings_in, hear))
    return profile_rows(
        texts,
        labels,
        tokenizer,
        near_duplicates=near_duplicates,
        with_map=with_map,
        encoder=encoder,
        progress=progress,
    )


def _tokenizer(base_model: str | None) -> BaseTokenizer | None:
    """That of the base model; the default may be missing, one that was named may not."""
    if base_model == NO_BASE_MODEL:
        return None
    try:
        return base_tokenizer(base_model or DEFAULT_BASE_MODEL)
    except ModelUnusable:
        if base_model is not None:
            raise
        return None


def can_read(tokenizer: BaseTokenizer, texts: Sequence[str]) -> bool:
    """Whether the base model knows most of the texts' scripts; else its vectors would mean nothing."""
    sample = [texts[int(row)] for row in spread(len(texts), _MAX_READ)]
    blind = sum(
        len(reading.rows)
        for reading in read_by_script(sample, tokenizer).values()
        if reading.unknown_share >= MAX_UNKNOWN_SHARE or reading.tokens_per_letter >= MAX_TOKENS_PER_LETTER
    )
    return 2 * blind <= len(sample)
