"""What is sent and copied ends before the disk is full, whenever it fills, and leaves nothing behind."""

import shutil
from collections import namedtuple
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from app.domain.errors import StorageError
from app.services import disk_room, uploads
from app.services.platform import Platform
from tests.api_data import Store

SignIn = Callable[..., TestClient]
Usage = namedtuple("Usage", "total used free")
PLENTY = 10**12


class Disk:
    """A disk of which so much is free at each look; the last number stays."""

    def __init__(self, *free: int) -> None:
        self.free = list(free)

    def usage(self, _path: object) -> Usage:
        free = self.free.pop(0) if len(self.free) > 1 else self.free[0]
        return Usage(2 * PLENTY, PLENTY, free)


@pytest.mark.parametrize("announced_bytes", [None, 300])
def test_an_upload_ends_when_the_disk_fills_while_it_arrives(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, announced_bytes: int | None
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", Disk(PLENTY, PLENTY, disk_room.MIN_FREE_BYTES).usage)
    monkeypatch.setattr(uploads, "LOOKED_EVERY_BYTES", 150)
    upload = uploads.begin(platform, "ada", announced_bytes)
    file = uploads.Incoming(platform, upload, "file", "rows.csv")
    file.write(bytes(100))
    file.write(bytes(100))
    with pytest.raises(StorageError) as caught:
        file.write(bytes(100))
    assert caught.value.code == "storage.full"
    file.abandon()
    uploads.discard(platform, upload.id)
    assert list(platform.settings.uploads_dir.iterdir()) == []


def test_a_copy_ends_when_the_disk_fills_while_it_is_written(
    platform: Platform, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store(platform).put("reviews", "ada")
    ada = sign_in("user", "ada")
    monkeypatch.setattr(shutil, "disk_usage", Disk(disk_room.MIN_FREE_BYTES - 1).usage)
    answer = ada.get("/datasets/reviews/1/export")
    assert (answer.status_code, answer.json()["code"]) == (507, "storage.full")
    assert list(platform.settings.uploads_dir.iterdir()) == []
    assert ada.get("/datasets/reviews/1/rows").status_code == 200, "reading needs no room"
