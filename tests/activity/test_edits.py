"""The simulated wikis: what Wikimedia's stream would say of them, edit wars, and bots in bursts."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from itertools import pairwise
from typing import Any

from tests.activity.feeds import HOUR, a_simulation, instant, objects
from vigie.activity.edits import simulate

META = {"uri", "request_id", "id", "dt", "domain", "stream", "topic", "partition", "offset"}
COMMON = {
    "$schema", "meta", "id", "type", "namespace", "title", "title_url", "comment", "timestamp", "user", "bot",
    "server_url", "server_name", "server_script_path", "wiki", "parsedcomment",
}  # fmt: skip
OF_EDITS = {"notify_url", "minor", "patrolled", "length", "revision"}
OF_LOGS = {"log_id", "log_type", "log_action", "log_params", "log_action_comment"}


@cache
def two_hours() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    labels: list[dict[str, Any]] = []
    return objects(simulate, a_simulation(keys=300, label=labels.append), 2 * HOUR), labels


def test_a_change_has_the_fields_of_its_type_and_no_others() -> None:
    changes, _ = two_hours()
    own = {"edit": OF_EDITS, "new": OF_EDITS, "log": OF_LOGS, "categorize": set()}

    for change in changes:
        assert set(change) == COMMON | own[change["type"]]
        assert set(change["meta"]) == META
        assert change["meta"]["domain"] == change["server_name"] != "canary"
        assert change["meta"]["stream"] == "mediawiki.recentchange"
        assert change["timestamp"] == int(instant(change["meta"]["dt"]))
        assert isinstance(change["bot"], bool)
    assert {change["type"] for change in changes} == set(own)
    assert len({change["wiki"] for change in changes}) == 8
    assert len({change["meta"]["id"] for change in changes}) == len(changes)
    assert any(not change["title"].isascii() for change in changes)


def test_each_edit_begins_where_the_last_of_its_page_ended() -> None:
    of_page = defaultdict(list)
    for change in two_hours()[0]:
        if change["type"] in ("edit", "new"):
            of_page[change["wiki"], change["title"]].append(change)

    for changes in of_page.values():
        for before, after in pairwise(changes):
            if after["type"] == "edit":
                assert after["length"]["old"] == before["length"]["new"]
                assert after["revision"]["old"] == before["revision"]["new"]
            else:
                assert after["length"]["old"] is None and after["revision"]["old"] is None


def test_in_an_edit_war_two_users_undo_each_other() -> None:
    changes, labels = two_hours()
    wars = [label for label in labels if label["kind"] == "edit_war" and instant(label["to"]) < instant_of(changes[-1])]

    assert len(wars) > 10
    for war in wars:
        begins, ends = instant(war["from"]) - 0.001, instant(war["to"]) + 0.001
        fought = [
            change
            for change in changes
            if f"{change['wiki']}:{change['title']}" == war["key"]
            and begins <= instant_of(change) <= ends
            and (change["comment"] == "updated" or change["comment"].startswith("Undid"))
        ]
        assert len(fought) == war["edits"] >= 6
        assert len({change["user"] for change in fought}) == 2
        assert all(before["user"] != after["user"] for before, after in pairwise(fought))
        by = [change["length"]["new"] - change["length"]["old"] for change in fought]
        assert all(before == -after != 0 for before, after in pairwise(by))


def test_nobody_else_undoes_an_edit_to_the_byte_nor_edits_where_a_war_is_fought() -> None:
    changes, labels = two_hours()
    wars = {label["key"]: (instant(label["from"]), instant(label["to"])) for label in labels if "war" in label["kind"]}
    last: dict[str, int] = {}
    undone = 0

    for change in changes:
        if change["type"] not in ("edit", "new"):
            continue
        page, by = f"{change['wiki']}:{change['title']}", change["length"]["new"] - (change["length"]["old"] or 0)
        begins, ends = wars.get(page, (0, 0))
        is_of_a_war = change["comment"] == "updated" or change["comment"].startswith("Undid")
        if not is_of_a_war:
            assert not begins < instant_of(change) < ends
            undone += by == -last.get(page, 0) != 0
        last[page] = by
    assert undone == 0


def test_a_burst_of_a_bot_is_told_and_is_many_edits_of_it() -> None:
    changes, labels = two_hours()
    bursts = [label for label in labels if label["kind"] == "bot_burst"]

    assert bursts
    for burst in bursts:
        begins, ends = instant(burst["from"]) - 0.001, instant(burst["to"]) + 0.001
        own = [change for change in changes if change["user"] == burst["key"] and begins <= instant_of(change) <= ends]
        assert len(own) >= burst["edits"] or ends > instant_of(changes[-1])
        assert all(change["bot"] for change in own)


def instant_of(change: dict[str, Any]) -> float:
    return instant(change["meta"]["dt"])
