"""The schema of what an arm tells: each kind goes through a line, and damage is told apart."""

import dataclasses
import json

import pytest

from pytest_skyrs._model import events

RECORD = {"calls": {"table": []}, "logs": ["\udc80"]}
EVENTS = (
    events.Unreadable(),
    events.Item("a::b[\udc80]"),
    events.Collected(0),
    events.Deselected(3),
    events.CollectReport({"nodeid": "a", "outcome": "failed"}),
    events.Start("a::b"),
    events.Start("a::b", None),
    events.Report({"nodeid": "a::b", "when": "call"}),
    events.Report({"nodeid": "a::b"}, "gw0", each=True, died=True),
    events.Record("a::b", RECORD),
    events.Record("a::b\n", RECORD, "gw1", each=True),
    events.Warned("m.W", "text", "file.py", 7, "runtest", "a::b", ["file.py", 7, "b"]),
    events.Warned("m.W", "text", "file.py", 7, "config", "", None),
    events.Worker("main", report={"pid": 7}),
    events.Worker("gw0", "Not properly terminated"),
    events.InternalError("text"),
    events.Interrupt("KeyboardInterrupt"),
    events.Note("the tests are dealt by somebody"),
    events.Summary("m", "text\n", first=False),
    events.Finish(exit=1, events=9, stop="stopping after 1 failures", error="E: x"),
    events.Finish(exit=0, events=2),
    events.Over(),
)


def test_each_kind_is_listed_here():
    assert {type(each) for each in EVENTS} == set(events.Event.__subclasses__())
    assert len({each.kind for each in events.Event.__subclasses__()}) == len({*map(type, EVENTS)})


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_an_event_goes_through_a_line(event):
    line = event.to_line()
    assert line.isascii()
    assert "\n" not in line
    assert events.from_line(line.encode()) == event
    assert events.is_of(line.encode(), type(event))
    assert not events.is_of(line.encode(), *({*map(type, EVENTS)} - {type(event)}))


def test_what_has_its_default_isnt_told():
    assert json.loads(events.Start("a").to_line()) == {"kind": "start", "nodeid": "a"}
    assert json.loads(events.Worker("gw0").to_line()) == {"kind": "worker", "name": "gw0"}


@pytest.mark.parametrize("event", [each for each in EVENTS if isinstance(each, events.Record)])
def test_a_record_that_is_text_already(event):
    text = json.dumps(event.record)
    line = events.record_line(event.nodeid, text, event.worker, each=event.each)
    assert events.from_line(line.encode("ascii")) == event


REQUIRED = [
    pytest.param(event, field.name, id=f"{event.kind}: {field.name}")
    for event in {type(event): event for event in EVENTS}.values()
    for field in dataclasses.fields(event)
    if field.default is dataclasses.MISSING
]


@pytest.mark.parametrize(("event", "name"), REQUIRED)
def test_an_event_without_a_field_is_damaged(event, name):
    content = event.to_json()
    del content[name]
    assert events.from_json(content) == events.Unreadable()


@pytest.mark.parametrize(
    ("event", "name"),
    [param for param in REQUIRED if param.values[1] not in ("filename", "lineno")],
)
def test_an_event_with_another_type_in_a_field_is_damaged(event, name):
    for other in (1.5, ("a",)):
        assert events.from_json({**event.to_json(), name: other}) == events.Unreadable()


DAMAGED = {
    "nothing": b"\n",
    "no JSON": b"written by a test\n",
    "a part": events.Item("a::b").to_line().encode()[7:],
    "two in one": events.Over().to_line().encode() * 2,
    "not UTF-8": b'{"kind": "item", "nodeid": "\xff"}',
    "a list": b'["item"]',
    "empty": b"{}",
    "no kind": b'{"nodeid": "a"}',
    "unknown kind": b'{"kind": "news"}',
    "kind of another type": b'{"kind": ["item"], "nodeid": "a"}',
    "unknown field": b'{"kind": "over", "more": 1}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_line(line):
    assert events.from_line(line) == events.Unreadable()
