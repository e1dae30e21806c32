"""Matrix, selection, host and tools -> Plan. Starts no process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from rva import content
from rva.model import Host, Matrix, Plan, RecipeName, RowPlan, Target
from rva.recipes.base import Context, Draft
from rva.recipes.registry import RECIPES
from rva.store import Store


class Absence(Struct, frozen=True):
    """A tool that this machine was found unable to get, why, and what would change that."""

    reason: str
    fix: str


class Tools(Struct, frozen=True):
    """What is at hand: a fingerprint for each tool that is there, an absence for each that cannot be had."""

    fingerprints: Mapping[str, str]
    absences: Mapping[str, Absence]


def make(
    matrix: Matrix,
    targets: Sequence[Target],
    host: Host,
    tools: Tools,
    store: Store,
    digests: content.Digests,
    profile: str,
) -> Plan:
    """The rows to build and what is known of each; a row that cannot be built is followed by its stand-in."""
    context = Context(matrix, host, profile)
    rows: list[RowPlan] = []
    for target in targets:
        row = _row(target, target.triple, context, tools, store, digests)
        rows.append(row)
        if row.status == "unavailable" and target.stand_in:
            rows.append(_row(target, target.stand_in, context, tools, store, digests))
    return Plan(matrix.version, profile, tuple(rows))


def _row(
    target: Target, triple: str, context: Context, tools: Tools, store: Store, digests: content.Digests
) -> RowPlan:
    draft = RECIPES[target.recipe](target, triple, context)
    absent = [name for name in draft.needs if name in tools.absences]
    missing = tuple(name for name in draft.needs if name not in tools.fingerprints)
    stands_in = triple != target.triple
    native = triple in (context.host.triple, "any") or target.cpu == "wasm32"
    row = RowPlan(
        id=target.id,
        family=target.family,
        recipe=target.recipe,
        triple=triple,
        build="stand-in" if stands_in else "native" if native else "cross",
        status="build",
        tool=draft.tool,
        folder=context.matrix.recipes[target.recipe].folder,
        lane=draft.lane,
        needs=draft.needs,
        steps=draft.steps,
        outputs=draft.outputs,
        missing=missing,
    )
    if absent:
        absence = tools.absences[absent[0]]
        return _replace(row, status="unavailable", reason=absence.reason, fix=absence.fix)
    if missing:
        return _replace(row, reason="to be set up first: " + ", ".join(missing), fix="rva setup")
    row = _replace(row, key=_key(target, row, draft, context, tools, digests))
    return _replace(row, status="current" if store.find(row.key) else "build")


def sources(matrix: Matrix, recipe: RecipeName) -> tuple[str, ...]:
    """The files and folders that a recipe's rows are made of."""
    return (*matrix.project.sources, *matrix.recipes[recipe].sources)


def _key(target: Target, row: RowPlan, draft: Draft, context: Context, tools: Tools, digests: content.Digests) -> str:
    parts = {
        "target": target,
        "triple": row.triple,
        "profile": context.profile,
        "version": context.matrix.version,
        "steps": draft.steps,
        "outputs": draft.outputs,
        "budget": context.matrix.recipes[target.recipe].budget,
        "tools": {name: tools.fingerprints[name] for name in draft.needs},
    }
    return content.key(parts, sources(context.matrix, target.recipe), digests)


def _replace(row: RowPlan, **changes: object) -> RowPlan:
    import msgspec

    return msgspec.structs.replace(row, **changes)
