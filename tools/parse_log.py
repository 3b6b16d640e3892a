"""Write a training log as two tables, as Caffe's tools/extra/parse_log.py does.

    python tools/parse_log.py LOGFILE OUTPUT_DIR [--verbose] [--delimiter ,]

LOGFILE is a log of minicaffe or Caffe, a metrics.jsonl, or the folder of a run.  OUTPUT_DIR/<name>.train and
<name>.test are comma-separated, with the columns NumIters,Seconds,LearningRate,<outputs...>;
minicaffe/runs/curve_tables.py says what differs from Caffe.  A table without rows is not written.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from minicaffe.errors import ConfigError, DataError, MiniCaffeError
from minicaffe.files import write_together
from minicaffe.runs import curve_files
from minicaffe.runs.curve_tables import as_csv, of_tests, of_training


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write a training log as two tables.")
    parser.add_argument("logfile_path", help="a log, a metrics.jsonl, or the folder of a run")
    parser.add_argument("output_dir", help="folder for <name>.train and <name>.test")
    parser.add_argument("--verbose", action="store_true", help="say what was written")
    parser.add_argument("--delimiter", default=",", help=r"between columns (default ','; \t is a tab)")
    args = parser.parse_args(arguments)
    try:
        parse_log(args.logfile_path, args.output_dir, args.delimiter.replace(r"\t", "\t"), args.verbose)
    except MiniCaffeError as error:
        print(f"parse_log.py: error: {error}", file=sys.stderr)
        return 1
    return 0


def parse_log(log: str, folder: str, delimiter: str = ",", verbose: bool = False) -> None:
    """Write the tables of a log.  DataError if it holds none, or they cannot be written."""
    if len(delimiter) != 1 or delimiter in '\r\n"':
        raise ConfigError(f"a delimiter must be one character, no quote or line end; got {delimiter!r}")
    curves = curve_files.read(log)
    files, said = {}, []
    for ending, table in (("train", of_training(curves)), ("test", of_tests(curves))):
        path = Path(folder) / f"{os.path.basename(os.path.abspath(log))}.{ending}"
        if table:
            files[path] = as_csv(table, delimiter).encode()
        said.append(f"Wrote {path}" if table else f"Not writing {path}; no lines to write")
    try:
        write_together(files)
    except OSError as error:
        raise DataError(f"cannot write to {folder}: {error.strerror or error}") from None
    if verbose:
        print("\n".join(said))


if __name__ == "__main__":
    sys.exit(main())
