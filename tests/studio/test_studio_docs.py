"""docs/studio.md: its table names every route and no other, and its examples work."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from minicaffe.studio import api

from ..support.running import ROOT

TEXT = (ROOT / "docs" / "studio.md").read_text()


def test_the_table_names_every_route_and_no_other():
    named = set()
    for methods, path, endings in re.findall(r"^\| ([A-Z ]+) \| `([^`]+)`([^|]*) \|", TEXT, re.MULTILINE):
        stem = re.sub(r"\.(json|png)$", "", path)
        paths = {path, *(stem + ending for ending in re.findall(r"`(\.\w+)`", endings))}
        named |= {(method, one) for method in methods.split() for one in paths}
    routes = {
        (method, route.path.replace(":int", "")) for route in api.routes() for method in route.methods or ()
    }
    methods_of = {}
    for method, path in routes:
        if method != "HEAD":
            methods_of.setdefault(re.sub(r"\.(json|png)$", "", path), set()).add(method)
    assert {path for _, path in named} == {path for _, path in routes}
    for method, path in named:
        assert method in methods_of[re.sub(r"\.(json|png)$", "", path)], (method, path)
    assert {(m, re.sub(r"\.(json|png)$", "", p)) for m, p in named} >= {
        (m, p) for p, ms in methods_of.items() for m in ms
    }


def test_examples_of_curl(server):
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    (script,) = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    script = script.replace("http://127.0.0.1:8811", server.url).replace("FOLDER", str(server.folder))
    done = subprocess.run(["bash", "-ec", script], check=True, stdout=subprocess.PIPE, text=True)
    assert '"models"' in done.stdout and '"nodes"' in done.stdout
