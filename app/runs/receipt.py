"""receipt.json: written last, it says which files make the run and what their hashes are."""

from app.domain.errors import StorageError
from app.domain.manifest import Proof, Receipt
from app.runs.directory import RunDirectory
from app.runs.files import hash_tree, read_record, sha256_file, write_json


def _receipted_files(run: RunDirectory) -> dict[str, str]:
    singles = [run.config, run.plan, run.environment, run.data_report, run.metrics]
    files = {path.name: sha256_file(path) for path in singles if path.is_file()}
    for folder in (run.evaluation, run.final_model):
        prefix = folder.relative_to(run.path).as_posix()
        files.update({f"{prefix}/{name}": digest for name, digest in hash_tree(folder).items()})
    return files


def write_receipt(run: RunDirectory, *, data_version: str, code_revision: str, proof: Proof) -> Receipt:
    """Hash everything the run leaves behind and write the receipt."""
    receipt = Receipt(
        run=run.name,
        config_sha256=sha256_file(run.config),
        data_version=data_version,
        code_revision=code_revision,
        proof=proof,
        files=_receipted_files(run),
    )
    write_json(run.receipt, receipt.model_dump())
    return receipt


def read_receipt(run: RunDirectory) -> Receipt:
    """The receipt of a complete run; StorageError when the run is not complete or the receipt is damaged."""
    if not run.is_complete:
        raise StorageError(
            f"run {run.name!r} has no receipt: it did not finish",
            hint=f"continue it with `finetune train --resume {run.name}`",
            code="run.incomplete",
        )
    return read_record(run.receipt, Receipt)


def changed_files(run: RunDirectory) -> list[str]:
    """Paths whose content is no longer what the receipt says, missing ones included."""
    receipt = read_receipt(run)
    return [
        name
        for name, digest in receipt.files.items()
        if not (run.path / name).is_file() or sha256_file(run.path / name) != digest
    ]


def check_intact(run: RunDirectory, prefix: str = "") -> None:
    """Raise StorageError when a complete run's files below `prefix` are not those of its receipt."""
    changed = [name for name in changed_files(run) if name.startswith(prefix)]
    if changed:
        raise StorageError(
            f"run {run.name!r} is damaged: {changed[0]} is not what the receipt says",
            hint=f"`finetune experiments verify {run.name}` lists all; restore the files, or train again",
            code="run.damaged",
        )
