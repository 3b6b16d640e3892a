"""The numbers of an evaluation as JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from .. import __version__
from .evaluation import Evaluation
from .metrics import BINS, Proportion

FORMAT = "minicaffe report"


def spell(evaluation: Evaluation) -> bytes:
    """report.json; a number that there is not, such as the recall of a class that does not occur, is null."""
    return (json.dumps(numbers(evaluation), indent=1, ensure_ascii=False) + "\n").encode(
        "utf-8", "backslashreplace"
    )


def numbers(evaluation: Evaluation) -> dict[str, Any]:
    """What report.json holds."""
    scores, calibration = evaluation.by_class, evaluation.calibration
    suspect = set(evaluation.suspects.tolist())
    return {
        "format": FORMAT,
        "minicaffe": __version__,
        "net": evaluation.net,
        "about": dict(evaluation.about),
        "notes": list(evaluation.notes),
        "samples": evaluation.samples,
        "ignored": evaluation.ignored,
        "left_out": evaluation.left_out,
        "accuracy": _share(evaluation.accuracy),
        "top5": None if evaluation.top5 is None else _share(evaluation.top5),
        "log_loss": evaluation.log_loss,
        "brier_score": evaluation.brier,
        "macro_f1": evaluation.macro_f1,
        "balanced_accuracy": evaluation.balanced_accuracy,
        "expected_calibration_error": calibration.error,
        "calibration": [
            {
                "above": b / BINS,
                "up_to": (b + 1) / BINS,
                "count": int(calibration.samples[b]),
                "certainty": _number(calibration.certainty[b]),
                "accuracy": _number(calibration.accuracy[b]),
            }
            for b in range(BINS)
        ],
        "classes": [
            {
                "name": name,
                "support": int(scores.support[c]),
                "predicted": int(scores.predicted[c]),
                "precision": _number(scores.precision[c]),
                "recall": _number(scores.recall[c]),
                "f1": _number(scores.f1[c]),
            }
            for c, name in enumerate(evaluation.classes)
        ],
        # Only cells that hold samples: of a thousand classes most are empty.
        "confusion": [
            {"actual": int(a), "predicted": int(p), "count": int(evaluation.confusion[a, p])}
            for a, p in zip(*np.nonzero(evaluation.confusion))
        ],
        "mistakes": [
            {
                "number": int(evaluation.number[row]),
                "name": evaluation.names[row],
                "actual": int(evaluation.judged.actual[row]),
                "predicted": int(evaluation.judged.predicted[row]),
                "certainty": float(evaluation.judged.certainty[row]),
                "certainty_of_actual": float(evaluation.judged.likelihood[row]),
                "suspect_label": row in suspect,
            }
            for row in evaluation.mistakes.tolist()
        ],
    }


def _share(share: Proportion) -> dict[str, Any]:
    return {
        "value": share.value,
        "count": share.hits,
        "of": share.total,
        "interval": [share.low, share.high],
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
