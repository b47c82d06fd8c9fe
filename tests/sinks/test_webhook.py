"""A webhook, against a server on this machine."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from pydantic import SecretStr

from tests.sinks.receivers import Hooks, a_free_port, closed, opened
from vigie.contracts import Surroundings
from vigie.settings import Settings
from vigie.sinks import NotNow, Refused
from vigie.sinks.webhook import Hook, Webhook


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    with Hooks().running() as running:
        yield running


def a_hook(url: str, timeout: float = 5, now: float = 0) -> Hook:
    return Hook(SecretStr(url), timeout, lambda: now)


def test_without_an_address_it_is_off() -> None:
    around = Surroundings(Settings(webhook_url=None))

    assert Webhook().missing(around) == "VIGIE_WEBHOOK_URL is not set"


def test_an_alert_is_posted_with_its_fields_a_text_and_its_key(hooks: Hooks) -> None:
    around = Surroundings(Settings(webhook_url=SecretStr(hooks.url)))
    assert not Webhook().missing(around)

    receiver = Webhook().opened(around)
    receiver.send([opened(), closed()])
    receiver.close()

    first, second = hooks.posted
    assert (first.key, second.key) == (opened().alert.alert_id, f"{opened().alert.alert_id}-closed")
    assert first.body["text"].startswith("[warning] HIGH at s1")
    assert {"event": "opened", "key": "s1", "value": 31.5}.items() <= first.body.items()


def test_a_key_from_the_data_cannot_call_a_channel(hooks: Hooks) -> None:
    a_hook(hooks.url).send([opened("<!channel> & co")])

    assert "&lt;!channel&gt; &amp; co" in hooks.posted[0].body["text"]
    assert hooks.posted[0].body["key"] == "<!channel> & co"


@pytest.mark.parametrize("mention", ["@channel", "@all", "@here", "@everyone", "<!here>", "<@U123>", "a@b"])
def test_a_mention_in_the_data_is_text_for_people_and_itself_for_programs(hooks: Hooks, mention: str) -> None:
    a_hook(hooks.url).send([opened(mention)])

    body = hooks.posted[0].body
    assert mention not in body["text"]
    assert mention.lstrip("<@!a").rstrip(">") in body["text"]
    assert body["key"] == mention


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
def test_what_time_mends_is_not_now(hooks: Hooks, status: int) -> None:
    hooks.answer = lambda _: (status, {})

    with pytest.raises(NotNow, match=f"it answered {status}"):
        a_hook(hooks.url).send([opened()])


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 410, 413])
def test_what_a_person_must_mend_is_refused_with_what_to_do(hooks: Hooks, status: int) -> None:
    hooks.answer = lambda _: (status, {"Location": "http://localhost:1/elsewhere"})

    with pytest.raises(Refused, match=f"refused an alert with {status}") as refusal:
        a_hook(hooks.url).send([opened()])
    assert refusal.value.do
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        (format_datetime(datetime.fromtimestamp(1_100, UTC), usegmt=True), 100.0),
        (format_datetime(datetime.fromtimestamp(900, UTC), usegmt=True), 0.0),
        ("1000000", 3_600.0),
        ("-3", 0.0),
        ("nan", 0.0),
        ("soon", 0.0),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", 0.0),
        ("", 0.0),
    ],
)
def test_it_is_left_alone_for_as_long_as_it_asks(hooks: Hooks, said: str, seconds: float) -> None:
    hooks.answer = lambda _: (429, {"Retry-After": said})

    with pytest.raises(NotNow) as setback:
        a_hook(hooks.url, now=1_000).send([opened()])
    assert setback.value.wait == seconds


@pytest.mark.parametrize("host", ["a..b", "xn--", "a" * 300, "ﬀ。hush"])
def test_a_host_that_is_none_is_refused_without_a_word_of_it(host: str) -> None:
    with pytest.raises(Refused, match="VIGIE_WEBHOOK_URL") as refused:
        a_hook(f"https://{host}/hush").send([opened()])

    assert host not in str(refused.value) and "hush" not in str(refused.value)


def test_one_that_is_not_there_is_tried_again() -> None:
    with pytest.raises(NotNow, match="cannot be reached"):
        a_hook(f"http://127.0.0.1:{a_free_port()}/a-secret-path").send([opened()])


def test_one_that_takes_the_connection_and_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hook = a_hook(f"http://127.0.0.1:{silent.getsockname()[1]}/a-secret-path", timeout=0.1)

        with pytest.raises(NotNow, match="did not answer within 0.1 s"):
            hook.send([opened()])


def test_nothing_that_is_logged_or_raised_holds_the_address(hooks: Hooks, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hook = a_hook(hooks.url)
    hook.send([opened()])
    hooks.answer = lambda _: (500, {})

    with pytest.raises(NotNow) as setback:
        hook.send([opened()])

    assert "secret" not in caplog.text
    assert "secret" not in f"{setback.value!r} {setback.value.__cause__!r} {Webhook()!r} {hook._url!r}"
