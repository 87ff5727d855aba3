"""The short form of the campaign: each kind of fault once, on one site. `make chaos` is the long form."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.campaign import campaign

SEED = int(os.environ.get("CHAOS_SEED") or 1)


@pytest.mark.skipif(sys.platform != "linux", reason="limits and signals of other processes are set as on Linux")
def test_nothing_is_lost_or_done_twice_whatever_dies_stops_fills_up_or_comes_twice(
    tmp_path: Path, reviews_store: Path, tiny_model: Callable[..., Path]
) -> None:
    model = tiny_model("bert", 2, 128)
    with campaign(tmp_path, reviews_store, model, seed=SEED, num_recipes=1, training_share=0.3) as it:
        it.begin()
        it.round(it.kinds())
        print(it.table())
