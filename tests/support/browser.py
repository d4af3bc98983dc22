"""Chromium, driven by Playwright: what a page says, asks for, and how it is judged.

Debian's own `chromium` is used; Playwright downloads none. Where either is missing, tests skip.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

WIDTHS = (360, 768, 1440)
SCHEMES = ("light", "dark")
HEIGHT = 900
WAIT_MILLISECONDS = 10_000
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give a browser without a screen; skips the test where there is none."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium is installed: Debian's package is `chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Visit:
    """One person's page, with what went wrong on it and which addresses it asked."""

    page: Page
    base: str
    errors: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Open a page of the gateway."""
        self.page.goto(self.base + path)

    def log_in(self, key: str) -> None:
        """Log in at the console by the keyboard alone."""
        self.open("/console/login")
        self.page.locator("#key:focus").wait_for()
        self.page.keyboard.type(key)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"{self.base}/console/")

    def violations(self) -> list[str]:
        """Return what axe-core finds wrong with the page as it is now."""
        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        wide = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return int(wide)

    def foreign_requests(self) -> list[str]:
        """Return the addresses that were asked outside the gateway."""
        return [url for url in self.requested if not url.startswith((self.base, "data:"))]


@contextmanager
def visit(
    browser: Browser, base: str, *, width: int = WIDTHS[-1], scheme: str = "light"
) -> Iterator[Visit]:
    """Give a new window of a browser, without any cookie."""
    context = browser.new_context(
        viewport={"width": width, "height": HEIGHT},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    context.set_default_timeout(WAIT_MILLISECONDS)
    page = context.new_page()
    visited = Visit(page, base)
    page.on(
        "console",
        lambda message: (
            visited.errors.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    page.on("pageerror", lambda error: visited.errors.append(str(error)))
    page.on("request", lambda request: visited.requested.append(request.url))
    yield visited
    context.close()
