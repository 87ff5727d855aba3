"""Somebody in front of a real browser: what they press and type, what they see, and pictures of it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from app.ui.words import Words, best_language
from tests.platform.conftest import PATIENCE_SECONDS, Started
from tests.ui.accessibility import faults

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
PASSWORD = "seven lanterns on the quay"
PATIENCE = 1000.0 * PATIENCE_SECONDS
"""For anything that is waited for, in milliseconds."""
ZONE = "Asia/Taipei"
WIDTH, HEIGHT = 1280, 900
_AT_REST = """() => {
  const app = document.querySelector('[data-testid=stApp]');
  return app && app.dataset.testConnectionState === 'CONNECTED' && app.dataset.testScriptState === 'notRunning'
    && !document.querySelector('[data-testid=stSkeleton]');
}"""
_DRAWN_IN = """scheme => {
  const colour = getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor;
  return colour === {light: 'rgb(255, 255, 255)', dark: 'rgb(14, 16, 21)'}[scheme];
}"""
_TALLEST = "() => document.querySelector('[data-testid=stMain]')?.scrollHeight ?? document.body.scrollHeight"


class Person:
    """A browser of its own, in a language, and whoever sits in front of it.

    Pictures lie in `FINETUNE_SCREENSHOTS`, or in `folder` where that is not set.
    """

    def __init__(self, browser: "Browser", platform: Started, folder: Path, locale: str = "en-US") -> None:
        self.faults: list[str] = []
        self._checks = locale == "en-US"  # a page has the same elements in each language
        self.context: BrowserContext = browser.new_context(
            locale=locale, timezone_id=ZONE, viewport={"width": WIDTH, "height": HEIGHT}
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.t = Words(best_language([locale]), ZONE)
        self._address = platform.ui_url
        self._folder = Path(os.environ.get("FINETUNE_SCREENSHOTS") or folder) / locale
        self._folder.mkdir(parents=True, exist_ok=True)

    def sign_in(self, username: str, path: str = "/") -> None:
        """Ask for a page, be sent to the sign-in, and come back."""
        self.page.goto(self._address + path)
        self.page.fill("#username", username)
        self.page.fill("#password", PASSWORD)
        self.page.press("#password", "Enter")
        self.page.get_by_role("link", name=self.t("Sign out")).wait_for()

    def open(self, path: str) -> None:
        """Type an address."""
        self.page.goto(self._address + path)

    def go_to(self, title: str) -> None:
        """Choose a page on the left; titles are those in English, here and below."""
        self.page.get_by_role("link", name=self.t(title), exact=True).click()

    def press(self, label: str) -> None:
        """Press a button."""
        self.button(label).click()

    def button(self, label: str) -> "Locator":
        """The button of a name."""
        return self.page.get_by_role("button", name=self.t(label), exact=True)

    def type(self, field: "Locator", text: str) -> None:
        """Type into a field of a page at rest, and leave it: while a page is drawn, its fields change."""
        self.rest()
        field.fill(text)
        field.press("Tab")

    def field(self, label: str, role: Literal["textbox", "spinbutton"] = "textbox") -> "Locator":
        """The field of a name."""
        return self.page.get_by_role(role, name=self.t(label), exact=True)

    def sees(self, text: str, **values: object) -> None:
        """Wait until a text is there."""
        self.page.get_by_text(self.t(text, **values)).first.wait_for()

    def rest(self) -> None:
        """Wait until the page is drawn as a whole."""
        self.page.wait_for_function(_AT_REST)

    def picture(self, name: str) -> None:
        """The whole page at rest, as a file; `faults` has what axe finds grave, in the light and in the dark."""
        self.rest()
        self._take(name)
        for scheme in ("dark", "light") if self._checks else ():
            self.page.emulate_media(color_scheme=scheme)
            self.page.wait_for_function(_DRAWN_IN, arg=scheme)
            self.rest()
            if scheme == "dark":
                self._take(f"{name}-dark")
            self.faults += [f"{name}, {scheme}: {fault}" for fault in faults(self.page)]

    def _take(self, name: str) -> None:
        height = min(4000, max(HEIGHT, self.page.evaluate(_TALLEST)))
        self.page.set_viewport_size({"width": WIDTH, "height": height})
        self.page.screenshot(path=self._folder / f"{name}.png")
        self.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})

    def as_it_is(self, name: str) -> None:
        """What is on the screen now, at rest or not."""
        self.page.screenshot(path=self._folder / f"{name}.png")


@contextmanager
def person(
    browser: "Browser", platform: Started, folder: Path, locale: str = "en-US", last: str = "last"
) -> Iterator[Person]:
    """Somebody who closes the browser in the end; the last they saw is kept."""
    somebody = Person(browser, platform, folder, locale)
    try:
        yield somebody
    finally:
        somebody.as_it_is(last)
        somebody.context.close()
