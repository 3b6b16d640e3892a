"""A report as one self-contained HTML page: it needs no script, no other file and no connection."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from .. import __version__
from ..drawing.scene import Scene
from ..drawing.svg import svg
from ..drawing.theme import DARK
from ..printable import printable
from . import figures, words
from .evaluation import PICTURES, TOP, Evaluation
from .metrics import BINS

MOST_PAIRS = 12
WIDE = 560  # from which on a chart is not made smaller on a phone, but scrolls
# Nothing that a name of a class or a file may hold can load or run anything.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1d2430; --faint: #5a6372; --line: #d5dae2;
  --card: #f4f6f9; --good: #3f7cc4; --bad: #b93f2c; }
@media (prefers-color-scheme: dark) { :root { --ground: #0d1117; --ink: #e9edf3; --faint: #a6b0be;
  --line: #313945; --card: #171d26; --good: #5b9fe6; --bad: #f08c7c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem; max-width: 62rem; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
p { margin: .5rem 0; max-width: 46rem; }
.faint, figcaption small { color: var(--faint); }
.about { display: grid; grid-template-columns: max-content 1fr; gap: 0 .75rem; margin: .5rem 0 0;
  color: var(--faint); font-size: .9rem; }
.about dd { margin: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .75rem;
  margin: 1.25rem 0; }
.tile { background: var(--card); border-radius: .5rem; padding: .7rem .9rem; font-size: .85rem; }
.tile b { display: block; font-size: 1.5rem; line-height: 1.3; }
.note { border-left: .25rem solid var(--bad); padding-left: .75rem; }
.scroll { overflow-x: auto; }
.scroll img { display: block; max-width: 100%; height: auto; }
.scroll img.wide { max-width: none; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
.pairs th:nth-child(2), .pairs td:nth-child(2) { text-align: left; }
th { color: var(--faint); font-weight: 600; }
.bar { display: inline-block; height: .6rem; background: var(--good); border-radius: 2px;
  vertical-align: baseline; margin-right: .5rem; }
.track { display: inline-block; width: 5rem; text-align: left; line-height: 1; }
@media (max-width: 34rem) { .track { display: none; } table { font-size: .82rem; }
  th, td { padding: .25rem .4rem; } }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: 1.1rem .9rem;
  padding: 0; margin: 1rem 0; list-style: none; }
.gallery figure { margin: 0; font-size: .88rem; line-height: 1.35; }
.gallery .frame { display: flex; align-items: center; justify-content: center; aspect-ratio: 1;
  background: var(--card); border-radius: .35rem; margin-bottom: .35rem; padding: .35rem; }
.gallery img { width: 100%; height: 100%; object-fit: contain; }
.small { image-rendering: pixelated; }
.gallery b { color: var(--bad); }
dl.how dt { font-weight: 600; margin-top: .6rem; }
dl.how dd { margin: 0; max-width: 46rem; }
footer { margin-top: 3rem; color: var(--faint); font-size: .85rem; }
"""


def html(evaluation: Evaluation) -> str:
    """The page."""
    right = words.percent(evaluation.accuracy.value)
    title = f"{evaluation.net or 'Net'}: {right} of {evaluation.samples:,} right"
    parts = [
        *_head(evaluation),
        *_classes(evaluation),
        *_confusion(evaluation),
        *_calibration(evaluation),
        *_mistakes(evaluation),
        *_suspects(evaluation),
        *_how(),
        f"<footer>Made by minicaffe {__version__}. All numbers are in report.json.</footer>",
    ]
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{said(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
            *parts,
            "</body>\n</html>\n",
        ]
    )


def said(text: str) -> str:
    """A text of somebody else's as HTML shows it."""
    return escape(printable(text))


def _head(evaluation: Evaluation) -> Iterator[str]:
    yield f"<h1>{said(evaluation.net or 'Net')}</h1>"
    yield '<dl class="about">'
    for what, value in evaluation.about.items():
        yield f"<dt>{said(what)}</dt><dd>{said(value)}</dd>"
    yield "</dl>"
    yield '<div class="tiles">'
    for what, value, more in words.summary(evaluation):
        yield f'<div class="tile">{what}<b>{escape(value)}</b><span class="faint">{escape(more)}</span></div>'
    yield "</div>"
    for note in words.remarks(evaluation):
        yield f'<p class="note">{said(note)}</p>'


def _classes(evaluation: Evaluation) -> Iterator[str]:
    yield "<h2>Classes</h2>"
    if left_out := words.unlisted(evaluation):
        yield f'<p class="faint">{left_out}</p>'
    head = "".join(f"<th>{name}</th>" for name in words.TABLE)
    yield f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>'
    for c in words.listed(evaluation):
        name, *ratios, f1 = words.cells(evaluation, c)
        width = 5 * np.nan_to_num(evaluation.by_class.f1[c])
        bar = f'<span class="track"><span class="bar" style="width:{width:.2f}rem"></span></span>'
        row = "".join(f"<td>{cell}</td>" for cell in [*ratios, f"{bar} {f1}"])
        yield f"<tr><td>{said(name)}</td>{row}</tr>"
    yield "</tbody></table></div>"


