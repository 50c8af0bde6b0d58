"""What a cmdlet says when it will not: the service's exception classes and its words."""

from __future__ import annotations


class CmdletError(Exception):
    """A refusal in the service's form: `exception` is its class, `str()` its message. status: of HTTP."""

    def __init__(self, message: str, exception: str = "Microsoft.Exchange.AdminApi.CommandInvocation.CmdletException",
                 status: int = 400) -> None:  # fmt: skip
        super().__init__(message)
        self.exception, self.status = exception, status


class ForbiddenError(Exception):
    """No such cmdlet, or no right to it: the service answers 403 with a body of NUL bytes."""


def not_found(kind: str, identity: str) -> CmdletError:
    """Get, Set or Remove of something that is not there."""
    return CmdletError(
        f"Ex6F9304|Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException|The operation couldn't be "
        f"performed because object '{identity}' couldn't be found ({kind}).",
        "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException",
        404,
    )


def bad_parameter(name: str, why: str) -> CmdletError:
    """A value that the cmdlet cannot take."""
    return CmdletError(
        f"Cannot process argument transformation on parameter '{name}'. {why}",
        "System.Management.Automation.ParameterBindingException",
    )
