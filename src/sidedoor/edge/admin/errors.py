"""What a cmdlet says when it will not: the service's exception classes and its words."""

from __future__ import annotations

_CMDLET = "Microsoft.Exchange.AdminApi.CommandInvocation.CmdletException"
_NOT_FOUND = "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException"
_BINDING = "System.Management.Automation.ParameterBindingException"
_EXISTS = "Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException"


class CmdletError(Exception):
    """A refusal in the service's form: `exception` is its class, `str()` its message. status: of HTTP."""

    def __init__(self, message: str, exception: str = _CMDLET, status: int = 400) -> None:
        super().__init__(message)
        self.exception, self.status = exception, status


class ForbiddenError(Exception):
    """No such cmdlet, or no right to it: the service answers 403 with a body of NUL bytes."""


def not_found(kind: str, identity: str) -> CmdletError:
    """Get, Set or Remove of something that is not there."""
    message = f"The operation couldn't be performed because object '{identity}' couldn't be found ({kind})."
    return CmdletError(message, _NOT_FOUND, 404)


def bad_parameter(name: str, why: str) -> CmdletError:
    """A value that the cmdlet cannot take."""
    return CmdletError(f"Cannot process argument transformation on parameter '{name}'. {why}", _BINDING)


def missing(name: str) -> CmdletError:
    """A parameter without which there is nothing to do."""
    return CmdletError(f"Cannot bind argument to parameter '{name}' because it is missing or empty.", _BINDING)


def exists(kind: str, name: str) -> CmdletError:
    """A name that is taken."""
    return CmdletError(f"The name '{name}' is already in use by another {kind}. Use another name.", _EXISTS)


def unavailable(why: str) -> CmdletError:
    """Something on our side: the export cannot be read or written, the spool is locked."""
    return CmdletError(why, _CMDLET, 503)
