"""Runs over HTTP: the list, metrics after a position, events, logs, commands, names, deletion."""

from __future__ import annotations

import json
import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from minicaffe.runs.home import Home
from minicaffe.runs.jsonlines import Writer

from .fake_runs import add_row, make_run, trainer


@pytest.fixture
def folder(client):
    return client.app.state.workspace.folder


def get(client, path: str, status: int = 200):
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    return json.loads(answer.text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def jobs(client) -> dict:
    return {job["id"]: job for job in get(client, "/api/jobs")["jobs"]}


def test_the_list_tells_states_and_best_values(client, folder):
    make_run(folder, "done")
    make_run(folder, "gone", end="")
    make_run(folder, "wrong", end="failed")
    (make_run(folder, "damaged").folder / "job.json").write_text("{")
    (folder / "no-run").mkdir()
    found = jobs(client)
    assert {name: job["state"] for name, job in found.items()} == {
        "done": "finished", "gone": "died", "wrong": "failed", "damaged": "damaged",
    }  # fmt: skip
    assert found["done"]["best"] == {"name": "accuracy", "value": 0.05, "iteration": 5}
    assert found["done"]["spark"][0] == 1 and len(found["done"]["spark"]) == 10
    assert found["gone"]["error"].endswith("line 9") and found["gone"]["status"] == "Error"
    assert found["done"]["iteration"] == 10 and found["done"]["max_iter"] == 100


def test_runs_of_the_shell_appear_by_themselves(client, folder):
    assert jobs(client) == {}
    home = make_run(folder, "shell", end="")
    with trainer(home):
        assert jobs(client)["shell"]["state"] == "running"
    assert jobs(client)["shell"]["state"] == "died"


def test_metrics_after_a_position(client, folder):
    home = make_run(folder, "a", rows=4)
    first = get(client, "/api/jobs/a/metrics")
    assert first["series"]["train/loss"]["y"] == [1 / (1 + i) for i in range(4)]
    assert first["series"]["test0/accuracy"]["x"] == [0] and first["next"] == home.metrics.stat().st_size
    add_row(home, 4)
    again = get(client, f"/api/jobs/a/metrics?after={first['next']}&run={first['run']}")
    assert again["series"]["train/loss"]["x"] == [4] and again["run"] == first["run"]
    with open(home.metrics, "a") as file:
        file.write('{"phase":"train","iteration":5,')  # being written
    assert get(client, f"/api/jobs/a/metrics?after={again['next']}")["next"] == again["next"]


def test_not_finite_is_null(client, folder):
    home = make_run(folder, "a", rows=2)
    add_row(home, 2, math.nan)
    found = get(client, "/api/jobs/a/metrics")["series"]["train/loss"]
    assert found["y"] == [1, 0.5, None] and found["bad"] == [0, 0, 1]
    jobs(client)


def test_another_process_or_run_or_a_shorter_file_begin_anew(client, folder):
    home = make_run(folder, "a", rows=6)
    first = get(client, "/api/jobs/a/metrics")
    Writer(home.metrics).append({"phase": "start", "iteration": 3, "seconds": 0.0, "count": 0})
    add_row(home, 3)
    again = get(client, f"/api/jobs/a/metrics?after={first['next']}&run={first['run']}")
    assert again["after"] == 0 and again["run"] != first["run"]
    assert again["series"]["train/loss"]["x"] == [0, 1, 2, 3]
    home.metrics.write_text("")
    add_row(home, 0)
    third = get(client, f"/api/jobs/a/metrics?after={again['next']}")
    assert third["after"] == 0 and third["series"]["train/loss"]["x"] == [0]
    home.job.unlink()
    home.folder.rename(folder / "other")
    make_run(folder, "a", rows=1)
    fourth = get(client, f"/api/jobs/a/metrics?after={third['next']}&run={third['run']}")
    assert fourth["after"] == 0 and fourth["run"] != third["run"]


def test_many_rows_are_thinned_and_a_window_shows_them(client, folder):
    home = make_run(folder, "a", rows=0)
    with open(home.metrics, "a") as file:
        for i in range(5000):
            loss = 50.0 if i == 1234 else 1.0
            file.write(
                json.dumps({"phase": "train", "iteration": i, "seconds": i / 100, "loss": loss}) + "\n"
            )
    found = get(client, "/api/jobs/a/metrics?points=100")["series"]["train/loss"]
    assert len(found["x"]) == 100 and sum(found["rows"]) == 5000 and max(found["high"]) == 50
    window = get(client, "/api/jobs/a/metrics?first=1230&last=1240")["series"]["train/loss"]
    assert window["x"] == list(range(1230, 1241)) and window["y"][4] == 50
    assert len(get(client, "/api/jobs/a/metrics?points=0")["series"]["train/loss"]["x"]) == 1


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "points=1e3", "first=%C2%B2", "after=99999999999999999"]
)
def test_positions_are_numbers(client, folder, query):
    make_run(folder, "a")
    assert get(client, f"/api/jobs/a/metrics?{query}", 422)["error"]["do"] is not None


def test_events_and_the_log_follow(client, folder):
    home = make_run(folder, "a", rows=3, end="")
    first = get(client, "/api/jobs/a/events")
    assert [event["event"] for event in first["events"]] == ["start"] and first["next"] == 1
    Writer(home.events).append({"event": "end", "state": "finished", "iteration": 3})
    assert [e["event"] for e in get(client, "/api/jobs/a/events?after=1")["events"]] == ["end"]
    log = get(client, "/api/jobs/a/log")
    assert log["text"].count("\n") == 3 and log["skipped"] == 0
    with open(home.log, "a") as file:
        file.write("I0102 more\nI0102 half")
    again = get(client, f"/api/jobs/a/log?after={log['next']}")
    assert again["text"] == "I0102 more\n"
    home.log.write_text("x\n" * 200_000)
    tail = get(client, "/api/jobs/a/log")
    assert tail["skipped"] > 0 and len(tail["text"]) <= 1 << 18 and tail["next"] == 400_000
    assert get(client, "/api/jobs/a/log?after=500000")["after"] == 0


