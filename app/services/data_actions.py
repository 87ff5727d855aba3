"""What the child process can do with rows: check and store files, give rows of a version, compare, write out, profile.

Each action takes the request and gives plain JSON. Files are named relative to the working directory; what people
are told instead of those names is `data_child`'s to put in.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from app.data import catalogue, exporting, versioning
from app.data.chunks import Example
from app.domain.data_report import ValidationReport
from app.domain.data_version import LabelledText, NamedVersion, Relabelled, VersionManifest
from app.domain.errors import DataUnreadable, InvalidInput, ModelUnusable, PlatformError, TooLarge
from app.domain.train_config import AUTO, DataConfig, ModelConfig
from app.domain.wording import say
from app.schemas.data_fixes import MAX_CHANGE_CHARS, MAX_CHANGES, FixChange, FixCount, Fixed
from app.schemas.datasets import DatasetCreated, DatasetRowView, DiffView, ValidatedFile
from app.services.file_names import with_shown_names
from app.services.version_views import findings_of, version_fields

if TYPE_CHECKING:
    from app.data.findings import Rules
    from app.data.validation import Checked

Request = dict[str, Any]
READER_FAILED = "data.reader_failed"
"""Of a file over which a library stumbled in a way nobody has foreseen; the traceback is on stderr."""
MAX_COLUMNS = 5_000
MAX_LABELS = 10_000
MAX_NAME_CHARS = 1_000
"""A report names every column and label, and a form shows them; more or longer ones are a mistake, or an attack."""
MAX_TEXT_CHARS = 20_000
MAX_DIFF_ROWS = 100


def add(request: Request) -> dict[str, Any]:
    """Store files as the next version of a name; DataBlocked where a finding blocks."""
    results_dir, data = Path(request["results_dir"]), DataConfig.model_validate(request["data"])
    checked, _ = _checked(request, data)
    from app.services import data_sets  # what is refused needs none of it

    entry, is_new = data_sets.add(results_dir, request["name"], data, seed=request["seed"], checked=checked)
    manifest = versioning.read_manifest(entry.version, results_dir)
    created = DatasetCreated(
        **version_fields(entry, manifest),
        is_new=is_new,
        findings=findings_of({split: one.report for split, one in checked.items()}),
        detected=checked["train"].report.detected,
    )
    return created.model_dump(mode="json")


def validate(request: Request) -> dict[str, Any]:
    """Check files and store nothing; with a base model, also whether it can read the texts."""
    length: int | Literal["auto"] = request["max_length"] or "auto"
    base = _base(request["base_model"], length)
    checked, mended = _checked(request, DataConfig.model_validate(request["data"]), base)
    from app.data.fixing import remedies

    reports: dict[str, Any] = {split: one.report for split, one in checked.items()}
    train = reports.pop("train")
    offered = {finding.code: remedies(finding) for finding in train.findings}
    fields = train.model_dump(exclude={"ok"}) | reports | {"fixed": mended, "remedies": offered}
    return ValidatedFile(**fields).model_dump(mode="json")


def _base(name: str | None, max_length: int | Literal["auto"]) -> Any:
    """The tokenizer of a base model; of the one that is taken unasked None where it is not here."""
    from app.services.training import base_tokenizer

    if name is None:
        return None
    try:
        return base_tokenizer(ModelConfig().name if name == AUTO else name, max_length=max_length)
    except ModelUnusable:
        if name != AUTO:
            raise
        return None


def _checked(request: Request, data: DataConfig, base: Any = None) -> "tuple[dict[str, Checked], Fixed | None]":
    """Read, mend where that is asked for, and judge the files.

    TooLarge where they have more columns or labels than anybody could use.
    """
    from app.data.findings import Rules
    from app.data.fixing import check_wishes
    from app.data.prepare import check, judged_for

    rules, mended = Rules.of(data.allow, data.block), None
    check_wishes(request.get("drop", ()), names="drop")
    try:
        checked = check(data, Path(request["results_dir"]))
        if request.get("fix"):
            checked, mended = _mended(checked, request, rules)
        if base is not None:
            checked = judged_for(base, checked, rules)
    except (PlatformError, OSError, MemoryError, RecursionError):
        raise
    except Exception as error:
        traceback.print_exc()
        raise DataUnreadable(
            say("the file cannot be read: {kind}", kind=type(error).__name__),
            hint="is it whole, and what its name says? the log of the server has more",
            code=READER_FAILED,
        ) from error
    for one in checked.values():
        _refuse_excess(one.report)
    shown_as: dict[str, str] = request["shown_as"]
    renamed = {split: replace(one, report=_renamed(one.report, shown_as)) for split, one in checked.items()}
    return renamed, mended


def _mended(checked: "dict[str, Checked]", request: Request, rules: "Rules") -> "tuple[dict[str, Checked], Fixed]":
    """The files with the training file's rows mended, and what was changed: long texts cut, what is personal masked."""
    from app.data import fixing, personal_data

    mended = fixing.cleaned(checked, request["drop"], mask=request["mask"])
    counts = Counter((change.code, change.action) for change in mended.changes)

    def shown(text: str) -> str:
        return personal_data.mask(text)[:MAX_CHANGE_CHARS]

    return fixing.fixed(checked, mended, rules), Fixed(
        rows_before=checked["train"].report.rows,
        rows_after=len(mended.cells),
        counts=[FixCount(code=code, action=action, count=count) for (code, action), count in counts.most_common()],
        changes=[
            FixChange(**change._asdict() | {"before": shown(change.before), "after": shown(change.after)})
            for change in mended.changes[:MAX_CHANGES]
        ],
    )


