"""A model's file: found, identified, trusted, and only then loaded."""

import hashlib
import io
import os
import warnings
from pathlib import Path
from typing import Any

from pytest_readmit.data.versions import pointer_advice
from pytest_readmit.errors import DataError, MissingExtra, did_you_mean
from pytest_readmit.models.skops_types import KNOWN
from pytest_readmit.models.trust import Trust

PICKLES = (".joblib", ".pkl", ".pickle")
SKOPS = ".skops"
_HEAD = 1024


class ModelFile:
    """
    The file of one model; what is loaded are the very bytes that were identified.

    Args:
        written: The path as the suite writes it.
        base: The folder that it starts from.
        pinned: The sha256 that stands beside it in the suite, or None.
        path: Where it is, where its source is no path.
    """

    def __init__(
        self, written: str, base: Path, pinned: str | None = None, *, path: Path | None = None
    ) -> None:
        self.written = written
        self.path = Path(os.path.abspath(base / written)) if path is None else path
        self._trusted_by: Path | None = self.path
        self._pinned = None if pinned is None else pinned.removeprefix("sha256:").lower()
        self._digest: str | None = None

    @property
    def digest(self) -> str | None:
        """``sha256:…`` of the bytes; None where they cannot be read."""
        if self._digest is None:
            try:
                self._bytes()
            except DataError:
                return None
        return self._digest

    def load(self, trust: Trust) -> Any:
        """
        Return what the file holds.

        Raises:
            DataError: It is not there, is no model, differs from its pin or is not trusted.
            MissingExtra: It needs skops, which is not installed.
        """
        suffix = self._suffix()
        data = self._bytes()
        pinned = self._is_pinned()
        trusted = pinned or trust.covers(self.written, self._trusted_by)
        if suffix == SKOPS:
            return self._unskop(data, trusted=trusted)
        if not trusted:
            raise DataError(
                f"{self.written} is a pickle, which runs code when it is loaded, and is not trusted; "
                f"{self._remedy()}, or save it as .skops"
            )
        return self._unpickle(data)

    def _remedy(self) -> str:
        return f"add {Trust.flag(self.written)} to the command, or its sha256: beside the path"

    def _suffix(self) -> str:
        suffix = self.path.suffix.lower()
        if suffix in (*PICKLES, SKOPS):
            return suffix
        if suffix == ".onnx":
            raise DataError(f"{self.written}: ONNX models are not read by this version; save it as .skops")
        if self.path.is_dir():
            raise DataError(f"{self.written} is a folder; name the model's file in it")
        known = ", ".join((*PICKLES, SKOPS))
        raise DataError(f"{self.written}: its name does not tell a model's format ({known})")

    def _bytes(self) -> bytes:
        data = self._read()
        self._digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        return data

    def _read(self) -> bytes:
        path = self.path
        try:
            if path.is_file():
                data = path.read_bytes()
            elif path.is_dir():
                raise DataError(f"{self.written} is a folder; name the model's file in it")
            else:
                raise DataError(self._not_there())
        except PermissionError:
            raise DataError(f"{self.written} may not be read: permission denied") from None
        except OSError:
            raise DataError(f"{self.written} could not be read") from None
        return self._sound(data)

    def _sound(self, data: bytes) -> bytes:
        if not data:
            raise DataError(f"{self.written} is empty (0 bytes)")
        advice = pointer_advice(data[:_HEAD])
        if advice is not None:
            raise DataError(f"{self.written} {advice.replace('not the data', 'not the model')}")
        return data

    def _not_there(self) -> str:
        if self.path.with_name(f"{self.path.name}.dvc").is_file():
            return f"{self.written} is not here but {self.path.name}.dvc is: run `dvc pull`"
        folder = self.path.parent
        if not folder.is_dir():
            return f"there is no file {self.written}: its folder does not exist"
        hint = did_you_mean(self.path.name, (each.name for each in folder.iterdir()))
        return f"there is no file {self.written}{hint}"

    def _is_pinned(self) -> bool:
        if self._pinned is None:
            return False
        if self._digest != f"sha256:{self._pinned}":
            raise DataError(
                f"{self.written} is not the file that its sha256: pins; it was replaced or damaged"
            )
        return True

    def _unpickle(self, data: bytes) -> Any:
        import joblib

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return joblib.load(io.BytesIO(data))
        except ModuleNotFoundError as error:
            raise DataError(
                f"{self.written} needs the module {error.name!r}, which is not installed"
            ) from None
        except Exception as error:  # a pickle may raise anything, with any text
            raise DataError(
                f"{self.written} could not be loaded ({type(error).__name__}): it is truncated or no pickle, "
                "or was saved with other versions of its packages"
            ) from None

    def _unskop(self, data: bytes, *, trusted: bool) -> Any:
        try:
            from skops import io as skops_io
        except ImportError:
            raise MissingExtra(f"loading {self.written}", "skops") from None
        if not data.startswith(b"PK"):
            raise DataError(f"{self.written} is no skops file, or a truncated one; save it again")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                foreign = sorted(skops_io.get_untrusted_types(data=data))
                unknown = [name for name in foreign if name not in KNOWN]
                if unknown and not trusted:
                    named = ", ".join(unknown[:5])
                    raise DataError(
                        f"{self.written} holds types that are not trusted: {named}; {self._remedy()}"
                    )
                return skops_io.loads(data, trusted=foreign)
        except DataError:
            raise
        except Exception as error:  # as in _unpickle
            raise DataError(
                f"{self.written} could not be loaded ({type(error).__name__}): it is truncated or no skops "
                "file, or was saved with other versions of its packages"
            ) from None
