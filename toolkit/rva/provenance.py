"""Where packages came from, so that it can be checked offline: signed sums, and a signed statement for each package.

SHA256SUMS is signed as OpenSSH signs files. A statement is in-toto's, with SLSA's provenance, in a DSSE envelope.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, Key, SSlibKey

from rva import __version__, content, files, shell
from rva.errors import ToolError, UsageError
from rva.model import Manifest, Matrix, PackageManifest, Packed
from rva.packages import write

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://slsa.dev/provenance/v1"
SIGNATURE: Final = f"{write.SUMS}.sig"
_NAMESPACE: Final = "file"
_FOLDER: Final = "provenance"


def sign(root: Path, table: Matrix, built: Manifest, key: Path) -> list[str]:
    """Sign what dist/packages holds with an OpenSSH or PEM private key; returns the files written."""
    place = root / "dist" / write.FOLDER
    made = write.finished(root)
    signer = CryptoSigner(_private(key))
    written = []
    for package in (p for p in made.packages if p.build == "release"):
        statement = json.dumps(_statement(root, table, built, package), sort_keys=True).encode()
        envelope = Envelope(statement, PAYLOAD_TYPE, {})
        envelope.sign(signer)
        files.write(place / _statement_file(package), json.dumps(envelope.to_dict()) + "\n")
        written.append(_statement_file(package))
    _sign_sums(place, key, root / ".rva" / "stage" / f"{os.getpid()}-sign")
    return [*written, SIGNATURE]


def check(root: Path, allowed: Path) -> tuple[int, tuple[str, ...]]:
    """How many packages were checked, and every fault: of the sums' signature, of a file, of a statement."""
    place = root / "dist" / write.FOLDER
    made = write.finished(root)
    packages = [p for p in made.packages if p.build == "release"]
    keys = _allowed(allowed)
    faults = list(_sums_faults(place, packages, allowed))
    for package in packages:
        faults += [f"{package.file}: {fault}" for fault in _package_faults(place, made, package, keys)]
    return len(packages), tuple(faults)


def _statement(root: Path, table: Matrix, built: Manifest, package: Packed) -> dict[str, Any]:
    """in-toto's statement that a package was made by rva from a commit, with SLSA's provenance as its predicate."""
    commit = built.commit
    source: dict[str, Any] = {"uri": f"git+{table.project.repository}"}
    if len(commit) == 40:  # what was built from changed files is no commit's
        source["digest"] = {"gitCommit": commit}
    lock = {"uri": "Cargo.lock", "digest": {"sha256": content.sha256(root / "Cargo.lock")}}
    inputs = [{"uri": a.path, "digest": {"sha256": a.sha256}} for a in built.artifacts if a.id in package.rows]
    workflow = os.environ.get("GITHUB_WORKFLOW_REF", "")
    return {
        "_type": STATEMENT,
        "subject": [{"name": package.file, "digest": {"sha256": package.sha256}}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": f"pkg:pypi/rva@{__version__}#package",
                "externalParameters": {"version": built.version, "commit": commit, "rows": list(package.rows)},
                "internalParameters": {"tools": sorted({a.tool for a in built.artifacts if a.id in package.rows})},
                "resolvedDependencies": [source, lock, *inputs],
            },
            "runDetails": {"builder": {"id": f"https://github.com/{workflow}" if workflow else "urn:rva:local"}},
        },
    }


def _statement_file(package: Packed) -> str:
    return f"{_FOLDER}/{package.file}.intoto.jsonl"


def _private(path: Path) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    try:
        data = path.read_bytes()
        load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in data else load_pem_private_key
        return load(data, None)
    except OSError as error:
        raise UsageError(f"the key {path} cannot be read: {error.strerror}") from error
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"{path} is no private key that can be used: {error}",
            fix="make one for releases alone: ssh-keygen -t ed25519 -N '' -f release-key",
        ) from error


