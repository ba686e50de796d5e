#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What tests/bench/run found, beside what it found before: history.py record|compare|page.

record adds build/bench.csv's ratios to tests/bench/history.csv, under the present commit; compare names the rows whose ratio is
more than 5 % worse than the median of the row's last five there; page writes build/bench.html: the table, a row's ratios over time,
and the curves.
"""
import csv, datetime, glob, html, os, statistics, subprocess, sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOW = os.environ.get("BENCH_CSV", os.path.join(TOP, "build/bench.csv"))
HISTORY = os.environ.get("BENCH_HISTORY", os.path.join(TOP, "tests/bench/history.csv"))
PAGE = os.environ.get("BENCH_PAGE", os.path.join(TOP, "build/bench.html"))
FIELDS = ["commit", "date", "case", "unit", "kernel", "barewire", "ratio", "limit"]
LESS_IS_BETTER = {"us", "ms", "ns", "s"}
WORSE, LAST = 1.05, 5


def read(path):
    if not os.path.exists(path):
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def before(history, row):
    return [float(old["ratio"]) for old in history if (old["case"], old["unit"]) == (row["case"], row["unit"])]


def worse(history, row):
    """The median of the row's last five ratios, if it has become worse than that; else None."""
    ratios = before(history, row)[-LAST:]
    if not ratios:
        return None
    usual, ratio = statistics.median(ratios), float(row["ratio"])
    factor = ratio / usual if row["unit"] in LESS_IS_BETTER else usual / max(ratio, 1e-9)
    return usual if factor > WORSE else None


def commit():
    return subprocess.run(["git", "-C", TOP, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip() or "-"


def record(rows):
    new = not os.path.exists(HISTORY)
    with open(HISTORY, "a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, extrasaction="ignore", lineterminator="\n")
        if new:
            writer.writeheader()
        for row in rows:
            writer.writerow({**row, "commit": commit(), "date": datetime.date.today().isoformat()})


def compare(rows, history):
    """Rows that record has just added are not compared with themselves."""
    named = 0
    for row in rows:
        usual = worse([old for old in history if old["commit"] != commit()], row)
        if usual is not None:
            named += 1
            print("worse by more than 5 %%: %s, %s times the kernel's, before %.2f" % (row["case"], row["ratio"], usual))
    if not named and history:
        print("no row is worse by more than 5 %")


def line(ratios):
    """Ratios over time as a little curve; the grey line is the kernel."""
    top = max(ratios + [1.0]) * 1.1
    step = 120 / max(len(ratios) - 1, 1)
    points = " ".join("%.1f,%.1f" % (4 + i * step, 28 - 26 * ratio / top) for i, ratio in enumerate(ratios))
    one = 28 - 26 / top
    return ('<svg width="130" height="30"><line x1="2" x2="128" y1="%.1f" y2="%.1f" stroke="#8a94a3"/>'
            '<polyline fill="none" stroke="#1f6fd6" stroke-width="2" points="%s"/></svg>' % (one, one, points))


def page(rows, history):
    out = ["<!doctype html><meta charset=utf-8><title>barewire: bench</title><style>body{font:14px sans-serif;margin:2em}"
           "td,th{padding:2px 12px 2px 0;text-align:right}td:first-child,th:first-child{text-align:left}.good{color:#087443}"
           ".bad{color:#b3261e}</style><h1>barewire at %s</h1><p>Ratio: barewire to the kernel, pair by pair, the median. Limit: "
           "what the interface allows a program that does nothing else.</p><table><tr><th>case<th>unit<th>kernel<th>barewire<th>"
           "ratio<th>limit<th>spreads<th>ratio over time" % html.escape(commit())]
    for row in rows:
        ratio = float(row["ratio"])
        good = ratio <= 1 if row["unit"] in LESS_IS_BETTER else ratio >= 1
        old = before([old for old in history if old["commit"] != commit()], row)
        out.append("<tr><td>%s<td>%s<td>%s<td>%s<td class=%s>%.2f<td>%s<td>%s; %s<td>%s" % (
            html.escape(row["case"]), row["unit"], row["kernel"], row["barewire"], "good" if good else "bad", ratio,
            row["limit"], row["kernel_spread"], row["barewire_spread"], line(old + [ratio])))
    out.append("</table>")
    for plot in sorted(glob.glob(os.path.join(TOP, "build/plots/*.svg"))):
        with open(plot) as file:
            out.append('<div style="width:560px;display:inline-block">%s</div>' % file.read())
    with open(PAGE, "w") as file:
        file.write("\n".join(out) + "\n")
    print("page: %s" % os.path.relpath(PAGE, TOP))


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    rows, history = [row for row in read(NOW) if row["ratio"]], read(HISTORY)
    if what == "record":
        record(rows)
    elif what == "compare":
        compare(rows, history)
    elif what == "page":
        page(rows, history)
    else:
        sys.exit(__doc__)


main()
