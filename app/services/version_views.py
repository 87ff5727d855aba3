"""A stored version as the API tells of it; made of its manifest alone, so no row is read."""

from collections.abc import Mapping
from typing import Any

from app.domain.data_report import ValidationReport
from app.domain.data_version import NamedVersion, VersionManifest
from app.schemas.datasets import DatasetFinding, VersionFindings, VersionItem, VersionView


def version_fields(entry: NamedVersion, manifest: VersionManifest) -> dict[str, Any]:
    """What every answer about a version says of it."""
    return {
        "name": entry.name,
        "version": entry.number,
        "reference": str(entry),
        "content": entry.version,
        "parent": entry.parent,
        "created_at": entry.created_at,
        "rows": manifest.rows,
        "labels": manifest.labels,
        "splits": manifest.splits,
    }


def version_item(entry: NamedVersion, manifest: VersionManifest) -> VersionItem:
    """A line of a list of versions."""
    return VersionItem(**version_fields(entry, manifest))


def version_view(entry: NamedVersion, manifest: VersionManifest) -> VersionView:
    """A version in full."""
    return VersionView(
        **version_fields(entry, manifest),
        columns=manifest.columns,
        num_chunks=len(manifest.chunks),
        chunks=manifest.chunks,
        sources=manifest.origin.sources,
        split_seed=manifest.origin.split_seed,
        eval_fraction=manifest.origin.eval_fraction,
    )


def version_findings(entry: NamedVersion, manifest: VersionManifest) -> VersionFindings:
    """What was found in the files of a version."""
    reports = manifest.origin.reports
    return VersionFindings(
        reference=str(entry),
        findings=findings_of(reports),
        detected={split: report.detected for split, report in reports.items()},
        reports=reports,
    )


def findings_of(reports: Mapping[str, ValidationReport]) -> list[DatasetFinding]:
    """The findings of all splits, those that block first."""
    found = [DatasetFinding(split=split, **vars(one)) for split, report in reports.items() for one in report.findings]
    return sorted(found, key=lambda finding: finding.severity != "error")