def _sign_sums(place: Path, key: Path, stage: Path) -> None:
    files.make_folder(stage)
    try:
        # ssh-keygen writes beside what it signs, and wants a key that nobody else may read.
        files.copy(place / write.SUMS, stage / write.SUMS, executable=False)
        shutil.copyfile(key, stage / "key")
        (stage / "key").chmod(0o600)
        shell.run([_ssh_keygen(), "-Y", "sign", "-f", stage / "key", "-n", _NAMESPACE, stage / write.SUMS])
        files.copy(stage / SIGNATURE, place / SIGNATURE, executable=False)
    finally:
        files.remove(stage)


def _ssh_keygen() -> str:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise ToolError("ssh-keygen was not found", fix="install OpenSSH's client, version 8.1 or newer")
    return program


def _allowed(path: Path) -> list[Key]:
    """The keys of an allowed_signers file, as ssh-keygen reads it: principals, then a public key, on each line."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        lines = [line.split() for line in path.read_text("utf-8").splitlines()]
        found = [words for words in lines if words and not words[0].startswith("#")]
        # Options, such as a time that a key is good for, would have to hold for both signatures.
        keys = [SSlibKey.from_crypto(load_ssh_public_key(" ".join(w[1:3]).encode())) for w in found]
    except (OSError, ValueError, IndexError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"{path} lists no allowed signers: {error}", fix="each line: a name, the key's type, the key; no options"
        ) from error
    if not keys:
        raise UsageError(f"{path} allows nobody", fix="each line: a name, the key's type, the key")
    return list(keys)


def _sums_faults(place: Path, packages: Sequence[Packed], allowed: Path) -> list[str]:
    if not (place / write.SUMS).is_file() or not (place / SIGNATURE).is_file():
        return [f"{write.SUMS} or its signature {SIGNATURE} is missing"]
    faults = []
    if (place / write.SUMS).read_text("utf-8") != write.sums(packages):
        faults.append(f"{write.SUMS} does not name the packages of the manifest")
    argv: list[str | Path] = [_ssh_keygen(), "-Y", "find-principals", "-s", place / SIGNATURE, "-f", allowed]
    told = shell.run(argv, check=False, separate_stderr=True)
    names = told.output.split()
    if told.returncode != 0 or not names:
        return [*faults, f"{SIGNATURE} was made by a key that {allowed.name} does not allow"]
    argv = [_ssh_keygen(), "-Y", "verify", "-f", allowed, "-I", names[0], "-n", _NAMESPACE, "-s", place / SIGNATURE]
    done = shell.run(argv, check=False, stdin=place / write.SUMS)
    return faults if done.returncode == 0 else [*faults, f"{SIGNATURE} is not of this {write.SUMS}"]


def _package_faults(place: Path, made: PackageManifest, package: Packed, keys: list[Key]) -> list[str]:
    path = place / package.file
    if not path.is_file() or content.sha256(path) != package.sha256:
        return ["is missing or was changed since it was packed"]
    try:
        envelope = Envelope.from_dict(json.loads((place / _statement_file(package)).read_text("utf-8")))
        envelope.verify(keys, 1)
        statement = json.loads(envelope.payload)
        subject, predicate = statement["subject"], statement["predicate"]
        told = predicate["buildDefinition"]["externalParameters"]
    except OSError:
        return [f"its statement {_statement_file(package)} is missing"]
    except VerificationError:
        return ["its statement is not signed by an allowed key, or was changed"]
    except (ValueError, KeyError, TypeError) as error:
        return [f"its statement cannot be read: {error}"]
    wanted = {
        "type": (envelope.payload_type, statement.get("_type"), statement.get("predicateType")),
        "subject": subject,
        "origin": (told.get("version"), told.get("commit"), told.get("rows")),
    }
    right = {
        "type": (PAYLOAD_TYPE, STATEMENT, PREDICATE),
        "subject": [{"name": package.file, "digest": {"sha256": package.sha256}}],
        "origin": (made.version, made.commit, list(package.rows)),
    }
    return [f"its statement has another {what}: {wanted[what]}" for what in right if wanted[what] != right[what]]
