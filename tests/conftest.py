"""What every test may lean on: isolation from the machine, the shared assets, tiny models of real architectures.

The place of the shared assets occurs here and nowhere else.
"""

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["tests.servers", "tests.api_server", "tests.api_runs"]

REPOSITORY = Path(__file__).resolve().parent.parent
ASSETS = Path(os.environ.get("FINETUNE_TEST_ASSETS") or REPOSITORY.parent / "shared")

if threading.current_thread() is threading.main_thread():
    # A runner that was started in the background ignores Ctrl-C, and so would every process that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Before any test imports torch or transformers, and for the processes that tests start.
os.environ.update(
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    TOKENIZERS_PARALLELISM="false",
    OMP_NUM_THREADS="1",
    MPLBACKEND="Agg",
    PYTHONUTF8="1",
)

TOKENIZER_OF = {
    "bert": "bert-base-uncased",
    "distilbert": "bert-base-uncased",
    "roberta": "roberta-base",
    "albert": "albert",
    "bert-base-chinese": "bert-base-chinese",
}


@pytest.fixture(autouse=True)
def isolated_installation(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Results, database and settings of a test are its own; nothing of the person's `.env` or shell leaks in.

    With FINETUNE_TEST_SERVERS set, its database is on PostgreSQL, and its queue on a Redis with an address.
    """
    from app.settings import get_settings

    ours = "DATABASE_URL REDIS_URL FINETUNE_SERVER SERVE_PORT INFERENCE_URL"
    others = "COLUMNS PIP_USER MAKEFLAGS MAKELEVEL MFLAGS"
    for name in (*ours.split(), *others.split()):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RESULTS_DIR", str(tmp_path / "results"))
    if os.environ.get("FINETUNE_TEST_SERVERS"):
        monkeypatch.setenv("DATABASE_URL", request.getfixturevalue("postgresql_installation"))
        monkeypatch.setenv("REDIS_URL", request.getfixturevalue("redis_url"))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of this checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder with `data/` and `models/`: $FINETUNE_TEST_ASSETS, else `shared` beside the repository."""
    if not (ASSETS / "data").is_dir() or not (ASSETS / "models").is_dir():
        pytest.skip("the shared test assets are absent; FINETUNE_TEST_ASSETS names their folder")
    return ASSETS


def _tiny_config(architecture: str, vocab_size: int, pad_token_id: int, num_layers: int, hidden: int) -> Any:
    """A transformers config of the architecture with `num_layers` layers of width `hidden`."""
    from transformers import AlbertConfig, BertConfig, DistilBertConfig, RobertaConfig

    shared = {"vocab_size": vocab_size, "pad_token_id": pad_token_id}
    if architecture == "distilbert":
        return DistilBertConfig(dim=hidden, n_layers=num_layers, n_heads=2, hidden_dim=2 * hidden, **shared)
    shared |= {
        "hidden_size": hidden,
        "num_hidden_layers": num_layers,
        "num_attention_heads": 2,
        "intermediate_size": 2 * hidden,
    }
    if architecture == "roberta":
        return RobertaConfig(max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5, **shared)
    if architecture == "albert":
        return AlbertConfig(embedding_size=hidden, **shared)
    return BertConfig(**shared)


@pytest.fixture(scope="session")
def tiny_model(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make small random encoders on the real tokenizers.

    `tiny_model(architecture, num_layers=2, hidden=32)` gives a folder as from the hub: config.json, safetensors
    without a classification head, tokenizer. Architectures: bert, distilbert, roberta, albert, bert-base-chinese.
    The same arguments give the same folder; a test that changes files works on a copy.
    """
    made: dict[tuple[str, int, int], Path] = {}

    def make(architecture: str, num_layers: int = 2, hidden: int = 32) -> Path:
        key = (architecture, num_layers, hidden)
        if key not in made:
            made[key] = _build_tiny_model(assets, tmp_path_factory, *key)
        return made[key]

    return make


def _build_tiny_model(
    assets: Path, tmp_path_factory: pytest.TempPathFactory, architecture: str, num_layers: int, hidden: int
) -> Path:
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = tmp_path_factory.mktemp(f"tiny-{architecture}") / "model"
    vocabulary = tmp_path_factory.mktemp("vocabulary") / architecture
    shutil.copytree(assets / "models" / "tokenizers" / TOKENIZER_OF[architecture], vocabulary)
    for path in (vocabulary, *vocabulary.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    _tiny_config(architecture, 8, 0, num_layers, hidden).save_pretrained(vocabulary)
    tokenizer = AutoTokenizer.from_pretrained(vocabulary)
    config = _tiny_config(architecture, len(tokenizer), tokenizer.pad_token_id, num_layers, hidden)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModel.from_config(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


LONGEST = ("chaos/", "platform/", "train/", "tasks/test_real_workers", "ui/test_browser", "test_tutorial")
"""Files of tests that take a minute or more."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that processes side by side end at about the same time."""
    long = tuple(str(REPOSITORY / "tests" / name) for name in LONGEST)
    items.sort(key=lambda item: not str(item.path).startswith(long))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Count in one plain line; the reasons for skips stand above it (`-rs`)."""
    counts = {name: len(terminalreporter.getreports(name)) for name in ("passed", "failed", "error", "skipped")}
    terminalreporter.ensure_newline()
    terminalreporter.write_line(
        f"{counts['passed']} passed, {counts['failed'] + counts['error']} failed, {counts['skipped']} skipped"
    )
