"""Draws the curves of tests/bench/run as SVG: plot.py CURVES.csv FOLDER. Needs nothing but Python."""
import csv, math, os, sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 320, 64, 16, 44, 46
SERIES = (("kernel", "#8a94a3"), ("barewire", "#1f6fd6"))


def label(value, binary=False):
    if binary and value >= 1024:
        return "%g%s" % ((value / 1048576, "M") if value >= 1048576 else (value / 1024, "K"))
    for limit, suffix in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return "%g%s" % (round(value / limit, 1), suffix)
    return "%g" % round(value, 2)


def ticks(top):
    """Round numbers from 0 to what is no less than top."""
    raw = top / 5
    power = 10 ** math.floor(math.log10(raw))
    step = next(n * power for n in (1, 2, 2.5, 5, 10) if n * power >= raw)
    return [step * i for i in range(math.ceil(top / step - 1e-9) + 1)]


def draw(name, unit, points):
    logarithmic = max(x for x, _ in points) / max(min(x for x, _ in points), 1) > 20 and "percentile" not in name
    place = math.log10 if logarithmic else float
    low, high = place(points[0][0]), place(points[-1][0])
    marks = ticks(max(value for _, values in points for value in values if value is not None))
    top, sizes = marks[-1], "size" in name
    X = lambda x: LEFT + (place(x) - low) / (high - low or 1) * (WIDTH - LEFT - RIGHT)
    Y = lambda y: HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' % (WIDTH, HEIGHT),
           '<rect width="100%" height="100%" fill="white"/>',
           '<text x="%d" y="20" font-size="14" font-weight="bold">%s, %s</text>' % (LEFT, name, unit)]
    for y in marks:
        out.append('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#e3e6ea"/>' % (LEFT, WIDTH - RIGHT, Y(y), Y(y)))
        out.append('<text x="%d" y="%.1f" text-anchor="end" fill="#555">%s</text>' % (LEFT - 6, Y(y) + 4, label(y)))
    shown = points if len(points) < 12 else [p for p in points if p[0] in (1, 10, 25, 50, 75, 90, 99)]
    for x, _ in shown:  # the last one ends where the picture does
        last = X(x) > WIDTH - RIGHT - 20
        out.append('<text x="%.1f" y="%d" text-anchor="%s" fill="#555">%s</text>'
                   % (X(x) + (RIGHT if last else 0), HEIGHT - BOTTOM + 18, "end" if last else "middle", label(x, sizes)))
    for number, (series, color) in enumerate(SERIES):
        known = [(X(x), Y(values[number])) for x, values in points if values[number] is not None]
        if not known:
            continue
        out.append('<polyline fill="none" stroke="%s" stroke-width="2.5" points="%s"/>' % (color, " ".join("%.1f,%.1f" % p for p in known)))
        if len(known) < 12:
            out += ['<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>' % (*p, color) for p in known]
        at = WIDTH - RIGHT - 170 + number * 90
        out.append('<rect x="%d" y="28" width="11" height="11" fill="%s"/><text x="%d" y="38">%s</text>' % (at, color, at + 16, series))
    return "\n".join(out + ["</svg>", ""])


curves = {}
for row in csv.DictReader(open(sys.argv[1])):
    values = [float(row[series]) if row[series] else None for series, _ in SERIES]
    curves.setdefault((row["curve"], row["unit"]), []).append((float(row["x"]), values))
os.makedirs(sys.argv[2], exist_ok=True)
for (name, unit), points in curves.items():
    with open(os.path.join(sys.argv[2], name.replace(" ", "-") + ".svg"), "w") as file:
        file.write(draw(name, unit, points))
