"""What the site adds to mkdocs: generated pages and references, links to the sources, formulas as MathML."""

from __future__ import annotations

import html
import os
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"(\[[^\]]*\]\()(\.\./[^)\s]+)(\))")
_FORMULA = re.compile(r'<(span|div) class="arithmatex">(.*?)</\1>', re.DOTALL)


def on_files(files: Files, config: Any, **_: object) -> Files:
    """The pages and references that scripts/site.py made join the written ones."""
    sources = os.environ.get("RVA_SITE_SOURCES")
    for path in sorted(Path(sources).rglob("*")) if sources else ():
        if path.is_file():
            name = path.relative_to(str(sources)).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: object) -> str:
    """A link to a file of the checkout outside docs/ leads to the repository; the file has to be there."""
    folder = (ROOT / "docs" / page.file.src_uri).parent

    def led(match: re.Match[str]) -> str:
        path, hash_, anchor = match[2].partition("#")
        file = (folder / path).resolve()
        if file.is_relative_to(ROOT / "docs"):
            return match[0]
        if not file.exists():
            raise PluginError(f"{page.file.src_uri} links to {match[2]}, which is not there")
        return f"{match[1]}{config.extra['sources']}/{file.relative_to(ROOT).as_posix()}{hash_}{anchor}{match[3]}"

    return _LINK.sub(led, markdown)


def on_page_content(html: str, **_: object) -> str:
    """TeX becomes MathML, which needs no script; a column without a title has no header."""
    html = re.sub(r"<th([^>]*)></th>", r"<td\1></td>", html)
    return _FORMULA.sub(lambda match: formula(match[2], block=match[1] == "div"), html)


def formula(text: str, *, block: bool) -> str:
    """One formula: what stands between \\( and \\), or \\[ and \\]."""
    tex = html.unescape(text).strip()[2:-2]
    math = convert(tex, display="block" if block else "inline")
    return f'<div class="formula">{math}</div>' if block else math


def on_config(config: Any, **_: object) -> Any:
    """The address of the sources, as platforms.toml has it. As `repo_url` every page would ask GitHub for its stars."""
    import tomllib

    project = tomllib.loads((ROOT / "platforms.toml").read_text("utf-8"))["project"]
    named = (ROOT / "mkdocs.yml").read_text("utf-8")
    lone = [path.relative_to(ROOT / "docs").as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))]
    lone = [name for name in lone if name not in named]
    # A page that nobody put into the menu is found all the same.
    config.nav += [{"More": lone}] if lone and len(config.nav) > 1 else []
    config.extra["sources"] = f"{project['repository']}/blob/main"
    return config


def on_post_page(output: str, **_: object) -> str:
    """The search is a dialog, and a dialog has a name."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"', 1)
