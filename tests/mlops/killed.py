"""
Promotes in processes that are killed, that meet a failing registry, or that all begin at once.

Run as a script: ``killed.py MODE STORE RECORD ...``; writes one JSON object. MLflow is imported once and
the processes are forked from there, so that a kill at each of some twenty steps takes seconds.
"""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pytest_readmit import record as records
from pytest_readmit.errors import ReadmitError
from pytest_readmit.mlops import eligibility, history, moves, promotion
from pytest_readmit.mlops.registry import Refused, Registry, RegistryFailed

MODEL = "readmission"
AT_A_TIME = 4
WRITES = ("set_alias", "set_tag", "set_version_tag")


def promote(uri: str, path: str) -> str:
    record = records.read(Path(path))
    outcome = promotion.promote(Registry(uri), eligibility.candidate(record), [], who=f"pid {os.getpid()}")
    return "finished" if outcome.finished else "promoted"


def rollback(uri: str, path: str) -> str:
    outcome = promotion.rollback(Registry(uri), MODEL, who=f"pid {os.getpid()}", moved_from="3")
    return "finished" if outcome.finished else "promoted"


def count_writes(at: Callable[[int], None]) -> None:
    """Call `at` with 1, 2, ... after each change of the registry."""
    done = 0

    def counting(name: str) -> None:
        real = getattr(Registry, name)

        def write(self: Registry, *arguments: Any) -> None:
            nonlocal done
            done += 1
            at(-done)
            real(self, *arguments)
            at(done)

        setattr(Registry, name, write)

    for name in WRITES:
        counting(name)


def forked(work: Callable[[], str]) -> tuple[int, Callable[[], tuple[int, str]]]:
    """Start a process; the second part of the answer waits for it and returns its code and last word."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        code = 0
        try:
            said = work()
        except ReadmitError as error:
            said, code = f"{type(error).__name__}: {error}", 1
        except BaseException as error:
            said, code = f"crash: {error!r}", 9
        os.write(writer, said.encode())
        os._exit(code)
    os.close(writer)

    def wait() -> tuple[int, str]:
        said = b""
        while part := os.read(reader, 65536):
            said += part
        os.close(reader)
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status), said.decode()

    return pid, wait


def state(uri: str) -> dict[str, Any]:
    registry = Registry(uri)
    model = registry.model(MODEL)
    found = history.read(model)
    versions = registry.versions(MODEL)
    return {
        "champion": model.champion,
        "previous": model.aliases.get("previous"),
        "entries": [f"{entry.moved_from}>{entry.moved_to}" for entry in found.entries],
        "breaks": [*found.breaks, *history.against_registry(found, model, versions)],
        "pending": len(moves.pendings(model)),
        "status": {one.number: one.tags.get("readmit.status") for one in versions},
        "records": {one.number: one.tags.get("readmit.record") for one in versions},
    }


@contextlib.contextmanager
def copied(store: str, number: int) -> Iterator[str]:
    folder = Path(store).parent / f"copy-{number}"
    folder.mkdir()
    with sqlite3.connect(store) as source, sqlite3.connect(folder / "registry.db") as copy:
        source.backup(copy)
    try:
        yield f"sqlite:///{folder}/registry.db"
    finally:
        shutil.rmtree(folder)


def told(work: Callable[[str, str], str], uri: str, path: str) -> str:
    _, wait = forked(lambda: work(uri, path))
    code, said = wait()
    return said if code in (0, 1) else f"code {code}: {said}"


def killed_at(number: int) -> Callable[[int], None]:
    def at(write: int) -> None:
        if write == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return at


def failing_at(number: int, *, for_good: bool) -> Callable[[int], None]:
    def at(write: int) -> None:
        if write == -number or (for_good and write < -number):
            raise RegistryFailed("the registry failed")

    return at


def aftermath(uri: str, path: str, work: Callable[[str, str], str]) -> dict[str, Any]:
    """Look at the registry, run the work twice more, and look again."""
    after = state(uri)
    said = []
    for _ in range(2):
        try:
            said.append(work(uri, path))
        except ReadmitError as error:
            said.append(str(error))
    return {"after": after, "again": said[0], "once_more": said[1], "end": state(uri)}


def at_each_step(
    store: str, path: str, work: Callable[[str, str], str], hurt: Callable[[int], Callable[[int], None]]
) -> list[dict[str, Any]]:
    """Hurt a move at its first step, its second, ... until one goes through; run it again each time."""

    def one_step(number: int) -> dict[str, Any]:
        with copied(store, number) as uri:

            def hurting() -> str:
                count_writes(hurt(number))
                return work(uri, path)

            _, wait = forked(hurting)
            code, said = wait()
            return {"step": number, "code": code, "said": said, **aftermath(uri, path, work)}

    steps = []
    for start in range(1, 100, AT_A_TIME):
        waits = [
            forked(lambda number=number: json.dumps(one_step(number)))[1]
            for number in range(start, start + AT_A_TIME)
        ]
        for found in [json.loads(wait()[1]) for wait in waits]:
            steps.append(found)
            if found["code"] == 0:
                return steps
    raise AssertionError("it never goes through")


def at_once(uri: str, paths: list[str], *, alone: bool) -> dict[str, Any]:
    """Let processes promote at once; `alone`: each as if on a host of its own, without the common lock."""
    gate, start = os.pipe()

    def work(path: str) -> str:
        os.close(start)
        os.read(gate, 1)
        if alone:
            promotion.host_lock = lambda *_: contextlib.nullcontext(f"{os.getpid():032d}")
        return promote(uri, path)

    waits = [forked(lambda path=path: work(path))[1] for path in paths]
    os.close(gate)
    os.close(start)
    said = [wait() for wait in waits]
    end = json.loads(told(lambda uri, _: json.dumps(state(uri)), uri, ""))
    return {"said": [text for _, text in said], "codes": [code for code, _ in said], "end": end}


def main() -> None:
    mode, store, *paths = sys.argv[1:]
    import mlflow

    assert mlflow
    assert Refused
    uri = store if "://" in store else f"sqlite:///{store}"
    if uri != store:
        # What MLflow and SQLAlchemy prepare once is then there in every process that is forked.
        with copied(store, 0) as warm:
            state(warm)
    found: Any
    if mode == "at-once":
        found = at_once(uri, paths, alone=False)
    elif mode == "at-once-alone":
        found = at_once(uri, paths, alone=True)
    else:
        work = rollback if mode.startswith("rollback") else promote
        hurt = {
            "killed": killed_at,
            "failing": lambda number: failing_at(number, for_good=False),
            "dead": lambda number: failing_at(number, for_good=True),
        }[mode.rpartition("-")[2]]
        found = at_each_step(store, paths[0], work, hurt)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
