"""Write values as JSON tables, to carry them between a judge and a program; nothing is executed.

A table lists the containers of a value: `["list", items]`, `["dict", pairs]`, ... Inside a
container a scalar is written as itself, and `[3]` means container 3. So sharing and cycles survive,
and deep values need no recursion. An object that is no plain data stays in its process: the other
side gets a reference to it. An instance of a subclass arrives as its plain base, so that no
`__eq__` of a program is ever called. Called by `holding` and `exchange`, and by `judge` and
`verify.code.tests` for the values of tests.
"""

from __future__ import annotations

import array
import collections
from collections.abc import Callable, Mapping
from typing import Any

from .frames import Malformed
from .kinds import SPELLED, SPELLED_MODULES, TYPES, name_of, spell

Keep = Callable[[object], int]
"""Keep an object that stays in its process, and return its number."""

Find = Callable[[int], object]
"""Return the object of a number that either side has given out."""

Special = Callable[[Any], "tuple[str, list[Any], list[Any]] | None"]
"""Return a tag, plain parts and parts that are values, for a value that is written in a way of its
own; None for any other value."""

Make = Callable[[str, list[Any], list[Any]], object]
"""Return the value of such a tag and its parts."""

_MAX_NODES = 2_000_000
_SMALL = 1 << 53


def encode(
    value: object, classes: Mapping[str, type], keep: Keep, special: Special | None = None
) -> dict[str, Any]:
    """Return the table of a value. Instances of `classes` are written as their attributes."""
    return encode_with_objects(value, classes, keep, special)[0]


def encode_with_objects(
    value: object, classes: Mapping[str, type], keep: Keep, special: Special | None = None
) -> tuple[dict[str, Any], list[object]]:
    """Return the table of a value, and the object of each node."""
    table = _Table(classes, keep, special)
    root = table.place(value)
    while table.waiting:
        index, content = table.waiting.popleft()
        table.nodes[index][1] = table.fill(table.nodes[index][0], content)
    return {"nodes": table.nodes, "root": root}, table.alive


class _Table:
    """The containers of a value, numbered breadth first."""

    def __init__(self, classes: Mapping[str, type], keep: Keep, special: Special | None) -> None:
        self.nodes: list[list[Any]] = []
        self.waiting: collections.deque[tuple[int, Any]] = collections.deque()
        self._classes = classes
        self._keep = keep
        self._special = special
        self._known: dict[int, int] = {}
        # An id is unique only while its object lives.
        self.alive: list[object] = []

    def place(self, value: Any) -> Any:
        """Return a scalar as itself, any other value as `[n]`, the number of its node."""
        kind = type(value)
        if value is None or kind is bool or kind is str or kind is float:
            return value
        if kind is int and -_SMALL < value < _SMALL:
            return value
        if (known := self._known.get(id(value))) is not None:
            return [known]
        if self._special is not None and (written := self._special(value)) is not None:
            tag, parts, content = written
            index = self._add(value, [f"={tag}", None])
            self.nodes[index][1] = [parts, [self.place(part) for part in content]]
            return [index]
        if kind not in LIBRARY and (plain := plain_base(value)) is not value:
            return self.place(plain)
        index = self._add(value, [])
        self.nodes[index] = self._node(value, index)
        return [index]

    def _add(self, value: object, node: list[Any]) -> int:
        if len(self.nodes) >= _MAX_NODES:
            raise Malformed(f"a value of more than {_MAX_NODES} nodes")
        index = len(self.nodes)
        self._known[id(value)] = index
        self.alive.append(value)
        self.nodes.append(node)
        return index

    def _node(self, value: Any, index: int) -> list[Any]:
        kind = type(value)
        name = kind.__name__
        if kind in (list, tuple, set, frozenset, dict, collections.deque):
            self.waiting.append((index, value))
            return [name, None]
        if kind in LIBRARY:
            self.waiting.append((index, value))
            factory = getattr(value, "default_factory", None)
            if isinstance(factory, type) and (known := name_of(factory)) is not None:
                name = f"{name} {known}"
            return [name, None]
        if name in self._classes and not isinstance(value, type):
            self.waiting.append((index, value))
            return [f"@{name}", None]
        if kind is range:
            return ["range", [str(part) for part in (value.start, value.stop, value.step)]]
        if kind is slice:
            self.waiting.append((index, (value.start, value.stop, value.step)))
            return ["slice", None]
        if kind is array.array:
            self.waiting.append((index, value.tolist()))
            return [f"array {value.typecode}", None]
        if isinstance(value, type) and (known := name_of(value)) is not None:
            return ["type", known]
        if name in SPELLED and kind.__module__ in SPELLED_MODULES:
            return ["spelled", [name, spell(value)]]
        return ["kept", self._keep(value)]

    def fill(self, tag: str, content: Any) -> list[Any]:
        if tag.partition(" ")[0] in _DICTS:
            return [[self.place(key), self.place(item)] for key, item in content.items()]
        if tag.startswith("@"):
            return [[name, self.place(item)] for name, item in _attributes(content).items()]
        return [self.place(item) for item in content]


