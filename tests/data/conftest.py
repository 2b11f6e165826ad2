from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pytest_readmit.data.dataset import Dataset, Roles
from pytest_readmit.data.source import SourceSpec, open_dataset

Opener = Callable[..., Dataset]


@pytest.fixture
def open_source(tmp_path: Path) -> Iterator[Opener]:
    opened: list[Dataset] = []

    def opener(
        source: Any,
        *,
        kind: str | None = None,
        name: str = "current",
        like: Dataset | None = None,
        read: dict[str, Any] | None = None,
        rename: dict[str, str] | None = None,
        where: str | None = None,
        parameters: dict[str, str] | None = None,
        matured: dict[str, Any] | None = None,
        as_of: date | None = None,
        **roles: Any,
    ) -> Dataset:
        by_path = isinstance(source, str) and kind is None
        spec = SourceSpec(
            kind=kind or ("path" if by_path else "frame"),
            value=source if isinstance(source, str) else "frame",
            base=tmp_path,
            read=read or {},
            rename=rename or {},
            where=where,
            parameters=parameters or {},
            matured=matured,
            as_of=as_of,
            frame=None if isinstance(source, str) else source,
        )
        dataset = open_dataset(name, spec, Roles(**roles), like=like)
        opened.append(dataset)
        return dataset

    yield opener
    for dataset in opened:
        dataset.close()
