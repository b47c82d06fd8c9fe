"""A dashboard answers to the names it has, and to no other that somebody made lead to it."""

from __future__ import annotations

import socket

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from vigie.dashboard.hosts import KnownHosts, own_names


async def a_page(_request: object) -> PlainTextResponse:
    return PlainTextResponse("secret")


async def a_stream(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("secret")


def the_dashboard(host: str = "127.0.0.1", *names: str) -> TestClient:
    app = Starlette(routes=[Route("/", a_page), WebSocketRoute("/stream", a_stream)])
    return TestClient(KnownHosts(app, own_names(host, names)))


@pytest.mark.parametrize(
    "host",
    ["localhost:8501", "LOCALHOST.", "127.0.0.1:8501", "192.168.1.7", "[::1]:8501", "[fe80::1]", socket.gethostname(),
     "vigie.example.com", "Vigie.Example.com:443"],
)  # fmt: skip
def test_it_answers_to_its_names_and_to_any_address_in_figures(host: str) -> None:
    answer = the_dashboard("127.0.0.1", "vigie.example.com").get("/", headers={"host": host})

    assert (answer.status_code, answer.text) == (200, "secret")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8501", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::1",
             "localhost@evil.example", "0x7f.1"],
)  # fmt: skip
def test_it_does_not_answer_to_another(host: str) -> None:
    client = the_dashboard()

    answer = client.get("/", headers={"host": host})

    assert (answer.status_code, "secret" in answer.text) == (421, False)
    assert "--name" in answer.text
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/stream", headers={"host": host}) as stream:
        stream.receive_text()


def test_what_it_listens_on_is_one_of_its_names() -> None:
    assert the_dashboard("studio.lan").get("/", headers={"host": "studio.lan:8501"}).text == "secret"