LIBRARY = (collections.Counter, collections.OrderedDict, collections.defaultdict)
_DICTS = ("dict", "Counter", "OrderedDict", "defaultdict")
_BASES: tuple[type[Any], ...] = (
    bool,
    int,
    float,
    str,
    bytes,
    list,
    tuple,
    set,
    frozenset,
    collections.deque,
)


def plain_base(value: Any) -> Any:
    """Return the plain data of an instance of a subclass; numpy's values become Python's."""
    kind = type(value)
    for base in _BASES:
        if isinstance(value, base) and kind is not base:
            return base(value)
    if isinstance(value, dict) and kind is not dict:
        return dict(value)
    if kind.__module__ == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    return value


def refill(old: object, new: object) -> bool:
    """Give a container the content of another of its kind; return whether both are containers."""
    if isinstance(old, list) and isinstance(new, list):
        old[:] = new
    elif isinstance(old, (dict, set)) and type(old) is type(new):
        old.clear()
        old.update(new)
    else:
        return False
    return True


def has_own_factory(value: Any) -> bool:
    """Return whether missing items of a `defaultdict` are made by a function of the program."""
    factory = value.default_factory
    return factory is not None and not (isinstance(factory, type) and name_of(factory))


def with_factory(factory: Callable[[], object], content: Any) -> object:
    """Return a dictionary that makes missing items by a function."""
    return collections.defaultdict(factory, content)


def _attributes(value: object) -> dict[str, Any]:
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    slotted = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    return {**slotted, **getattr(value, "__dict__", {})}


def decode(
    message: object, classes: Mapping[str, type], find: Find, make: Make | None = None
) -> Any:
    """Return the value of a table. Raises Malformed for a table that `encode` does not write."""
    return decode_with_objects(message, classes, find, make)[0]


def decode_with_objects(
    message: object, classes: Mapping[str, type], find: Find, make: Make | None = None
) -> tuple[Any, Mapping[int, object]]:
    """Return the value of a table, and the object of each node."""
    if not (isinstance(message, dict) and isinstance(message.get("nodes"), list)):
        raise Malformed("not a table of nodes")
    try:
        reader = _Reader(message["nodes"], classes, find, make)
        return reader.read(message.get("root")), reader.made
    except (ValueError, TypeError, IndexError, KeyError, ArithmeticError, RecursionError) as error:
        raise Malformed(f"{type(error).__name__}: {str(error)[:200]}") from error


_SHELLS: Mapping[str, Callable[[], Any]] = {
    "list": list,
    "dict": dict,
    "set": set,
    "deque": collections.deque,
    "Counter": collections.Counter,
    "OrderedDict": collections.OrderedDict,
    "defaultdict": collections.defaultdict,
}


class _Reader:
    """The values of a table: makes the empty mutable containers first, then fills them."""

    def __init__(
        self, nodes: list[Any], classes: Mapping[str, type], find: Find, make: Make | None
    ) -> None:
        self._nodes = nodes
        self._classes = classes
        self._find = find
        self._make = make
        self.made: dict[int, Any] = {}

    def read(self, root: object) -> Any:
        for index, (tag, _) in enumerate(self._nodes):
            if tag in _SHELLS:
                self.made[index] = _SHELLS[tag]()
            elif tag.startswith("defaultdict "):
                self.made[index] = collections.defaultdict(TYPES[tag.partition(" ")[2]])
            elif tag.startswith("@"):
                self.made[index] = object.__new__(self._classes[tag[1:]])
        # Children have higher numbers than their parents, and a parent may copy its child.
        shells = sorted(self.made.items(), reverse=True)
        for index, shell in shells:
            self._fill(shell, *self._nodes[index])
        return self._value(root)

    def _fill(self, shell: Any, tag: str, content: Any) -> None:
        if tag == "list" or tag == "deque":
            shell.extend(self._value(item) for item in content)
        elif tag == "set":
            shell.update(self._value(item) for item in content)
        elif tag.partition(" ")[0] in _DICTS:
            for key, item in content:
                shell[self._value(key)] = self._value(item)
        else:
            for name, item in content:
                if callable(getattr(type(shell), str(name), None)):
                    raise Malformed(f"{name} is a method of the class")
                object.__setattr__(shell, str(name), self._value(item))

    def _value(self, written: Any) -> Any:
        if not isinstance(written, list):
            if isinstance(written, dict):
                raise Malformed("an object where a value was expected")
            return written
        (index,) = written
        if not isinstance(index, int) or index < 0:
            raise Malformed("not the number of a node")
        if index not in self.made:
            self.made[index] = self._immutable(*self._nodes[index])
        return self.made[index]

    def _immutable(self, tag: str, content: Any) -> Any:
        if tag == "kept":
            return self._find(int(content))
        if tag.startswith("=") and self._make is not None:
            parts, items = content
            return self._make(tag[1:], list(parts), [self._value(item) for item in items])
        if tag == "type":
            return TYPES[content]
        if tag == "range":
            return range(*[int(part) for part in content])
        if tag == "spelled":
            return SPELLED[content[0]](content[1])
        items = [self._value(item) for item in content]
        if tag.startswith("array "):
            return array.array(tag.removeprefix("array "), items)
        if tag == "slice":
            return slice(*items)
        return {"tuple": tuple, "frozenset": frozenset}[tag](items)
