"""Pages in a real browser, with everything that goes wrong in them kept."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

TIMEOUT_MS = 10_000


def chromium() -> str:
    """Returns where Chromium is; skips the test where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    pytest.skip("Chromium is not installed")


@contextmanager
def open_browser() -> Iterator[Any]:
    """Yields a headless Chromium."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - an extra

    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


class Visit:
    """A page in a browser.

    Attributes:
        page: Playwright's page.
        errors: What its console and its scripts complained of.
        requests: Every address that it asked for.
    """

    def __init__(self, browser: Any, address: str | Path, **context: Any) -> None:
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.page.set_default_timeout(TIMEOUT_MS)
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        if isinstance(address, Path):
            address = address.resolve().as_uri()
        self.page.goto(address)

    def _on_console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def text(self, selector: str) -> str:
        """Returns the text of an element as it is shown."""
        return " ".join(self.page.locator(selector).first.inner_text().split())

    def awaits(self, selector: str, words: str) -> None:
        """Waits until an element shows words: a new address is followed in time."""
        from playwright.sync_api import expect  # noqa: PLC0415 - an extra

        element = self.page.locator(selector).first
        expect(element).to_contain_text(words, timeout=TIMEOUT_MS)

    def until(self, condition: str) -> None:
        """Waits until a condition of the page's own holds.

        The page's policy forbids what Playwright's own waiting does (`eval`).
        """
        self.page.evaluate(
            """async ([condition, limit]) => {
              const holds = condition;
              const end = performance.now() + limit;
              while (!(await holds())) {
                if (performance.now() > end) throw new Error(`never: ${holds}`);
                await new Promise((resolve) => setTimeout(resolve, 20));
              }
            }""".replace(
                "const holds = condition", f"const holds = () => ({condition})"
            ),
            [None, TIMEOUT_MS],
        )

    def overflow(self) -> int:
        """Returns by how many pixels the page is wider than its window."""
        return int(
            self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        )

    def close(self) -> None:
        """Closes it."""
        self.context.close()
