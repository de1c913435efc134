"""The pictures of docs/performance.md and its sibling: CPU for each message or request, by load."""

from __future__ import annotations

import math
from typing import Final

from bench.figures import Figure

_COLOURS: Final = {"voxgate": "#e8833a"}
_COLOUR: Final = "#6b8cae"
_WIDTH, _ROW, _LEFT, _LABEL = 720, 20, 90, 190


def chart(groups: dict[str, dict[str, Figure]], label: str = "CPU for each message") -> str:
    """Bars with the range of their rounds; the scale is a square root, so that small and large are both
    seen."""
    top = max((figure.most for group in groups.values() for figure in group.values()), default=1.0) or 1.0

    def x(value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _LABEL) * math.sqrt(max(0.0, value / top))

    marks, y = [], 10
    for load, group in groups.items():
        marks.append(f'<text x="0" y="{y + _ROW - 5}" font-weight="600">{load}</text>')
        for peer, figure in group.items():
            middle = y + _ROW / 2 + 1
            width, colour = x(figure.middle) - _LEFT, _COLOURS.get(peer, _COLOUR)
            marks += [
                f'<path d="M{_LEFT} {y + 5}h{width:.1f}v{_ROW - 6}h-{width:.1f}z" fill="{colour}"/>',
                f'<path d="M{x(figure.least):.1f} {middle}H{x(figure.most):.1f}" stroke="#404850"/>',
                f'<text x="{x(figure.most) + 6:.1f}" y="{y + _ROW - 5}">{peer} {figure.middle:.1f} µs</text>',
            ]
            y += _ROW
        y += 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" font-family="sans-serif" '
        f'font-size="12" fill="#808890" role="img" aria-label="{label}; square-root scale">'
        + "".join(marks)
        + "</svg>\n"
    )
