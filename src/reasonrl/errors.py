"""The error tree. Every error a user can meet says what, where, what was expected and what to do.

    ReasonRLError
    ├── ConfigError      (ValueError)     a recipe or a command line without a valid meaning
    ├── DataError        (ValueError)     a problem file or a source
    ├── ModelError       (ValueError)     a model or tokenizer that cannot be loaded or trained
    ├── CheckpointError  (ValueError)     a checkpoint or run directory that cannot be trusted
    ├── StorageError     (OSError)        a disk that is full or not writable
    ├── VerifierError    (RuntimeError)   the verifier cannot do its work (not: an answer is wrong)
    ├── EngineError      (RuntimeError)   an engine broke its contract
    │   ├── EngineLost                    its process died or is stuck; a new one can take over
    │   └── NotFiniteError                the policy gives no finite numbers any more
    ├── LostRunError     (RuntimeError)   the doctor ended a run, as its recipe asked
    └── RefusedError     (RuntimeError)   a check said no: the work was not done

The command line prints these without a traceback and exits with 2, with 1 for a RefusedError.
Anything else is a bug: it exits with 70 and the traceback.
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
    """Report an engine whose process died or does not answer; a new engine can take its place."""


class NotFiniteError(EngineError):
    """Report weights, log-probabilities or a gradient that are infinite or not numbers."""


class LostRunError(ReasonRLError, RuntimeError):
    """Report a run that the doctor ended, because its recipe names the rule in doctor.stop_on."""


class RefusedError(ReasonRLError, RuntimeError):
    """Report a check that said no, so that nothing was written."""
