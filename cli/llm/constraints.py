"""What `bitlaw llm allocate` is told of single tensors: formats that are decided, floors, and who shares a format."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from bitlaw.theory.fitting.fused_weights import fused_groups
from bitlaw.theory.formats import Format, parse_format

from ..errors import UsageError

__all__ = ["Constraints", "add_constraint_options", "constraints_of"]


@dataclass(frozen=True)
class Constraints:
    """What restricts the choice, by name of the tensor.

    Attributes
    ----------
    names : tuple of str
        Tensors that get a format: those of the parts, and those whose format is decided.
    fixed : mapping of str to Format
    floors : mapping of str to Format
        Formats that must not be undercut in bits.
    groups : mapping of str to str
        Labels; tensors of one label share a format.
    """

    names: tuple[str, ...]
    fixed: Mapping[str, Format] = field(default_factory=dict)
    floors: Mapping[str, Format] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)


def add_constraint_options(parser: argparse.ArgumentParser) -> None:
    """Options for tensors by their names; each may be given many times."""
    for option, metavar, words in (
        (
            "--fix",
            "PATTERN=FORMAT",
            "tensors of any part whose format is decided (the last pattern that fits)",
        ),
        ("--floor", "PATTERN=FORMAT", "tensors that get at least the bits of this format"),
        ("--group", "LABEL=PATTERN", "tensors that share a format"),
    ):
        read = _labelled if option == "--group" else _formatted
        parser.add_argument(option, action="append", type=read, default=[], metavar=metavar, help=words)
    parser.add_argument("--fused", action="store_true", help="q, k, v share a format, gate and up too")


def _labelled(text: str) -> tuple[str, str]:
    label, _, pattern = text.partition("=")
    if not label or not pattern:
        raise argparse.ArgumentTypeError(f"must be LABEL=PATTERN, got {text!r}")
    return label, pattern


def _formatted(text: str) -> tuple[str, Format]:
    pattern, _, format = text.partition("=")
    if not pattern or not format:
        raise argparse.ArgumentTypeError(f"must be PATTERN=FORMAT, got {text!r}")
    try:
        return pattern, parse_format(format)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{pattern}: {error}") from None


def constraints_of(args: argparse.Namespace, tensors: Mapping[str, str], parts: Sequence[str]) -> Constraints:
    """What the options say of a model's tensors.

    Parameters
    ----------
    args : argparse.Namespace
    tensors : mapping of str to str
        Part by name.
    parts : sequence of str
        Whose tensors get a format.

    Raises
    ------
    UsageError
        If a pattern fits no tensor, or a group is fixed in part or to several formats.
    """
    fixed = _matched("--fix", args.fix, tensors)
    names = tuple(name for name, part in tensors.items() if part in parts or name in fixed)
    floors = _matched("--floor", args.floor, names)
    own: dict[str, list[str]] = {}
    for label, pattern in args.group:
        own.setdefault(label, []).extend(_fitting("--group", pattern, names))
    fused = fused_groups(names) if args.fused else {}
    groups = _merged([*own.values(), *_members(fused)])
    leaders: dict[str, str] = {}
    for name, label in groups.items():
        leader = leaders.setdefault(label, name)
        if fixed.get(leader) != fixed.get(name):
            raise UsageError(f"--fix: {leader} and {name} share a group, so both need the same format")
    return Constraints(names, fixed, floors, groups)


def _matched(option: str, rules: Iterable[tuple[str, Format]], names: Iterable[str]) -> dict[str, Format]:
    """Formats by name; where two patterns fit, the later one decides."""
    known = list(names)
    return {name: format for pattern, format in rules for name in _fitting(option, pattern, known)}


def _fitting(option: str, pattern: str, names: Iterable[str]) -> list[str]:
    found = [name for name in names if fnmatchcase(name, pattern)]
    if not found:
        raise UsageError(f"{option}: the pattern {pattern!r} fits no tensor that gets a format")
    return found


def _members(labels: Mapping[str, str]) -> list[list[str]]:
    found: dict[str, list[str]] = {}
    for name, label in labels.items():
        found.setdefault(label, []).append(name)
    return list(found.values())


def _merged(groups: Iterable[Sequence[str]]) -> dict[str, str]:
    """Label of each member; groups with a member in common become one."""
    found: dict[str, str] = {}
    for members in groups:
        joined = {found[name] for name in members if name in found}
        found |= dict.fromkeys([name for name, label in found.items() if label in joined], members[0])
        found |= dict.fromkeys(members, members[0])
    return found
