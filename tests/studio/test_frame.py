"""The application: what is open, what is not, and how errors are told."""

from __future__ import annotations


def test_who_has_the_token_gets_an_answer(client):
    answer = client.get("/api/version")
    assert answer.status_code == 200
    assert set(answer.json()) == {"version", "folder", "python_layers"}


def test_who_has_not_gets_the_page_alone(stranger):
    assert "minicaffe studio" in stranger.get("/").text
    assert stranger.get("/studio.js").status_code == 200
    assert stranger.get("/api/version").status_code == 401
    assert stranger.get("/no/such/path").status_code == 401
