"""Fingerprints of pickles that ignore differences without meaning."""

from __future__ import annotations

import hashlib
import io
import pickletools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

# The name under which a kernel compiles a cell; process and cell number change with each run.
_CELL_FILE = re.compile(r".*ipykernel_\d+/\d+\.py")

# cloudpickle's uuid4().hex for a class.
_IDENTITY = re.compile(r"[0-9a-f]{32}")

# pydantic's reference to a class in its schemas, under these keys: module, class and the class's address. Where the
# interpreter is linked to a fixed address, as Debian's is, the heap begins behind it, at 4 MiB at least: few digits.
_PYDANTIC_KEYS = ("ref", "schema_ref")
_PYDANTIC_NAME = re.compile(r"\w+(\.(\w+|<locals>|<lambda>))+:\d{7,}(\[.*\])?")

# The beginning of torch.save's older format, in which a tensor pickles its storage: magic number, protocol version,
# system, the object with the storage's key (its address), and the list of keys; then the raw numbers.
_TORCH_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_TORCH_PICKLES = 5

_PUTS = frozenset({"MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
_TUPLES = frozenset({"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"})
_CHANGING = frozenset({"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"})
_OF_SETS = frozenset({"ADDITEMS", "FROZENSET"})
_NOTHING = frozenset({"FRAME", "PROTO"})


def fingerprint(*paths: Path) -> str:
    """Return the SHA-256 of the pickles' meaning, without parts that differ between equal models.

    Left out are the frames' lengths, the temporary file names under which a kernel compiles cells, the random
    identity that cloudpickle gives a class of ``__main__`` whenever its cell runs, the memory addresses by which
    torch names a tensor's storage and pydantic a class, and the order of a set's members in a process.
    """
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(_of_pickle(file))
    return digest.hexdigest()


def _of_pickle(file: IO[bytes], *, torch_storage: bool = False) -> bytes:
    """Return the digest of the pickle that begins at the file's position."""
    begin, frozen = file.tell(), frozenset[int]()
    while True:
        reading = _Reading(frozen, torch_storage=torch_storage)
        digest = reading.of(file)
        if reading.frozen <= frozen:
            return digest
        frozen |= reading.frozen
        file.seek(begin)


class _Node(NamedTuple):
    """The digest of a part of a pickle, and its index in the memo."""

    digest: bytes
    place: int | None = None


@dataclass
class _Mark:
    """The beginning of a run of parts that form one object.

    ``memo`` is the memo's height, ``got`` the highest index that was looked up since, ``unordered`` the memo's height
    at the first member of the outermost enclosing set.
    """

    height: int
    memo: int
    number: int
    unordered: int | None
    got: int = -1


class _Reading:
    """Reads a pickle as the unpickler does, and keeps a digest of each part's meaning.

    A repeated part is represented by its memo index, as in the pickle. Within a set, indices depend on the order of
    the members; so texts and the members' parts are represented by their digests. A frozenset is recognised only at its
    end: where that matters, ``frozen`` names it for another reading.
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
        self._extra: list[bytes] = []  # digests of parts outside the result: the state of a class
        self._identities: set[bytes] = set()
        self._key = False  # the last part was one of _PYDANTIC_KEYS
        self._last_text = b""

    def of(self, file: IO[bytes]) -> bytes:
        """Return the pickle's digest."""
        for opcode, argument, _ in pickletools.genops(file):
            name = opcode.name
            if name in _NOTHING:
                continue
            if name in _PUTS:
                self._put(argument)
            elif name in _GETS:
                self._stack.append(self._lookup(int(str(argument))))
            elif name == "MARK":
                self._begin()
            elif name == "POP" and self._marks and self._marks[-1].height == len(self._stack):
                self._end()
            elif not opcode.stack_before:
                self._stack.append(_Node(self._read(name, argument)))
            else:
                self._make(opcode, argument)
            self._key = bool(self._stack) and self._stack[-1].digest in _KEYS
        return _digest_of("pickle", sorted(self._extra))

    def _put(self, argument: Any) -> None:
        index = len(self._memo) if argument is None else int(argument)
        node = self._stack[-1] = self._stack[-1]._replace(place=index)
        self._memo += [node] * (index + 1 - len(self._memo))
        self._memo[index] = node
        if node.digest == self._last_text:
            self._by_digest.add(index)
        elif node.digest == _EMPTY_SET:
            self._sets[index] = []

    def _lookup(self, index: int) -> _Node:
        mark = self._marks[-1] if self._marks else None
        if index in self._by_digest or (mark and mark.unordered is not None and index >= mark.unordered):
            return self._memo[index]
        if mark:
            mark.got = max(mark.got, index)
        return _Node(_digest_of("GET", [b"%d" % index]), index)

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
        """Return the digest of an opcode that holds only its argument."""
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
        """Put the digest of an object that consists of other parts."""
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
        index = taken[0].place if name in _CHANGING else None
        if mark and name in _OF_SETS:
            within = self._members(mark, within, index)
            if index in self._sets:
                taken = []
        parts = [*(node.digest for node in taken), *within]
        if name in _TUPLES:
            name, parts = "TUPLE", self._without_identity(parts)
        digest = _digest_of(name, parts if argument is None else [_leaf(argument), *parts])
        node = _Node(digest, index)
        if index is not None:
            self._memo[index] = node
        self._stack += [node] * len(opcode.stack_after)
        if not opcode.stack_after:
            self._extra.append(digest)

    def _members(self, mark: _Mark, new: list[bytes], index: int | None) -> list[bytes]:
        """Return all digests of a set so far in one order: a large set comes in several batches."""
        self._by_digest.update(range(mark.memo, len(self._memo)))
        if mark.unordered is None and mark.got >= mark.memo:
            self.frozen.add(mark.number)
        if index in self._sets:
            self._sets[index] += new
            new = self._sets[index]
        return sorted(new)

    def _without_identity(self, digests: list[bytes]) -> list[bytes]:
        """Return the arguments of cloudpickle's ``_make_skeleton_class`` without the identity, the last but one."""
        if len(digests) > 2 and digests[-1] == _NONE and digests[-2] in self._identities:
            return [*digests[:-2], _DROPPED, _NONE]
        return digests


def _leaf(argument: Any, name: str = "text") -> bytes:
    """Return a leaf's digest with the opcode's name (1 is not True); a text's opcode only encodes its length."""
    if isinstance(argument, str):
        return _digest_of(name, [argument.encode("utf-8", "surrogatepass")])
    if isinstance(argument, bytes | bytearray):
        return _digest_of(name, [argument])
    return _digest_of(name, [] if argument is None else [repr(argument).encode()])


def _digest_of(name: str, parts: Iterable[bytes | bytearray]) -> bytes:
    """Hash each part with its length, so that two different pickles cannot have the same input."""
    digest = hashlib.sha256(name.encode())
    for part in parts:
        digest.update(b"\0%d\0" % len(part))
        digest.update(part)
    return digest.digest()


_NONE = _leaf(None, "NONE")
_EMPTY_SET = _leaf(None, "EMPTY_SET")
_DROPPED = _digest_of("dropped", ())
_KEYS = frozenset(map(_leaf, _PYDANTIC_KEYS))


def _of_storage(content: bytes) -> bytes:
    """Read a tensor's storage: a stream of five pickles of torch's own format, and the numbers."""
    stream = io.BytesIO(content)
    digests = [_of_pickle(stream, torch_storage=True) for _ in range(_TORCH_PICKLES)]
    return _digest_of("torch", [*digests, stream.read()])
