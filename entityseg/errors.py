"""What can be wrong with outside data, said so that the reader can mend it.

A `Finding` names one problem: file, record, field, value and remedy. `Findings` collects them, because a reader
lists everything that is wrong, not only the first thing. Errors carry findings and an exit code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Severity = Literal["error", "warning"]

SHOWN_PER_KIND = 20
_VALUE_LIMIT = 120


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem with outside data.

    Attributes:
        kind: short stable name, `area.problem`, such as `rle.total` or `image.unknown`.
        message: what is wrong, in one sentence.
        remedy: what to do about it, in one sentence.
        file: path of the file at fault.
        record: where in the file, such as `annotations[17]` or `line 3`.
        field: which key of the record.
        value: the value at fault, shortened.
        severity: an `error` refuses the input, a `warning` does not.
    """

    kind: str
    message: str
    remedy: str
    file: str | None = None
    record: str | None = None
    field: str | None = None
    value: str | None = None
    severity: Severity = "error"

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.file, self.record, self.field) if part)
        value = f" (got {self.value})" if self.value is not None else ""
        found = printable(f"{place + ': ' if place else ''}{self.message}{value}")
        # A remedy is ours, and may list choices, one a line.
        remedy = [printable(line) for line in f"{self.remedy} [{self.kind}]".split("\n")]
        return f"{found}. " + "\n".join(remedy)

    def to_json(self) -> dict[str, Any]:
        """Return the finding as a JSON object without empty fields."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def printable(text: str) -> str:
    r"""Return text on one line, without what a terminal would take for a command; names of files may hold both.

    >>> printable("a\nb\x1b[31mc")
    'a\\nb\\x1b[31mc'
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def shown(value: object) -> str:
    """Return `repr(value)` shortened to one line.

    >>> shown("a" * 500)[-6:]
    'aaa...'
    """
    # A gigantic integer cannot even be printed (sys.int_info), and slicing first keeps huge strings cheap.
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 256:
        return f"an integer of {value.bit_length()} bits"
    text = repr(value[: _VALUE_LIMIT * 2] if isinstance(value, str | bytes | list) else value)
    return text if len(text) <= _VALUE_LIMIT else text[: _VALUE_LIMIT - 3] + "..."


class Findings:
    """A growing list of findings that keeps the first 20 of each kind and counts the rest.

    >>> findings = Findings(file="a.json")
    >>> findings.add("rle.total", "runs add up to 5, the image has 6 pixels", "Encode the mask again.")
    >>> findings.errors, findings.warnings
    (1, 0)
    """

    def __init__(self, file: str | None = None) -> None:
        self.file = file
        self._kept: list[Finding] = []
        self._counts: Counter[tuple[Severity, str]] = Counter()

    def add(
        self,
        kind: str,
        message: str,
        remedy: str,
        *,
        record: str | None = None,
        field: str | None = None,
        value: object = None,
        file: str | None = None,
        severity: Severity = "error",
    ) -> None:
        """Add one finding; `value` is shown shortened."""
        finding = Finding(
            kind,
            message,
            remedy,
            file=file or self.file,
            record=record,
            field=field,
            value=None if value is None else shown(value),
            severity=severity,
        )
        self.append(finding)

    def append(self, finding: Finding) -> None:
        """Add a finding that is already made."""
        key = (finding.severity, finding.kind)
        self._counts[key] += 1
        if self._counts[key] <= SHOWN_PER_KIND:
            self._kept.append(finding)

    def count_more(self, kind: str, number: int, severity: Severity = "error") -> None:
        """Count findings of which enough are listed, so that a million of them cost nothing."""
        self._counts[severity, kind] += number

    def extend(self, findings: Findings, **changes: Any) -> None:
        """Add all of another collection, its uncounted ones included; `changes` are other values of fields."""
        kept: Counter[tuple[Severity, str]] = Counter()
        for finding in findings:
            kept[finding.severity, finding.kind] += 1
            self.append(replace(finding, **changes) if changes else finding)
        for key, count in findings._counts.items():
            self._counts[key] += count - kept[key]

    @property
    def errors(self) -> int:
        """Number of errors, those that are only counted included."""
        return sum(count for (severity, _), count in self._counts.items() if severity == "error")

    @property
    def warnings(self) -> int:
        """Number of warnings, those that are only counted included."""
        return sum(count for (severity, _), count in self._counts.items() if severity == "warning")

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._kept)

    def __len__(self) -> int:
        return sum(self._counts.values())

    def more(self) -> dict[str, int]:
        """Return how many findings of each kind were counted and not kept."""
        over: Counter[str] = Counter()
        for (_, kind), count in self._counts.items():
            over[kind] += count
        over.subtract(finding.kind for finding in self._kept)
        return {kind: count for kind, count in sorted(over.items()) if count > 0}

    def lines(self) -> list[str]:
        """Return one line a finding, and a last line for each kind of which there are more."""
        rest = [f"... and {count} more of kind [{kind}]" for kind, count in self.more().items()]
        return [f"{finding.severity}: {finding}" for finding in self] + rest

    def to_json(self) -> dict[str, Any]:
        """Return counts and the kept findings as a JSON object."""
        return {
            "errors": self.errors,
            "warnings": self.warnings,
            "findings": [finding.to_json() for finding in self],
            "not_shown": self.more(),
        }

    def raise_errors(self) -> None:
        """Raise `InputError` with all findings if one of them is an error.

        Raises:
            InputError: there is at least one error.
        """
        if self.errors:
            raise InputError(self)


class EntitySegError(Exception):
    """Base of all errors that entityseg raises on purpose; `exit_code` is the command line's."""

    exit_code = 1

    def __init__(self, findings: Findings | Finding | Iterable[Finding]) -> None:
        if isinstance(findings, Findings):
            self.findings = findings
        else:
            self.findings = Findings()
            for finding in [findings] if isinstance(findings, Finding) else findings:
                self.findings.append(finding)
        super().__init__("\n".join(self.findings.lines()))

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would hand the text to __init__, which wants findings (worker processes pickle errors).
        return type(self), (self.findings,)


class InputError(EntitySegError, ValueError):
    """Outside data (a file, an array) that cannot be taken as it is."""


class UsageError(EntitySegError, ValueError):
    """A call that makes no sense: an unknown option, a target that cannot hold the content."""

    exit_code = 2


class MissingFileError(InputError, FileNotFoundError):
    """A file or folder that should be there is not."""


def input_error(kind: str, message: str, remedy: str, **where: Any) -> InputError:
    """Return an `InputError` of one finding; `where` is as for `Findings.add`."""
    findings = Findings()
    findings.add(kind, message, remedy, **where)
    return InputError(findings)


def usage_error(kind: str, message: str, remedy: str, **where: Any) -> UsageError:
    """Return a `UsageError` of one finding; `where` is as for `Findings.add`."""
    findings = Findings()
    findings.add(kind, message, remedy, **where)
    return UsageError(findings)
