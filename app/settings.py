"""Environment -> Settings: the only reader of `os.environ` in the house."""

import ipaddress
import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from app.domain.errors import ConfigError


def _words(value: Any) -> Any:
    """`a, b` as ("a", "b")."""
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def _networks(words: tuple[str, ...]) -> tuple[str, ...]:
    for word in words:
        ipaddress.ip_network(word, strict=False)
    return words


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Networks = Annotated[Words, AfterValidator(_networks)]
Port = Annotated[int, Field(ge=1, le=65535)]
_A_PORT = "a whole number from 1 to 65535"
_A_NUMBER = "a whole number above 0"


class Settings(BaseModel):
    """Where things are on this installation; every field has a default that works."""

    model_config = ConfigDict(frozen=True)

    results_dir: Path = Field(Path("results"), description="a path")
    database_url: str = Field("", description="an SQLAlchemy URL")
    serve_port: Port = Field(8002, description=_A_PORT)
    serve_models: int = Field(4, ge=1, description=_A_NUMBER)
    inference_url: str = Field("", pattern=r"^$|^https?://", description="http(s)://HOST:PORT")
    environment: Literal["development", "production"] = Field("development", description="development or production")
    api_host: str = Field("127.0.0.1", min_length=1, description="an address of this machine")
    api_port: Port = Field(8000, description=_A_PORT)
    ui_port: Port = Field(8501, description=_A_PORT)
    ui_host: str = Field("127.0.0.1", min_length=1, description="an address of this machine")
    api_url: str = Field("", pattern=r"^$|^https?://", description="http(s)://HOST:PORT")
    redis_url: str = Field("", pattern=r"^$|^(rediss?|redis\+socket)://", description="redis://HOST:PORT/NUMBER")
    redis_port: int = Field(0, ge=0, le=65535, description="a whole number up to 65535; 0 for a unix socket alone")
    jwt_secret: SecretStr = Field(SecretStr(""), description="at least 32 random characters")
    jwt_previous_secrets: SecretStr = Field(SecretStr(""), description="secrets, separated by commas")
    audit_secret: SecretStr = Field(SecretStr(""), description="at least 32 random characters")
    metrics_token: SecretStr = Field(SecretStr(""), description="text")
    allowed_hosts: Words = Field(("127.0.0.1", "localhost", "[::1]"), description="host names, separated by commas")
    proxy_secret: SecretStr = Field(SecretStr(""), min_length=32, description="at least 32 random characters")
    trusted_proxies: Networks = Field((), description="addresses and networks, separated by commas")
    cors_origins: Words = Field((), description="origins, separated by commas")
    allowed_models: Words = Field((), description="hub ids, separated by commas")
    max_upload_bytes: int = Field(5_000_000_000, ge=1, description=_A_NUMBER)
    max_running: int = Field(2, ge=1, description=_A_NUMBER)
    max_queued: int = Field(100, ge=1, description=_A_NUMBER)
    max_stored_bytes: int = Field(50_000_000_000, ge=1, description=_A_NUMBER)
    worker_slots: int = Field(0, ge=0, description="a whole number; 0 lets the machine decide")
    lease_seconds: float = Field(60.0, ge=1, description="a number of seconds, 1 or more")
    retry_seconds: float = Field(10.0, ge=0, description="a number of seconds")
    finetune_server: str = Field("", description="http(s)://HOST:PORT")
    xdg_config_home: Path = Field(Path(), description="a path")

    @property
    def database_file(self) -> Path:
        """The SQLite file in the results directory, in use where there is no `DATABASE_URL`."""
        return self.results_dir / "experiments.db"

    @property
    def effective_database_url(self) -> str:
        """`DATABASE_URL`, or that of the SQLite file."""
        return self.database_url or f"sqlite:///{self.database_file}"

    @property
    def effective_api_url(self) -> str:
        """Where the interface finds the API: `API_URL`, or the one on this machine."""
        host = "127.0.0.1" if self.api_host in ("0.0.0.0", "::") else self.api_host  # noqa: S104 - compared
        return self.api_url or f"http://{f'[{host}]' if ':' in host else host}:{self.api_port}"

    @property
    def effective_inference_url(self) -> str:
        """Where the API finds the inference service: `INFERENCE_URL`, or the one on this machine."""
        return self.inference_url or f"http://127.0.0.1:{self.serve_port}"

    @property
    def secrets_dir(self) -> Path:
        """Where generated secrets lie, one file each, readable by their owner alone."""
        return self.results_dir / "secrets"

    @property
    def uploads_dir(self) -> Path:
        """Where files that were sent lie until they become a version of a data set."""
        return self.results_dir / "uploads"

    @property
    def config_dir(self) -> Path:
        """Where what belongs to a person, not to an installation, lies; a relative XDG_CONFIG_HOME does not count."""
        base = self.xdg_config_home
        return (base if base.is_absolute() else Path.home() / ".config") / "finetune"


