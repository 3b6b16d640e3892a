"""The frame: header, pages, what is said when the server or the token is missing."""

from __future__ import annotations

from importlib import resources

import pytest

PAGES = ("design", "data", "train", "inspect", "try")
MOST_BYTES = 250_000


def settled(page, name: str) -> None:
    page.wait_for_selector(f"main > section#{name}:not([hidden]):not([aria-busy])")


def test_the_token_leaves_the_address_and_stays_in_the_browser(page, server):
    page.wait_for_selector("#link[data-state=live]")
    assert server.token not in page.url
    assert server.token not in page.evaluate("document.documentElement.outerHTML")
    page.reload()
    page.wait_for_selector("#link[data-state=live]")


def test_without_the_token_the_page_is_locked_and_opens_with_it(visit, server):
    page = visit.context.new_page()
    page.goto(server.url)
    page.wait_for_selector("#locked[open]")
    page.fill("#token", server.address)
    page.press("#token", "Enter")
    page.wait_for_selector("#link[data-state=live]")
    assert not page.is_visible("#locked")
    visit.complaints.clear()


def test_pages_are_addresses(page, server):
    for name in PAGES:
        page.click(f"nav a[data-page={name}]")
        settled(page, name)
        assert page.get_attribute("nav a[aria-current=page]", "data-page") == name
        assert page.locator("main > section:not([hidden])").count() == 1
    page.go_back()
    settled(page, PAGES[-2])


def test_pages_are_reached_by_keyboard(page):
    settled(page, "design")
    page.evaluate("document.activeElement.blur()")
    page.focus(".brand")
    for name in PAGES:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.dataset.page") == name
    page.keyboard.press("Enter")
    settled(page, "try")


def test_a_server_that_is_gone_is_told_and_comes_back(page, visit, server):
    page.wait_for_selector("#link[data-state=live]")
    server.kill()
    page.wait_for_selector("#link[data-state=again], #link[data-state=away]", timeout=20_000)
    server.again()
    page.wait_for_selector("#link[data-state=live]", timeout=20_000)
    visit.complaints.clear()


def test_twelve_tabs(page, visit, server):
    tabs = [page] + [visit.context.new_page() for _ in range(11)]
    for i, tab in enumerate(tabs[1:], 1):
        tab.goto(f"{server.url}/#{PAGES[i % 5]}")
    for tab in tabs:
        tab.wait_for_selector("#link[data-state=live]")


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_nothing_is_wider_than_the_window(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    for name in PAGES:
        page.evaluate(f"location.hash = '#{name}'")
        settled(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page, scheme):
    pytest.importorskip("axe_core_python", reason="needs the extra test-browser")
    source = resources.files("axe_core_python").joinpath("axe.min.js").read_text()
    page.emulate_media(color_scheme=scheme)
    page.wait_for_selector("#link[data-state=live]")
    page.evaluate(source)  # the policy lets no script tag in
    for name in PAGES:
        page.evaluate(f"location.hash = '#{name}'")
        settled(page, name)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        bad = [one for one in found if one["impact"] in ("serious", "critical")]
        serious = [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in bad]
        assert not serious, name


def test_the_page_is_small(page):
    for name in PAGES:
        page.evaluate(f"location.hash = '#{name}'")
        settled(page, name)
    files = "e => /\\.(js|css|svg)$/.test(e.name)"
    asked = f"performance.getEntriesByType('resource').filter({files}).map(e => e.transferSize)"
    sizes = page.evaluate(asked)
    assert 10 < len(sizes) and sum(sizes) <= MOST_BYTES
