"""`croissant.json`: what the export's Parquet holds, for loaders and searches that read MLCommons Croissant 1.0."""

from __future__ import annotations

import json
import re
from hashlib import file_digest
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NUMBER = re.compile(r"-\d+-of-\d+\.parquet$")
_TERMS = (
    *("citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject", "fileSet", "format"),
    *("includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex"),
    *("repeated", "replace", "samplingRate", "separator", "source", "subField", "transform"),
)
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{name: f"cr:{name}" for name in _TERMS},
}


def write(folder: Path, name: str, description: str, licence: str | None) -> bool:
    """Write the file; an export without Parquet has none.

    Args:
        folder: The export.
        name: Its name.
        description: A sentence.
        licence: Of all sources, where it is one and the same.
    """
    shards = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.parquet"))]
    shards = [shard for shard in shards if not shard.startswith(".")]
    if not shards:
        return False
    # Numbered shards are read together, anything else for itself: it is an epoch.
    sets = {_NUMBER.sub("-*.parquet", shard): shard for shard in reversed(shards) if _NUMBER.search(shard)}
    alone = {shard: shard for shard in shards if not _NUMBER.search(shard)}
    value = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": description,
        **({"license": licence} if licence else {}),
        "distribution": [*(_file(folder, shard) for shard in shards), *(_set(pattern) for pattern in sets)],
        "recordSet": [_records(folder / first, place) for place, first in {**sets, **alone}.items()],
    }
    (folder / "croissant.json").write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return True


def _file(folder: Path, shard: str) -> dict[str, Any]:
    path = folder / shard
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return {
        "@type": "cr:FileObject",
        "@id": shard,
        "name": shard,
        "contentUrl": shard,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": digest,
    }


def _set(pattern: str) -> dict[str, Any]:
    name = {"@type": "cr:FileSet", "@id": pattern, "name": pattern}
    return {**name, "encodingFormat": "application/x-parquet", "includes": pattern}


def _records(path: Path, place: str) -> dict[str, Any]:
    """The columns of a file or a set of files, by the schema of one of them."""
    return {
        "@type": "cr:RecordSet",
        "@id": f"rows/{place}",
        "name": f"rows/{place}",
        # What holds structs is in no record: mlcroissant 1.1 cannot read a list of them.
        "description": "One row per conversation and condition, without the columns that hold structs.",
        "field": [_field(field, place) for field in pq.read_schema(path) if next(_types(field.type), None)],
    }


def _field(field: pa.Field, place: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"rows/{place}/{field.name}",
        "name": field.name,
        "dataType": next(_types(field.type)),
        **({} if pa.types.is_primitive(field.type) or pa.types.is_string(field.type) else {"repeated": True}),
        "source": {"fileSet" if "*" in place else "fileObject": {"@id": place}, "extract": {"column": field.name}},
    }


def _types(type_: pa.DataType) -> Iterator[str]:
    """The Croissant type of a value, or of what a list holds; none for structs."""
    while pa.types.is_list(type_) or pa.types.is_large_list(type_):
        type_ = type_.value_type
    if pa.types.is_boolean(type_):
        yield "sc:Boolean"
    if pa.types.is_integer(type_):
        yield "sc:Integer"
    if pa.types.is_floating(type_):
        yield "sc:Float"
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        yield "sc:Text"
