"""What the server answers to: the modules of this folder, each with its ROUTES."""

from __future__ import annotations

import pkgutil

from starlette.routing import Route

from ...importing import load


def routes() -> list[Route]:
    """The routes of all modules here."""
    found: list[Route] = []
    for module in sorted(one.name for one in pkgutil.iter_modules(__path__)):
        found += getattr(load(f"studio.api.{module}"), "ROUTES", [])
    return found
