"""The console as a person has it: in Chromium, by keyboard, in every width and both schemes."""

from playwright.sync_api import Browser, expect
from support.browser import SCHEMES, WIDTHS, Visit, visit

PAGES = ("/console/",)
STEP_MILLISECONDS = 9_000


def assert_clean(visited: Visit) -> None:
    """Nothing went wrong on the pages, and no other host was asked."""
    assert visited.errors == []
    assert visited.foreign_requests() == []


def test_overview_refreshes_itself(browser: Browser, console_url: str, admin_key: str):
    with visit(browser, console_url) as visited:
        visited.log_in(admin_key)
        with visited.page.expect_response("**/overview/figures", timeout=STEP_MILLISECONDS) as part:
            assert part.value.ok
        expect(visited.page.locator(".stale")).to_have_count(0)
        pause = visited.page.get_by_role("button", name="Pause refresh")
        pause.click()
        expect(pause).to_have_attribute("aria-pressed", "true")
        assert_clean(visited)


def test_pages_are_accessible_and_fit(browser: Browser, console_url: str, admin_key: str):
    found = {}
    for scheme in SCHEMES:
        with visit(browser, console_url, scheme=scheme) as visited:
            visited.open("/console/login")
            found[scheme, "login"] = visited.violations()
            visited.log_in(admin_key)
            for path in PAGES:
                visited.open(path)
                found[scheme, path] = visited.violations()
                for width in WIDTHS:
                    visited.page.set_viewport_size({"width": width, "height": 900})
                    assert visited.overflow() == 0, (path, width)
            assert_clean(visited)
    assert {place: wrong for place, wrong in found.items() if wrong} == {}
