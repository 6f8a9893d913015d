"""Section: the map of the regions, and where best static sends the calls. Not here: what that is worth (landscape), limits (world)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tasks.report.facts import plural
from tasks.report.page import Page, annotation, num
from tasks.report.plot import axis, both, colour
from tasks.world.calibration_record import Calibration, Place, Shift

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ORDER, TITLE, NAV, QUESTION = 80, "Places", "Places", "What differs between places?"
COMMAND = "dvc repro calibrate report"
CLOUDS = {"aws": ("AWS", "circle", "dot"), "azure": ("Azure", "square", "box"), "gcp": ("Google Cloud", "diamond", "diamond")}
CHEAPER = {  # component of the objective: what a fall of it means for the calls that moved
    "execution": "running them is cheaper",
    "egress": "their traffic is cheaper",
    "carbon": "power is cleaner",
    "sla": "fewer are too slow",
    "latency": "they wait less",
}
# Equal Earth (Savric, Patterson, Jenny 2018): coefficients, and the meridian in the middle of the map.
EQUAL_EARTH, MIDDLE = (1.340264, -0.081106, 0.000893, 0.003796), 28.0
WEST, EAST, SOUTH, NORTH = -124.0, 174.0, -46.0, 68.0
# Of both layouts: px of the narrowest column, margins above and below, diameter of the largest mark, size of text, growth of the height.
LAYOUTS = {False: (740, 46, 70, 38.0, 12.5, 1.2), True: (360, 66, 60, 20.0, 11.0, 1.0)}
# Offset of the marks of a metro, px from it to the right and up, in the narrowest column.
OFFSETS = {
    False: {
        "gru": (-40, -58), "lhr": (-120, 26), "iad": (-36, -56), "fra": (96, 30), "sin": (-30, -64), "nrt": (-6, 56), "syd": (-40, -58),
        "bom": (-46, -62),
    },
    True: {
        "gru": (-14, -40), "lhr": (-48, 30), "iad": (-6, -36), "fra": (44, 34), "sin": (-14, -44), "nrt": (-14, 34), "syd": (-20, -36),
        "bom": (-24, -34),
    },
}  # fmt: skip
ELSEWHERE = (0, 44)  # of a metro that is not in OFFSETS
GAP = 5.0  # px between two marks


def add(page: Page) -> str:
    """HTML of the section."""
    found = page.read("reports/world/calibration.json", Calibration)
    if not found or not found.places:
        return ""
    land = _land(page)
    metros = _metros(found.places)
    said = heading(found.shifts, {m["metro"]: m["name"] for m in metros})
    moved = page.number("calls_change_metro_pct", _percent(r.share for r in found.shifts if r.from_metro != r.to_metro))
    same = page.number("calls_change_cloud_only_pct", _percent(r.share for r in found.shifts if r.from_metro == r.to_metro))
    assumed = page.number("regions_with_assumed_prices", sum(r.price_basis == "assumed" for r in found.places))
    regions = page.number("regions", len(found.places))
    part = f"Under best static, {num(moved, 1)} % of the calls change metro and {num(same, 1)} % only the cloud"
    clouds = "".join(f'<span><i class="{mark}" style="--c:var(--{cloud})"></i>{name}</span>' for cloud, (name, _, mark) in CLOUDS.items())
    return page.figure(
        "world_places",
        heading=said,
        sentence=f"{part}. Areas are shares of calls: filled under best static, outlined at home; g: mean g CO₂e/kWh of the grid.",
        **both(_map, land, metros),
        key=clouds + '<span><i class="ring"></i>at home</span>',
        alt=f"World map with three marks per metro, for AWS, Azure and Google Cloud. {said}. {part}.",
        tags=[page.origin_tag(found.origin), "measured", "sampled: home, data"],
        provenance=(
            f"scenario {found.scenario} · {plural(found.apps, 'app')} · test span · {num(assumed)} of {num(regions)} regions "
            "have assumed prices · land: Natural Earth"
        ),
        command=COMMAND,
        data=_rows(found.places, metros),
        below=720,
    )


def heading(shifts: Sequence[Shift], names: dict[str, str]) -> str:
    """The largest move of calls from one metro to another, and what these calls save most on.

    Args:
        shifts: of calibration.json.
        names: of the metros.
    """
    pairs: dict[tuple[str, str], list[Shift]] = {}
    for row in shifts:
        if row.from_metro != row.to_metro and row.share > 0:
            pairs.setdefault((row.from_metro, row.to_metro), []).append(row)
    if not pairs:
        return "Best static leaves every call in its home metro"
    (old, new), rows = max(pairs.items(), key=lambda item: (sum(r.share for r in item[1]), item[0]))
    change = {component: sum(getattr(r, f"{component}_usd") for r in rows) for component in CHEAPER}
    best = min(change, key=lambda component: change[component])
    where = CHEAPER[best] if change[best] < 0 else "nothing became cheaper"
    return f"Calls move from {names[old]} to {names[new]}, where {where}"


def projected(lon: float, lat: float) -> tuple[float, float]:
    """Equal Earth coordinates of a place in degrees, in radii of the sphere, `MIDDLE` at 0."""
    a1, a2, a3, a4 = EQUAL_EARTH
    t = math.asin(math.sqrt(3) / 2 * math.sin(math.radians(lat)))
    scale = 3 * (9 * a4 * t**8 + 7 * a3 * t**6 + 3 * a2 * t**2 + a1)
    x = 2 * math.sqrt(3) * math.radians(lon - MIDDLE) * math.cos(t) / scale
    return x, a4 * t**9 + a3 * t**7 + a2 * t**3 + a1 * t


def _land(page: Page) -> list[list[tuple[float, float]]]:
    """Rings of (longitude, latitude) of data/reference/land.csv."""
    rings: dict[str, list[tuple[float, float]]] = {}
    for row in page.read_csv("data/reference/land.csv"):
        rings.setdefault(row["ring"], []).append((float(row["lon"]), float(row["lat"])))
    return list(rings.values())


def _percent(shares: Any) -> float:
    return round(100 * sum(shares), 3)


def _metros(places: Sequence[Place]) -> list[dict[str, Any]]:
    """One entry per metro: name, place, grid, its regions, sums of their shares in %."""
    out = []
    for metro in dict.fromkeys(r.metro for r in places):
        own = {r.cloud: r for r in places if r.metro == metro}
        one = next(iter(own.values()))
        sums = {"home_pct": _percent(r.home_share for r in own.values()), "static_pct": _percent(r.static_share for r in own.values())}
        name = one.metro_name.split(" / ")[0].replace("Northern ", "N. ")
        out.append({"metro": metro, "name": name, "lon": one.lon, "lat": one.lat, "g": one.g_per_kwh, "regions": own} | sums)
    return out


def _rows(places: Sequence[Place], metros: list[dict[str, Any]]) -> list[dict[str, Any]]:
    sums = {m["metro"]: m for m in metros}
    return [
        {
            "region": r.region,
            "metro": r.metro,
            "name": sums[r.metro]["name"],
            "g_per_kwh": round(r.g_per_kwh, 1),
            "home_pct": _percent([r.home_share]),
            "static_pct": _percent([r.static_share]),
            "metro_home_pct": sums[r.metro]["home_pct"],
            "metro_static_pct": sums[r.metro]["static_pct"],
            "nanousd_per_s_of_256_mb": r.nanousd_per_s_of_256_mb,
            "internet_usd_per_gb": r.internet_usd_per_gb,
            "prices": r.price_basis,
        }
        for r in places
    ]


def _map(land: list[list[tuple[float, float]]], metros: list[dict[str, Any]], *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    width, above, under, largest, size, growth = LAYOUTS[narrow]
    west, east = projected(WEST, 0)[0], projected(EAST, 0)[0]
    south, north = projected(0, SOUTH)[1], projected(0, NORTH)[1]
    px = (east - west) / width  # radii in a pixel of the narrowest column
    edge: list[tuple[float | None, float | None]] = []
    for outline in land:
        edge += [(round(x, 3), round(y, 3)) for x, y in (projected(*point) for point in outline)] + [(None, None)]
    figure = go.Figure(
        go.Scatter(
            x=[p[0] for p in edge], y=[p[1] for p in edge], mode="lines", fill="toself", fillcolor=colour("land"), hoverinfo="skip",
            line={"width": 0.6, "color": colour("land")},
        )
    )  # fmt: skip
    top = max(share for m in metros for r in m["regions"].values() for share in (r.home_share, r.static_share))
    text, marks = [], []
    for metro in metros:
        x, y = projected(metro["lon"], metro["lat"])
        dx, dy = OFFSETS[narrow].get(metro["metro"], ELSEWHERE)
        at = x + dx * px, y + dy * px
        side = 1 if dy > 0 else -1
        row = _marks(metro, largest, top)
        reach = max(width for *_, width in row) / 2
        figure.add_scatter(
            x=[x, at[0]], y=[y, at[1] - side * reach * px], mode="lines+markers", hoverinfo="skip",
            line={"width": 1, "color": colour("ink-3")}, marker={"size": [5, 0], "color": colour("ink-3"), "opacity": 1},
        )  # fmt: skip
        shift = -sum(w for *_, w in row) / 2
        for region, fill, ring, wide in row:
            marks.append((region, at[0] + (shift + wide / 2) * px, at[1], fill, ring))
            shift += wide
        grey = "<span style='color:var(--ink-3)'>" + f"{num(metro['g'], 0)} g</span>"
        name = f"<b>{metro['metro']}</b> {grey}" if narrow else f"<b>{metro['metro']}</b> {metro['name']} {grey}"
        share = f"{num(metro['home_pct'], 0)} → {num(metro['static_pct'], 0)} %"
        place = ("center", "bottom" if side > 0 else "top")
        text.append(annotation(at[0], at[1], f"{name}<br>{share}", ink="ink", size=size, at=place, yshift=side * (reach + 2)))
    for cloud, (_, symbol, _) in CLOUDS.items():
        own = [m for m in marks if m[0].cloud == cloud]
        said = [f"{r.region}: {100 * r.home_share:.1f} % of the calls at home, {100 * r.static_share:.1f} %" for r, *_ in own]
        where = {"x": [m[1] for m in own], "y": [m[2] for m in own], "mode": "markers"}
        figure.add_scatter(
            **where, text=said, hovertemplate="%{text} under best static<extra></extra>",
            marker={"symbol": symbol, "size": [m[3] for m in own], "color": colour(cloud), "opacity": 1, "line": {"width": 0}},
        )  # fmt: skip
        figure.add_scatter(
            **where, hoverinfo="skip",
            marker={"symbol": f"{symbol}-open", "size": [m[4] for m in own], "color": colour("ink"), "line": {"width": 1.1}},
        )  # fmt: skip
    plain: dict[str, Any] = {"showgrid": False, "showticklabels": False}
    figure.update_layout(
        height=round(growth * ((north - south) / px + above + under)),
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        annotations=text,
        xaxis=axis(range=[west, east], **plain),
        yaxis=axis(range=[south - under * px, north + above * px], scaleanchor="x", scaleratio=1, **plain),
    )
    return figure


def _marks(metro: dict[str, Any], largest: float, top: float) -> list[tuple[Place, float, float, float]]:
    """Of each cloud in its order: region, diameters of the filled and the outlined mark, width of both, px."""
    out = []
    for cloud in CLOUDS:
        region = metro["regions"].get(cloud)
        if region is None:
            continue
        fill, ring = (max(3.0, largest * math.sqrt(share / max(top, 1e-9))) for share in (region.static_share, region.home_share))
        out.append((region, fill, ring, max(fill, ring) + GAP))
    return out
