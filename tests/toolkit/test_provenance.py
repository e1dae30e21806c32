"""Signatures and statements of packages: right ones pass; a changed byte, another key, a missing part are each found."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from rva import provenance
from rva.errors import UsageError
from rva.model import Artifact, Manifest, Matrix, PackageManifest, Packed, to_json
from rva.packages import write
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner

pytestmark = pytest.mark.process
FILE, OTHER = "npm/x-0.1.0.tgz", "stand-in/npm/y-0.1.0.tgz"


def new_key(folder: Path, name: str) -> Path:
    """An OpenSSH key, with its public half beside it."""
    key = Ed25519PrivateKey.generate()
    path = folder / name
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    (folder / f"{name}.allowed").write_text(f"release@example.org {public}\n", "utf-8")
    return path


def packed(file: str, data: bytes, build: Any) -> Packed:
    return Packed(file, "npm", "x", ("row",), build, len(data), hashlib.sha256(data).hexdigest())


@pytest.fixture
def signed(tmp_path: Path, table: Matrix) -> tuple[Path, Path]:
    """A checkout with one signed package, and the key that signed it."""
    place = tmp_path / "root" / "dist" / "packages"
    for file in (FILE, OTHER):
        (place / file).parent.mkdir(parents=True)
        (place / file).write_bytes(b"bytes")
    (tmp_path / "root" / "Cargo.lock").write_text("", "utf-8")
    items = (packed(FILE, b"bytes", "release"), packed(OTHER, b"bytes", "stand-in"))
    (place / "manifest.json").write_text(to_json(PackageManifest("0.1.0", "c" * 40, items, ())), "utf-8")
    (place / "SHA256SUMS").write_text(write.sums(items), "utf-8")
    artifact = Artifact("row", "napi", "any", "napi/row/x", 1, "0" * 64, "addon", "native", "tool 1", 1.0)
    key = new_key(tmp_path, "key")
    provenance.sign(tmp_path / "root", table, Manifest("0.1.0", "c" * 40, (artifact,)), key)
    return tmp_path / "root", key


def faults(root: Path, key: Path) -> str:
    return " | ".join(provenance.check(root, key.with_name(f"{key.name}.allowed"))[1])


def test_what_was_signed_passes(signed: tuple[Path, Path]) -> None:
    root, key = signed
    assert provenance.check(root, key.with_name("key.allowed")) == (1, ())
    envelope = json.loads((root / "dist/packages/provenance" / f"{FILE}.intoto.jsonl").read_text("utf-8"))
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    statement = json.loads(Envelope.from_dict(envelope).payload)
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    definition = statement["predicate"]["buildDefinition"]
    assert definition["resolvedDependencies"][0]["digest"] == {"gitCommit": "c" * 40}
    assert {d["uri"] for d in definition["resolvedDependencies"]} >= {"Cargo.lock", "napi/row/x"}
    assert not list((root / ".rva" / "stage").iterdir()), "the copy of the key is gone"


def test_openssh_itself_takes_the_signature(signed: tuple[Path, Path]) -> None:
    root, key = signed
    place = root / "dist/packages"
    argv = ["ssh-keygen", "-Y", "verify", "-f", key.with_name("key.allowed"), "-I", "release@example.org", "-n", "file"]
    with (place / "SHA256SUMS").open("rb") as sums:
        assert subprocess.run([*argv, "-s", place / "SHA256SUMS.sig"], stdin=sums).returncode == 0


def test_a_key_in_pem_serves_for_statements_and_is_refused_where_openssh_cannot_read_it(tmp_path: Path) -> None:
    (tmp_path / "no-key").write_text("nonsense", "utf-8")
    with pytest.raises(UsageError, match="no private key"):
        provenance._private(tmp_path / "no-key")
    with pytest.raises(UsageError, match="cannot be read"):
        provenance._private(tmp_path / "absent")


def change_package(place: Path, _key: Path) -> None:
    (place / FILE).write_bytes(b"byteS")


def change_sums(place: Path, _key: Path) -> None:
    text = (place / "SHA256SUMS").read_text("utf-8")
    (place / "SHA256SUMS").write_text(text.replace("x-0.1.0", "z-0.1.0"), "utf-8")


def change_sums_and_manifest(place: Path, _key: Path) -> None:
    """As one would who holds no key but changes everything else alike."""
    (place / FILE).write_bytes(b"other")
    items = (packed(FILE, b"other", "release"),)
    (place / "manifest.json").write_text(to_json(PackageManifest("0.1.0", "c" * 40, items, ())), "utf-8")
    (place / "SHA256SUMS").write_text(write.sums(items), "utf-8")


def drop_signature(place: Path, _key: Path) -> None:
    (place / "SHA256SUMS.sig").unlink()


def drop_statement(place: Path, _key: Path) -> None:
    (place / "provenance" / f"{FILE}.intoto.jsonl").unlink()


def envelope_of(place: Path) -> tuple[Path, dict[str, Any]]:
    path = place / "provenance" / f"{FILE}.intoto.jsonl"
    return path, json.loads(path.read_text("utf-8"))


def change_statement(place: Path, _key: Path) -> None:
    path, envelope = envelope_of(place)
    envelope["payload"] = (
        envelope["payload"][:40] + ("A" if envelope["payload"][40] != "A" else "B") + envelope["payload"][41:]
    )
    path.write_text(json.dumps(envelope), "utf-8")


def drop_the_envelopes_signature(place: Path, _key: Path) -> None:
    path, envelope = envelope_of(place)
    path.write_text(json.dumps({**envelope, "signatures": []}), "utf-8")


def sign_another_statement(place: Path, key: Path) -> None:
    """By the right key, for another package."""
    path, envelope = envelope_of(place)
    old = Envelope.from_dict(envelope)
    new = Envelope(old.payload.replace(b"x-0.1.0", b"w-0.1.0"), old.payload_type, {})
    new.sign(CryptoSigner(provenance._private(key)))
    path.write_text(json.dumps(new.to_dict()), "utf-8")


def claim_another_commit(place: Path, _key: Path) -> None:
    made = msgspec.json.decode((place / "manifest.json").read_bytes(), type=PackageManifest)
    (place / "manifest.json").write_text(to_json(msgspec.structs.replace(made, commit="d" * 40)), "utf-8")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (change_package, "was changed since"),
        (change_sums, "does not name the packages"),
        (change_sums, "is not of this SHA256SUMS"),
        (change_sums_and_manifest, "is not of this SHA256SUMS"),
        (change_sums_and_manifest, "another subject"),
        (drop_signature, "is missing"),
        (drop_statement, "is missing"),
        (change_statement, "not signed by an allowed key, or was changed"),
        (drop_the_envelopes_signature, "not signed"),
        (sign_another_statement, "another subject"),
        (claim_another_commit, "another origin"),
    ],
)
def test_what_is_not_as_signed_is_found(
    signed: tuple[Path, Path], change: Callable[[Path, Path], None], said: str
) -> None:
    root, key = signed
    change(root / "dist" / "packages", key)
    assert said in faults(root, key)


def test_another_key_is_found(signed: tuple[Path, Path], tmp_path: Path) -> None:
    root, _ = signed
    said = faults(root, new_key(tmp_path, "stranger"))
    assert "does not allow" in said and "not signed by an allowed key" in said


@pytest.mark.parametrize(
    "text", ["", "# nobody\n", "name\n", "name ssh-ed25519 nonsense\n", "name valid-before=1 ssh-ed25519 x\n"]
)
def test_a_list_that_allows_nobody_is_refused(signed: tuple[Path, Path], tmp_path: Path, text: str) -> None:
    (tmp_path / "allowed").write_text(text, "utf-8")
    with pytest.raises(UsageError):
        provenance.check(signed[0], tmp_path / "allowed")
