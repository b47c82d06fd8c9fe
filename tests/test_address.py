from pathlib import Path

import pytest

from vigie.address import Inbox, Kafka, Tcp, parse_address
from vigie.errors import BadAddress


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
