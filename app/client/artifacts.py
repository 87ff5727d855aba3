"""What finished runs left behind: lists, files, the model as an archive, the report."""

from pathlib import Path

from app.client.endpoint import Call, Endpoint, Noun, endpoint
from app.client.transfers import Progress, download, silent
from app.schemas.experiments import Artifact, ArtifactList


class Artifacts(Noun):
    """Files of an experiment; each appears under its name once it is whole and its sha256 is the one announced."""

    @endpoint("GET", "/experiments/{name}/artifacts")
    def list(self, at: Endpoint, name: str) -> ArtifactList:
        """The files of a finished run. Conflict before it has finished."""
        return at(name=name).as_(ArtifactList)

    @endpoint("GET", "/experiments/{name}/artifacts/{path}")
    def _file(self, at: Endpoint, name: str, path: str) -> Call:
        return at(name=name, path=path)

    def download(
        self,
        name: str,
        artifact: Artifact | str,
        target: Path,
        *,
        progress: Progress = silent,
    ) -> Path:
        """Fetch one file, named as in the list, into a new file."""
        path, sha256 = (artifact, None) if isinstance(artifact, str) else (artifact.path, artifact.sha256)
        return download(self._file(name, path), target, sha256=sha256, progress=progress)

    @endpoint("GET", "/experiments/{name}/archive")
    def _archive(self, at: Endpoint, name: str) -> Call:
        return at(name=name)

    def archive(self, name: str, target: Path, *, progress: Progress = silent) -> Path:
        """Fetch the final model (adapter, tokenizer, label map) as one zip file."""
        return download(self._archive(name), target, progress=progress)

    @endpoint("GET", "/experiments/{name}/report")
    def _report(self, at: Endpoint, name: str) -> Call:
        return at(name=name)

    def report(self, name: str, target: Path, *, progress: Progress = silent) -> Path:
        """Fetch the report for people, one HTML page."""
        return download(self._report(name), target, progress=progress)
