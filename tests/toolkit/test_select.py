"""--target and --exclude: every form, in the file's order; a word that names nothing is a usage error with a suggestion."""

from __future__ import annotations

import pytest
from rva import matrix
from rva.errors import UsageError
from rva.model import Matrix

HOST = "x86_64-unknown-linux-gnu"


def ids(table: Matrix, wanted: list[str], excluded: list[str] | None = None, host: str = HOST) -> list[str]:
    return [t.id for t in matrix.select(table, wanted, excluded or [], host)]


def test_all_is_the_default(table: Matrix) -> None:
    everything = [t.id for t in table.targets]
    assert ids(table, []) == ids(table, ["all"]) == ids(table, ["all", "wasm"]) == everything


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("wasm", 12),
        ("napi", 10),
        ("cli", 9),
        ("native", 21),
        ("c-library", 9),
        ("wheel", 9),
        ("sdist", 1),
        ("crate", 1),
        ("tool", 1),
        ("wasi-command", 1),
        (HOST, 4),
        ("wasm32-unknown-unknown", 9),
        ("wasm32-wasip1", 2),
        ("any", 5),
        ("napi-x86_64-apple-darwin", 1),
        ("wasm-web-*", 3),
        ("*-musl", 8),
        ("*windows*", 8),
        ("native-[cw]*-x86_64-apple-darwin", 2),
        ("wasm-*-relaxed-sim?", 3),
    ],
)
def test_one_word(table: Matrix, word: str, count: int) -> None:
    found = ids(table, [word])
    assert len(found) == count
    assert found == [t.id for t in table.targets if t.id in set(found)]


def test_priorities(table: Matrix) -> None:
    assert len(ids(table, ["P0"])) + len(ids(table, ["P1"])) + len(ids(table, ["P2"])) == 52


def test_host_means_what_this_machine_runs(table: Matrix) -> None:
    found = ids(table, ["host"])
    assert f"cli-{HOST}" in found and "wasm-web-baseline" in found and "native-sdist" in found
    assert not [i for i in found if "musl" in i or "darwin" in i or "windows" in i]
    assert len(found) == 4 + 12 + 4
    assert "cli-aarch64-apple-darwin" in ids(table, ["host"], host="aarch64-apple-darwin")
    # A host that no row is for can still build what is for every machine.
    assert len(ids(table, ["host"], host="riscv64gc-unknown-linux-gnu")) == 16


def test_several_words_and_commas(table: Matrix) -> None:
    both = ids(table, ["cli", "napi"])
    assert both == ids(table, ["napi,cli"]) == ids(table, ["napi", "cli", "cli,napi,"])
    assert len(both) == 19
    assert both[0].startswith("napi-")  # the file's order, not the words'


def test_exclude(table: Matrix) -> None:
    assert len(ids(table, ["all"], ["*windows*"])) == 44
    assert len(ids(table, ["cli"], ["P2", "*apple*"])) == 4
    assert len(ids(table, [], ["wasm,napi"])) == 30
    assert ids(table, ["cli"], ["napi"]) == ids(table, ["cli"])


@pytest.mark.parametrize(
    ("word", "suggestion"),
    [
        ("wsam", "wasm"),
        ("nap", "napi"),
        ("x86_64-unknown-linux-gnuu", HOST),
        ("cli-x86_64-apple-darwn", "cli-x86_64-apple-darwin"),
        ("hots", "host"),
        ("al", "all"),
        ("WASM", ""),
        ("wasm-web-*-x", ""),
        ("*nothing*", ""),
        ("--help", ""),
        ("../../etc", ""),
        ("cli; rm -rf /", ""),
        ("[", ""),
        ("x" * 10_000, ""),
    ],
)
def test_a_word_that_names_nothing(table: Matrix, word: str, suggestion: str) -> None:
    with pytest.raises(UsageError) as caught:
        ids(table, [word])
    assert caught.value.code == 2
    assert repr(word)[:60] in caught.value.what
    assert len(caught.value.what) < 500
    assert suggestion in caught.value.fix
    assert "rva plan" in caught.value.fix


def test_an_unknown_word_among_the_excluded(table: Matrix) -> None:
    with pytest.raises(UsageError, match="--exclude 'wsam'"):
        ids(table, ["all"], ["wsam"])


def test_nothing_left(table: Matrix) -> None:
    with pytest.raises(UsageError, match="leaves no row"):
        ids(table, ["cli"], ["cli"])
    with pytest.raises(UsageError, match="leaves no row"):
        ids(table, [], ["all"])
