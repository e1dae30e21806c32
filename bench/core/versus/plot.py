"""Bar charts as SVG, one file for light pages and one for dark ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

THEMES = {
    "light": {"text": "#1f2328", "line": "#d1d9e0"},
    "dark": {"text": "#e6edf3", "line": "#3d444d"},
}
# Told apart by people who see few colours (Okabe and Ito), on light and on dark.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999", "#b39b00")
_BARS, _VALUES = 480, 110
_BAR, _GAP, _TOP = 13, 12, 62


@dataclass(frozen=True)
class Chart:
    """Groups of bars: a label and, for each series, a value or None where there is none."""

    title: str
    unit: str
    series: Sequence[str]
    groups: Sequence[tuple[str, Sequence[float | None]]]
    full: float
    """The value at the right end."""

    @property
    def left(self) -> float:
        """Where the bars begin: the longest label stands before them."""
        return 16 + 6.4 * max((len(label) for label, _ in self.groups), default=0)


def draw(chart: Chart, theme: str) -> str:
    """The chart as the text of an SVG file."""
    colours = THEMES[theme]
    rows = sum(1 for _, values in chart.groups for v in values if v is not None)
    height = _TOP + rows * _BAR + len(chart.groups) * _GAP + 24
    width = round(chart.left) + _BARS + _VALUES
    svg = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width} {height}",
            "width": str(width),
            "height": str(height),
            "role": "img",
            "font-family": "system-ui, sans-serif",
            "font-size": "11",
            "fill": colours["text"],
        },
    )
    ElementTree.SubElement(svg, "title").text = f"{chart.title} ({chart.unit})"
    _text(svg, 8, 18, f"{chart.title} ({chart.unit})", {"font-size": "14", "font-weight": "600"})
    _legend(svg, chart.series)
    for at, label in _ticks(chart.full):
        x = chart.left + at * _BARS
        ElementTree.SubElement(
            svg,
            "line",
            {
                "x1": f"{x:.1f}",
                "x2": f"{x:.1f}",
                "y1": str(_TOP - 4),
                "y2": str(height - 20),
                "stroke": colours["line"],
            },
        )
        _text(svg, x, height - 6, label, {"text-anchor": "middle"})
    _bars(svg, chart)
    ElementTree.indent(svg)
    return ElementTree.tostring(svg, encoding="unicode") + "\n"


def _bars(svg: ElementTree.Element, chart: Chart) -> None:
    y = float(_TOP)
    for label, values in chart.groups:
        present = [(i, v) for i, v in enumerate(values) if v is not None]
        _text(svg, chart.left - 8, y + len(present) * _BAR / 2 + 4, label, {"text-anchor": "end"})
        for i, value in present:
            length = max(1.0, min(1.0, value / chart.full) * _BARS)
            ElementTree.SubElement(
                svg,
                "rect",
                {
                    "x": f"{chart.left:.1f}",
                    "y": f"{y:.1f}",
                    "width": f"{length:.1f}",
                    "height": str(_BAR - 2),
                    "fill": COLOURS[i % len(COLOURS)],
                },
            )
            _text(svg, chart.left + length + 4, y + _BAR - 4, _number(value), {"font-size": "10"})
            y += _BAR
        y += _GAP


def _legend(svg: ElementTree.Element, series: Sequence[str]) -> None:
    x = 8.0
    for i, name in enumerate(series):
        ElementTree.SubElement(
            svg, "rect", {"x": f"{x:.1f}", "y": "31", "width": "10", "height": "10", "fill": COLOURS[i % len(COLOURS)]}
        )
        _text(svg, x + 14, 40, name, {})
        x += 26 + 6.1 * len(name)


def _ticks(full: float) -> Iterator[tuple[float, str]]:
    for i in range(5):
        yield i / 4, _number(full * i / 4)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def _text(svg: ElementTree.Element, x: float, y: float, text: str, style: dict[str, str]) -> None:
    ElementTree.SubElement(svg, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", **style}).text = text
