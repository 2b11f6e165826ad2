"""A model's file as it was at a revision, out of Git or DVC."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_readmit.data.versions import VERSIONED
from pytest_readmit.errors import DataError, MissingExtra
from pytest_readmit.models.files import ModelFile

__all__ = ["VERSIONED", "ModelVersion"]


class ModelVersion(ModelFile):
    """
    The file of a model at a revision; it is trusted by its source with the revision, never by the path alone.

    Args:
        kind: ``git`` or ``dvc``.
        value: The path.
        options: `rev` and `repo`.
        base: The folder that the path starts from.
        pinned: The sha256 that stands beside it in the suite, or None.
    """

    def __init__(
        self, kind: str, value: str, options: Mapping[str, Any], base: Path, pinned: str | None = None
    ) -> None:
        from pytest_readmit.data.fetched import shown_source

        super().__init__(shown_source(kind, value, options), base, pinned, path=Path(value))
        self._trusted_by = None
        self._source = (kind, value, dict(options), base)
        self._version: str | None = None

    @property
    def version(self) -> str | None:
        """The commit or md5 that was read; None where it cannot be had."""
        if self._version is None:
            try:
                self._bytes()
            except DataError:
                return None
        return self._version

    def _read(self) -> bytes:
        from pytest_readmit.data.fetched import fetch

        try:
            fetched = fetch(*self._source)
        except MissingExtra as error:
            raise DataError(str(error)) from None
        except OSError:
            raise DataError(f"{self.written} could not be fetched: nowhere to write, or no room") from None
        try:
            if self._version not in (None, fetched.version):
                raise DataError(f"{self.written} names another version now than when this run began")
            path = fetched.files / fetched.path
            data = self._sound(path.read_bytes()) if path.is_file() else None
        finally:
            fetched.discard()
        if data is None:
            raise DataError(f"{self.written} is a folder; name the model's file in it")
        self._version = fetched.version
        return data
