"""
The floor of a drift gate: what the same answers cost when nothing but the arithmetic is done.

Memory-mapped Parquet, one column at a time, numpy's sort, the exact Kolmogorov-Smirnov distance, counts of
integers, categories and missing values, two threads. No suite, no verdict, no digest, no record.
Usage: python floor.py REFERENCE CURRENT
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

THREADS = 2


class Table:
    """A Parquet file that is read one column at a time."""

    def __init__(self, path: str) -> None:
        self.schema = pq.read_schema(path, memory_map=True)
        texts = [field.name for field in self.schema if pa.types.is_string(field.type)]
        self.file = pq.ParquetFile(path, memory_map=True, read_dictionary=texts)

    def column(self, name: str) -> pa.Array:
        chunked = self.file.read(columns=[name], use_threads=False).column(0)
        return chunked.chunk(0) if chunked.num_chunks == 1 else chunked.combine_chunks()


def numbers(array: pa.Array) -> np.ndarray:
    """Return the values that are not missing, without a copy where none is missing."""
    array = array.drop_null() if array.null_count else array
    kind = np.float64 if pa.types.is_floating(array.type) else np.int64
    return np.frombuffer(array.buffers()[1], kind)[array.offset : array.offset + len(array)]


def ks_of_floats(reference: np.ndarray, current: np.ndarray) -> float:
    """Return the exact distance by sorting both sides and ranking one in the other."""
    reference, current = np.sort(reference), np.sort(current)
    n, m = len(reference), len(current)
    own_right = np.arange(1, n + 1)
    own_left = own_right - 1
    if (reference[1:] == reference[:-1]).any():
        own_right = np.searchsorted(reference, reference, "right")
        own_left = np.searchsorted(reference, reference, "left")
    right = np.searchsorted(current, reference, "right")
    tied = (current[np.maximum(right - 1, 0)] == reference).any()
    left = np.searchsorted(current, reference, "left") if tied else right
    above = np.abs(own_right / n - right / m).max()
    below = np.abs(own_left / n - left / m).max()
    return float(max(above, below))


def ks_of_integers(reference: np.ndarray, current: np.ndarray) -> float:
    """Return the exact distance from counts."""
    low = min(reference.min(), current.min())
    size = int(max(reference.max(), current.max()) - low) + 1
    shares = [np.cumsum(np.bincount(side - low, minlength=size)) / len(side) for side in (reference, current)]
    return float(np.abs(shares[0] - shares[1]).max())


def variation(reference: pa.DictionaryArray, current: pa.DictionaryArray) -> tuple[float, int]:
    """Return the total variation distance and the rows of current in levels that reference lacks."""
    counts = [level_counts(side) for side in (reference, current)]
    sizes = [sum(count.values()) for count in counts]
    levels = counts[0].keys() | counts[1].keys()
    distance = sum(abs(counts[0].get(x, 0) / sizes[0] - counts[1].get(x, 0) / sizes[1]) for x in levels) / 2
    return distance, sum(n for level, n in counts[1].items() if level not in counts[0])


def level_counts(array: pa.DictionaryArray) -> dict[str, int]:
    codes = array.indices.drop_null()
    values = np.frombuffer(codes.buffers()[1], np.int32)[codes.offset : codes.offset + len(codes)]
    found = np.bincount(values, minlength=len(array.dictionary))
    return dict(zip(array.dictionary.to_pylist(), found.tolist(), strict=True))


def measure(name: str, reference: Table, current: Table) -> dict[str, float | str]:
    sides = [reference.column(name), current.column(name)]
    missing = [side.null_count / len(side) for side in sides]
    answer: dict[str, float | str] = {"column": name, "missing": missing[1] - missing[0]}
    if pa.types.is_dictionary(sides[0].type):
        answer["distance"], answer["unseen"] = variation(*sides)
    elif pa.types.is_floating(sides[0].type):
        answer["distance"] = ks_of_floats(*(numbers(side) for side in sides))
    else:
        answer["distance"] = ks_of_integers(*(numbers(side) for side in sides))
    return answer


def main() -> None:
    reference, current = Table(sys.argv[1]), Table(sys.argv[2])
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(lambda name: measure(name, reference, current), reference.schema.names))
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
