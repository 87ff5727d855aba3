"""Environment -> Settings: the only reader of `os.environ` in the house."""

import os
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from app.domain.errors import ConfigError


class Settings(BaseModel):
    """Where things are on this installation; every field has a default that works."""

    model_config = ConfigDict(frozen=True)

    results_dir: Path = Path("results")
    database_url: str = ""
    serve_port: int = Field(8002, ge=1, le=65535)

    @property
    def effective_database_url(self) -> str:
        """`DATABASE_URL`, or the SQLite file in the results directory."""
        return self.database_url or f"sqlite:///{self.results_dir / 'experiments.db'}"


def _dotenv(path: Path) -> dict[str, str]:
    """Read `KEY=value` lines; quotes around a value are dropped, `#` starts a comment line."""
    if not path.is_file():
        return {}
    values = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        key, separator, value = line.strip().partition("=")
        if separator and not key.startswith("#"):
            values[key.strip()] = value.strip().strip("\"'")
    return values


@lru_cache
def get_settings() -> Settings:
    """The settings of this process: the environment first, then `.env` in the working directory."""
    values = {**_dotenv(Path(".env")), **os.environ}
    known = {name: values[name.upper()] for name in Settings.model_fields if values.get(name.upper())}
    try:
        return Settings.model_validate(known)
    except ValueError as error:
        raise ConfigError(f"environment: {error}", hint="see .env.example") from error


def share_cores() -> None:
    """Let idle compute threads sleep instead of spin; takes effect where torch is not loaded yet.

    With other work on the machine, spinning threads wait for each other: training was 2 to 6 times slower.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
