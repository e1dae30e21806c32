"""What is inside a package, as CycloneDX and as SPDX: one document each beside every package that holds compiled code."""

from __future__ import annotations

import datetime
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from rva import __version__
from rva.model import Package, Packed, Part
from rva.packages.crates import Crate
from rva.packages.stock import Stock

Trees = Mapping[tuple[str, str], tuple[Crate, ...]]
_TEXTS = ("glue", "types", "header", "pkgconfig")
# The namespace of the documents' identifiers; any fixed one serves.
_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


def wanted(stock: Stock, packages: Sequence[Package]) -> set[tuple[str, str]]:
    """The crates and triples whose dependencies have to be known."""
    return {pair for package in packages for pair in _inside(stock, package)}


def plan(
    stock: Stock, packages: Sequence[Package], packed: Sequence[Packed], trees: Trees, epoch: int
) -> Iterator[Package]:
    """Both documents of each package, by the name of its file."""
    finished = {p.file: p for p in packed}
    for package in packages:
        pairs = _inside(stock, package)
        if not pairs:
            continue
        crates = union([trees[pair] for pair in sorted(pairs)])
        item = finished[package.file]
        name = PurePosixPath(package.file).name
        for ending, text in (
            ("cdx.json", cyclonedx(stock, item, crates, epoch)),
            ("spdx.json", spdx(stock, item, crates, epoch)),
        ):
            file = f"sbom/{name}.{ending}"
            yield Package(
                f"stand-in/{file}" if package.build == "stand-in" else file, "sbom", f"{name}.{ending}", package.rows,
                (Part(f"{name}.{ending}", text=text),), "copy", build=package.build,
            )  # fmt: skip


def cyclonedx(stock: Stock, item: Packed, crates: Sequence[Crate], epoch: int) -> str:
    """A CycloneDX 1.6 document."""
    project = stock.matrix.project
    own = {
        "type": "library",
        "bom-ref": item.file,
        "name": item.name,
        "version": stock.matrix.version,
        "hashes": [{"alg": "SHA-256", "content": item.sha256}],
        "licenses": [{"expression": project.licence}],
        "externalReferences": [{"type": "vcs", "url": project.repository}],
    }
    components = [
        {
            "type": "library",
            "bom-ref": crate.ref,
            "name": crate.name,
            "version": crate.version,
            **({"hashes": [{"alg": "SHA-256", "content": crate.checksum}]} if crate.checksum else {}),
            "licenses": [{"expression": crate.licence}],
            "purl": crate.ref,
        }
        for crate in crates
    ]
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{_identifier(item, 'cyclonedx')}",
        "version": 1,
        "metadata": {
            "timestamp": _time(epoch),
            "tools": {"components": [{"type": "application", "name": "rva", "version": __version__}]},
            "component": own,
        },
        "components": components,
        "dependencies": [
            {"ref": item.file, "dependsOn": [crate.ref for crate in _tops(crates)]},
            *({"ref": crate.ref, "dependsOn": list(crate.needs)} for crate in crates),
        ],
    }
    return _json(document)


def spdx(stock: Stock, item: Packed, crates: Sequence[Crate], epoch: int) -> str:
    """An SPDX 2.3 document: the licence of the package and of each crate in it."""
    project = stock.matrix.project
    own = _spdx_package(
        "SPDXRef-Package", item.name, stock.matrix.version, project.licence, item.sha256, project.repository
    )
    names = {
        crate.ref: "SPDXRef-" + re.sub(r"[^A-Za-z0-9.]+", "-", f"crate-{crate.name}-{crate.version}")
        for crate in crates
    }
    linked = [
        {
            **_spdx_package(names[c.ref], c.name, c.version, c.licence, c.checksum, "NOASSERTION"),
            "externalRefs": [
                {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": c.ref}
            ],
        }
        for c in crates
    ]
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Package")]
    relations += [("SPDXRef-Package", "CONTAINS", names[crate.ref]) for crate in crates]
    relations += [(names[c.ref], "DEPENDS_ON", names[other]) for c in crates for other in c.needs]
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": PurePosixPath(item.file).name,
        "documentNamespace": f"{project.repository}/spdx/{_identifier(item, 'spdx')}",
        "creationInfo": {"created": _time(epoch), "creators": [f"Tool: rva-{__version__}"]},
        "packages": [own, *linked],
        "relationships": [
            {"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b} for a, kind, b in relations
        ],
    }
    return _json(document)


def _spdx_package(key: str, name: str, version: str, licence: str, checksum: str, source: str) -> dict[str, Any]:
    return {
        "SPDXID": key,
        "name": name,
        "versionInfo": version,
        "downloadLocation": source,
        "filesAnalyzed": False,
        "licenseConcluded": licence,
        "licenseDeclared": licence,
        "copyrightText": "NOASSERTION",
        **({"checksums": [{"algorithm": "SHA256", "checksumValue": checksum}]} if checksum else {}),
    }


def _inside(stock: Stock, package: Package) -> set[tuple[str, str]]:
    """Crate and triple of every row whose compiled files are in a package."""
    pairs = set()
    for target in stock.matrix.targets:
        crate = stock.matrix.recipes[target.recipe].crate
        compiled = [f"dist/{a.path}" for a in stock.files(target.id) if crate and a.kind not in _TEXTS]
        if any(part.source in compiled for part in package.parts if part.source):
            pairs.add((crate, stock.files(target.id)[0].triple))
    return pairs


def union(trees: Sequence[tuple[Crate, ...]]) -> list[Crate]:
    """Each crate once, by name and version; what it needs anywhere."""
    needs: dict[str, set[str]] = {}
    found: dict[str, Crate] = {}
    for crate in (crate for tree in trees for crate in tree):
        found.setdefault(crate.ref, crate)
        needs.setdefault(crate.ref, set()).update(crate.needs)
    return [
        Crate(c.name, c.version, c.licence, c.checksum, tuple(sorted(needs[key]))) for key, c in sorted(found.items())
    ]


def _tops(crates: Sequence[Crate]) -> list[Crate]:
    """The crates that no other needs."""
    needed = {other for crate in crates for other in crate.needs}
    return [crate for crate in crates if crate.ref not in needed]


def _identifier(item: Packed, form: str) -> uuid.UUID:
    return uuid.uuid5(_NAMESPACE, f"{form}:{item.file}:{item.sha256}")


def _time(epoch: int) -> str:
    return datetime.datetime.fromtimestamp(epoch, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(document: Mapping[str, object]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
