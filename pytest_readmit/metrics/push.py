"""Metrics pushed to a Prometheus Pushgateway, one group a suite."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, unquote, urlsplit

from pytest_readmit.errors import ReadmitError, SuiteError
from pytest_readmit.metrics.runs import Standing
from pytest_readmit.metrics.series import families

OPTION = "--readmit-pushgateway"
JOB = "readmit"
SECONDS = 10
USER, PASSWORD = "PUSHGATEWAY_USER", "PUSHGATEWAY_PASSWORD"


@dataclass(frozen=True, slots=True)
class Gateway:
    """
    Where to push.

    Args:
        url: Without user, password, query and fragment.
        user: For basic authentication; None: without.
        password: Likewise.
    """

    url: str
    user: str | None
    password: str | None

    def __repr__(self) -> str:
        return f"Gateway({self.url!r})"


def gateway(url: str, environ: Mapping[str, str]) -> Gateway:
    """
    Return where to push.

    Args:
        url: As the command line names it; it may hold user and password.
        environ: The environment, which else may hold them.

    Raises:
        SuiteError: It is no URL of a Pushgateway; secrets in it are not quoted.
    """
    told = f"{OPTION} {shown(url)}"
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_url = False
    if not is_url or not url.isprintable() or " " in url:
        raise SuiteError([f"{told}: no address of a Pushgateway: write http://HOST:PORT or https://HOST"])
    if "@" in parts.path:
        raise SuiteError(
            [f"{told}: an @ in its path: write / and @ of a password as %2F and %40, or set {PASSWORD}"]
        )
    if parts.query or parts.fragment:
        raise SuiteError([f"{told}: a Pushgateway takes no query and no fragment: leave them out"])
    return Gateway(_plain(parts), *_credentials(parts, environ))


def _plain(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"


def _credentials(parts: SplitResult, environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    if parts.username is not None:
        return unquote(parts.username), unquote(parts.password or "")
    return environ.get(USER) or None, environ.get(PASSWORD, "")


def shown(url: str) -> str:
    """Return a URL, or what was meant as one, without user, password, query and fragment."""
    scheme, colon, rest = url.partition("://")
    if not colon:
        rest = url
    known = f"{scheme}://" if colon and scheme.isalpha() else ""
    host, *cut = re.split(r"[?#]", rest, maxsplit=1)
    if "@" in "".join(cut):  # a password or a query with an @: where the host begins is a guess
        return f"{known}..."
    return known + host.rpartition("@")[2]


def push(to: Gateway, standings: Sequence[Standing]) -> None:
    """
    Replace each suite's group at the gateway, so that cases which are gone vanish there too.

    Raises:
        ReadmitError: The gateway cannot be reached or refuses.
    """
    from prometheus_client import CollectorRegistry, push_to_gateway

    for standing in standings:
        registry = CollectorRegistry()
        registry.register(families([standing]))
        try:
            push_to_gateway(
                to.url,
                job=JOB,
                registry=registry,
                grouping_key={"suite": standing.suite},
                timeout=SECONDS,
                handler=_sender(to),
            )
        except Exception as error:  # a library's text may hold the address with its secrets
            raise ReadmitError(f"{to.url}: {_reason(error)}") from None


def _sender(to: Gateway) -> Callable[..., Callable[[], None]]:
    """Return how a request is sent: without following redirects, which would take the password along."""
    import base64
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class NoRedirect(HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    def sender(
        url: str, method: str, timeout: float, headers: Sequence[tuple[str, str]], data: bytes
    ) -> Callable[[], None]:
        def send() -> None:
            request = Request(url, data=data, headers=dict(headers), method=method)  # noqa: S310 - checked
            if to.user is not None:
                pair = base64.b64encode(f"{to.user}:{to.password}".encode()).decode()
                request.add_unredirected_header("Authorization", f"Basic {pair}")
            build_opener(NoRedirect).open(request, timeout=timeout).close()

        return send

    return sender


def _reason(error: BaseException) -> str:
    if isinstance(error, HTTPError):
        return f"it answered {error.code}"
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, HTTPException):
        return "no answer in HTTP"
    if isinstance(cause, TimeoutError):
        return f"no answer within {SECONDS} seconds"
    said = getattr(cause, "verify_message", None) or getattr(cause, "strerror", None)
    return str(said) if said else type(cause).__name__
