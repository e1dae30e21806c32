"""Where each value of a TOML text stands: path of keys and indices -> line. Used only to report faults."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

Where = tuple[str | int, ...]


def positions(text: str) -> dict[Where, int]:
    """The 1-based line of every table, key and array item of the text."""
    root = Parser(Language(tree_sitter_toml.language())).parse(text.encode()).root_node
    found: dict[Where, int] = {}
    counts: dict[Where, int] = {}
    for node in root.named_children:
        if node.type == "pair":
            _pair(node, (), found)
        elif node.type in ("table", "table_array_element"):
            head, *pairs = [c for c in node.named_children if c.type != "comment"]
            where: Where = tuple(_keys(head))
            if node.type == "table_array_element":
                counts[where] = counts.get(where, -1) + 1
                where = (*where, counts[where])
            _place(where, node, found)
            for pair in pairs:
                _pair(pair, where, found)
    return found


def _pair(node: Node, prefix: Where, found: dict[Where, int]) -> None:
    children = [c for c in node.named_children if c.type != "comment"]
    if node.type != "pair" or len(children) != 2:
        return
    where = (*prefix, *_keys(children[0]))
    _place(where, node, found)
    _value(children[1], where, found)


def _place(where: Where, node: Node, found: dict[Where, int]) -> None:
    """The line of a path, and of the tables above it that have no line of their own yet."""
    for length in range(len(where), 0, -1):
        if where[:length] in found:
            return
        found[where[:length]] = _line(node)


def _value(node: Node, where: Where, found: dict[Where, int]) -> None:
    items = [c for c in node.named_children if c.type != "comment"]
    if node.type == "array":
        for i, item in enumerate(items):
            found[(*where, i)] = _line(item)
            _value(item, (*where, i), found)
    elif node.type == "inline_table":
        for item in items:
            _pair(item, where, found)


def _keys(node: Node) -> Iterator[str]:
    stack = [node]  # a dotted key is a tree as deep as it is long
    while stack:
        part = stack.pop()
        text = (part.text or b"").decode()
        if part.type == "dotted_key":
            stack.extend(reversed(part.named_children))
        elif part.type == "quoted_key":
            yield text[1:-1] if text.startswith("'") else str(ast.literal_eval(text))
        else:
            yield text


def _line(node: Node) -> int:
    return int(node.start_point[0]) + 1
