"""The long form of the campaign, which `make chaos` runs: every kind 15 times, 210 together, on each database.

It is no part of `make test`, whose files begin with `test_`. CHAOS_SEED repeats a campaign, CHAOS_ROUNDS shortens it.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.campaign import campaign
from tests.chaos.disk import small_disk

SEED = int(os.environ.get("CHAOS_SEED") or 1)
ROUNDS = int(os.environ.get("CHAOS_ROUNDS") or 15)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_long_form(
    database: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    reviews_store: Path,
    tiny_model: Callable[..., Path],
) -> None:
    url = request.getfixturevalue("postgresql_url") if database == "postgresql" else ""
    model = tiny_model("bert", 2, 128)
    with (
        small_disk(tmp_path / "results") as disk,
        campaign(
            tmp_path,
            reviews_store,
            model,
            seed=SEED,
            num_recipes=1,
            training_share=0.2,
            disk=disk,
            database_url=url,
        ) as it,
    ):
        it.begin()
        for _ in range(ROUNDS):
            it.round(it.kinds())
            it.prove_again()
            print(it.table(), flush=True)
