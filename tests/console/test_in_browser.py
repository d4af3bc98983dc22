"""The console as a person has it: in Chromium, by keyboard, in every width and both schemes."""

import re

from playwright.sync_api import Browser, expect
from support.browser import HEIGHT, SCHEMES, WIDTHS, Visit, visit

PAGES = (
    "/console/",
    "/console/credentials",
    "/console/credentials/new",
    "/console/incidents",
    "/console/nothing",
)
REFRESH_MILLISECONDS = 9_000
KEY_ID = re.compile(r"crm[0-9]+x[a-z2-7]{10}")


def assert_clean(visited: Visit, *, but: str = "no such text") -> None:
    """Nothing went wrong on the pages, and no other host was asked."""
    assert [error for error in visited.errors if but not in error] == []
    assert visited.foreign_requests() == []


def test_overview_refreshes_itself(browser: Browser, console_url: str, admin_key: str):
    with visit(browser, console_url) as visited:
        visited.log_in(admin_key)
        with visited.page.expect_response(
            "**/overview/figures", timeout=REFRESH_MILLISECONDS
        ) as part:
            assert part.value.ok
        expect(visited.page.locator(".stale")).to_have_count(0)
        pause = visited.page.get_by_role("button", name="Pause refresh")
        pause.click()
        expect(pause).to_have_attribute("aria-pressed", "true")
        assert_clean(visited)


def test_key_is_made_and_revoked(browser: Browser, console_url: str, admin_key: str):
    with visit(browser, console_url) as visited:
        page = visited.page
        visited.log_in(admin_key)
        page.get_by_role("link", name="Credentials").click()
        page.get_by_role("link", name="New key").click()
        page.get_by_role("button", name="Make the key").click()
        expect(page.get_by_label("User", exact=True)).to_have_accessible_description(
            re.compile("Enter a whole number")
        )
        page.get_by_label("Name").fill("Browsed")
        page.get_by_label("User", exact=True).fill("7")
        page.keyboard.press("Enter")
        secret = page.locator("#secret").inner_text()
        found = KEY_ID.match(secret)
        assert found is not None
        page.get_by_role("link", name="Back to the keys").click()
        assert secret not in page.content()
        page.get_by_role("link", name=f"Revoke {found[0]}").click()
        page.get_by_role("button", name="Revoke it").click()
        expect(page.get_by_role("status")).to_contain_text(f"The key {found[0]} is revoked")
        expect(page.get_by_role("row").filter(has_text=found[0])).to_contain_text("revoked")
        assert_clean(visited, but="400 (Bad Request)")


def test_revoked_login_ends_in_place(browser: Browser, console_url: str, admin_key: str):
    with visit(browser, console_url) as visited, visit(browser, console_url) as other:
        for one in (visited, other):
            one.log_in(admin_key)
        other.open(f"/console/credentials/{admin_key[:-43]}/revoke")
        other.page.get_by_role("button", name="Revoke it").click()
        expect(other.page.get_by_text("Your session has ended")).to_be_visible()
        visited.page.wait_for_url("**/console/login?**", timeout=REFRESH_MILLISECONDS)
        assert visited.foreign_requests() == []


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
                    visited.page.set_viewport_size({"width": width, "height": HEIGHT})
                    assert visited.overflow() == 0, (path, width)
            assert_clean(visited, but="404 (Not Found)")
    assert {place: wrong for place, wrong in found.items() if wrong} == {}