def _refuse_excess(report: ValidationReport) -> None:
    """TooLarge for what no list, no form and no memory is made for."""
    names = [*report.detected.columns, *report.labels]
    for count, limit, what in (
        (len(report.detected.columns), MAX_COLUMNS, say("columns")),
        (len(report.labels), MAX_LABELS, say("labels")),
        (max(map(len, names), default=0), MAX_NAME_CHARS, say("characters in the name of a column or label")),
    ):
        if count > limit:
            raise TooLarge(
                say(
                    "{file} has {count:,} {what}; at most {limit:,} are taken",
                    file=report.file,
                    count=count,
                    what=what,
                    limit=limit,
                ),
                hint="is the right column taken for the label, and the right mark for the separator?",
            )


def _renamed(report: ValidationReport, shown_as: dict[str, str]) -> ValidationReport:
    """The report as it is kept with a version: about the file as the person calls it."""
    text = report.model_dump_json(exclude={"ok"}, ensure_ascii=True)
    return ValidationReport.model_validate_json(with_shown_names(text, shown_as))


def rows(request: Request) -> dict[str, Any]:
    """Some rows of a version, or of one split of it, from a place on; `total` is how many there are."""
    entry, manifest = _version(request)
    first, count = split_range(manifest, request["split"], str(entry))
    start = first + min(request["start"], count)
    number = max(0, min(request["limit"], first + count - start))
    examples = versioning.read_part(manifest, Path(request["results_dir"]), start, number)
    items = [
        DatasetRowView(
            row=start + place,
            split=example.split,
            text=example.text[:MAX_TEXT_CHARS],
            label=example.label,
            is_cut=len(example.text) > MAX_TEXT_CHARS,
        )
        for place, example in enumerate(examples, 1)
    ]
    return {"total": count, "items": [item.model_dump(mode="json") for item in items]}


def split_range(manifest: VersionManifest, split: str | None, reference: str) -> tuple[int, int]:
    """Where the rows of a split begin in a version, from 0, and how many there are; of all without a split."""
    if split is None:
        return 0, manifest.rows
    there = [name for name in versioning.SPLITS if name in manifest.splits]
    if split not in there:
        raise InvalidInput(
            say("{reference} has no split {split!r}", reference=reference, split=split),
            hint=say("it has {there}", there=", ".join(there)),
        )
    counts = [manifest.splits[name] for name in there]
    place = there.index(split)
    return [0, *accumulate(counts)][place], counts[place]


def diff(request: Request) -> dict[str, Any]:
    """What changed between two versions: all counts, the first rows of each kind, long texts cut."""
    from app.services import data_sets

    found = data_sets.diff(Path(request["results_dir"]), request["old"], request["new"])
    fields: dict[str, Any] = found.model_dump(include={"old", "new", "num_unchanged", "num_moved"})
    for kind in ("added", "removed", "relabelled"):
        changed = getattr(found, kind)
        fields[f"num_{kind}"] = len(changed)
        fields[kind] = [_cut(row) for row in changed[: request["limit"]]]
    return DiffView(**fields).model_dump(mode="json")


def _cut(row: LabelledText | Relabelled) -> LabelledText | Relabelled:
    return row.model_copy(update={"text": row.text[:MAX_TEXT_CHARS]})


def export(request: Request) -> dict[str, Any]:
    """Write a version, or one split of it, to a new file in the working directory, a chunk at a time."""
    entry, manifest = _version(request)
    split = request["split"]
    split_range(manifest, split, str(entry))
    columns = ["text", "label", *(["split"] if split is None else [])]

    def batches() -> Iterator[list[tuple[str, ...]]]:
        for chunk in versioning.read_chunks(manifest, Path(request["results_dir"])):
            yield [_cells(row, len(columns)) for row in chunk if split in (None, row.split)]

    path = Path(request["file"])
    num_rows = exporting.write_batches(path, columns, batches())
    return {"rows": num_rows, "bytes": path.stat().st_size}


def _cells(row: Example, count: int) -> tuple[str, ...]:
    return (row.text, row.label, row.split)[:count]


def profile(request: Request) -> dict[str, Any]:
    """The profile of a version that keeps none, or none with a map; the map is by words, which need no model."""
    from app.services import profiles

    reference = DataConfig(train=request["reference"])
    found = profiles.profile(
        reference, Path(request["results_dir"]), with_map=request.get("map", False), may_embed=False
    )
    return found.model_dump(mode="json")


def _version(request: Request) -> tuple[NamedVersion, VersionManifest]:
    results_dir = Path(request["results_dir"])
    entry = catalogue.find(results_dir, request["reference"])
    return entry, versioning.read_manifest(entry.version, results_dir)


ACTIONS: dict[str, Callable[[Request], dict[str, Any]]] = {
    "add": add,
    "validate": validate,
    "rows": rows,
    "diff": diff,
    "export": export,
    "profile": profile,
}
