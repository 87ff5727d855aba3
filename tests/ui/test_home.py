"""The first page one sees."""

from tests.ui.conftest import Visit


def test_home_greets_whoever_is_signed_in(visit: Visit) -> None:
    page = visit("home")
    assert not page.exception
    assert page.title[0].value == "Home"
