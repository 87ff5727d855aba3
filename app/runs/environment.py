"""What a run was made with: interpreter, packages, machine, code revision."""

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from app import __version__

_PACKAGES = ("torch", "transformers", "peft", "accelerate", "tokenizers", "safetensors", "datasets", "numpy")


def library_versions() -> dict[str, str]:
    """Installed versions of the libraries that decide a run's numbers."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def code_revision() -> str:
    """Git commit of this code, `-dirty` when changed since; the package's version outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return __version__
    try:
        head = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return __version__
    return head.stdout.strip() or __version__


def describe_environment() -> dict[str, object]:
    """The content of environment.json."""
    return {
        "finetune": __version__,
        "code_revision": code_revision(),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "libraries": library_versions(),
    }
