"""What a pickle says, without what differs although nothing changed."""

from __future__ import annotations

import hashlib
import io
import pickletools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

# A notebook's cells are compiled under such a name; process and cell number change with each run.
_CELL_FILE = re.compile(r".*ipykernel_\d+/\d+\.py")

# cloudpickle's uuid4().hex for a class.
_IDENTITY = re.compile(r"[0-9a-f]{32}")

# pydantic's name of a class in its schemas, under these keys: module, class and the class's address.
_PYDANTIC_KEYS = ("ref", "schema_ref")
_PYDANTIC_NAME = re.compile(r"\w+(\.(\w+|<locals>|<lambda>))+:\d{12,}(\[.*\])?")

# How torch.save's older format begins, in which a tensor pickles its storage: magic number, protocol version, system,
# the object with the storage's key (its address), and the list of keys; then the raw numbers.
_TORCH_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_TORCH_PICKLES = 5

_PUTS = frozenset({"MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
_TUPLES = frozenset({"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"})
_CHANGING = frozenset({"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"})
_OF_SETS = frozenset({"ADDITEMS", "FROZENSET"})
_NOTHING = frozenset({"FRAME", "PROTO"})


def fingerprint(*paths: Path) -> str:
    """SHA-256 of the pickles' meaning: what differs although nothing changed is left out.

    Left out are the frames' lengths, the temporary file names under which a kernel compiles cells, the random
    identity that cloudpickle gives a class of ``__main__`` each time its cell runs, the memory addresses by
    which torch names a tensor's storage and pydantic a class, and the order in which a process keeps a set's members.
    """
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(_of_pickle(file))
    return digest.hexdigest()


def _of_pickle(file: IO[bytes], *, torch_storage: bool = False) -> bytes:
    """The digest of the pickle that begins at the file's position."""
    begin, frozen = file.tell(), frozenset[int]()
    while True:
        reading = _Reading(frozen, torch_storage=torch_storage)
        found = reading.of(file)
        if reading.frozen <= frozen:
            return found
        frozen |= reading.frozen
        file.seek(begin)


class _Node(NamedTuple):
    """What a part of a pickle says, and its place in the memo."""

    digest: bytes
    place: int | None = None


@dataclass
class _Mark:
    """Where a run of parts begins that is made into one.

    ``memo`` is the memo's height, ``got`` the highest place that was looked up since, ``unordered`` where the memo
    began for the members of the outermost set around.
    """

    height: int
    memo: int
    number: int
    unordered: int | None
    got: int = -1


class _Reading:
    """Goes through a pickle as the unpickler does, and keeps of each part only what it says.

    A part that comes again is told by its place in the memo, as in the pickle. Places within a set depend on the order
    of its members, though; so a text, and what came with a set's members, is told by what it says. Of a frozenset it
    is known at its end only what it is: where that matters, ``frozen`` names it for another reading.
    """

    def __init__(self, known: frozenset[int], *, torch_storage: bool) -> None:
        self.frozen: set[int] = set()
        self._known = known
        self._torch_storage = torch_storage
        self._stack: list[_Node] = []
        self._marks: list[_Mark] = []
        self._count = 0
        self._memo: list[_Node] = []
        self._by_digest: set[int] = set()
        self._sets: dict[int, list[bytes]] = {}  # place -> members
        self._aside: list[bytes] = []  # what is said of a part beside it: the state of a class
        self._identities: set[bytes] = set()
        self._key = False  # the last part was one of _PYDANTIC_KEYS
        self._last_text = b""

    def of(self, file: IO[bytes]) -> bytes:
        """The pickle's digest."""
        for opcode, argument, _ in pickletools.genops(file):
            name = opcode.name
            if name in _NOTHING:
                continue
            if name in _PUTS:
                self._put(argument)
            elif name in _GETS:
                self._stack.append(self._got(int(str(argument))))
            elif name == "MARK":
                self._begin()
            elif name == "POP" and self._marks and self._marks[-1].height == len(self._stack):
                self._end()
            elif not opcode.stack_before:
                self._stack.append(_Node(self._read(name, argument)))
            else:
                self._make(opcode, argument)
            self._key = bool(self._stack) and self._stack[-1].digest in _KEYS
        return _said("pickle", sorted(self._aside))

    def _put(self, argument: Any) -> None:
        place = len(self._memo) if argument is None else int(argument)
        node = self._stack[-1] = self._stack[-1]._replace(place=place)
        self._memo += [node] * (place + 1 - len(self._memo))
        self._memo[place] = node
        if node.digest == self._last_text:
            self._by_digest.add(place)
        elif node.digest == _EMPTY_SET:
            self._sets[place] = []

    def _got(self, place: int) -> _Node:
        mark = self._marks[-1] if self._marks else None
        if place in self._by_digest or (mark and mark.unordered is not None and place >= mark.unordered):
            return self._memo[place]
        if mark:
            mark.got = max(mark.got, place)
        return _Node(_said("GET", [b"%d" % place]), place)

    def _begin(self) -> None:
        self._count += 1
        unordered = self._marks[-1].unordered if self._marks else None
        if unordered is None and (self._count in self._known or (self._stack and self._stack[-1].place in self._sets)):
            unordered = len(self._memo)
        self._marks.append(_Mark(len(self._stack), len(self._memo), self._count, unordered))

    def _end(self) -> _Mark:
        mark = self._marks.pop()
        if self._marks:
            self._marks[-1].got = max(self._marks[-1].got, mark.got)
        return mark

    def _read(self, name: str, argument: Any) -> bytes:
        """Of what is no more than its argument."""
        if isinstance(argument, bytes | bytearray) and argument.startswith(_TORCH_MAGIC):
            return _of_storage(bytes(argument))
        if not isinstance(argument, str) or "UNICODE" not in name:
            return _leaf(argument, name)
        if (
            (self._torch_storage and argument.isdecimal())
            or _CELL_FILE.fullmatch(argument)
            or (self._key and _PYDANTIC_NAME.fullmatch(argument))
        ):
            self._last_text = _DROPPED
        else:
            self._last_text = _leaf(argument)
            if _IDENTITY.fullmatch(argument):
                self._identities.add(self._last_text)
        return self._last_text

    def _make(self, opcode: Any, argument: Any) -> None:
        """Of what is made of others."""
        name = opcode.name
        within: list[bytes] = []
        mark = None
        count = len(opcode.stack_before)
        if pickletools.markobject in opcode.stack_before:
            mark = self._end()
            within = [node.digest for node in self._stack[mark.height :]]
            del self._stack[mark.height :]
            count = opcode.stack_before.index(pickletools.markobject)
        taken = self._stack[len(self._stack) - count :]
        del self._stack[len(self._stack) - count :]
        place = taken[0].place if name in _CHANGING else None
        if mark and name in _OF_SETS:
            within = self._members(mark, within, place)
            if place in self._sets:
                taken = []
        parts = [*(node.digest for node in taken), *within]
        if name in _TUPLES:
            name, parts = "TUPLE", self._without_identity(parts)
        said = _said(name, parts if argument is None else [_leaf(argument), *parts])
        node = _Node(said, place)
        if place is not None:
            self._memo[place] = node
        self._stack += [node] * len(opcode.stack_after)
        if not opcode.stack_after:
            self._aside.append(said)

    def _members(self, mark: _Mark, new: list[bytes], place: int | None) -> list[bytes]:
        """All of a set by now, in one order: a large one comes in several batches."""
        self._by_digest.update(range(mark.memo, len(self._memo)))
        if mark.unordered is None and mark.got >= mark.memo:
            self.frozen.add(mark.number)
        if place in self._sets:
            self._sets[place] += new
            new = self._sets[place]
        return sorted(new)

    def _without_identity(self, digests: list[bytes]) -> list[bytes]:
        """The arguments of cloudpickle's ``_make_skeleton_class``, of which the last but one is the identity."""
        if len(digests) > 2 and digests[-1] == _NONE and digests[-2] in self._identities:
            return [*digests[:-2], _DROPPED, _NONE]
        return digests


def _leaf(argument: Any, name: str = "text") -> bytes:
    """With the opcode's name, or 1 would be True: a text's own are but of its length."""
    if isinstance(argument, str):
        return _said(name, [argument.encode("utf-8", "surrogatepass")])
    if isinstance(argument, bytes | bytearray):
        return _said(name, [argument])
    return _said(name, [] if argument is None else [repr(argument).encode()])


def _said(name: str, parts: Iterable[bytes | bytearray]) -> bytes:
    """Each part with its length, so that no two pickles can read the same."""
    digest = hashlib.sha256(name.encode())
    for part in parts:
        digest.update(b"\0%d\0" % len(part))
        digest.update(part)
    return digest.digest()


_NONE = _leaf(None, "NONE")
_EMPTY_SET = _leaf(None, "EMPTY_SET")
_DROPPED = _said("dropped", ())
_KEYS = frozenset(map(_leaf, _PYDANTIC_KEYS))


def _of_storage(content: bytes) -> bytes:
    """A tensor's storage is a stream of five pickles of torch's own, and the numbers."""
    stream = io.BytesIO(content)
    found = [_of_pickle(stream, torch_storage=True) for _ in range(_TORCH_PICKLES)]
    return _said("torch", [*found, stream.read()])
