from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from vigie.address import Inbox, Kafka, Tcp, parse_address
from vigie.cli import app
from vigie.errors import BadAddress
from vigie.redaction import redacted, without_secrets


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("inbox:./here", Inbox(Path("here"))),
        ("inbox:/a b/c", Inbox(Path("/a b/c"))),
        ("kafka://localhost:9092/flights-raw", Kafka("localhost:9092", "flights-raw")),
        ("kafka://a:1,b:2/t", Kafka("a:1,b:2", "t")),
        ("tcp://127.0.0.1:9999", Tcp("127.0.0.1", 9999)),
    ],
)
def test_an_address_is_read(text: str, address: object) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "here", "inbox:", "kafka://", "kafka://host/topic", "kafka://host:9092", "kafka://host:9092/",
        "kafka://host:port/topic", "kafka://host:99999/topic", "kafka://host:0/topic", "kafka://h:1/a/b",
        "kafka://h:1/sp ace", "kafka://h:1,/t", "tcp://host", "tcp://:9999", "tcp://host:9999/x", "http://host:80",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_a_mend(text: str) -> None:
    with pytest.raises(BadAddress) as raised:
        parse_address(text)

    assert "Write" in raised.value.do
    assert raised.value.exit_code == 2


def test_an_inbox_in_the_home_of_nobody_is_refused() -> None:
    with pytest.raises(BadAddress, match="nobody of that name"):
        parse_address("inbox:~nobody-is-called-so/inbox")


MARK = "S3CR3T"
PASSWORDS = st.tuples(st.text(max_size=5), st.text(max_size=5)).map(MARK.join)
WITH_A_PASSWORD = [
    "kafka://user:{}@host:9092/topic", "kafka://{}@host:9092/topic", "kafka://a:1,user:{}@b:2/topic",
    "kafka://host:9092/topic?password={}", "kafka://host:9092/topic#{}", "kafka://host:9092/topic;password={}",
    "kafka://user:{}/topic", "kafka://user:{}", "tcp://user:{}@host:9999", "tcp://host:9999?password={}",
    "tcp://user:{}", "postgres://user:{}@host/database", "https://host/?token={}", "user:{}@host:9092",
    "kafka:/user:{}@host:9092/topic",
]  # fmt: skip


@pytest.mark.parametrize("form", WITH_A_PASSWORD)
@given(password=PASSWORDS)
def test_a_password_in_an_address_is_never_shown(form: str, password: str) -> None:
    if not any(mark in form for mark in "@=#"):
        password = password[password.index(MARK) :]  # one that begins as a port does is taken for one
    for text in (form.format(password), form.format(quote(password, safe="")), quote(form.format(password), safe=":/")):
        with pytest.raises(BadAddress) as raised:
            parse_address(text)

        assert MARK not in f"{raised.value} {raised.value.__cause__}"


@pytest.mark.parametrize("log", ["text", "json"])
@pytest.mark.parametrize(
    "command", ["feed flights --to", "run flights --from", "status --lake", "ledger flights --lake"]
)
def test_no_command_shows_a_password_that_its_address_holds(command: str, log: str) -> None:
    for address in ("kafka://user:S3CR3T@host:9092/topic", "tcp://host:1?password=S3CR3T", "s3://u:S3CR3T@bucket"):
        result = CliRunner().invoke(app, [*command.split(), address, "--log-format", log, "--debug"])

        assert result.exit_code == 2
        assert MARK not in result.output


def test_what_is_no_secret_of_a_wrong_address_is_shown() -> None:
    assert redacted("kafka://localhost/topic") == "kafka://localhost/topic"
    assert redacted("kafka://[::1]:9092/a b") == "kafka://[::1]:9092/a***"
    assert redacted("raw=kafka://me:S3CR3T@a:1,b:2/topic") == "raw=kafka://***"
    assert redacted("inbox:/home/me@work") == "inbox:/home/me@work"
    assert without_secrets("no answer: https://me:x@host/a?token=S3CR3T, twice") == (
        "no answer: https://***@host/a?token=***, twice"
    )
