"""The file `finetune login` writes: only its owner reads it, and one that others read is not used."""

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.client.credentials import CredentialFile, Entry, Tokens
from app.domain.errors import StorageError

SERVER = "http://127.0.0.1:8000"


@pytest.fixture
def file(tmp_path: Path) -> CredentialFile:
    """A file with one sign-in in it."""
    kept = CredentialFile(tmp_path / "config" / "finetune")
    kept.put(SERVER, Entry(username="ada", tokens=Tokens.lasting("access", "refresh", 900)))
    return kept


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_reads_what_is_kept(file: CredentialFile) -> None:
    assert [(path.name, _mode(path)) for path in sorted(file.folder.iterdir())] == [
        ("credentials.json", 0o600),
        ("lock", 0o600),
    ]
    assert _mode(file.folder) == 0o700


def test_a_folder_that_was_open_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "finetune"
    folder.mkdir(mode=0o755)
    CredentialFile(folder).put(SERVER, Entry(username="ada", api_key=SecretStr("ft_a_b")))
    assert _mode(folder) == 0o700


def test_entries_are_kept_by_server(file: CredentialFile) -> None:
    file.put("https://example.org", Entry(username="bob", api_key=SecretStr("ft_a_b")))
    assert file.servers() == [SERVER, "https://example.org"]
    kept = CredentialFile(file.folder).get(SERVER)
    assert kept is not None
    assert kept.tokens is not None
    assert kept.tokens.refresh_token.get_secret_value() == "refresh"
    assert file.remove(SERVER) is not None
    assert file.remove(SERVER) is None
    assert file.servers() == ["https://example.org"]


def test_a_secret_is_not_shown_by_accident(file: CredentialFile) -> None:
    kept = file.get(SERVER)
    assert "access'" not in repr(kept)
    assert "refresh'" not in repr(kept)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_can_read_is_refused(file: CredentialFile, mode: int) -> None:
    file.path.chmod(mode)
    with pytest.raises(StorageError, match="others can read") as caught:
        file.get(SERVER)
    assert caught.value.code == "credentials.exposed"
    assert "chmod 600" in caught.value.hint


def test_a_folder_that_others_can_change_is_refused(file: CredentialFile) -> None:
    file.folder.chmod(0o777)
    with pytest.raises(StorageError, match="others can change"):
        file.get(SERVER)


def test_a_link_in_place_of_the_file_is_not_followed(file: CredentialFile, tmp_path: Path) -> None:
    file.path.rename(tmp_path / "elsewhere.json")
    file.path.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(StorageError, match="cannot read"):
        file.get(SERVER)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"servers": []}', '{"servers": {"x": {"username": 1}}}', "\xff"])
def test_a_damaged_file_is_named_with_what_to_do(file: CredentialFile, content: str) -> None:
    file.path.write_text(content, encoding="latin-1")
    with pytest.raises(StorageError, match="is damaged") as caught:
        file.get(SERVER)
    assert "sign in again" in caught.value.hint


def test_nothing_half_written_stays_when_the_disk_is_full(
    file: CredentialFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        file.put(SERVER, Entry(username="eve", api_key=SecretStr("ft_a_b")))
    kept = file.get(SERVER)
    assert kept is not None
    assert kept.username == "ada"
    assert sorted(path.name for path in file.folder.iterdir()) == ["credentials.json", "lock"]
