"""One Python wheel, or a folder of them: tags, record and names against what is inside."""

from __future__ import annotations

from packaging.tags import parse_tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from rva.audit import claims
from rva.audit.content import against, binaries, error, leaks
from rva.audited import Finding
from rva.inspect import wheel


def check(data: bytes, file_name: str) -> tuple[list[str], int, list[Finding]]:
    """What a wheel's binaries are for, how many files it has, and its faults. FormatError where it is damaged."""
    facts = wheel.read(data)
    machines, findings = binaries(facts.files)
    try:
        name, version, _, tags = parse_wheel_filename(file_name)
    except InvalidWheelFilename as fault:
        return [], len(facts.files), [*findings, error("identity", str(fault))]
    if (canonicalize_name(facts.name), _version(facts.version)) != (name, version):
        findings.append(
            error("identity", f"METADATA says {facts.name} {facts.version}; the file name {name} {version}")
        )
    inside = {str(tag) for line in facts.tags for tag in parse_tag(line)}
    outside = {str(tag) for tag in tags}
    if inside != outside:
        listed = [", ".join(sorted(tags)) for tags in (inside, outside)]
        findings.append(error("tags", f"WHEEL names the tags {listed[0]}; the file name {listed[1]}"))
    findings += [error("record", fault) for fault in facts.record_faults]
    platforms = sorted({tag.platform for tag in tags})
    if platforms == ["any"] and machines:
        findings.append(error("tags", f"is for any platform, and holds {', '.join(sorted(machines)[:3])}"))
    findings += against(claims.of_wheel_tags(platforms), machines)
    if any(tag.abi == "abi3" for tag in tags):
        for inner in facts.extensions():
            if ".cpython-" in inner or ".cp3" in inner:
                findings.append(error("abi3", f"{inner} is for one version of Python; the tag promises abi3"))
    findings += leaks(facts.files)
    return [facts.words for facts in machines.values()], len(facts.files), findings


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
