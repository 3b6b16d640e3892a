"""The frame: header, pages, what is said when the server or the token is missing."""

from __future__ import annotations

PAGES = ("Design", "Data", "Train", "Inspect", "Try")


def test_the_token_leaves_the_address_and_stays_in_the_browser(page, server):
    page.wait_for_selector("#link[data-state=live]")
    assert page.url.rstrip("/") == server.url
    assert server.token not in page.evaluate("document.documentElement.outerHTML")