_SECRET_VARIABLES = frozenset(
    name.upper()
    for name, field in Settings.model_fields.items()
    if field.annotation is SecretStr or name in ("database_url", "redis_url")
)
"""Addresses may hold a password."""
DOTENV = Path(".env")
_NVIDIA_GPUS = Path("/proc/driver/nvidia/gpus")


def _dotenv(path: Path) -> dict[str, str]:
    """Read `KEY=value` lines; quotes around a value are dropped, `#` starts a comment line."""
    if not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8 text", hint="save the file as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", hint="check its owner and permissions") from error
    values = {}
    for line_text in text.splitlines():
        key, separator, value = line_text.strip().partition("=")
        if separator and not key.startswith("#"):
            values[key.strip()] = value.strip().strip("\"'")
    return values


@lru_cache
def get_settings() -> Settings:
    """The settings of this process: the environment first, then `.env` in the working directory.

    Raises ConfigError, one line for all that is wrong.
    """
    values = {**_dotenv(DOTENV), **os.environ}
    known = {name: values[name.upper()] for name in Settings.model_fields if values.get(name.upper())}
    try:
        return Settings.model_validate(known)
    except ValidationError as error:
        wrong = "; ".join(_describe(str(fault["loc"][0]), fault["input"]) for fault in error.errors())
        raise ConfigError(wrong, hint="see .env.example") from error


def _describe(name: str, given: str) -> str:
    variable = name.upper()
    place = "" if os.environ.get(variable) else f"{DOTENV}: "
    shown = variable if variable in _SECRET_VARIABLES else f"{variable}={given!r}"
    return f"{place}{shown} is not allowed; expected {Settings.model_fields[name].description}"


def runtime_root() -> Path:
    """Where sockets of this user may lie: XDG_RUNTIME_DIR, else the directory for temporary files."""
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(given) if given and Path(given).is_dir() else Path(tempfile.gettempdir())


_HARMLESS_VARIABLES = frozenset({"PATH", "LANG", "LANGUAGE", "TZ", "SYSTEMROOT", "VIRTUAL_ENV", "LD_LIBRARY_PATH"})


def bare_environment(temporary: Path) -> dict[str, str]:
    """The environment of a process that reads strangers' files: no secret of this one, one thread, no network."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _HARMLESS_VARIABLES or name.startswith(("LC_", "PYTHON"))
    }
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
    return {
        **kept,
        **single,
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def environment_without_secrets() -> dict[str, str]:
    """The environment of a process that needs neither the database nor the queue, nor to know who somebody is."""
    return {name: value for name, value in os.environ.items() if name not in _SECRET_VARIABLES}


def visible_gpus() -> list[str]:
    """NVIDIA GPUs this process may use, as CUDA_VISIBLE_DEVICES names them; found without loading a driver."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [gpu.strip() for gpu in given.split(",") if gpu.strip() not in ("", "-1")]
    return [str(number) for number in range(len(list(_NVIDIA_GPUS.glob("*"))))]


def share_cores() -> None:
    """Let idle compute threads sleep instead of spin; takes effect where torch is not loaded yet.

    With other work on the machine, spinning threads wait for each other: training was 2 to 6 times slower.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
