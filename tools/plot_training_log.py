"""Draw a chart of training logs, as Caffe's tools/extra/plot_training_log.py does.

    python tools/plot_training_log.py CHART_TYPE[0-7] PICTURE LOG [LOG ...]

PICTURE is a .png or .svg.  A LOG is a log of minicaffe or Caffe, a metrics.jsonl, or the folder of a run;
each gets a colour.  What the charts show is in minicaffe/runs/charts.py; `minicaffe plot` draws all at once.

Differs from Caffe: logs may have any name; colours are fixed, not random; no window opens; a mistake has the
exit status 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from minicaffe.errors import MiniCaffeError
from minicaffe.runs import charts, curve_files


def main(arguments: Sequence[str] | None = None) -> int:
    kinds = "\n".join(f"  {chart}: {charts.title(chart)}" for chart in range(len(charts.CHARTS)))
    parser = argparse.ArgumentParser(
        description="Draw a chart of training logs.",
        epilog=f"chart types:\n{kinds}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("chart_type", type=int, help="0 to 7, see below")
    parser.add_argument("picture", help="the .png or .svg to write")
    parser.add_argument("logs", nargs="+", metavar="log", help="what a training left")
    args = parser.parse_args(arguments)
    try:
        charts.draw(args.chart_type, curve_files.read_all(args.logs), args.picture)
    except MiniCaffeError as error:
        print(f"plot_training_log.py: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
