"""Routes of the Design page, asked as the page and as programs ask."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from minicaffe import zoo
from minicaffe.proto import text as prototxt
from minicaffe.proto.schema import SolverParameter
from minicaffe.solvers.policy import Policy
from minicaffe.studio.api import nets

NET = next(path for path in zoo.entry("digits").files if path.stem == "train_test").read_text()


def test_check(client):
    answer = client.post("/api/nets/check", json={"text": NET, "phase": "TEST"}).json()
    assert answer["ok"] and answer["phase"] == "TEST" and answer["cost"]["parameters"] == 131080
    wrong = client.post(
        "/api/nets/check", json={"text": NET.replace("num_output: 20", "num_output: twenty")}
    ).json()
    assert not wrong["ok"] and wrong["findings"][0]["line"] > 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "text must be a text"),
        ({"text": 3}, "text must be a text"),
        ({"text": "", "phase": "VAL"}, "no phase 'VAL'"),
    ],
)
def test_what_check_refuses(client, body, said):
    answer = client.post("/api/nets/check", json=body)
    assert answer.status_code == 422 and said in answer.json()["error"]["expected"]


def test_a_net_may_not_name_files_outside(client, tmp_path):
    text = NET.replace("digits/train", "/etc/passwd")
    found = client.post("/api/nets/check", json={"text": text}).json()["findings"][0]
    assert found["rule"] == "not_allowed" and "/etc/passwd" in found["message"]


def test_palette(client):
    answer = client.get("/api/layers").json()
    assert answer["types"]["Convolution"]["params"] == {"convolution_param": "ConvolutionParameter"}
    assert "cross-correlation" in client.get("/api/layers/Convolution").json()["text"]
    assert "did you mean" in client.get("/api/layers/Convoluton").json()["error"]["do"]


def test_templates(client):
    listed = client.get("/api/templates").json()["templates"]
    assert [row["name"] for row in listed] == list(zoo.entries())
    for row in listed:
        for file in [*row["nets"], *row["solvers"]]:
            assert client.get(f"/api/templates/{row['name']}/{file}").json()["text"]
    for path in ("none/net", "lenet/README", "lenet/..%2f..%2fpyproject", "..%2f/x"):
        assert client.get(f"/api/templates/{path}").status_code == 404


def test_drafts(client):
    assert client.get("/api/drafts").json() == {"drafts": []}
    saved = client.put("/api/drafts/my-net", json={"net": NET, "solver": "base_lr: 1"}).json()
    assert client.get("/api/drafts").json()["drafts"][0]["id"] == "my-net"
    assert client.get("/api/drafts/my-net").json() == {
        "net": NET,
        "solver": "base_lr: 1",
        "saved": saved["saved"],
    }
    client.put("/api/drafts/my-net", json={"net": "again"})
    assert client.get("/api/drafts/my-net").json()["net"] == "again"
    assert client.delete("/api/drafts/my-net").json() == {}
    assert client.get("/api/drafts/my-net").status_code == 404


@pytest.mark.parametrize("name", ["..", "..%2ftoken", ".hidden", "a b", "a%00", "x" * 65, "%2fetc%2fpasswd"])
def test_a_draft_is_no_path(client, name, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    answer = client.put(f"/api/drafts/{name}", json={"net": "x"})
    assert answer.status_code in (404, 405)
    assert [path for path in sorted(tmp_path.rglob("*")) if path.name != "drafts"] == before


def test_visualize_network(client):
    for key in ("text", "custom_network"):  # the second is DIGITS' name
        answer = client.post("/models/visualize-network", json={key: NET, "theme": "dark"}).json()
        assert ElementTree.fromstring(answer["svg"]).tag.endswith("svg")
        assert [node["name"] for node in answer["graph"]["nodes"]][:2] == ["digits", "conv1"]
    wrong = client.post("/models/visualize-network", json={"text": "layer {"})
    assert wrong.status_code == 422 and wrong.json()["error"]["where"].startswith("net.prototxt:1:")


def test_visualize_lr(client):
    text = 'base_lr: 0.1 lr_policy: "step" gamma: 0.5 stepsize: 30 max_iter: 100'
    answer = client.post("/models/visualize-lr", json={"solver": text, "points": 50}).json()
    assert answer["iterations"][0] == 0 and answer["iterations"][-1] == 99 and len(answer["iterations"]) == 50
    policy = Policy(prototxt.parse(text, SolverParameter))
    assert answer["rates"] == [policy.rate(iteration) for iteration in answer["iterations"]]
    for body in (
        {"solver": text, "points": 1},
        {"solver": text, "points": "2"},
        {"solver": 'lr_policy: "stp"'},
    ):
        assert client.post("/models/visualize-lr", json=body).status_code == 422


def test_rates_of_many_steps_are_those_of_a_run():
    text = (
        'base_lr: 1 lr_policy: "multistep" gamma: 0.1 stepvalue: 10 stepvalue: 11 stepvalue: 40 max_iter: 60'
    )
    policy, wanted = Policy(prototxt.parse(text, SolverParameter)), {}
    for iteration in range(60):
        wanted[iteration] = policy.rate(iteration)
        policy.advance(iteration)
    found = nets.rates(text, 20)
    assert found["rates"] == [wanted[iteration] for iteration in found["iterations"]]
    assert {10, 11, 40} <= set(found["iterations"])


def test_the_routes_take_no_engine_along():
    """The server starts without Numba and the layers: what needs them works in other processes."""
    code = "import sys, minicaffe.studio.api.nets; print([m for m in ('numba', 'scipy') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


def test_every_route_wants_the_token(stranger):
    for route in nets.ROUTES:
        path = route.path.replace("{", "").replace("}", "")
        for method in route.methods - {"HEAD"}:
            assert stranger.request(method, path).status_code == 401, (method, path)
