"""Make the benchmark's pair of Parquet tables: 30 floats, 10 integers, 10 categories."""

import hashlib
import tempfile
from pathlib import Path

FLOATS, INTEGERS, CATEGORIES = 30, 10, 10
LEVELS = (2, 3, 4, 6, 8, 12, 20, 50, 100, 200)


def make(rows: int, folder: Path | None = None) -> tuple[Path, Path]:
    """
    Return the paths of reference and current, written once and kept for the next run.

    A third of the floats miss 5% of their values; in `current` every tenth column has moved.
    """
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    folder = folder or Path(tempfile.gettempdir()) / f"readmit-benchmark-{rows}-{recipe}"
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "reference.parquet", folder / "current.parquet"
    for seed, path in enumerate(paths):
        if not path.exists():
            _write(path, rows, seed)
    return paths


def _write(path: Path, rows: int, seed: int) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(seed)
    moved = 0.3 * seed
    columns: dict[str, pa.Array] = {}
    for i in range(FLOATS):
        values = random.normal(moved if i % 10 == 0 else 0.0, 1.0, rows)
        if i % 3 == 1:
            values = np.exp(values)
        missing = random.random(rows) < 0.05 if i % 3 == 0 else None
        columns[f"float_{i:02d}"] = pa.array(values, mask=missing)
    for i in range(INTEGERS):
        shift = 2 * seed if i == 0 else 0
        columns[f"integer_{i:02d}"] = pa.array(random.poisson(4 * 2**i, rows) + shift)
    for i, levels in enumerate(LEVELS):
        weights = 1 / np.arange(1, levels + 1)
        if i == 3 and seed:
            weights = weights[::-1]
        codes = random.choice(levels, rows, p=weights / weights.sum()).astype(np.int32)
        names = pa.array([f"level {k}" for k in range(levels)])
        columns[f"category_{i:02d}"] = pa.DictionaryArray.from_arrays(pa.array(codes), names).cast(
            pa.string()
        )
    scratch = path.with_suffix(".partial")
    pq.write_table(pa.table(columns), scratch)
    scratch.replace(path)
