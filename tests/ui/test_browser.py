"""The whole story in a real browser on real processes: a file, what is wrong with it, a training, its scores, the end.

Needs Chromium (Debian's, or any on PATH); without one these tests are skipped and say so.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.platform.conftest import PATIENCE_SECONDS, REPOSITORY, Started
from tests.servers import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
PASSWORD = "seven lanterns on the quay"
PATIENCE = 1000.0 * PATIENCE_SECONDS

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """A platform with an account."""
    started = Started(tmp_path_factory.mktemp("browser"), {"API_PORT": free_port(), "RESULTS_DIR": "results"})
    try:
        started.wait_until_ready()
        words = ["users", "create", "ada", "--role", "user", "--password-stdin"]
        environment = os.environ | {"RESULTS_DIR": str(started.folder / "results")}
        command = [sys.executable, "-m", "app.cli", *words]
        subprocess.run(command, input=PASSWORD, text=True, cwd=started.folder, env=environment, check=True)
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


def sign_in(browser: "Browser", platform: Started, locale: str) -> "Page":
    page = browser.new_context(
        locale=locale, timezone_id="Asia/Taipei", viewport={"width": 1280, "height": 900}
    ).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(platform.ui_url)
    page.fill("#username", "ada")
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    return page


def test_a_person_trains_a_model_without_a_terminal(browser: "Browser", platform: Started, tmp_path: Path) -> None:
    page = sign_in(browser, platform, "en-US")
    try:
        page.get_by_role("link", name="Data", exact=True).click()
        page.locator("input[type=file]").set_input_files(REPOSITORY / "examples" / "reviews_train.csv")
        page.get_by_role("textbox", name="Name of the data set").fill("reviews")
        page.get_by_role("button", name="Store", exact=True).click()
        page.wait_for_url("**/data?dataset=reviews*")

        page.get_by_role("link", name="Train", exact=True).click()
        steps = page.get_by_role("spinbutton", name="Steps at most").or_(
            page.get_by_role("textbox", name="Steps at most")
        )
        steps.fill("3")
        steps.press("Tab")
        page.get_by_text("max_steps: 3").first.wait_for()
        page.get_by_role("button", name="Start training").click()
        page.wait_for_url("**/tasks?task=*")
        watched = page.url
        page.reload()
        assert page.url == watched
        page.get_by_role("link", name="See how good it is").click()
        page.wait_for_url("**/experiments?run=reviews-001")
        page.get_by_text("Accuracy", exact=True).first.wait_for()
        page.get_by_role("link", name="Sign out").click()
        page.get_by_text("You are signed out.").wait_for()
        page.goto(f"{platform.ui_url}/experiments?run=reviews-001")
        assert "/sign-in" in page.url
    finally:
        page.screenshot(path=tmp_path / "last.png", full_page=True)


def test_it_speaks_the_language_of_the_browser(browser: "Browser", platform: Started) -> None:
    page = sign_in(browser, platform, "zh-TW")
    page.get_by_role("link", name="資料", exact=True).wait_for()
    assert page.locator("html").get_attribute("lang") is not None
    page.get_by_role("link", name="English").click()
    page.get_by_role("link", name="Data", exact=True).wait_for()


def test_the_pages_have_the_headers_that_keep_browsers_careful(browser: "Browser", platform: Started) -> None:
    page = browser.new_context().new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    answer = page.goto(platform.ui_url)
    assert answer is not None
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    page.fill("#username", "ada")
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.get_by_role("link", name="Sign out").wait_for(timeout=PATIENCE)
    cookie = next(one for one in page.context.cookies() if one["name"] == "finetune_session")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    assert [text for text in said if "Content Security Policy" in text] == []
