"""How an engine's plugin talks with its driver: orders one way, answers the other, one JSON object a line.

An order is what plugin and driver agree on; `{"do": "describe", …}` by habit. The driver's answers have one key each:

- `{"event": {…}}`: a `StepEvent`, while a workflow runs;
- `{"result": {…}}`: the end of a run;
- `{"problem": {"kind": …, "what": …, "where": …, "why": …, "remedy": …}}`: the order cannot be carried out. Kind
  `document` is a workflow that is not valid, `input` a value that does not fit, anything else the engine's own trouble;
- whatever else plugin and driver agree on: `{"description": {…}}`.

The driver imports nothing of wfx: it may run in an interpreter of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wfx.engines import Channel, Host, StepEvent
from wfx.errors import DefinitionError, EngineError, InputError, WfxError
from wfx.records import decode
from wfx.values import JsonValue

KINDS: Mapping[str, type[WfxError]] = {"document": DefinitionError, "input": InputError}


class Driver:
    """A plugin's side of the conversation; the driver is started when it is first asked something.

    ::

        self._driver = Driver(host, "cwltool", [python, "-s", str(DRIVER)])
        description = self._driver.ask({"do": "describe", "entry": entry})["description"]
        result = self._driver.run({"do": "run", "entry": entry}, events)
        self._driver.close()
    """

    def __init__(
        self, host: Host, name: str, command: Sequence[str], *, env: Mapping[str, str] | None = None,
        readable: Sequence[Path] = (),
    ) -> None:  # fmt: skip
        """Take the command line of the driver; `name` is the engine's, for people. The rest is as `Host.launch` has it."""
        self.name = name
        self.command = tuple(command)
        self._host, self._env, self._readable = host, env, tuple(readable)
        self._channel: Channel | None = None

    def ask(self, order: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Send an order and return the answer to it.

        Raises what a `problem` says, and EngineError for a driver that ends without an answer.
        """
        channel = self._open()
        channel.send(order)
        return self._receive(channel)

    def run(self, order: Mapping[str, JsonValue], events: Callable[[StepEvent], None]) -> dict[str, Any]:
        """Send the order to run something, pass on the events, and return the result. Raises what `ask` raises."""
        channel = self._open()
        channel.send(order)
        while True:
            answer = self._receive(channel)
            result = answer.get("result")
            if isinstance(result, dict):
                return result
            if "event" not in answer:
                keys = ", ".join(sorted(answer)) or "nothing"
                raise EngineError(f"{self.name}'s driver answered what is no event and no result", why=f"it has {keys}")
            events(decode(StepEvent, answer["event"]))

    def close(self) -> None:
        """End the driver and all that it started; one that was never used, or is closed, is left as it is."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _open(self) -> Channel:
        if self._channel is None:
            self._channel = self._host.launch(self.command, self._env, self._readable)
        return self._channel

    def _receive(self, channel: Channel) -> dict[str, JsonValue]:
        answer = channel.receive()
        if answer is None:
            raise EngineError(f"{self.name}'s driver ended without an answer")
        problem = answer.get("problem")
        if isinstance(problem, dict):
            raise error_of(problem, self.name)
        return answer


def error_of(problem: Mapping[str, JsonValue], engine: str) -> WfxError:
    """Return the error that a driver's `problem` stands for."""
    said = {key: str(problem[key]) for key in ("where", "why", "remedy") if problem.get(key)}
    kind = KINDS.get(str(problem.get("kind")), EngineError)
    what = problem.get("what") or (
        "the workflow is not valid" if kind is DefinitionError else f"{engine} cannot be used"
    )
    return kind(str(what), **said)
