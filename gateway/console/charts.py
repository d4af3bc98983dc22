"""Charts: small lines without axes, as SVG. The figure beside each says what it is now.

A plotting library would bring fonts, images of its own and megabytes for what is one polyline.
"""

from collections.abc import Sequence

from markupsafe import Markup

from gateway.observability.history import SAMPLES

WIDTH, HEIGHT = 240, 48
POINTS = SAMPLES - 1
MARGIN = 2.0
SVG = Markup(
    '<svg class="chart {kind}" role="img" aria-label="{label}" viewBox="0 0 {width} {height}"'
    ' preserveAspectRatio="none">{shapes}</svg>'
)
AREA = Markup('<path class="area" d="M{first} {base} L{points} L{last} {base} Z"/>')
LINE = Markup('<polyline class="line" vector-effect="non-scaling-stroke" points="{points}"/>')
BASE = Markup(
    '<line class="base" vector-effect="non-scaling-stroke" x1="0" x2="{width}" y1="{y}" y2="{y}"/>'
)


def sparkline(
    values: Sequence[float | None],
    label: str,
    *,
    top: float | None = None,
    kind: str = "",
) -> Markup:
    """Return a line of values, the newest at the right; None leaves a gap.

    `top` is the value at the upper edge, by default the largest. `label` says it in words.
    """
    highest = max((value for value in values if value is not None), default=0.0)
    scale = (HEIGHT - 2 * MARGIN) / (top or highest or 1.0)
    step = WIDTH / (POINTS - 1)
    start = WIDTH - step * (len(values) - 1)
    base = HEIGHT - MARGIN
    shapes = [BASE.format(width=WIDTH, y=base)]
    for piece in _pieces(values):
        places = [(start + place * step, base - value * scale) for place, value in piece]
        places = places if len(places) > 1 else 2 * places  # A point is a line without length.
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        first, last = f"{places[0][0]:.1f}", f"{places[-1][0]:.1f}"
        shapes.append(AREA.format(first=first, last=last, base=base, points=points))
        shapes.append(LINE.format(points=points))
    return SVG.format(
        kind=kind, label=label, width=WIDTH, height=HEIGHT, shapes=Markup().join(shapes)
    )


def _pieces(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Return the runs of values between gaps, each value with its place."""
    pieces: list[list[tuple[int, float]]] = [[]]
    for place, value in enumerate(values):
        if value is not None:
            pieces[-1].append((place, value))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]
