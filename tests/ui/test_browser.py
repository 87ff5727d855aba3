"""The whole story in a real browser on real processes: a file, what is wrong with it, a training, its scores, the end.

Needs Chromium (Debian's, or any on PATH); without one these tests are skipped and say so. Pictures of each step are
kept where `FINETUNE_SCREENSHOTS` names a folder.
"""

import csv
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.client.client import Client
from app.client.datasets import Files
from app.domain.principal import EVERYONE, Role
from app.domain.task import TaskKind
from app.schemas.datasets import AddForm
from tests.platform.conftest import REPOSITORY, Started
from tests.servers import free_port
from tests.ui.browsing import CHROMIUM, PASSWORD, PATIENCE, person
from tests.ui.story import leave_for_good, look_into, share, steps_of, store_mended, train, try_it

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PEOPLE = ("ada", "bob", "eve", "grace")

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """A platform with an administrator and some accounts."""
    started = Started(tmp_path_factory.mktemp("browser"), {"API_PORT": free_port(), "RESULTS_DIR": "results"})
    try:
        started.wait_until_ready()
        started.run("users", "create", "root", "--role", "admin", "--password-stdin", typed=PASSWORD)
        with signed_in(started, "root") as client:
            for name in PEOPLE:
                client.users.create(name, PASSWORD, role=Role.USER)
        yield started
    finally:
        started.close()


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def signed_in(platform: Started, username: str) -> Client:
    client = Client(platform.url)
    client.sign_in(username, PASSWORD)
    return client


