"""caffe.init_log and caffe.log."""

from __future__ import annotations

import logging

from .. import log as engine_log

LEVELS = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)  # as glog numbers them


def init_log(level: int = 0, stderr: bool = True) -> None:
    """Send what nets and solvers say, from glog's `level` (0 INFO, 1 WARNING, 2 ERROR, 3 FATAL) on, to stderr
    in glog's form.  Without it they say nothing unless the program configures the logger "minicaffe"."""
    severity = LEVELS[min(max(level, 0), len(LEVELS) - 1)]
    if stderr:
        engine_log.to_stderr(severity)
    engine_log.logger.setLevel(severity)


def log(message: str) -> None:
    """Write a message of level INFO, each of its lines under a head of its own."""
    for line in message.split("\n"):
        engine_log.info(line)
