"""`minicaffe studio`: where it listens, what it says, how it starts, idles and ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import webbrowser
from pathlib import Path

import httpx
import pytest

from minicaffe.studio import server as serving
from minicaffe.studio.workspace import Workspace

from ..support.running import ROOT, run, start

TICKS = os.sysconf("SC_CLK_TCK")
IDLE_S = 3
START_S = 1.0


def test_it_says_where_it_is_and_serves_this_machine_alone(server):
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/#token=[\w-]{43}", server.address)
    assert server.ask("GET", "/api/version").json()["folder"] == str(server.folder)
    assert httpx.get(server.url + "/api/version").status_code == 401
    for address in {"127.0.0.2", *others()}:
        with pytest.raises(OSError), socket.create_connection((address, server.port), 2):
            pass


def others() -> set[str]:
    """Addresses of this machine that others reach."""
    return {str(found[4][0]) for found in socket.getaddrinfo(socket.gethostname(), 0, socket.AF_INET)} - {
        "127.0.0.1"
    }


def test_the_token_is_in_no_line_but_the_address(server):
    server.ask("GET", "/api/version")
    server.ask("GET", "/no/such")
    httpx.get(server.url + "/api/version", headers={"authorization": "Bearer wrong"})
    server.process.terminate()
    out, err = server.process.communicate(timeout=30)
    assert out == "" and server.token not in err


def test_killed_and_started_again_it_is_the_same(server):
    before = server.address
    server.kill()
    server.again()
    assert server.address == before
    assert server.ask("GET", "/api/version").status_code == 200


def test_a_new_token_locks_the_old_one_out(server):
    old = server.token
    server.kill()
    server.flags = (*server.flags, "--new-token")
    server.again()
    new = server.address.partition("/#token=")[2]
    assert new != old
    assert server.ask("GET", "/api/version").status_code == 401
    server.token = new
    assert server.ask("GET", "/api/version").status_code == 200


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_told_to(server, kind):
    server.process.send_signal(kind)
    out, err = server.process.communicate(timeout=30)
    assert (out, err) == ("", "")
    assert server.process.returncode == (0 if kind == signal.SIGINT else -signal.SIGTERM)


def test_an_address_that_others_reach_is_warned_of(workspace):
    process = start("studio", workspace, "--host", "0.0.0.0", "--port", 0, "--no-browser", cwd=workspace)
    try:
        assert process.stdout.readline().startswith("http://0.0.0.0:")
    finally:
        process.terminate()
        _, err = process.communicate(timeout=30)
    assert "other machines reach the studio" in err


def test_what_cannot_be_served_is_said(capsys, workspace):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, _, err = run(capsys, "studio", workspace, "--port", port)
    assert status == 1 and "Address already in use" in err and "--port 0" in err
    assert run(capsys, "studio", workspace, "--port", 70_000).err.count("at most 65535") == 1
    assert "cannot use" in run(capsys, "studio", workspace / "missing", "--root", workspace / "nowhere").err
    assert (
        "--host no.such.name.invalid"
        in run(capsys, "studio", workspace, "--host", "no.such.name.invalid").err
    )


def test_without_the_extra_it_says_what_to_install(capsys, monkeypatch, workspace):
    for name in [name for name in sys.modules if name.startswith("minicaffe.studio")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    status, _, err = run(capsys, "studio", workspace)
    assert status == 1 and "minicaffe[studio]" in err


def test_it_starts_in_a_second(server):
    """Of a processor, beyond what importing minicaffe takes: how long it takes by the clock depends on what
    else the machine does."""
    started = processor_s(server.process.pid)
    imported = """if True:
        import time, minicaffe
        print(time.process_time())"""
    done = subprocess.run([sys.executable, "-c", imported], check=True, cwd=ROOT, stdout=subprocess.PIPE)
    assert started - float(done.stdout) < START_S


def processor_s(pid: int) -> float:
    """The time of a processor that a process has had so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def test_the_page_is_served_before_the_engine_is_there():
    statement = """if True:
        import sys
        import minicaffe.cli.studio, minicaffe.studio.server
        print({'numba', 'scipy', 'PIL'} & set(sys.modules))"""
    done = subprocess.run(
        [sys.executable, "-c", statement], check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert done.stdout == "set()\n"


def test_it_costs_nothing_while_nobody_asks(server):
    server.ask("GET", "/api/version")
    before = processor_s(server.process.pid)
    time.sleep(IDLE_S)
    assert processor_s(server.process.pid) - before <= 0.01 * IDLE_S + 1 / TICKS


# -- the browser


class Recorded(webbrowser.BackgroundBrowser):
    def __init__(self) -> None:
        super().__init__("a-browser")
        self.opened: list[str] = []

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        self.opened.append(url)
        return True


def test_the_browser_is_given_a_file_that_nobody_else_reads(tmp_path, monkeypatch):
    """Everybody on the machine sees the arguments of a process."""
    space, browser = Workspace(tmp_path), Recorded()
    monkeypatch.setattr(webbrowser, "get", lambda: browser)
    serving.open_browser(space.scratch, "http://127.0.0.1:1/#token=secret")
    file = space.scratch / "open.html"
    assert browser.opened == [file.as_uri()]
    assert 'url=http://127.0.0.1:1/#token=secret"' in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_no_browser_is_no_error(tmp_path, monkeypatch):
    def none():
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", none)
    serving.open_browser(tmp_path, "http://127.0.0.1:1/#token=secret")
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser("lynx"))
    serving.open_browser(tmp_path, "http://127.0.0.1:1/#token=secret")
    assert not list(tmp_path.iterdir())
