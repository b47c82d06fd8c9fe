"""E-mail, through Apprise, to an SMTP server on this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from email.header import decode_header, make_header
from email.message import Message
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as Taking
from pydantic import SecretStr

from tests.sinks.receivers import a_free_port, closed, opened
from vigie.contracts import Surroundings
from vigie.errors import BadSetting
from vigie.settings import Settings
from vigie.sinks import NotNow, Refused, Undeliverable
from vigie.sinks.notify import Notify


class Post(Taking):
    """Keeps what it is sent."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port
        self.messages: list[Message] = []

    def handle_message(self, message: Message) -> None:
        self.messages.append(message)

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address.startswith("nobody"):
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if b"free money" in envelope.content:
            return "554 5.7.1 this looks like spam"
        return str(await super().handle_DATA(server, session, envelope))

    def bodies(self, kind: str = "plain") -> list[str]:
        parts = [part for message in self.messages for part in message.walk()]
        return [_text(part) for part in parts if part.get_content_subtype() == kind]


def _text(part: Message) -> str:
    body = part.get_payload(decode=True)
    assert isinstance(body, bytes)
    return body.decode()


@pytest.fixture
def post() -> Iterator[Post]:
    kept = Post(a_free_port())
    controller = Controller(kept, hostname="127.0.0.1", port=kept.port)
    controller.start()
    yield kept
    controller.stop()


def an_address(post: Post, to: str = "person") -> str:
    return f"mailto://127.0.0.1:{post.port}?from=vigie@example.com&to={to}@example.com&mode=insecure"


def around(*addresses: str) -> Surroundings:
    return Surroundings(Settings(notify=SecretStr(" ".join(addresses)) if addresses else None))


def test_without_an_address_it_is_off() -> None:
    assert Notify().missing(around()) == "VIGIE_NOTIFY is not set"


def test_an_alert_is_an_e_mail_with_its_id(post: Post) -> None:
    receiver = Notify().opened(around(an_address(post)))

    receiver.send([opened()])
    receiver.send([closed()])

    assert [message["Subject"] for message in post.messages] == ["HIGH at s1", "HIGH at s1 is over"]
    assert [message["To"] for message in post.messages] == ["person@example.com"] * 2
    first, second = post.bodies()
    assert "[warning] HIGH at s1: 31.5 is above 30" in first
    assert opened().alert.alert_id in first
    assert f"{opened().alert.alert_id}-closed" in second


def test_a_key_from_the_data_is_no_html(post: Post) -> None:
    Notify().opened(around(f"{an_address(post)}&format=html")).send([opened("<img src=x>")])

    [html] = post.bodies("html")
    assert "&lt;img" in html
    assert "<img" not in html


@pytest.mark.parametrize("mention", ["@channel", "@all", "@here", "@everyone", "<!here>", "<@U123>"])
def test_a_mention_in_the_data_calls_nobody(post: Post, mention: str) -> None:
    Notify().opened(around(an_address(post))).send([opened(mention)])

    [body] = post.bodies()
    assert mention not in body
    assert mention.strip("<@!>") in body
    assert mention not in str(make_header(decode_header(post.messages[0]["Subject"])))


def test_who_took_a_message_is_not_sent_it_again_while_another_is_waited_for(post: Post) -> None:
    receiver = Notify().opened(around(an_address(post), an_address(post, "nobody")))

    for _ in range(3):
        with pytest.raises(Refused, match="did not take a message .550 for a recipient"):
            receiver.send([opened()])

    assert [message["To"] for message in post.messages] == ["person@example.com"]


def test_what_a_filter_of_spam_refuses_is_the_message_s_fault(post: Post) -> None:
    receiver = Notify().opened(around(an_address(post)))

    with pytest.raises(Undeliverable, match=r"E-Mail did not take a message .SMTP 554."):
        receiver.send([opened("free money")])
    receiver.send([opened("s1")])

    assert [message["Subject"] for message in post.messages] == ["HIGH at s1"]


def test_many_are_one_message_that_lists_the_first_and_says_where_the_others_are(post: Post) -> None:
    receiver = Notify().opened(Surroundings(Settings(notify=SecretStr(an_address(post))), pipeline="sensors"))

    receiver.send([opened("first", severity="critical"), *(opened(f"s{number}") for number in range(78)), closed("s0")])

    [message], [body] = post.messages, post.bodies()
    lines = body.splitlines()
    assert message["Subject"] == "80 alerts: 79 opened, 1 over"
    assert lines[0].startswith("[critical] HIGH at first")
    assert lines[0].endswith(opened("first").alert.alert_id)
    assert lines[40] == "and 40 more: vigie alerts sensors"


def test_who_took_some_of_many_is_sent_only_the_others_later(post: Post) -> None:
    receiver = Notify().opened(around(an_address(post), an_address(post, "nobody")))

    for events in ([opened("a"), opened("b")], [opened("a"), opened("b"), opened("c")]):
        with pytest.raises(Refused):
            receiver.send(events)

    assert [message["Subject"] for message in post.messages] == ["2 alerts: 2 opened, 0 over", "HIGH at c"]


def test_a_server_that_is_not_there_is_tried_again(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    receiver = Notify().opened(
        around("mailto://user:a-secret@127.0.0.1:1?from=vigie@example.com&to=person@example.com&mode=insecure")
    )

    with pytest.raises(NotNow) as setback:
        receiver.send([opened()])

    assert "secret" not in f"{setback.value} {caplog.text}"


def test_an_address_that_apprise_does_not_know_is_refused_without_being_shown(post: Post) -> None:
    with pytest.raises(BadSetting, match="address 2 is none that Apprise knows") as refusal:
        Notify().opened(around(an_address(post), "carrier-pigeon://a-secret"))
    assert "secret" not in str(refusal.value)