@pytest.fixture
def spreadsheet(tmp_path: Path) -> Path:
    """The example, with a row twice, a row without a text, and a label in a second spelling."""
    with (REPOSITORY / "examples" / "reviews_train.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    planted = [rows[0], ["", "positive"], ["The bakery on the corner sells the best rye bread in town.", "Positive "]]
    path = tmp_path / "reviews.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *rows, *planted])
    return path


@pytest.mark.parametrize("locale", ["en-US", "zh-TW"])
def test_a_person_makes_a_model_of_a_spreadsheet_and_hands_it_on(
    browser: "Browser", platform: Started, spreadsheet: Path, tmp_path: Path, locale: str
) -> None:
    name = f"reviews-{locale[:2]}"
    run = f"{name}-001"
    with person(browser, platform, tmp_path, locale) as ada:
        ada.sign_in("ada")
        ada.picture("01-home")
        store_mended(ada, spreadsheet, name)
        train(ada, name)
        look_into(ada, run, tmp_path)
        try_it(ada, run)
        share(ada, run)
        with person(browser, platform, tmp_path, locale, "12-colleague") as bob:
            bob.sign_in("bob", f"/experiments?run={run}")
            bob.page.get_by_role("heading", name=run).wait_for()
            bob.sees("Accuracy")
            bob.rest()
        with person(browser, platform, tmp_path, locale, "13-somebody-else") as eve:
            eve.sign_in("eve", f"/experiments?run={run}")
            eve.sees("This is not here, or not shared with you.")
            seen = eve.page.content()
            assert f"{name}@1" not in seen
            assert "minilm" not in seen
        leave_for_good(browser, platform, ada, tmp_path)
        assert not ada.faults, "\n".join(ada.faults)


@pytest.fixture(scope="module")
def data(platform: Started) -> str:
    """A data set that everyone may read."""
    with signed_in(platform, "root") as client:
        form = AddForm(name="for-all")
        client.datasets.add(form, Files(train=REPOSITORY / "examples" / "reviews_train.csv"))
        client.shares.share_data_set("for-all", EVERYONE)
    return "for-all@1"


def test_nothing_typed_is_lost_when_the_sign_in_ends_in_the_middle_of_a_form(
    browser: "Browser", platform: Started, data: str, tmp_path: Path
) -> None:
    with person(browser, platform, tmp_path) as grace:
        grace.sign_in("grace", f"/train?data={data}")
        grace.type(grace.field("Name"), "long-thought-about")
        grace.page.get_by_text("experiment_name: long-thought-about").first.wait_for()
        with signed_in(platform, "grace") as client:
            for session in client.me.sessions():
                if not session.current:
                    client.me.end_session(session.id)
        grace.type(steps_of(grace), "7")
        grace.sees("Your sign-in has ended. What you typed is still here.")
        grace.as_it_is("15-sign-in-has-ended")
        with grace.context.expect_page() as opened:
            grace.page.get_by_role("link", name="Sign in again in a new tab").click()
        opened.value.fill("#password", PASSWORD)
        opened.value.press("#password", "Enter")
        opened.value.get_by_role("link", name="Sign out").wait_for(timeout=PATIENCE)
        opened.value.close()
        grace.press("I have signed in")
        grace.page.get_by_text("max_steps: 7").first.wait_for()
        assert grace.field("Name").input_value() == "long-thought-about"
        assert steps_of(grace).input_value() == "7"


def test_a_double_click_starts_one_run_and_its_page_outlives_the_api(
    browser: "Browser", platform: Started, data: str, tmp_path: Path
) -> None:
    with person(browser, platform, tmp_path) as grace, signed_in(platform, "grace") as client:
        grace.sign_in("grace", f"/train?data={data}")
        grace.type(grace.field("Name"), "once")
        grace.page.get_by_text("experiment_name: once").first.wait_for()
        grace.button("Start training").dblclick()
        grace.page.wait_for_url("**/tasks?task=*")
        grace.page.get_by_role("list", name="Progress").wait_for()
        assert [task.experiment for task in client.tasks.all(kind=TaskKind.TRAIN)] == ["once-001"]

        loss = grace.page.get_by_test_id("stMetricLabel").get_by_text("Loss", exact=True)
        assert loss.count() == 0
        before = platform.pid_of("app.main")
        os.kill(before, signal.SIGKILL)
        loss.wait_for()  # by itself, from the API that was started anew
        assert platform.pid_of("app.main") != before
        grace.picture("16-watched-on")
        grace.press("Stop")
        grace.press("Stop it now")
        grace.sees("Go on from the last checkpoint")


def test_what_an_administrator_sees_can_be_used_by_everyone(
    browser: "Browser", platform: Started, data: str, tmp_path: Path
) -> None:
    with person(browser, platform, tmp_path) as root:
        root.sign_in("root")
        for title in ("Home", "Data", "Tasks", "Experiments", "Monitor", "Administration", "Your account"):
            root.go_to(title)
            root.page.get_by_role("heading", name=title, exact=True).wait_for()
            root.picture(f"17-{title.lower().replace(' ', '-')}")
        root.open("/train?data=" + data)
        root.button("Start training").wait_for()
        root.page.get_by_text("All of them").click()
        root.picture("17-train-expert")
        assert not root.faults, "\n".join(root.faults)


def test_the_language_can_be_chosen(browser: "Browser", platform: Started, tmp_path: Path) -> None:
    with person(browser, platform, tmp_path, "zh-TW") as bob:
        bob.sign_in("bob")
        assert bob.page.locator("html").get_attribute("lang") == "zh-TW"
        bob.page.get_by_role("link", name="English").click()
        bob.page.get_by_role("link", name="Data", exact=True).wait_for()


def test_the_pages_have_the_headers_that_keep_browsers_careful(
    browser: "Browser", platform: Started, tmp_path: Path
) -> None:
    with person(browser, platform, tmp_path) as bob:
        said: list[str] = []
        bob.page.on("console", lambda message: said.append(message.text))
        answer = bob.page.goto(platform.ui_url)
        assert answer is not None
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        bob.sign_in("bob")
        cookie = next(one for one in bob.context.cookies() if one["name"] == "finetune_session")
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
        assert [text for text in said if "Content Security Policy" in text] == []
