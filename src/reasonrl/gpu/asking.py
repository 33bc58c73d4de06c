"""Answer one row, in the process that was started for it. Only here are engines loaded."""

from __future__ import annotations

import ctypes
import signal
import sys
from pathlib import Path

from reasonrl.errors import ConfigError
from reasonrl.gpu.kept import write_answer
from reasonrl.gpu.row import CheckSetting, RowAnswer, work_path

_PARENT_DIED = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>


def ask_here(name: str, setting: CheckSetting, out: Path) -> None:
    """Answer a row and leave the answer in its directory. The process ends with its parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DIED, signal.SIGKILL)
    work = work_path(out, name)
    work.mkdir(parents=True, exist_ok=True)
    write_answer(out, name, _answer(name, setting, work))


def _answer(name: str, setting: CheckSetting, work: Path) -> RowAnswer:
    match name:
        case "machine":
            from reasonrl.gpu import machine

            return machine.answer()
        case "attention":
            from reasonrl.gpu import attention

            return attention.answer(setting)
        case "logprobs-float32":
            from reasonrl.gpu import scores

            return scores.answer(setting, work, "float32")
        case "logprobs-bfloat16":
            from reasonrl.gpu import scores

            return scores.answer(setting, work, "bfloat16")
    raise ConfigError(
        f"no row {name!r} can be asked", where="reasonrl gpu row", remedy="pass a row of --list"
    )
