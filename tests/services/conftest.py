"""An installation of its own for each test, with a stand-in for the engine where training itself is not the matter."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.services.installation import Installation, open_installation
from app.settings import Settings

ENGINE = Path(__file__).with_name("stand_in_engine.py")


@pytest.fixture
def installation(tmp_path: Path) -> Callable[[str], Installation]:
    """`installation(mode)`: results below the test's folder, an engine that behaves as `mode` says."""

    def make(mode: str = "succeed") -> Installation:
        opened = open_installation(Settings(results_dir=tmp_path / "results"))
        return Installation(opened.database, opened.results_dir, (sys.executable, str(ENGINE), mode))

    return make