def _confusion(evaluation: Evaluation) -> Iterator[str]:
    names, pairs = evaluation.classes, evaluation.most_confused
    yield "<h2>What is taken for what</h2>"
    alt = "Confusion matrix: rows are labels, columns predictions; the numbers are in report.json"
    yield _chart(figures.confusion(evaluation), figures.confusion(evaluation, DARK), alt)
    if pairs:
        yield '<div class="scroll"><table class="pairs"><thead><tr><th>label</th><th>taken for</th>'
        yield "<th>times</th></tr></thead><tbody>"
        for pair in pairs[:MOST_PAIRS]:
            cells = (said(words.named(names, c)) for c in (pair.actual, pair.predicted))
            yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}<td>{pair.times:,}</td></tr>"
        yield "</tbody></table></div>"
        if len(pairs) > MOST_PAIRS:
            yield f'<p class="faint">The most frequent {MOST_PAIRS} of {len(pairs):,} pairs.</p>'


def _calibration(evaluation: Evaluation) -> Iterator[str]:
    yield "<h2>Whether the net knows when it is right</h2>"
    yield (
        "<p>Of predictions with a certainty of 90 % nine in ten should be right: bars that end at the"
        " diagonal. Where the red line stands above the bar, the net is surer than it should be.</p>"
    )
    alt = "Reliability diagram: the share of right predictions by certainty; the numbers are in report.json"
    yield _chart(figures.calibration(evaluation), figures.calibration(evaluation, DARK), alt)


def _chart(light: Scene, dark: Scene, alt: str) -> str:
    def data(scene: Scene) -> str:
        return "data:image/svg+xml;base64," + base64.b64encode(svg(scene)).decode()

    wide = ' class="wide"' if light.width > WIDE else ""
    return (
        f'<div class="scroll"><picture><source media="(prefers-color-scheme: dark)" srcset="{data(dark)}">'
        f'<img{wide} src="{data(light)}" width="{light.width:.0f}" height="{light.height:.0f}" alt="{alt}">'
        "</picture></div>"
    )


def _mistakes(evaluation: Evaluation) -> Iterator[str]:
    rows = evaluation.mistakes
    yield "<h2>The worst mistakes</h2>"
    if not len(rows):
        yield "<p>There is none.</p>"
        return
    yield (
        f"<p>{min(PICTURES, len(rows))} of {len(rows):,}, those first whose label the net thought least"
        " likely: what it saw them as with its certainty, the label with the certainty that the net gives"
        f" to it, and {_where(evaluation)}.</p>"
    )
    yield from _gallery(evaluation, rows[:PICTURES].tolist())


def _where(evaluation: Evaluation) -> str:
    numbered = all(name.isdecimal() for name in evaluation.names.values())
    return "the number of the sample in the data, counted from 0" if numbered else "where the sample is"


def _suspects(evaluation: Evaluation) -> Iterator[str]:
    rows = evaluation.suspects
    yield "<h2>Suspect labels</h2>"
    yield (
        "<p>A label is suspect if the net contradicts it and is as sure of its own class as it is, on"
        " average, of samples that are labelled so. Either the label is wrong, or the net has learned"
        f" something wrong: look at them. {len(rows):,} of {len(evaluation.mistakes):,} mistakes are such"
        f"{', the most certain first' if len(rows) else ''}.</p>"
    )
    yield from _gallery(evaluation, rows[:PICTURES].tolist())


def _gallery(evaluation: Evaluation, rows: Sequence[int]) -> Iterator[str]:
    names, judged = evaluation.classes, evaluation.judged
    if not rows:
        return
    yield '<ul class="gallery">'
    for row in rows:
        seen, label = (said(words.named(names, c[row])) for c in (judged.predicted, judged.actual))
        yield "<li><figure>" + _frame(evaluation, row, f"taken for {seen}, label {label}") + "<figcaption>"
        yield f"<b>{seen}</b> {escape(words.certain(judged.certainty[row]))}<br>"
        yield f"label {label} {escape(words.certain(judged.likelihood[row]))}<br>"
        yield f"<small>{said(words.sample(evaluation.names[row]))}</small></figcaption></figure></li>"
    yield "</ul>"
    if evaluation.stretched and evaluation.pictures:
        yield '<p class="faint">The brightness of the pictures is stretched to the range of a screen.</p>'


def _frame(evaluation: Evaluation, row: int, alt: str) -> str:
    pixels = evaluation.pictures.get(row)
    if pixels is None:
        return ""
    data = base64.b64encode(figures.photo(pixels)).decode()
    small = ' class="small"' if max(pixels.shape[:2]) < 128 else ""
    return f'<div class="frame"><img{small} src="data:image/png;base64,{data}" alt="{alt}"></div>'


def _how() -> Iterator[str]:
    yield '<h2>How it is computed</h2>\n<dl class="how">'
    for what, how in (
        (
            "Accuracy",
            "right predictions / samples. In the interval (Wilson's) the accuracy over all samples of"
            " the kind lies with 95 %, if these were drawn at random.",
        ),
        (f"Top-{TOP}", f"samples whose label has one of the {TOP} highest scores / samples."),
        ("Precision", "of the samples taken for a class, the share that is of it."),
        ("Recall", "of the samples of a class, the share that is taken for it."),
        (
            "F1",
            "2 × precision × recall / (precision + recall); macro F1 is its mean over the classes that occur."
            " A dash stands where there is nothing to divide by.",
        ),
        ("Log loss", "the mean of −log of the certainty that the net gives to the label; 0 at best."),
        (
            "Brier score",
            "the mean, over the samples, of the sum over the classes of (certainty − truth)², truth"
            " being 1 for the label's class and 0 elsewhere; 0 at best, 2 at worst.",
        ),
        (
            "Expected calibration error",
            f"the certainties of the predictions lie in {BINS} bins of equal width;"
            " the mean of |share of right ones − mean certainty| over the bins, by the number of samples in"
            " each.",
        ),
    ):
        yield f"<dt>{what}</dt><dd>{how}</dd>"
    yield "</dl>"
