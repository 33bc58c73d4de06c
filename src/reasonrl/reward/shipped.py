r"""The shipped components: pure formulas from records to values; docs/rewards.md has their sources.

A component that looks at one rollout returns a value, a component that compares the rollouts of a
problem returns one for each of them. None masks the rollout.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from reasonrl.reward.record import RolloutRecord
from reasonrl.verify.extract import final_answer, last_box

_THOUGHT = re.compile(r"</?think>")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$\n]*\$|\\\(.*?\\\)|\\\[.*?\\\]|\\[A-Za-z]+", re.DOTALL)
_BOXED = re.compile(r"\\boxed\s*\{")
_CHOSEN = re.compile(
    r"\b(?i:answer|option|choice)\b[^A-Za-z\n]{0,4}(?:is|:|=)?[\s*:=]{0,4}(?:\\text(?:bf)?\{)?\**"
    r"(?:[(\[]([A-Za-z])[)\]]|([A-Z])(?![A-Za-z]))"
)
# A letter alone, or a letter in brackets or before a mark with the text of its choice.
_LETTER = re.compile(
    r"^(?:\\text(?:bf|rm)?\{)?\s*(?:[(\[]?([A-Za-z])[)\].:]?\s*\}?\s*$|[(\[]([A-Za-z])[)\]]|([A-Za-z])[).:]\s)"
)

_SCRIPTS: dict[str, tuple[tuple[int, int], ...]] = {
    "latin": ((0x41, 0x24F), (0x1E00, 0x1EFF)),
    "cyrillic": ((0x400, 0x52F),),
    "greek": ((0x370, 0x3FF), (0x1F00, 0x1FFF)),
    "arabic": ((0x600, 0x6FF), (0x750, 0x77F), (0x8A0, 0x8FF)),
    "hebrew": ((0x590, 0x5FF),),
    "devanagari": ((0x900, 0x97F),),
    "han": ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF)),
    "kana": ((0x3040, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF)),
    "hangul": ((0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7AF)),
}


def has_form(record: RolloutRecord, *, thought: str, box: bool) -> float:
    """Return 1 where a response opens and closes its thought and has one box, else 0.

    `thought` is "required", "optional" or "forbidden". A thought that the prompt opened needs only
    its end. With `box` the answer must have exactly one complete box, and the thought does not
    count. After DeepSeek-R1's format reward (arXiv 2501.12948, section 2.2.2).
    """
    marks = _THOUGHT.findall(record.response)
    is_closed_once = marks == (["</think>"] if record.opens_thought else ["<think>", "</think>"])
    if thought == "forbidden" or (thought == "optional" and not marks):
        is_formed = not marks and record.thought is None
    else:
        is_formed = is_closed_once
    if not is_formed or record.is_truncated:
        return 0.0
    n_boxes = len(_BOXED.findall(record.answer))
    return float(not box or (n_boxes == 1 and last_box(record.answer) is not None))


def overlong(record: RolloutRecord, *, buffer: int, limit: int | None) -> float:
    """Return the soft overlong penalty of DAPO (arXiv 2503.14476, eq. 13).

    With n tokens, a limit L and a buffer B: 0 for n <= L - B, (L - B - n) / B up to L, -1 above.
    """
    most = record.max_new_tokens if limit is None else limit
    excess = record.tokens - (most - buffer)
    return -min(1.0, max(0.0, excess / buffer))


def short_and_right(records: Sequence[RolloutRecord]) -> list[float | None]:
    """Return the length reward of Kimi k1.5 (arXiv 2501.12599, section 2.3.3) for one problem.

    With lambda = 0.5 - (n - shortest) / (longest - shortest): lambda for a right answer, the
    smaller of 0 and lambda for a wrong one; 0 for all when every response is equally long. None
    where the verifier did not judge.
    """
    lengths = [record.tokens for record in records if record.is_right is not None]
    shortest, spread = min(lengths, default=0), max(lengths, default=0) - min(lengths, default=0)
    return [_by_length(record, shortest, spread) for record in records]


def _by_length(record: RolloutRecord, shortest: int, spread: int) -> float | None:
    if record.is_right is None:
        return None
    if spread == 0:
        return 0.0
    share = 0.5 - (record.tokens - shortest) / spread
    return share if record.is_right else min(0.0, share)


def repetition(record: RolloutRecord, *, words: int) -> float:
    """Return minus the share of the response's n-grams that repeat an earlier n-gram.

    -(1 - distinct / all) over all runs of `words` words, in lower case; 0 for a shorter response.
    After the n-gram penalty of "Demystifying Long CoT" (arXiv 2502.03373, section 4.3).
    """
    sequence = record.response.lower().split()
    total = len(sequence) - words + 1
    if total < 1:
        return 0.0
    distinct = {tuple(sequence[start : start + words]) for start in range(total)}
    return len(distinct) / total - 1.0


def in_script(record: RolloutRecord, *, script: str) -> float:
    """Return the share of a response's letters that belong to a script; 1 without any letter.

    Formulas, LaTeX commands and code are left out: they are the same in every language. After the
    language consistency reward of DeepSeek-R1 (arXiv 2501.12948, section 2.3.2), with letters in
    place of words.
    """
    prose = _FORMULA.sub(" ", _CODE.sub(" ", _THOUGHT.sub(" ", record.response)))
    letters = [ord(sign) for sign in prose if sign.isalpha()]
    if not letters:
        return 1.0
    ranges = _SCRIPTS[script]
    inside = sum(any(low <= code <= high for low, high in ranges) for code in letters)
    return inside / len(letters)


def choice(record: RolloutRecord, *, letters: str) -> float | None:
    """Return 1 where the answer chooses the letter of the key, else 0; None without such a key.

    The last box decides; without a box, the last "answer: X" or "option X"; else an answer that is
    only a letter.
    """
    key = _letter_of(record.problem.answer)
    if key is None or key not in letters:
        return None
    if record.is_truncated:
        return 0.0
    boxed = final_answer(record.answer)
    if boxed is None:
        found = _CHOSEN.findall(record.answer)
        boxed = "".join(found[-1]) if found else record.answer
    return float(_letter_of(boxed) == key)


def _letter_of(text: str) -> str | None:
    """Return the letter that a text is, or that it begins with as the mark of a choice."""
    found = _LETTER.match(text.strip())
    return next(letter for letter in found.groups() if letter).upper() if found else None
