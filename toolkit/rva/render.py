"""The only user of jinja2. An undefined name in a template is an error."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from rva.errors import InternalError

if TYPE_CHECKING:
    import jinja2


def render(folder: Path, template: str, values: Mapping[str, object]) -> str:
    """The text of one template of ``folder`` with ``values``."""
    import jinja2  # here, because most commands have no use for it and it takes a while

    try:
        return _environment(folder).get_template(template).render(values)
    except jinja2.TemplateError as error:
        raise InternalError(f"template {template}: {type(error).__name__}: {error}") from error


@cache
def _environment(folder: Path) -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False),
    )
    # The order of keys can mean something: the conditions of a package's exports are tried from the first on.
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
    return environment
