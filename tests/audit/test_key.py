"""The key that signs the log: given for many machines, else generated once and kept."""

import pytest

from app.domain.errors import ConfigError
from app.services.secrets import load_audit_key, load_secrets
from app.settings import get_settings


def test_a_generated_key_is_kept_where_only_its_owner_reads_it() -> None:
    settings = get_settings()
    key = load_audit_key(settings)
    assert load_audit_key(settings) == key == load_secrets(settings).audit_key
    assert (settings.secrets_dir / "audit.json").stat().st_mode & 0o777 == 0o600


def test_a_given_key_goes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_SECRET", "0123456789abcdef" * 4)
    get_settings.cache_clear()
    assert load_secrets(get_settings()).audit_key == b"0123456789abcdef" * 4
    assert not (get_settings().secrets_dir / "audit.json").exists()


@pytest.mark.parametrize("weak", ["short", "a" * 64])
def test_a_weak_key_stops_the_start(monkeypatch: pytest.MonkeyPatch, weak: str) -> None:
    monkeypatch.setenv("AUDIT_SECRET", weak)
    get_settings.cache_clear()
    with pytest.raises(ConfigError) as caught:
        load_secrets(get_settings())
    assert caught.value.code == "config.weak_secret"
    assert weak not in str(caught.value)
