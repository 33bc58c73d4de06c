"""Check the sandbox of this machine: level, walls, escapes, and the setting to change.

Called by the command line (`reasonrl sandbox check`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reasonrl.verify.code.advice import advise
from reasonrl.verify.code.escapes import Attempt, try_escapes
from reasonrl.verify.code.isolation import Isolation, system_call_filter
from reasonrl.verify.code.pool import probe

_MEANING = {
    Isolation.LANDLOCK: 'programs are refused, unless a recipe accepts isolation = "landlock"',
    Isolation.NONE: "programs are refused: only limits are left, which keep no file and no process",
    None: "programs are refused, because no sandbox starts",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxCheck:
    """What this machine keeps in. `level` is None where no sandbox starts at all.

    `setting` is the one setting to change first; empty if there is none to change.
    """

    level: Isolation | None
    parts: Mapping[str, str]
    attempts: tuple[Attempt, ...]
    message: str
    setting: str

    @property
    def is_full(self) -> bool:
        """Return whether namespaces and all other walls keep in every attempt."""
        is_kept = all(attempt.is_kept_in for attempt in self.attempts)
        return self.level is Isolation.NAMESPACES and is_kept and bool(system_call_filter())

    @property
    def is_refused(self) -> bool:
        """Return whether nothing but limits is there, so that no program of a model may run."""
        return self.level in (None, Isolation.NONE)


def check_sandbox() -> SandboxCheck:
    """Probe the machine, try to escape, and say what to change."""
    machine = probe()
    message, setting = _advice(machine.level, machine.parts)
    return SandboxCheck(
        level=machine.level,
        parts=machine.parts,
        attempts=() if machine.level is None else try_escapes(machine.level),
        message=message,
        setting=setting,
    )


def _advice(level: Isolation | None, parts: Mapping[str, str]) -> tuple[str, str]:
    if level is not Isolation.NAMESPACES:
        advice = advise(parts[Isolation.NAMESPACES.value])
        return f"{advice.message}; {_MEANING[level]}", advice.setting
    if not system_call_filter():
        return "libseccomp is missing, so no system call is filtered", "apt-get install libseccomp2"
    if "control group" not in parts["memory"]:
        return (
            "full isolation; without a writable control group, memory is checked 20 times a second",
            "",
        )
    return "full isolation", ""
