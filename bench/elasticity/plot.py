"""Draw what it reads: panels of bars, with a dot for each round. Run in an environment of its own, see plot.txt."""

from __future__ import annotations

import json
import sys
from statistics import median

import matplotlib as mpl
from matplotlib.figure import Figure

#: Ours, then the others.
_COLOURS = ("#d9480f", "#adb5bd")


def main() -> None:
    """Read JSON from standard input, write SVG to the path that is given."""
    told = json.load(sys.stdin)
    # The same figures give the same file, and text stays text.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "elasticity", "font.size": 9})
    panels, labels = told["panels"], told["labels"]
    figure = Figure(figsize=(11, 0.6 + 0.32 * len(labels)), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True)
    for axis, panel in zip(axes, panels, strict=True):
        heights = [median(values) if values else 0 for values in panel["values"]]
        colours = [_COLOURS[0 if label == told["ours"] else 1] for label in labels]
        axis.barh(labels, heights, color=colours, height=0.7)
        for label, values in zip(labels, panel["values"], strict=True):
            axis.plot(values, [label] * len(values), ".", color="#343a40", markersize=4)
        axis.set_title(panel["title"], fontsize=9)
        axis.set_xlim(left=0)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].invert_yaxis()
    figure.savefig(sys.argv[1], format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))


if __name__ == "__main__":
    main()
