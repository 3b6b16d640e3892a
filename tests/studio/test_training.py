"""New runs over HTTP: looked at before, created, so many at a time; sweeps, clones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from minicaffe.runs.home import Home
from minicaffe.studio import launch
from minicaffe.studio.launch import Launcher

from .fake_runs import make_run, script, wait_for

FORM = {"template": "digits/all_in_one", "dataset": "digits", "train_epochs": 2, "learning_rate": "0.02"}
OUTSIDE = 'layer { name: "d" type: "Data" top: "d" data_param { source: "/etc" backend: LMDB } }'
CREATE = "/models/images/classification.json"


@pytest.fixture
def folder(client):
    return client.app.state.workspace.folder


@pytest.fixture
def fake(client, folder, monkeypatch, tmp_path_factory):
    """Runs that start in no time and do nothing; two of them at a time."""
    model = make_run(tmp_path_factory.mktemp("model"), "model")
    monkeypatch.setattr(launch, "SCRIPT", script(model))
    client.app.state.launcher = Launcher(folder, most=2)
    return model


def states(client) -> dict[str, str]:
    return {job["id"]: job["state"] for job in client.get("/api/jobs").json()["jobs"]}


def test_a_run_is_looked_at_before_it_begins(client):
    found = client.post("/api/training/preview", json={**FORM, "lr_policy": "cosine"}).json()
    assert found["parameters"] == 131080 and found["bytes"] > 1_000_000 and found["total_s"] > 0
    (run,) = found["runs"]
    assert run["max_iter"] == 45 and len(run["rates"]["x"]) == 45
    assert run["rates"]["y"][0] == pytest.approx(0.02) and run["rates"]["y"][-1] < 0.001
    assert found["measured_in"] is None and "max_iter: 45" in found["solver_text"]
    assert states(client) == {}


def test_rates_of_steps_fall_where_they_do(client):
    solver = 'base_lr: 1 lr_policy: "multistep" gamma: 0.1 stepvalue: 10 stepvalue: 20 max_iter: 30'
    found = client.post(
        "/api/training/preview", json={**FORM, "train_epochs": None, "learning_rate": "", "solver": solver}
    )
    rates = dict(zip(*(found.json()["runs"][0]["rates"][axis] for axis in "xy")))
    assert (
        rates[9] == pytest.approx(1) and rates[10] == pytest.approx(0.1) and rates[20] == pytest.approx(0.01)
    )


def test_time_is_taken_from_a_run_of_the_same_net(client, folder):
    home = make_run(folder, "before", rows=40)
    net = (home.folder / "net.prototxt").read_text()
    found = client.post("/api/training/preview", json={**FORM, "net": net, "template": None}).json()
    assert found["measured_in"] == "before" and found["step_s"] == pytest.approx(0.1)
    found = client.post(
        "/api/training/preview", json={**FORM, "net": net, "template": None, "batch_size": 32}
    )
    assert found.json()["measured_in"] is None


def test_sweeps_wait_for_room(client, folder, fake):
    made = client.post(CREATE, json={**FORM, "learning_rate": "0.1,0.2,0.3", "name": "s"}).json()
    assert made["job_ids"] == ["s_lr0.1", "s_lr0.2", "s_lr0.3"] and made["status"] == "Waiting"
    both = {"s_lr0.1": "running", "s_lr0.2": "running", "s_lr0.3": "waiting"}
    wait_for(lambda: states(client) == both)
    asked = json.loads((folder / "s_lr0.3" / "asked" / "request.json").read_text())
    assert asked["learning_rate"] == 0.3 and "launched" not in asked
    client.post("/api/jobs/s_lr0.1/control", json={"op": "stop"})
    wait_for(lambda: states(client)["s_lr0.3"] == "running")
    for name in ("s_lr0.2", "s_lr0.3"):
        client.post(f"/models/{name}/abort")
    wait_for(lambda: set(states(client).values()) == {"stopped"})


def test_what_waits_can_be_taken_back(client, folder, fake):
    client.app.state.launcher.most = 0
    client.post(CREATE, json={**FORM, "name": "a"})
    assert states(client) == {"a": "waiting"}
    assert client.get("/models/a/status").json()["status"] == "Waiting"
    assert client.post("/models/a/abort").json()["ok"]
    client.app.state.launcher.most = 2
    client.app.state.launcher.start_waiting()
    assert states(client) == {"a": "stopped"}
    assert client.delete("/models/a").status_code == 200 and states(client) == {}


def test_another_server_goes_on_with_what_waits(client, folder, fake):
    client.app.state.launcher.most = 0
    client.post(CREATE, json={**FORM, "name": "a"})
    client.app.state.launcher = Launcher(folder, most=1)
    assert wait_for(lambda: states(client)["a"] == "running")
    client.post("/models/a/abort")
    wait_for(lambda: states(client)["a"] == "stopped")


def test_a_run_that_cannot_begin_says_why(client, folder, fake, monkeypatch):
    monkeypatch.setattr(launch, "SCRIPT", "import sys; sys.exit('this solver is broken')")
    client.post(CREATE, json={**FORM, "name": "a"})
    wait_for(lambda: states(client)["a"] == "failed")
    shown = client.get("/api/jobs/a").json()
    assert shown["error"] == "this solver is broken" and shown["status"] == "Error"
    assert "this solver is broken" in client.get("/api/jobs/a/log").json()["text"]
    assert "base_lr" in shown["solver_text"]


def test_names_are_made_folders(client, folder, fake):
    client.app.state.launcher.most = 0
    names = ["../../x", "a b/c", "", "ü", ".hidden", "x" * 300, "same", "same"]
    made = [client.post(CREATE, json={**FORM, "name": name}).json()["id"] for name in names]
    assert len(set(made)) == len(names) and all((folder / name).is_dir() for name in made)
    assert {path.parent for path in map(Path, made)} == {Path(".")} and not any(
        m.startswith(".") for m in made
    )


@pytest.mark.parametrize(
    "more, said",
    [
        ({"learning_rate": "x"}, "learning_rate"),
        ({"dataset": "nothing-of-the-kind"}, ""),
        ({"dataset": "../../etc"}, ""),
        ({"dataset": 3}, "dataset"),
        ({"net": "layer { nme: 1 }"}, "nme"),
        ({"net": OUTSIDE, "dataset": ""}, "/etc"),
        ({"net": 'layer { name: "p" type: "Python" python_param { module: "os" layer: "x" } }'}, "Python"),
        ({"solver": 'base_lr: 1 weights: "/etc/passwd"'}, "/etc/passwd"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_before_anything_is_made(client, folder, more, said):
    for path in (CREATE, "/api/training/preview"):
        answer = client.post(path, json={**FORM, **more})
        assert answer.status_code in (404, 422) and said in answer.text, answer.text
    assert states(client) == {}


def test_a_clone_asks_for_the_same(client, folder, fake):
    client.app.state.launcher.most = 0
    client.post(CREATE, json={**FORM, "name": "a", "solver_type": "Adam", "batch_size": 32})
    again = client.get("/clone/a").json()
    assert again["name"] == "a-again" and again["dataset"] == "digits" and again["batch_size"] == 32
    assert 'type: "Adam"' in again["solver"] and "net:" not in again["solver"]
    before = client.get("/api/jobs/a").json()
    made = client.post(CREATE, json={**again, "template": None, "train_epochs": None}).json()
    after = client.get(f"/api/jobs/{made['id']}").json()
    assert after["net_text"] == before["net_text"] and after["max_iter"] == before["max_iter"]
    make_run(folder, "shell")
    again = client.get("/clone/shell").json()
    assert "LeNet-digits" in again["net"] and "max_iter: 100" in again["solver"]


def test_the_form_offers_what_there_is(client):
    found = client.get("/api/training/choices").json()
    assert {"SGD", "Adam"} <= set(found["solver_types"]) and {"step", "cosine"} <= set(found["policies"])
    assert "digits/all_in_one" in found["templates"] and "AdaGrad" in found["without_momentum"]


def test_a_run_trains_and_goes_on_where_it_was(client, folder):
    made = client.post(CREATE, json={**FORM, "train_epochs": "0.5", "name": "real"}).json()
    wait_for(lambda: states(client)[made["id"]] == "finished", 60)
    shown = client.get("/api/jobs/real").json()
    assert shown["iteration"] == shown["max_iter"] == 12 and shown["best"]["name"] == "accuracy"
    series = client.get("/api/jobs/real/metrics").json()["series"]
    rows = [json.loads(line) for line in Home(folder / "real").metrics.read_text().splitlines()]
    assert series["train/loss"]["y"] == [row["loss"] for row in rows if row["phase"] == "train"]
    assert Home(folder / "real").read_job()["folder"] == str(folder)
    Home(folder / "real").extend(20)
    assert client.post("/api/jobs/real/control", json={"op": "resume"}).json()["event"] == "resumed"
    wait_for(lambda: client.get("/api/jobs/real").json()["iteration"] == 20, 60)


def test_training_outlives_the_server(server):
    solver = 'base_lr: 0.001 lr_policy: "fixed" max_iter: 1000000 display: 1 test_interval: 1000000'
    form = {**FORM, "train_epochs": None, "solver": solver, "name": "long"}
    assert server.ask("POST", CREATE, json=form).status_code == 200
    home = Home(server.folder / "long")

    def rows() -> list[dict]:
        lines = home.metrics.read_text().splitlines() if home.metrics.exists() else []
        return [row for row in map(json.loads, lines) if row["phase"] == "train"]

    wait_for(lambda: len(rows()) > 5)
    server.kill()
    before = len(rows())
    wait_for(lambda: len(rows()) > before + 5)
    server.again()
    assert server.ask("GET", "/api/jobs/long").json()["state"] == "running"
    assert server.ask("POST", "/models/long/abort").json()["ok"]
    wait_for(lambda: server.ask("GET", "/models/long/status").json()["status"] == "Aborted")
    found = server.ask("GET", "/api/jobs/long/metrics?points=5000").json()["series"]["train/loss"]
    assert found["x"] == [row["iteration"] for row in rows()] and "rows" not in found
    assert found["y"] == [row["loss"] for row in rows()]
