r"""Find the fault of an unfit problem from its text alone: a candidate in, a fault or None out.

The rules follow the report. A problem must be verifiable (no proof, one final answer that the
verifier reads) and whole (no figure or link that a model cannot see, no missing options); a
program's tests must be readable. Each rule has its own reason, so that a recipe can allow it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from reasonrl.curation.recipe import CleanConfig
from reasonrl.curation.rows import Candidate, Fault, Reason
from reasonrl.errors import DataError
from reasonrl.verify.code.tests import read_tests
from reasonrl.verify.math.golds import Gold, read_golds
from reasonrl.verify.math.parse import parse

_LINK = re.compile(
    r"https?://|www\.[a-z]|\\(?:url|href)\b"
    r"|\]\((?:/|[\w-]+\.)[^)\s]{0,200}\.?[a-z]{2,5}[^)\s]{0,200}\)",
    re.IGNORECASE,
)
_IMAGE = r"!\[[^\]]{0,200}\]\(|<img"
_DRAWING = re.compile(
    _IMAGE + r"|\\includegraphics|\[asy\]|\\begin\s?\{(?:tikzpicture|asy|picture)\}",
    re.IGNORECASE,
)
_POINTS_TO_FIGURE = re.compile(
    r"\b(?:figure|diagram|picture|image|graph|chart|table|drawing|illustration|sketch)s?\b"
    r"[^.?!]{0,30}\b(?:shown|depicted|displayed|is given|(?<!\\)(?:below|above)(?! the\b))\b"
    r"|\b(?:shown|depicted|illustrated|pictured|drawn)[^.?!]{0,12}"
    r"\b(?:figure|diagram|picture|image|drawing|illustration|sketch|fig\.)"
    r"|\b(?:in|from|see|on|use|consider) (?:the |this )?(?:(?:adjacent|following|accompanying|above"
    r"|below) )?(?:(?:figure|fig\.?|diagram) ?\d|(?:figure|diagram|picture)\b)(?! skat)"
    r"|\bfig(?:ure|\.) ?\d+\b|\b(?:figure|diagram|picture) (?:on|to|at) the (?:right|left)\b"
    r"|\bthe (?:table|figure|diagram|chart) (?:below|above)\b",
    re.IGNORECASE,
)
_TABLE = re.compile(r"\\begin\s?\{(?:tabular|array)\}")
_PROOF = re.compile(
    r"\b(?:prove|show|verify|demonstrate|justify|proof) (?:that|the|it|if|for)\b|\bprove\b", re.I
)
_ASKS = re.compile(
    r"\b(?:find|determine|compute|calculate|evaluate|what|how (?:many|much|far|long|old|tall)"
    r"|which|express|simplify|solve|give|state|enter)\b",
    re.IGNORECASE,
)
_OPTIONS = re.compile(
    r"(?:\(\s?A\s?\)|\\(?:text|math)(?:bf|rm)?\s?\{\s?\(?\s?A\s?[).]|(?:^|\n)\s?A[.):]\s|\sa\)\s)"
    r".{1,400}?(?:\(\s?B\s?\)|\\(?:text|math)(?:bf|rm)?\s?\{\s?\(?\s?B\s?[).]|\sB[.):]\s|\sb\)\s)"
    r".{1,400}?(?:\(\s?C\s?\)|\\(?:text|math)(?:bf|rm)?\s?\{\s?\(?\s?C\s?[).]|\sC[.):]\s|\sc\)\s)",
    re.DOTALL,
)
_WHICH_OF = re.compile(r"\bwhich (?:one )?of (?:the )?following\b", re.IGNORECASE)
_LISTED = re.compile(
    r"\\begin\{(?:itemize|enumerate|array|tabular)|\\\[|\n\s*(?:[-*\u2022]|\d[.)])|:\s*\n|:\s*\$",
    re.I,
)
_PARTS = re.compile(
    r"(?:^|[\s.:;?])(?:\(\s?(?:a|i|1)\s?\)|(?:a|i)\)|part \(?(?:a|i|1)\)?[:.\s])"
    r"(?P<first>\s?.{3,1500}?)"
    r"(?:\s|^)(?:\(\s?(?:b|ii|2)\s?\)|(?:b|ii)\)|part \(?(?:b|ii|2)\)?[:.\s])"
    r"(?P<second>\s?.{3,200})",
    re.DOTALL | re.IGNORECASE,
)
_PART_ASKS = re.compile(
    r"\s*(?:find|determine|compute|calculate|evaluate|what|how|which|prove|show|express|simplify"
    r"|solve|give|state|sketch|plot|for what)\b|[^?]{3,300}\?",
    re.IGNORECASE,
)
_ANSWER_PARTS = re.compile(
    r"(?:^|(?<![\d,])[\s;.]|, )\(?(?:a|i|1|I)\)\s?\S.{0,200}?(?:[\s;.]|, )\(?(?:b|ii|2|II)\)\s?\S",
    re.DOTALL,
)
_TRANSLATION = re.compile(
    r"translat(?:e|ed|ion)\b[^.]{0,60}"
    r"\b(?:text|english|chinese|source format|format|translation result|result directly)\b"
    r"|\bnote: (?:the|this) (?:problem|question|answer|text|translation)|\bas an ai\b"
    r"|keep(?:ing)? the (?:original|source) (?:text|format)"
    r"|description is not available|switch to chinese",
    re.IGNORECASE,
)
_MAX_ANSWER = 2_000  # characters
_MAX_WORDS = 5
"""Words in an answer: "infinitely many solutions exist" is an answer, a sentence is not."""

Rule = Callable[[Candidate], str]


def find_fault(candidate: Candidate, config: CleanConfig) -> Fault | None:
    """Return the first fault of a candidate that the recipe does not allow, None for a fit one."""
    if not candidate.problem.strip() or not candidate.answer.strip():
        what = "problem" if not candidate.problem.strip() else "answer"
        return Fault(reason=Reason.EMPTY, detail=f"no {what}")
    if len(candidate.problem) > config.max_chars:
        detail = f"{len(candidate.problem):,} characters, at most {config.max_chars:,}"
        return Fault(reason=Reason.TOO_LONG, detail=detail)
    if not candidate.is_code and len(candidate.answer) > _MAX_ANSWER:
        return Fault(reason=Reason.TOO_LONG, detail=f"an answer of {len(candidate.answer):,}")
    rules = _CODE_RULES if candidate.is_code else _MATH_RULES
    for reason, rule in rules:
        if reason.value not in config.allow and (detail := rule(candidate)):
            return Fault(reason=reason, detail=detail[:200])
    return None


def _link(row: Candidate) -> str:
    return _quoted(_LINK.search(row.problem))


def _figure(row: Candidate) -> str:
    if drawing := _DRAWING.search(row.problem):
        return _quoted(drawing)
    words = _quoted(_POINTS_TO_FIGURE.search(row.problem))
    is_in_text = re.search("table|chart", words, re.IGNORECASE) and _TABLE.search(row.problem)
    return "" if is_in_text else words


def _proof(row: Candidate) -> str:
    """Find a request for a proof and nothing else: "Prove that" without a question."""
    match = _PROOF.search(row.problem)
    return "" if match is None or _ASKS.search(row.problem) else _quoted(match)


def _options(row: Candidate) -> str:
    """Find options to choose from, a letter as the answer, or a choice without its options."""
    if match := _OPTIONS.search(row.problem):
        return _quoted(match)
    if any(gold.words is not None and gold.words.choices for gold in read_golds(row.answer)):
        return f"the answer is {row.answer}"
    match = _WHICH_OF.search(row.problem)
    is_missing = match is not None and not _LISTED.search(row.problem, match.end())
    return f"{_quoted(match)} and nothing follows" if is_missing else ""


def _parts(row: Candidate) -> str:
    """Find parts (a) and (b) that are both questions; conditions (a) and (b) are no parts."""
    match = _PARTS.search(row.problem)
    if match is not None and all(map(_PART_ASKS.match, match.group("first", "second"))):
        return _quoted(match)
    return _quoted(_ANSWER_PARTS.search(row.answer))


def _translation(row: Candidate) -> str:
    return _quoted(_TRANSLATION.search(row.problem))


def _unreadable(row: Candidate) -> str:
    golds = read_golds(row.answer)
    if not golds:
        return "empty"
    bad = next((gold for gold in golds if not _is_readable(gold)), None)
    return "" if bad is None else bad.fault or f"not read: {bad.text[:80]}"


def _is_readable(gold: Gold) -> bool:
    if gold.fault:
        return False
    return gold.number is not None or gold.words is not None or parse(gold.text) is not None


def _in_words(row: Candidate) -> str:
    for gold in read_golds(row.answer):
        if gold.words is not None and len(gold.words.phrase.split()) > _MAX_WORDS:
            return gold.words.phrase
    return ""


def _no_tests(row: Candidate) -> str:
    try:
        read_tests(row.answer)
    except DataError as error:
        return error.what
    return ""


def _quoted(match: re.Match[str] | None) -> str:
    """Return the matched text as one line, empty without a match."""
    return "" if match is None else " ".join(match.group().split())[:120]


_MATH_RULES: tuple[tuple[Reason, Rule], ...] = (
    (Reason.FIGURE, _figure),
    (Reason.LINK, _link),
    (Reason.PROOF, _proof),
    (Reason.MULTIPLE_CHOICE, _options),
    (Reason.SEVERAL_PARTS, _parts),
    (Reason.TRANSLATION, _translation),
    (Reason.UNREADABLE_ANSWER, _unreadable),
    (Reason.ANSWER_IN_WORDS, _in_words),
)
_CODE_RULES: tuple[tuple[Reason, Rule], ...] = (
    (Reason.FIGURE, lambda row: _quoted(re.search(_IMAGE, row.problem))),
    (Reason.TRANSLATION, _translation),
    (Reason.NO_TESTS, _no_tests),
)
