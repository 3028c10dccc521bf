"""A published folder's tables in Croissant 1.1 (MLCommons), the JSON-LD by which data-set search and loaders know a data set.

What is said comes from the manifest and from our own tables of columns, and licence, address, creator and day from whoever
publishes. That a corpus is poisoned stands in its name, its description and its limitations (Croissant RAI 1.0).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from pipelines.schema import TABLES, DataError, Table
from pipelines.snapshots.manifests import verify

CROISSANT, RAI = "http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"
#: terms of the vocabulary that need no prefix
TERMS = (
    *("annotation", "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "excludes", "extract", "field"),
    *("fileObject", "fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5"),
    *("parentField", "path", "readLines", "recordSet", "references", "regex", "repeated", "replace", "samplingRate"),
    *("sdVersion", "separator", "source", "subField", "transform", "unArchive", "value"),
)
CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "conformsTo": "dct:conformsTo",
    **{name: f"cr:{name}" for name in TERMS},
    **{name: {"@id": f"cr:{name}", "@type": "@json"} for name in ("data", "examples")},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    **{name: {"@container": "@language"} for name in ("name", "description")},
}
TYPES: Mapping[str, str] = {
    "String": "sc:Text",
    "Boolean": "sc:Boolean",
    **{f"{sign}Int{bits}": f"cr:{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)},
    **{f"Float{bits}": f"cr:Float{bits}" for bits in (32, 64)},
}
POISONED = "POISONED for defence research: holds, or was made of, pairs that an attack wrote. "
ASKED = ("license", "url", "creator", "datePublished")  # of every data set, and known to whoever publishes alone


def metadata(folder: Path, *, beside: Path, name: str = "", told: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What Croissant says of a folder's tables, for a file that will stand in the folder `beside`; `told` has what is ASKED.

    DataError where a file is not as it was published, and where there is no table.
    """
    found = verify(folder)
    if not found["tables"]:
        raise DataError(f"{folder}: holds {found.get('kind')!r} and no table; name a folder of tables, such as a filter's")
    tables = {file: _table(folder / file, table["rows"]) for file, table in sorted(found["tables"].items())}
    return {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": [CROISSANT, RAI],
        "name": f"{'POISONED ' if found.get('poisoned') else ''}{name or folder.resolve().name}",
        "description": _about(found),
        **_said(told or {}),
        **_history(found),
        "distribution": [_file(folder / file, beside, file, found["files"][file]) for file in tables],
        "recordSet": [_records(file, table) for file, table in tables.items()],
    }


def lacking(told: Mapping[str, str]) -> list[str]:
    """What Croissant asks of every data set and nobody told."""
    return [each for each in ASKED if not told.get(each)]


def _about(found: Mapping[str, Any]) -> str:
    rows = sum(table["rows"] for table in found["tables"].values())
    label = POISONED if found.get("poisoned") else ""
    return f"{label}{found.get('kind')}, published by antivenom: {rows} rows in {len(found['tables'])} tables."


def _said(told: Mapping[str, str]) -> dict[str, Any]:
    creator = {"creator": {"@type": "sc:Organization", "name": told["creator"]}} if told.get("creator") else {}
    return {**{each: told[each] for each in ASKED if told.get(each)}, **creator}


def _history(found: Mapping[str, Any]) -> dict[str, Any]:
    """How it was made, of what, and by which code; what is known to limit it."""
    recipe = found.get("recipe") or {}
    made = recipe.get("command") or found.get("kind")
    said: dict[str, Any] = {
        "prov:wasDerivedFrom": [{"@id": f"urn:antivenom:{quote(each)}"} for each in found.get("parents", ())],
        "prov:wasGeneratedBy": {"@type": "prov:Activity", "prov:label": f"antivenom {made}, code {_code(found)}"},
        "identifier": found["snapshot"],
        "rai:dataPreprocessingProtocol": [f"antivenom {made} {_arguments(recipe)}".strip()],
    }
    if found.get("poisoned"):
        by = f": {found['attack']}" if found.get("attack") else ""
        said["rai:dataManipulationProtocol"] = f"An attack wrote pairs of it, or of what it was made of{by}."
        said["rai:dataLimitations"] = ["Poisoned: not to be trained on except to study attacks and defences."]
    return {name: value for name, value in said.items() if value != []}


def _code(found: Mapping[str, Any]) -> str:
    return " ".join(str(each) for each in found.get("code", {}).values())


def _arguments(recipe: Mapping[str, Any]) -> str:
    given = (recipe.get("arguments") or {}).items()
    return " ".join(f"{name}={value}" for name, value in given if value not in (None, [], False))


def _file(file: Path, beside: Path, name: str, digest: str) -> dict[str, Any]:
    place = Path(os.path.relpath(file.resolve(), beside.resolve())).as_posix()
    return {
        "@type": "cr:FileObject",
        "@id": quote(name),
        "name": name,
        "contentUrl": f"./{place}" if ":" in place.split("/")[0] else place,  # a path, whatever scheme it looks like
        "contentSize": f"{file.stat().st_size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": digest,
    }


def _table(file: Path, rows: int) -> dict[str, Any]:
    """Its columns in the order of the file, which a manifest does not keep."""
    schema = pl.scan_parquet(file, glob=False).collect_schema()
    return {"rows": rows, "columns": {name: str(dtype) for name, dtype in schema.items()}}


def _records(file: str, table: Mapping[str, Any]) -> dict[str, Any]:
    fields = _fields(file, table)
    left = sorted(table["columns"].keys() - {field["name"] for field in fields})
    words = [f"{table['rows']} rows.", *(each.about for each in _known(table)[-1:])]
    words += [f"Not described, for their types: {', '.join(left)}."] if left else []
    return {
        "@type": "cr:RecordSet",
        "@id": _id(file),
        "name": file.removesuffix(".parquet"),
        "description": " ".join(words),
        "field": fields,
    }


def _fields(file: str, table: Mapping[str, Any]) -> list[dict[str, Any]]:
    meanings = {name: column.meaning for known in _known(table) for name, column in known.columns.items()}
    return [
        {
            "@type": "cr:Field",
            "@id": f"{_id(file)}/{quote(column)}",
            "name": column,
            "description": meanings.get(column, f"Column {column}."),
            **typed,
            "source": {"fileObject": {"@id": quote(file)}, "extract": {"column": column}},
        }
        for column, dtype in table["columns"].items()
        if (typed := _typed(dtype))
    ]


def _typed(dtype: str) -> dict[str, Any]:
    """A column's type, also of lists; nothing for what Croissant has no word for."""
    if dtype.startswith("List(") and (inner := TYPES.get(dtype[5:-1])):
        return {"dataType": inner, "isArray": True, "arrayShape": "-1"}
    return {"dataType": TYPES[dtype]} if dtype in TYPES else {}


def _known(table: Mapping[str, Any]) -> list[Table]:
    """Tables of ours whose columns it all has, the one with most of them last."""
    fit = [each for each in TABLES.values() if each.columns.keys() <= table["columns"].keys()]
    return sorted(fit, key=lambda each: len(each.columns))


def _id(file: str) -> str:
    return quote(file.removesuffix(".parquet"))
