"""The error tree. Every error a user can meet says what, where, what was expected and what to do.

    ReasonRLError
    ├── ConfigError      (ValueError)     a recipe or a command line without a valid meaning
    ├── DataError        (ValueError)     a problem file or a source
    ├── ModelError       (ValueError)     a model or tokenizer that cannot be loaded or trained
    ├── CheckpointError  (ValueError)     a checkpoint or run directory that cannot be trusted
    ├── StorageError     (OSError)        a disk that is full or not writable
    ├── VerifierError    (RuntimeError)   the verifier cannot work (never: the answer is wrong)
    └── EngineError      (RuntimeError)   an engine broke its contract
        └── EngineLost                    an engine's process died or hangs; a new one can continue

The command line prints these errors without a traceback and exits with code 2. Any other exception
is a bug.
"""


class ReasonRLError(Exception):
    """An error of four parts, of which `str()` joins the non-empty ones."""

    def __init__(self, what: str, *, where: str = "", expected: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.expected = expected
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        expected = f"expected {self.expected}" if self.expected else ""
        return "; ".join(part for part in (head, expected, self.remedy) if part)


class ConfigError(ReasonRLError, ValueError):
    """A recipe or a command line without a valid meaning."""


class DataError(ReasonRLError, ValueError):
    """A bad problem file or source; `where` is file:row if one row is at fault."""


class ModelError(ReasonRLError, ValueError):
    """A model or tokenizer that cannot be loaded or trained."""


class CheckpointError(ReasonRLError, ValueError):
    """A checkpoint or run directory that is missing, damaged or from another run."""


class StorageError(ReasonRLError, OSError):
    """A disk that is full or not writable."""


class VerifierError(ReasonRLError, RuntimeError):
    """A verifier that cannot work. A wrong answer is a verdict, never an error."""


class EngineError(ReasonRLError, RuntimeError):
    """An engine that broke its contract."""


class EngineLost(EngineError):
    """An engine whose process died or no longer answers; a new process can replace it."""
