"""The run: every contender prepared, checked against float64, then measured turn by turn."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from versus import oracle
from versus.contenders import Contender
from versus.model import Case, Effort, Entry, Problem, Result
from versus.tensors import Tensors
from versus.worker import Worker, WorkerError, WorkerGone

# Beyond this, relative to the largest value, a result is another computation's, not another rounding's.
WRONG_FROM = 1e-3
_MOST_CALLS = 1_000_000
# A first call this slow tells enough of the next ones.
_SLOW_S = 0.5


class Asks(Protocol):
    """What is asked of a worker."""

    def ask(self, request: Mapping[str, object], timeout: float = ...) -> dict[str, object]:
        """The answer to a request."""

    def pause(self) -> None:
        """Stand still."""

    def resume(self) -> None:
        """Go on."""

    def close(self) -> None:
        """End."""


class Pool:
    """The running workers: one for each process and number of threads, started when first needed."""

    def __init__(self, contenders: Sequence[Contender], cpus: Sequence[int]) -> None:
        self.contenders = {c.name: c for c in contenders}
        self._cpus = cpus
        self._workers: dict[tuple[str, int], Asks] = {}

    def worker(self, entry: Entry) -> Asks:
        """The worker of an entry, awake."""
        contender = self.contenders[entry.contender]
        key = (contender.process, entry.threads)
        if key not in self._workers:
            self._workers[key] = self.start(contender, entry.threads)
        return self._workers[key]

    def start(self, contender: Contender, threads: int) -> Asks:
        """A new process with as many processors as threads."""
        count = str(threads)
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
        return Worker(contender.command(), dict.fromkeys(names, count), self._cpus[-threads:])

    def drop(self, entry: Entry) -> None:
        """Forget a worker that is gone."""
        worker = self._workers.pop((self.contenders[entry.contender].process, entry.threads), None)
        if worker is not None:
            worker.close()

    def close(self) -> None:
        """End them all."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()


@dataclass
class _Live:
    """An entry on its way through a case."""

    id: str
    result: Result
    quota: int = 1


@dataclass
class Run:
    """One comparison: where tensors and results lie, how long to measure."""

    pool: Pool
    tensors: Tensors
    effort: Effort
    _references: dict[Problem, NDArray[np.float64]] = field(default_factory=dict)

    def measure(self, case: Case) -> list[Result]:
        """The results of a case's entries, in their order."""
        live = [_Live(f"{case.id}/{i}", Result(entry)) for i, entry in enumerate(case.entries)]
        for one in live:
            self._guarded(one, self._prepare)
        if case.timed:
            for number in range(self.effort.rounds):
                for one in turn_order([x for x in live if not x.result.reason], number):
                    if has_turn(one.quota, number, self.effort.rounds):
                        self._guarded(one, self._turn)
        for one in live:
            self._guarded(one, self._forget)
        self._references.clear()
        self.tensors.clear()
        return [one.result for one in live]

    def _guarded(self, one: _Live, step: Step) -> None:
        if one.result.reason and step != self._forget:
            return
        try:
            worker = self.pool.worker(one.result.entry)
            worker.resume()
            try:
                step(one, worker)
            finally:
                worker.pause()
        except WorkerGone as gone:
            self.pool.drop(one.result.entry)
            one.result.reason = one.result.reason or f"not run: {gone}"
        except (WorkerError, OSError) as error:
            one.result.reason = one.result.reason or f"not run: {error}"

    def _prepare(self, one: _Live, worker: Asks) -> None:
        entry = one.result.entry
        files = self.tensors.files(entry.problem)
        request = self.pool.contenders[entry.contender].request(entry.problem)
        answer = worker.ask(
            {
                **request,
                "do": "prepare",
                "id": one.id,
                "way": entry.way,
                "threads": entry.threads,
                "queries": str(files.queries),
                "keys": str(files.keys),
                "values": str(files.values),
            }
        )
        one.result.used = str(answer.get("with", ""))
        one.result.operations = int(str(answer.get("operations", 0)))
        # The first calls build caches, start threads and warm code up; they do not count.
        seconds = self._run(one, worker, most=1)[0] / 1e9
        if seconds < _SLOW_S:
            seconds = min(self._run(one, worker)) / 1e9
        if request.get("mechanism") == entry.problem.mechanism:
            self._check(one, worker)
        one.quota = max(2, min(self.effort.rounds, int(self.effort.budget_s / max(seconds, self.effort.turn_s))))

    def _check(self, one: _Live, worker: Asks) -> None:
        path = self.tensors.folder / "result.bin"
        worker.ask({"do": "result", "id": one.id, "path": str(path)})
        result = np.fromfile(path, "<f4")
        problem = one.result.entry.problem
        if problem not in self._references:
            self._references[problem] = oracle.solve(problem, *self.tensors.arrays(problem))
        one.result.digest = hashlib.sha256(result.tobytes()).hexdigest()[:16]
        try:
            one.result.error = oracle.error(result, self._references[problem])
        except ValueError as error:
            one.result.reason = f"wrong result: {error}"
            return
        if not one.result.error <= WRONG_FROM:
            one.result.reason = f"wrong result: off by {one.result.error:.2g} of the largest value"

    def _turn(self, one: _Live, worker: Asks) -> None:
        one.result.ns += self._run(one, worker)

    def _run(self, one: _Live, worker: Asks, most: int = _MOST_CALLS) -> list[int]:
        answer = worker.ask({"do": "run", "id": one.id, "seconds": self.effort.turn_s, "most": most})
        ns = answer["ns"]
        assert isinstance(ns, list)
        return ns

    def _forget(self, one: _Live, worker: Asks) -> None:
        worker.ask({"do": "drop", "id": one.id})


class Step(Protocol):
    """One thing done with an entry and its worker."""

    def __call__(self, one: _Live, worker: Asks) -> None:
        """Do it."""


def turn_order(live: Sequence[_Live], number: int) -> Iterator[_Live]:
    """Everybody once, beginning one further in each round: none always follows the same neighbour's mess."""
    start = number % len(live) if live else 0
    yield from live[start:]
    yield from live[:start]


def has_turn(quota: int, number: int, rounds: int) -> bool:
    """Whether an entry with so many turns has one in this round, the turns lying evenly."""
    return number == 0 or number * quota // rounds != (number - 1) * quota // rounds


def describe(pool: Pool, contender: Contender) -> dict[str, object]:
    """What a contender's worker says of itself; empty where it cannot run, which its entries will report."""
    entry = Entry(contender.name, Problem(dim=1, keys=1))
    try:
        worker = pool.worker(entry)
        worker.resume()
        answer = worker.ask({"do": "describe"})
        worker.pause()
        return answer
    except (WorkerError, WorkerGone, OSError):
        pool.drop(entry)
        return {}


def versions(pool: Pool, contenders: Sequence[Contender]) -> dict[str, str]:
    """What all of them say of what they are made of."""
    found: dict[str, str] = {}
    for contender in contenders:
        said = describe(pool, contender).get("versions")
        if isinstance(said, dict):
            found |= {str(k): str(v) for k, v in said.items()}
    return found


def told(case: Case, results: Sequence[Result], seconds: float) -> list[str]:
    """A finished case for those who wait, and who has no result in it."""
    reasons = [f"  {result.entry.label}: {result.reason}" for result in results if result.reason]
    return [f"{case.id}: {len(case.entries)} entries, {seconds:.1f} s", *reasons]