def test_commands_are_acknowledged(client, folder):
    home = make_run(folder, "a", end="")
    with trainer(home) as given:
        for body in ({"op": "pause"}, {"op": "set_lr", "value": 0.005}, {"op": "snapshot"}, {"op": "resume"}):
            answer = client.post("/api/jobs/a/control", json=body)
            assert answer.status_code == 200 and answer.json()["iteration"] == 7, answer.text
            assert answer.json()["command"] == body["op"] == given[-1]["command"]
        assert given[1]["value"] == 0.005
        assert client.post("/models/a/abort").json()["command"] == "stop"
        for value in (None, 0, -1, "x", True, 1e999):
            body = json.dumps({"op": "set_lr", "value": value}).replace("Infinity", "1e999")
            answer = client.post("/api/jobs/a/control", content=body)
            assert answer.status_code in (400, 422), value
        assert client.post("/api/jobs/a/control", json={"op": "pase"}).status_code == 422
        assert client.delete("/jobs/a").status_code == 409
        assert jobs(client)["a"]["state"] == "running"


def test_what_a_run_refuses_is_said(client, folder):
    home = make_run(folder, "a", end="")
    with trainer(home, lambda entry: {**entry, "ok": False, "error": "rate 0 stays 0"}):
        answer = client.post("/api/jobs/a/control", json={"op": "set_lr", "value": 1})
    assert answer.status_code == 422 and "rate 0 stays 0" in answer.text


def test_a_command_that_is_not_answered_stands(client, folder, monkeypatch):
    monkeypatch.setattr("minicaffe.studio.api.jobs.ANSWER_S", 0.1)
    home = make_run(folder, "a", end="")
    with trainer(home, lambda entry: {}) as given:
        answer = client.post("/api/jobs/a/control", json={"op": "snapshot"})
    assert answer.status_code == 202 and answer.json()["ok"] is None and given[-1]["command"] == "snapshot"


def test_what_does_not_run_cannot_be_paused(client, folder):
    make_run(folder, "a")
    answer = client.post("/api/jobs/a/control", json={"op": "pause"})
    assert answer.status_code == 409 and "does not run" in answer.text
    assert client.post("/jobs/a/abort").status_code == 409


def test_names_and_notes(client, folder):
    make_run(folder, "a")
    answer = client.put("/jobs/a", json={"name": "first <b>try</b>", "notes": "good"})
    assert answer.status_code == 200
    assert (jobs(client)["a"]["name"], jobs(client)["a"]["notes"]) == ("first <b>try</b>", "good")
    client.put("/jobs/a", json={"name": "second"})
    assert (jobs(client)["a"]["name"], jobs(client)["a"]["notes"]) == ("second", "good")
    for body in ({}, {"name": 3}, {"notes": "x" * 10_001}):
        assert client.put("/jobs/a", json=body).status_code == 422


def test_deleted_is_gone(client, folder):
    make_run(folder, "a")
    assert client.delete("/models/a").json() == {"deleted": "a"}
    assert not (folder / "a").exists() and jobs(client) == {}
    assert not list(client.app.state.workspace.scratch.glob("deleted-*"))
    get(client, "/api/jobs/a/metrics", 404)


def test_status_in_digits_words(client, folder):
    make_run(folder, "a", rows=25)
    found = get(client, "/models/a/status")
    assert found == {"id": "a", "name": "a", "status": "Done", "progress": 0.25}
    assert get(client, "/jobs/a/status")["status"] == "Done"


@pytest.mark.parametrize("name", ["..", "%2e%2e", "%2e%2e%2fa", ".studio", "nothing", "a%00", "a" * 300])
def test_only_runs_have_addresses(client, folder, name):
    make_run(folder, "a")
    assert client.get(f"/api/jobs/{name}/metrics").status_code in (400, 404)
    assert client.delete(f"/jobs/{name}").status_code in (400, 404, 405)
    assert (folder / "a").exists()


def test_many_ask_at_once(client, folder):
    home = make_run(folder, "a", rows=0)
    stop = threading.Event()

    def grow() -> None:
        i = 0
        while not stop.is_set():
            add_row(home, i)
            i += 1

    writer = threading.Thread(target=grow)
    writer.start()
    try:

        def follow(_: int) -> list[int]:
            after, run, seen = 0, "", []
            for _ in range(10):
                found = get(client, f"/api/jobs/a/metrics?after={after}&run={run}&points=5000")
                assert found["after"] == after
                after, run = found["next"], found["run"]
                seen += found["series"].get("train/loss", {"x": []})["x"]
            return seen

        with ThreadPoolExecutor(8) as pool:
            for seen in pool.map(follow, range(8)):
                assert seen == list(range(len(seen))) and seen
    finally:
        stop.set()
        writer.join()


def test_a_job_shows_its_files_and_its_batch(client, folder):
    make_run(folder, "a")
    found = get(client, "/api/jobs/a")
    assert "LeNet-digits" in found["net_text"] and "max_iter: 100" in found["solver_text"]
    assert found["batch"] == 64 and not Home(folder / "a").running
