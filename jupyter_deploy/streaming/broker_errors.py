"""The errors of brokers, which all of their modules raise."""

from __future__ import annotations

from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.domain.stream.spec import StreamAddress


def away(address: StreamAddress, error: BaseException, hint: str = "") -> TargetError:
    """Return the error of a broker that cannot be reached; ``hint`` ends the remedy."""
    return TargetError(
        f"the broker {address.server} does not answer: {str(error) or type(error).__name__}",
        f"start it, or correct host and port{hint}",
    )


def refused_user(address: StreamAddress, error: BaseException | None = None) -> InvalidInput:
    """Return the error of a broker that does not know the user, or the password."""
    reason = f": {error}" if error else ""
    return InvalidInput(f"{address.server} refuses the user{reason}", "name a file with USER:PASSWORD by --credentials")


def other_reader(address: StreamAddress, what: str) -> TargetError:
    """Return the error of a place that another process reads; ``what`` names the place."""
    return TargetError(
        f"another process reads {what} at {address.server}",
        "end it: at one broker, one endpoint of a name answers a stream",
    )
