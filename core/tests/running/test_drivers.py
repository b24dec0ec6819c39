"""How an engine's plugin talks with its driver."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from wfx.drivers import Driver
from wfx.engines import StepEvent
from wfx.errors import DefinitionError, EngineError, InputError, WfxError
from wfx.hosts import EngineHost
from wfx.sandbox import Sandbox

# Says what it is told to say, and writes down that it was started.
ECHO = """
import json, os, sys
open("starts", "a").write("x")
for line in sys.stdin:
    order = json.loads(line)
    for answer in order["say"]:
        print(json.dumps(answer), flush=True)
    if order.get("die") is not None:
        os._exit(order["die"])
"""
EVENT = {"id": "sort", "step": "sort", "state": "started", "time": "2024-05-01T10:00:00+00:00", "schema": 1}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[EngineHost]:
    host = EngineHost.in_folder(tmp_path, Sandbox.choose("none"))
    yield host
    host.close()


@pytest.fixture
def driver(host: EngineHost) -> Driver:
    return Driver(host, "Echo", [sys.executable, "-I", "-S", "-c", ECHO])


def starts(host: EngineHost) -> int:
    return len((host.state / "starts").read_text()) if (host.state / "starts").exists() else 0


def test_one_process_serves_all_orders_and_none_is_started_before_the_first(driver: Driver, host: EngineHost) -> None:
    assert host.channels == []
    assert driver.ask({"say": [{"description": {"name": "a"}}]}) == {"description": {"name": "a"}}
    assert driver.run({"say": [{"result": {"status": "completed"}}]}, lambda event: None) == {"status": "completed"}
    assert starts(host) == 1


def test_a_closed_driver_is_started_anew_when_it_is_asked_again(driver: Driver, host: EngineHost) -> None:
    driver.close()
    driver.ask({"say": [{"answer": 1}]})
    driver.close()
    driver.close()
    driver.ask({"say": [{"answer": 2}]})
    assert starts(host) == 2


def test_the_events_of_a_run_come_in_their_order_before_its_result(driver: Driver) -> None:
    told: list[StepEvent] = []
    end = {**EVENT, "state": "completed", "exit_code": 0}
    result = driver.run({"say": [{"event": EVENT}, {"event": end}, {"result": {"exit_code": 0}}]}, told.append)
    assert [(event.id, event.state, event.exit_code) for event in told] == [
        ("sort", "started", None), ("sort", "completed", 0),
    ]  # fmt: skip
    assert result == {"exit_code": 0}


@pytest.mark.parametrize(
    ("kind", "error"),
    [("document", DefinitionError), ("input", InputError), ("engine", EngineError), (None, EngineError)],
    ids=["document", "input", "engine", "none"],
)
def test_the_kind_of_a_problem_says_which_error_it_is(driver: Driver, kind: str | None, error: type[WfxError]) -> None:
    problem = {"kind": kind, "what": "it is odd", "where": "a.cwl:3", "why": "it says so", "remedy": "mend it"}
    with pytest.raises(error, match=r"a\.cwl:3: it is odd: it says so; mend it") as caught:
        driver.ask({"say": [{"problem": problem}]})
    assert type(caught.value) is error
    # The driver has not died of it.
    assert driver.ask({"say": [{"answer": 1}]}) == {"answer": 1}


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ({}, "Echo cannot be used"),
        ({"kind": "document"}, "the workflow is not valid"),
        ({"what": 3, "where": None, "why": ["a"]}, "3: ['a']"),
    ],
    ids=["empty", "kind-alone", "no-texts"],
)
def test_a_problem_that_says_little_or_nonsense_is_still_a_message(driver: Driver, problem: object, said: str) -> None:
    with pytest.raises(WfxError) as caught:
        driver.run({"say": [{"problem": problem}]}, lambda event: None)  # type: ignore[dict-item]
    assert str(caught.value) == said


def test_a_problem_may_come_in_the_middle_of_a_run(driver: Driver) -> None:
    told: list[StepEvent] = []
    with pytest.raises(EngineError, match="the disk is gone"):
        driver.run({"say": [{"event": EVENT}, {"problem": {"what": "the disk is gone"}}]}, told.append)
    assert len(told) == 1


def test_a_driver_that_ends_without_an_answer_is_an_engine_error(driver: Driver) -> None:
    with pytest.raises(EngineError, match="Echo's driver ended without an answer"):
        driver.ask({"say": [], "die": 0})


def test_a_driver_that_dies_is_an_engine_error(driver: Driver) -> None:
    with pytest.raises(EngineError, match="ended with exit code 7"):
        driver.run({"say": [{"event": EVENT}], "die": 7}, lambda event: None)


@pytest.mark.parametrize("answer", [{"pong": 1}, {}, {"result": "done"}], ids=json.dumps)
def test_an_answer_that_is_no_event_and_no_result_does_not_hang_a_run(driver: Driver, answer: object) -> None:
    with pytest.raises(EngineError, match="no event and no result"):
        driver.run({"say": [answer]}, lambda event: None)  # type: ignore[list-item]


def test_environment_of_a_driver_is_handed_on(host: EngineHost) -> None:
    code = "import json, os; print(json.dumps({'value': os.environ['ECHO_VALUE']}), flush=True); input()"
    driver = Driver(host, "Echo", [sys.executable, "-I", "-S", "-c", code], env={"ECHO_VALUE": "seven"})
    assert driver.ask({}) == {"value": "seven"}
    driver.close()
