#!/usr/bin/env python3
"""Draws what `cargo bench --bench load` measured: receivers.svg, sizes.svg and senders.svg.

Reads the CSV files of these names beside it (or in the folder given as its argument) and writes the pictures there.
The same data gives the same bytes. Needs matplotlib.
"""

import csv
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

# Server and workers, as in the CSV: what it is called, its colour (told apart by the colour-blind too), its line.
SERVERS = {
    ("arauto", "1"): ("arauto, 1 worker", "#0072b2", "-"),
    ("arauto", "2"): ("arauto, 2 workers", "#56b4e9", "-"),
    ("write", ""): ("bare write()", "#333333", "--"),
    ("redis", ""): ("redis", "#d55e00", "-"),
    ("nats", ""): ("nats", "#009e73", "-"),
}

COST = "server CPU time a delivery, ns"

STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "arauto",
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": "#333333",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "legend.frameon": False,
}


def read(path):
    """Rows of a file, with numbers where numbers are."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for column in ("receivers", "size", "senders", "window"):
            row[column] = int(row[column])
        row["cost"] = float(row["ns_per_delivery"])
    return rows


def series(rows, across):
    """For each server that was measured: the places on the x axis, and all costs at each."""
    servers = defaultdict(lambda: defaultdict(list))
    for row in rows:
        servers[row["server"], row["workers"]][across(row)].append(row["cost"])
    known = [server for server in SERVERS if server in servers]
    # Arauto with another number of workers than two is drawn as two are.
    others = sorted(server for server in servers if server not in SERVERS)
    for server in known + others:
        yield server, sorted(servers[server].items())


def draw(axes, rows, across):
    """A line of medians for each server, in a band from the least to the greatest."""
    for (server, workers), points in series(rows, across):
        fallback = (f"{server}, {workers} workers", "#56b4e9", "-.")
        label, colour, line = SERVERS.get((server, workers), fallback)
        places = [place for place, _ in points]
        axes.fill_between(
            places,
            [min(costs) for _, costs in points],
            [max(costs) for _, costs in points],
            color=colour,
            alpha=0.18,
            linewidth=0,
        )
        medians = [median(costs) for _, costs in points]
        axes.plot(places, medians, line, color=colour, label=label, linewidth=1.6, marker="o", markersize=3.5)


def scales(axes, rows, across, label):
    """Logarithmic, with a mark where something was measured."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(FixedLocator(sorted({across(row) for row in rows})))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    plain = FuncFormatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_major_formatter(plain)
    axes.yaxis.set_major_locator(FixedLocator([digit * 10**power for power in range(8) for digit in (1, 2, 5)]))
    axes.yaxis.set_major_formatter(plain)
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(which="minor", length=0)


def panels(path, title, across, label, panels):
    """A picture of several panels side by side, with one legend above them."""
    figure, all_axes = plt.subplots(1, len(panels), figsize=(9.2, 4.4), sharey=True, squeeze=False)
    rows = [row for _, chosen in panels for row in chosen]
    for axes, (heading, chosen) in zip(all_axes[0], panels):
        draw(axes, chosen, across)
        scales(axes, chosen, across, label)
        axes.set_title(heading)
    all_axes[0][0].set_ylabel(COST)
    # A little room, and no scale that makes a flat line look steep.
    least, most = min(row["cost"] for row in rows), max(row["cost"] for row in rows)
    all_axes[0][0].set_ylim(least / 1.3, most * 1.3)
    figure.suptitle(title, x=0.012, ha="left", fontsize=12, color="#111111")
    handles = {}
    for axes in all_axes[0]:
        for handle, name in zip(*axes.get_legend_handles_labels()):
            handles.setdefault(name, handle)
    legend = figure.legend(
        handles.values(), handles.keys(), loc="upper left", bbox_to_anchor=(0.003, 0.945), ncols=len(handles)
    )
    for text in legend.get_texts():
        text.set_color("#333333")
    figure.tight_layout(rect=(0, 0, 1, 0.93))
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def windows(rows):
    """A panel for each number of messages on the way."""
    for window in sorted({row["window"] for row in rows}):
        messages = "message" if window == 1 else "messages"
        yield f"{window} {messages} on the way", [row for row in rows if row["window"] == window]


def receivers(rows, path):
    title = f"Cost of a delivery by number of receivers ({rows[0]['size']} bytes)"
    panels(path, title, lambda row: row["receivers"], "receivers", list(windows(rows)))


def sizes(rows, path):
    title = f"Cost of a delivery by size ({rows[0]['receivers']:,} receivers)"
    panels(path, title, lambda row: row["size"], "bytes of DATA", list(windows(rows)))


def senders(rows, path):
    title = f"Many senders against one that sends as much ({rows[0]['receivers']} receivers, {rows[0]['size']} bytes)"
    many = [row for row in rows if row["window"] == 1]
    one = [row for row in rows if row["senders"] == 1]
    panels(
        path,
        title,
        lambda row: row["senders"] * row["window"],
        "messages on the way",
        [("as many senders, one message each", many), ("one sender", one)],
    )


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    drawn = 0
    with matplotlib.rc_context(STYLE):
        for picture in (receivers, sizes, senders):
            source = folder / f"{picture.__name__}.csv"
            rows = read(source) if source.exists() else []
            if not rows:
                print(f"left out: {source} holds no measurements", file=sys.stderr)
                continue
            picture(rows, folder / f"{picture.__name__}.svg")
            drawn += 1
    return 0 if drawn else 1


if __name__ == "__main__":
    sys.exit(main())
