"""The secrets of a release: taken out of rva's environment, given to the one program that needs each, never shown."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Final

from rva.model import Destination

# Where each is looked for; the first that is set counts, all of them are taken.
VARIABLES: Final[dict[Destination, tuple[str, ...]]] = {
    "npm": ("NPM_TOKEN", "NODE_AUTH_TOKEN"),
    "pypi": ("PYPI_TOKEN", "TWINE_PASSWORD"),
    "cargo": ("CARGO_REGISTRY_TOKEN",),
    "github": ("GITHUB_TOKEN", "GH_TOKEN"),
}
# Set by a CI that proves who it is: npm and twine then need no token (trusted publishing).
TRUSTED: Final = "ACTIONS_ID_TOKEN_REQUEST_URL"
_SHORTEST = 6


class Tokens:
    """One secret a registry, or none. Not shown by repr, and taken out of any text by ``hide``."""

    def __init__(self, tokens: dict[Destination, str], trusted: bool = False) -> None:
        self._tokens = tokens
        self.trusted = trusted

    def of(self, registry: Destination) -> str:
        """The token of a registry, empty where there is none."""
        return self._tokens.get(registry, "")

    def allow(self, registry: Destination) -> bool:
        """Whether there is a way to publish there."""
        return bool(self.of(registry)) or (self.trusted and registry in ("npm", "pypi"))

    def hide(self, text: str) -> str:
        """A text without any of the secrets."""
        for token in self._tokens.values():
            if len(token) >= _SHORTEST:
                text = text.replace(token, "[token]")
        return text

    def __repr__(self) -> str:
        return f"Tokens({', '.join(sorted(self._tokens)) or 'none'})"


def take(environ: MutableMapping[str, str]) -> Tokens:
    """Take the tokens out of an environment, so that no program gets one that is not its own."""
    found: dict[Destination, str] = {}
    for registry, names in VARIABLES.items():
        values = [environ.pop(name, "") for name in names]
        token = next((value for value in values if value), "")
        if token:
            found[registry] = token
    return Tokens(found, TRUSTED in environ)
