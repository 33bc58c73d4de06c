"""Altered copies of mathematics problems, which a deduplicator must find or leave alone.

Every kind except `lookalike` is a copy; a lookalike asks a different question in almost the same
words. Tables list the possible changes; a seeded generator draws which changes are made and where.
`[asy]` drawings stay unchanged.

The entries of a table apply to words after a `w`, to formulas after an `f`, to both after a `b`. In
`a / b` each may become the other, `a -> b / c` goes one way. The left side is a pattern of whole
words, in which %M matches any formula; on the right side %_ is a space.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

Rule = tuple[str, re.Pattern[str], list[str]]
"""Where a rule applies (`w`, `f` or `b`), the pattern it replaces, and the replacements."""
ALL = 1000
"""More matches than any problem has."""

DRAWING = re.compile(r"(?s)(\[asy\].*?(?:\[/asy\]|\Z))")
FORMULA = re.compile(
    r"(?s)(\[asy\].*?(?:\[/asy\]|\Z)|\\begin\{(?:align|gather)\*?\}.*?\\end\{(?:align|gather)\*?\}|"
    r"(?<!\\)\$\$.+?\$\$|(?<!\\)\\\[.+?\\\]|(?<!\\)\\\(.+?\\\)|(?<!\\)\$(?:\\.|[^$\\])+\$)"
)
TYPESET = re.compile(r"\\|\$(?! )(?:(?![a-z]{2} [a-z]{2})[^$])+\$(?!\d)")  # not "$5 and $6"
NUMERAL = re.compile(
    r"(?P<kept>\\[hv]space\*?\{[^}]*\}|_\{?\d+\}?|\d+:\d\d|\^(?:\d(?!\d)|\{\d\})|\d+(?=\W{0,3}"
    r"(?:\\?\w+\{)?(?:st|nd|rd|th)\b))|\d{1,3}(?:(?:,|\{,\}|,\\!)\d{3})+(?!\d)|\d*\.?\d+"
)
QUESTION = re.compile(r"\b(?:[Ww]hat|[Hh]ow|[Ff]ind|[Cc]ompute|[Cc]alculate|Determine|Evaluate)\b")

MEN = """John Tom Bob Peter Mike Sam Jerry Joe Harry Jim Jason Billy Ben Steve Tony Matt Michael
    Paul Frank Ryan Jacob Jake Carl Andrew Adam Brian Josh Jimmy Tim Kevin Greg Randy Kyle Igor"""
WOMEN = """Natalia Maria Mary Sarah Martha Lisa Janet Jane Sally Jenny Emily Carla Anna Jill Karen
    Betty Rachel Susan Alice Amanda Tina Jessica Julia Annie Lucy Nancy Hannah Monica Weng Ines"""
SORTS = """boys girls men women children adults | red blue green yellow white black purple orange |
    apples oranges bananas pears grapes | cats dogs chickens cows pigs goats sheep horses |
    nickels dimes quarters pennies | Monday Tuesday Wednesday Thursday Friday Saturday Sunday"""
LABELS = r"""Problem {n}. | Problem {n}: | {n}. | {n}) | ({n}) | {n}. ({p} points) | Example {n} |
    [AIME {y} #{m}] | Q{n}: | Question {n}) | **Exercise {c}.{m}** | #{n} | **Problem {n}.** |
    ## Problem {n} | \textbf{{Problem {n}.}} | {c}.{m}. | Task {n}. | Example {n} ({y}, Shanghai)"""
NOTES = "({y} AIME, Problem {m}) | ({p} points) | [{p}] | (AHSME {y}) | AIME {y}/{m} | (HMMT {y})"


def table(entries: str) -> list[Rule]:
    """Return the rules of a table in the notation of the module's docstring."""
    entries = re.sub(r"\\u(\w{4})", lambda code: chr(int(code[1], 16)), entries)
    where, rules = "", []
    for entry in re.split(r" ; |\n +", entries.replace("%M", r"(\$[^$]{1,60}\$)").strip()):
        if entry[0] in "wfb" and entry[1] == " ":
            where, entry = entry[0], entry[2:]
        source, one_way, target = entry.partition(" -> ")
        members = [source] if one_way else source.split(" / ")
        templates = [template.replace("%_", " ") for template in (target or source).split(" / ")]
        rules.append((where, re.compile("|".join(map(whole_words, members))), templates))
    return rules


def whole_words(source: str) -> str:
    """Return a pattern that matches whole words only; a small first letter matches both cases."""
    start = r"(?<![\w\\-])" if source[0].isalpha() else ""
    first = f"[{source[0].upper()}{source[0]}]" if source[0].islower() else source[0]
    return start + first + source[1:] + (r"(?![A-Za-z])" if source[-2:].isalpha() else "")


SOURCES = table(r"""b \Z -> \n / %_ / %_%_\n / \n\n / \u200b ; \A -> %_ / \n / \t / \ufeff
    w (?<=[.?!])  ?(?=[A-Z]) -> %_ / %_%_ / \n / %_\n ; (?<=\b[a-z]{7}) (?=\w) -> \n / %_%_ / \u00a0
    w (?<=\b(?:of|is|to|in|by)) (?=\w) -> \u00a0 / \n / \u2009 ; (?<=[.,?!])\n+(?=\S) -> %_ / \n\n
    w (?<=\w)['\u2019](?=\w) -> \u2019 / ' ; "(\w[^"]*)" -> \u201c\1\u201d / ``\1''
    w (?<=[a-z\d])-(?=[a-z]) -> \u2010 / \u2011 ; (?<= )--?(?= ) -> \u2013 ; b (?<!\r)\n -> \r\n
    f (?<=[\w)}]) ?([=+]) ?(?=[\w(]) -> \1 / %_\1%_ ; (?<!\\),(?=[a-zA-Z]) -> ,%_""")
PLAIN_AMOUNTS = table(r"""
    b (?<![\w$])(\d+)\$(?!\d) -> \1\\$ ; (?<!\\)\$(?=\.?\d+(?:\.\d+)?[A-Za-z]|(?! ?\.?\d)) -> \\$
    b (?<!\\)\$ ?(\.?\d+(?:,\d{3})*(?:\.\d+)?) -> \\$\1 / $\\$\1$ / \\$$\1$ / $\\text{\\$}\1$
    b (?<![\w$}\\.])(\d+)/(\d+)(?![\w/]) -> $\\frac{\1}{\2}$ / $\\dfrac{\1}{\2}$ / $\1/\2$
    b (?<![\w$}{\\./,])(\d+(?:,\d{3})*(?:\.\d+)?)%(?!\w) -> $\1\\%$ / $\1$\\% / \1\\%
    b (?<![\w$}{\\.,:/#])(\d[\d,.]*\d|\d)(?![\w:/$%\\}]|[.,]\d) -> $\1$ ; (?<!\\)([%#&]) -> \\\1""")
LATEX = table(r"""f \A\$([a-zA-Z])\$\Z -> ${\1}$ ; \A\$(\w[^$]*)(?<!\\)([,.])\$\Z -> $\1$\2
    f (?s)\A\$(?!\$)(.+)\$\Z -> \\(\1\\) / \\( \1 \\) ; \A\$(?=\\frac) -> $\\displaystyle%_
    f (?s)\A\\\[\s*(.+?)\s*\\\]\Z -> $$\1$$ / \n\\[\n\1\n\\]\n ; (?s)\A\$\$(.+)\$\$\Z -> \\[\1\\]
    f (?<![\^_])\\([dt]?frac)\{(\d)\}\{(\d)\}(?!\d) -> \\\1\2\3 / \\\1 \2\3 ; \\times -> \u00d7
    f \\[dt]?frac ?(\d)(\d)(?!\d) -> \\frac{\1}{\2} ; \\leq?(?![a-z]) -> \\le / \\leq / \u2264
    f (?<![\^_])\\[dt]?frac(?![a-z]) -> \\frac / \\dfrac / \\tfrac ; \\ne / \\neq ; \\pi -> \u03c0
    f \\sqrt\{(\w)\}(?!\d) -> \\sqrt \1 ; \\sqrt ?(\d)(?!\d) -> \\sqrt{\1} ; ~ -> \\%_
    f ([\^_])\{(\w)\}(?!\d) -> \1\2 ; ([\^_])(\w)(?!\d) -> \1{\2} ; (?<![\\,])\\[,;:!] ? -> %_
    f \\left ?([(\[|])((?:(?!\\left|\\right|\\middle).)*?)\\right ?([)\]|]) -> \1\2\3
    f (?<![\\tglr{])\(((?:[^(){}\[\]&$\\]|\{[^{}()\\]*\}|\\(?!r)[a-z]+)*)\) -> \\left(\1\\right)
    f ,\s(?=[^\s&\\]) -> ,\\%_ / ,\\, / ,~ / ,\\quad%_ ; \\pmod\{(\w+)\} -> ~(\\text{mod}~\1)
    f (?<=[\w)}])(?<!\\not) ?= ?(?=[\w(\\]) -> \\;=\\; / %_=%_ / = ; \\geq?(?![a-z]) -> \\ge / \\geq
    f (?s)\\begin\{pm(atrix\}.*?\\end\{)pm(atrix\}) -> \\left(\\begin{m\1m\2\\right)
    f \^(?:\{\\circ\}|\\circ(?![a-z]) ?) -> ^{\\circ} / ^\\circ%_ / \\degree%_ / \u00b0
    f \\(?:text|mbox|mathrm|operatorname)\{([A-Za-z]+)\} -> \\text{\1} / \\mathrm{\1}
    f \\(?:text|textrm|mbox)\{( ?[a-z]+[a-z ]*)\} -> \\text{\1} / \\textrm{\1} / \\mbox{\1}
    f \\[dt]?binom\{([^{}]*)\}\{([^{}]*)\} -> {\1 \\choose \2} ; \\l?dots(?![a-z]) -> \\dots / ...
    b (?<![\d,.(\[{\w^])([1-9]\d?\d?),(?:\\!)?(\d{3})(?!\d|[)\]}]|,\d|,?\\[!}]) -> \1\2 / \1{,}\2
    b (?<![\d,.(\[{\w^])([1-9]\d\d?)(\d{3})(?!\d|[_)\]}^]|[.,]\d|,?\\[!}]) -> \1,\2 / \1{,}\2
    b \$(\d+)\$[ -](cm|inch(?:es)?|feet|units|meters|miles) -> $\1\\text{ \2}$ / $\1$~\2
    b (?<!\\)\$\\\$(\d[\d,.]*\d|\d)\$ -> \\$\1 / \\$$\1$ ; \$(\d+)\\%\$ -> \1\\% / $\1$\\%
    b (?<![\\$])\$(\d+)\$(?!\d) -> \1 ; w (?<![\w$.,:/#{=-])(\d+)(?![\w.,:/%$-]) -> $\1$""")
SYNONYMS = table(r"""w distinct / different ; is equal to / equals ; exactly / precisely
    w (Find|Determine|Compute)(?= ) -> Find / Please find / Determine / Compute ; smallest -> least
    w (?<= )find the -> determine the / work out the ; (?<= )How many -> So how many / Now, how many
    w how many(?! more| times| of| total| fewer| m) -> what number of ; what is / what's
    w how much money -> what amount of money ; how old(?= (?:is|was|will)) -> what age ; but -> yet
    w (If|Given that)(?= ) -> Given that / Knowing that / If ; (do|does|did|is|are|was) not -> \1n't
    w (such that|so that|for which) -> such that / so that ; the probability that -> the chance that
    w (is|are|be) (?:chosen|selected|picked) -> \1 chosen / \1 selected ; suppose that / assume that
    w positive integer(s?)(?![a-z]) -> natural number\1 ; relatively prime / coprime ; store -> shop
    w (largest|greatest)(?= [pvn]) -> largest / greatest ; greater than / larger than ; only -> just
    w (s?he|it) is(?= [a-z\d]) -> \1's ; Express your answer / Give your answer ; because -> since
    w the (point|line|equation)(?= \Z) -> \1 ; can be written / can be expressed ; friends -> pals
    w (?:each|every|per) (day|week|hour|month|year|person) -> each \1 / every \1 ; satisfy -> fulfil
    w (?<![a-z{])((?:kilo|centi)?met|lit|cent)er(s?)(?![a-z]) -> \1re\2 ; color(?!i) -> colour
    w respectively -> in that order ; satisfies -> fulfils ; also -> additionally ; children / kids
    w buy / purchase ; buys / purchases ; bought / purchased ; costs(?= \$) -> sells for
    w needs to / has to ; need to / have to ; wants to -> would like to ; in total / altogether
    b \AThe(?=[^?.]*\. ) -> Suppose the / We know that the ; \AA(?= [^?.]*\. ) -> Suppose a
    b \A(?!T|It|S?[Hh]e |Each|One)([A-Z][a-z]+)(?= (?:ha[sd]|is|was|\w+ed) [^?.]*\. ) -> Suppose \1
    b \AThere(?= (?:is|are|were) [^?.]*\. ) -> Suppose that there ; w at random -> randomly
    b Let %M be the -> Denote by \1 the ; Let %M be (an?|the)(?= ) -> Suppose \1 is \2
    b where %M and %M are(?= rel| pos| int| dist| real) -> with \1 and \2 being""")
OPPOSITES = table(r"""w maximum / minimum ; smallest / largest ; at least / at most ; odd -> even
    w (?<!at )\bleast(?! c| i| \d) -> greatest ; greatest(?! c| i) -> least ; half(?= as) -> twice
    w (?<!y )(?<!h )\bmore(?= [a-z]+ than| than) -> fewer ; fewer -> more ; greater than / less than
    w increas(e[sd]?|ing) -> decreas\1 ; decreas(e[sd]?|ing) -> increas\1 ; tens digit / units digit
    w even(?= (?:num|int|dig|div|pos|two|thr|mul)) -> odd ; (?<=is )divisible by -> not divisible by
    w (sum|product|difference) (?:of|between) -> product of / sum of ; radius / diameter
    w (?<!surface )\barea(?= of) -> perimeter ; perimeter -> area ; surface area / volume
    w average(?= (?:of|number|score|age)) -> median ; mean / median / mode ; rows / columns
    w (?<=the )(larger|smaller) -> larger / smaller ; remainder(?= when) -> quotient
    w with replacement / without replacement ; prime numbers / composite numbers ; older / younger
    w numerator / denominator ; arithmetic / geometric ; union -> intersection ; inside / outside
    w does (s?he) have left(?=\?) -> did \1 spend ; twice(?= (?:as|the)) -> half ; profit -> revenue
    w how many minutes / how many hours ; how many days / how many weeks ; in minutes / in hours
    w in a week / in a month ; (?:in total|altogether)(?=\?) -> on average ; spent(?= \$) -> earned
    w bought(?= \d) -> sold ; sold(?= \d) -> bought ; f (?<![A-Za-z\\])([a-z])\^3(?!\d) -> \1^2
    f (?s)\A(?!.*dots)(.*?[\w)}] ?)\+(?= ?[\w\\(]) -> \1- ; (?<![A-Za-z\\])([a-z])\^2(?!\d) -> \1^3
    f (?s)\A(?!.*dots)(.*[\w)}] ?)(?<![a-z]{2})-(?= ?[\w\\(]) -> \1+ ; \\sin / \\cos""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """An altered copy, its answer, and the index of the original problem."""

    text: str
    answer: str
    kind: str
    original: int


def plant(problems: Sequence[tuple[str, str]], kind: str, n: int, *, seed: int) -> list[Planted]:
    """Return altered copies of `n` different problems, (text, answer), that allow this change."""
    order = Random(f"{seed} {kind}").sample(range(len(problems)), len(problems))
    planted: list[Planted] = []
    while len(planted) < n:
        if not order:
            raise ValueError(f"only {len(planted)} of these problems can be {kind}, not {n}")
        original = order.pop()
        rng = Random(f"{seed} {kind} {original}")
        text, answer = problems[original]
        altered = MAKERS[kind](text, rng)
        if altered is not None and altered != text:
            answer = {"renumbered": "", "lookalike": another(answer, rng)}.get(kind, answer)
            planted.append(Planted(text=altered, answer=answer, kind=kind, original=original))
    return planted


def another(answer: str, rng: Random) -> str:
    """Change the last digit of an answer; an answer without digits becomes a number."""
    last = r"\d(?=\D*\Z)"
    changed = re.sub(last, lambda old: rng.choice("123456789".replace(old[0], "")), answer)
    return changed if changed != answer else str(rng.randint(2, 99))


def verbatim(text: str, rng: Random) -> str:
    """Copy a problem as another source prints it: other white space, quotes and dashes."""
    return several(text, SOURCES, rng, rng.randint(1, 4), rng.choice((2, ALL)))[0]


def latex(text: str, rng: Random) -> str | None:
    """Typeset a problem differently; without formulas, its amounts become formulas first."""
    if re.search(r"\\(?:text\w*|mbox|emph)\{[^{}]*(?<!\\)\$", text):  # a formula within a formula
        return None
    plain = not TYPESET.search(text)
    for rule in PLAIN_AMOUNTS if plain else []:
        text = substituted(text, rule, rng, ALL)
    text, done = several(text, LATEX, rng, rng.randint(3, 6), rng.choice((2, ALL, ALL)))
    return text if done + plain >= 2 else None


def relabelled(text: str, rng: Random) -> str:
    """Put a collection's label before a problem, a note on its source after it, or both."""
    known = {"n": rng.randint(1, 60), "m": rng.randint(1, 15), "c": rng.randint(1, 12)}
    known |= {"p": rng.choice((3, 4, 5, 8, 10, 15, 20)), "y": rng.randint(1983, 2023)}
    label, note = (
        rng.choice(forms.split("|")).strip().format(**known) for forms in (LABELS, NOTES)
    )
    space = "\n\n" if label.startswith("#") else rng.choice((" ", " ", "\n", "\n\n"))
    before, after = label + space + text, text + space + note
    return rng.choice((before, before, after, before + space + note))


def renumbered(text: str, rng: Random) -> str | None:
    """Give a problem other numbers, equal numbers for equal numbers, if possible in the same order
    of size."""
    numerals = [match[0] for match in NUMERAL.finditer(text) if not match["kept"]]
    replaced = sorted(dict.fromkeys(old for old in numerals if rng.random() < 0.85), key=size)
    for _ in range(30):
        now = {old: of_similar_size(old, rng) for old in replaced}
        sizes = [size(new) for new in now.values()]
        if sizes == sorted(set(sizes)):
            break
    changed = sum(old != now.get(old, old) for old in numerals)
    if DRAWING.search(text) or 2 * changed < max(1, len(NUMERAL.findall(text))):
        return None
    return NUMERAL.sub(lambda match: match["kept"] or now.get(match[0], match[0]), text)


def size(numeral: str) -> float:
    """Return the value of a typeset number."""
    return float(re.sub(r"[^\d.]", "", numeral))


def of_similar_size(numeral: str, rng: Random) -> str:
    """Return another number with as many digits and as round; 0 stays 0."""
    digits = re.sub(r"\D", "", numeral)
    new = value = int(digits)
    unit = [1, *(step for step in (5, 10, 100) if value % step == 0 and value >= 4 * step)][-1]
    below = min(value // (2 * unit), (value - 10 ** (len(str(value)) - 1)) // unit)
    above = min(value + value // 2 + 3, 10 ** len(str(value)))
    while value and new == value:
        new = rng.randrange(value - below * unit, above, unit)
    fresh = iter(str(new).zfill(len(digits)))
    return re.sub(r"\d", lambda _: next(fresh), numeral)


def reworded(text: str, rng: Random) -> str | None:
    """Change about one word in 6 to 12, and nothing of the mathematics."""
    words = len(re.findall(r"(?<![\\\w])[A-Za-z]{2,}", DRAWING.sub("", text)))
    wanted = max(2, round(words / rng.uniform(6, 12)))
    names: list[Rule] = []
    for sort in (MEN.split(), WOMEN.split()):
        named = [name for name in sort if re.search(rf"\b{name}\b", text)]
        fresh = rng.sample([name for name in sort if name not in named], len(named))
        pairs = zip(named, fresh, strict=True)
        names += [("w", re.compile(rf"\b{old}\b"), [new]) for old, new in pairs]
    text, renamed = several(text, names, rng, rng.randint(0, 2), ALL)
    text, done = several(text, SYNONYMS, rng, wanted - renamed, 1)
    return text if renamed + done >= max(2, words // 14) else None


def lookalike(text: str, rng: Random) -> str | None:
    """Change the question or the facts at one position, mostly within the last question."""
    start = max((match.start() for match in QUESTION.finditer(text)), default=0)
    told, asked = (set(re.findall(r"\w+", part)) for part in (text, text[start:]))
    swaps: list[Rule] = [
        ("w", re.compile(rf"\b{old}\b"), [new])
        for sort in (f"{MEN} {WOMEN}", *SORTS.split("|"))
        for old in sort.split()
        for new in sort.split()
        if old in asked and new in told - asked
    ]
    rules = rng.sample(swaps + OPPOSITES, len(swaps + OPPOSITES))
    for rule in sorted(rules, key=lambda rule: rule[0] == "f"):
        for at in (start, 0) if rng.random() < 0.8 else (0,):
            changed = text[:at] + substituted(text[at:], rule, rng, 1)
            if changed != text:
                return changed
    return None


def several(text: str, rules: list[Rule], rng: Random, wanted: int, most: int) -> tuple[str, int]:
    """Apply rules in random order until `wanted` of them changed the text; return their number too.

    A rule is applied to at most `most` of its matches.
    """
    done = 0
    for rule in rng.sample(rules, len(rules)):
        if done == wanted:
            break
        before, text = text, substituted(text, rule, rng, most)
        done += text != before
    return text, done


def substituted(text: str, rule: Rule, rng: Random, most: int) -> str:
    """Apply a rule to at most `most` of its matches."""
    where, pattern, templates = rule
    parts = (FORMULA if where != "b" and TYPESET.search(text) else DRAWING).split(text)
    allowed = [i for i in range(where == "f", len(parts), 2) if not parts[i].startswith("[asy]")]
    matches = [(i, match) for i in allowed for match in pattern.finditer(parts[i])]
    # Replaced from the end, so that the positions of earlier matches stay right.
    chosen = sorted(rng.sample(range(len(matches)), min(most, len(matches))), reverse=True)
    order = rng.sample(templates, len(templates))
    for i, match in (matches[index] for index in chosen):
        news = [match.expand(template) for template in order]
        if match[0][:1].isupper():
            news = [new[:1].upper() + new[1:] for new in news]
        new = next((new for new in news if new != match[0]), match[0])
        parts[i] = parts[i][: match.start()] + new + parts[i][match.end() :]
    return "".join(parts)


MAKERS = {f.__name__: f for f in (verbatim, latex, relabelled, renumbered, reworded, lookalike)}
KINDS = tuple(MAKERS)
