"""What promotion needs of an MLflow model registry: aliases, tags and the digest of a version."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from pytest_readmit.errors import DataError, MissingExtra, ReadmitError, SuiteError, did_you_mean

CHAMPION = "champion"
CHALLENGER = "challenger"
PREVIOUS = "previous"
STATUS_TAG = "readmit.status"
TRACKING_URI = "MLFLOW_TRACKING_URI"
MOST_TOLD = 300

T = TypeVar("T")


class Refused(ReadmitError):
    """A promotion or check that the facts forbid; exit code 1."""

    exit_code = 1


class RegistryFailed(ReadmitError):
    """The registry could not be asked or changed; exit code 3."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """
    A registered model at one moment.

    Args:
        name: Its name.
        aliases: Alias → version, as text.
        tags: Its tags.
    """

    name: str
    aliases: Mapping[str, str]
    tags: Mapping[str, str]

    @property
    def champion(self) -> str | None:
        """The version that the alias `champion` names."""
        return self.aliases.get(CHAMPION)


@dataclass(frozen=True, slots=True)
class Version:
    """
    A version of a registered model.

    Args:
        number: As text: a local store gives an integer, a server a text.
        run_id: The run that made it.
        tags: Its tags.
    """

    number: str
    run_id: str | None
    tags: Mapping[str, str]


class Registry:
    """
    An MLflow model registry.

    Args:
        uri: The tracking URI.

    Raises:
        SuiteError: The URI names a database that is not there, or a store without a registry.
        MissingExtra: MLflow is not installed.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.shown = without_secrets(uri)
        database = database_file(uri)
        # MLflow would create it, and a typing error would look like an empty registry.
        if database is not None and not database.is_file():
            raise SuiteError([f"{self.shown}: there is no database {database}"])
        try:
            self._client = self._asked(lambda: _client(uri))
        except DataError as error:
            raise RegistryFailed(f"{self.shown}: {error}") from None

    def model(self, name: str) -> RegisteredModel:
        """
        Return a model's aliases and tags.

        Raises:
            Refused: There is no such model.
        """
        found = self._asked(lambda: self._client.get_registered_model(name))
        if found is None:
            known = [one.name for one in self._asked(self._client.search_registered_models) or ()]
            hint = did_you_mean(name, known)
            raise Refused(f"{self.shown}: there is no registered model {name!r}{hint}")
        aliases = {alias: str(version) for alias, version in dict(found.aliases).items()}
        return RegisteredModel(name, aliases, dict(found.tags))

    def version(self, name: str, number: str) -> Version | None:
        """Return a version, or None where there is none."""
        found = self._asked(lambda: self._client.get_model_version(name, number))
        return None if found is None else _version(found)

    def versions(self, name: str) -> list[Version]:
        """Return all versions of a model, oldest first."""
        quote = '"' if "'" in name else "'"
        found: list[Version] = []
        token: str | None = None
        while True:
            page = self._asked(
                lambda token=token: self._client.search_model_versions(  # type: ignore[misc]
                    f"name={quote}{name}{quote}", max_results=200, page_token=token
                )
            )
            found += [_version(one) for one in page or ()]
            token = getattr(page, "token", None)
            if not token:
                return sorted(found, key=lambda one: int(one.number))

    def digest(self, name: str, number: str) -> str:
        """
        Return the digest of a version's files.

        Raises:
            Refused: They cannot be had.
        """
        from pytest_readmit.models.mlflow import resolve

        try:
            return resolve(f"models:/{name}/{number}", self.uri).digest
        except DataError as error:
            raise Refused(f"the files of {name} version {number} cannot be had: {error}") from None

    def set_alias(self, name: str, alias: str, number: str | None) -> None:
        """Let an alias name a version; None takes it away."""
        if number is None:
            self._asked(lambda: self._client.delete_registered_model_alias(name, alias))
        else:
            self._asked(lambda: self._client.set_registered_model_alias(name, alias, number), must=True)

    def set_tag(self, name: str, key: str, value: str | None) -> None:
        """Set a tag of a model; None takes it away."""
        if value is None:
            self._asked(lambda: self._client.delete_registered_model_tag(name, key))
        else:
            self._asked(lambda: self._client.set_registered_model_tag(name, key, value), must=True)

    def set_version_tag(self, name: str, number: str, key: str, value: str | None) -> None:
        """Set a tag of a version; None takes it away."""
        if value is None:
            self._asked(lambda: self._client.delete_model_version_tag(name, number, key))
        else:
            self._asked(lambda: self._client.set_model_version_tag(name, number, key, value), must=True)

    def _asked(self, call: Callable[[], T], *, must: bool = False) -> T | Any:
        """Return what the registry answers; None where what is asked for is not there."""
        try:
            return call()
        except ReadmitError:
            raise
        except ImportError:
            raise MissingExtra("the model registry", "mlflow") from None
        except Exception as error:  # MLflow, SQLAlchemy, requests: each has its own
            if not must and getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST":
                return None
            text = " ".join(str(error).split()).replace(self.uri, self.shown)
            raise RegistryFailed(
                f"{self.shown}: the registry failed: {type(error).__name__}: {text[:MOST_TOLD]}"
            ) from None


def tracking_uri(given: str | None, environ: Mapping[str, str]) -> str:
    """
    Return the tracking URI that the operator names.

    Raises:
        SuiteError: There is none.
    """
    uri = given or environ.get(TRACKING_URI)
    if not uri:
        raise SuiteError([f"which registry? Name it with --tracking-uri or {TRACKING_URI}"])
    return uri


def database_file(uri: str) -> Path | None:
    """Return the file of a local SQLite store; None for any other."""
    scheme, _, rest = uri.partition(":///")
    if not scheme.startswith("sqlite") or not rest:
        return None
    return Path(os.path.abspath(rest.partition("?")[0]))


def without_secrets(uri: str) -> str:
    """Return a URI without user, password, query and fragment."""
    try:
        parts = urlsplit(uri)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "the registry"
    if uri.startswith("sqlite:"):
        return uri.partition("?")[0]
    return urlunsplit((parts.scheme, host, parts.path, "", "")) if parts.scheme else uri


def _version(found: Any) -> Version:
    return Version(str(found.version), found.run_id or None, dict(found.tags))


def _client(uri: str) -> Any:
    from pytest_readmit.models.mlflow import client

    return client(uri)
