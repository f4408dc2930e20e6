"""A plot without a library: bars on a logarithmic scale, whiskers from the least to the most."""

import math

from .figures import Figure, Samples
from .systems import System

COLOURS = {"punctual": "#1f6f54", "floor": "#9aa0a6", "floor-1000": "#c4c8cc", "riverqueue": "#3b6fb5", "apalis-sqlite": "#c9822b", "honker": "#8a4fa3",
           "graphile_worker": "#8a4fa3", "apalis-redis": "#c9822b", "bullmq": "#b5413b"}
BAR, GAP, LEFT, WIDTH, TOP = 11, 16, 190, 620, 44


def svg(figures: list[Figure], systems: list[System], samples: Samples) -> str:
    panels = [
        ("jobs a second (longer is better)", [f for f in figures if f.unit == "jobs/s"]),
        ("milliseconds (shorter is better)", [f for f in figures if f.unit == "ms" and f.has_ratio]),
    ]
    parts, y = [legend(systems)], TOP
    for title, members in panels:
        if members:
            drawn, y = panel(title, members, systems, samples, y)
            parts += drawn
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 90}" height="{y}" '
        f'font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def legend(systems: list[System]) -> str:
    entries = []
    for index, system in enumerate(systems):
        x = GAP + index * 145
        entries.append(f'<rect x="{x}" y="10" width="{BAR}" height="{BAR}" fill="{COLOURS[system.name]}"/>')
        entries.append(f'<text x="{x + BAR + 4}" y="20">{system.label}</text>')
    return "\n".join(entries)


def panel(title: str, figures: list[Figure], systems: list[System], samples: Samples, y: int) -> tuple[list[str], int]:
    values = [max(value, 0.01) for figure in figures for each in samples[figure.name].values() for value in each]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))

    def x(value: float) -> float:
        return LEFT + WIDTH * (math.log10(max(value, 10**low)) - low) / max(high - low, 1)

    parts = [f'<text x="{LEFT}" y="{y}" font-weight="bold">{title}</text>']
    begun, y = y + 8, y + 14
    for figure in figures:
        present = [system for system in systems if system.name in samples[figure.name]]
        middle = y + BAR * len(present) / 2 + 4
        parts.append(f'<text x="{LEFT - 8}" y="{middle:.0f}" text-anchor="end">{figure.name}</text>')
        for system in present:
            parts += bar(system, samples[figure.name][system.name], samples.median(figure.name, system.name), x, y)
            y += BAR
        y += GAP
    for power in range(low, high + 1):
        tick = x(10**power)
        parts.append(f'<line x1="{tick:.1f}" x2="{tick:.1f}" y1="{begun}" y2="{y - 8}" stroke="#ddd"/>')
        parts.append(f'<text x="{tick:.1f}" y="{y + 4}" text-anchor="middle">{tick_label(power)}</text>')
    return parts, y + 36


def tick_label(power: int) -> str:
    return f"{10**power:,}" if power >= 0 else f"{10.0**power:g}"


def bar(system: System, values: list[float], median: float, x, y: int) -> list[str]:
    middle = y + BAR / 2
    return [
        f'<rect x="{LEFT}" y="{y}" width="{max(x(median) - LEFT, 1):.1f}" height="{BAR - 1}" fill="{COLOURS[system.name]}"/>',
        f'<line x1="{x(min(values)):.1f}" x2="{x(max(values)):.1f}" y1="{middle}" y2="{middle}" stroke="black"/>',
        f'<text x="{x(max(values)) + 4:.1f}" y="{y + BAR - 2}" font-size="9">{median:,.3g}</text>'
        if median < 1_000
        else f'<text x="{x(max(values)) + 4:.1f}" y="{y + BAR - 2}" font-size="9">{median:,.0f}</text>',
    ]
