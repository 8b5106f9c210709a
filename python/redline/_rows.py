"""Rows of dictionaries and data frames as JSON text."""

import json


def _is_missing(value):
    """Whether a cell of a table is empty: None, NaN, pandas' NA and NaT."""
    return value is None or (isinstance(value, float) and value != value) or type(value).__name__ in ("NAType", "NaTType")


def _plain(value):
    """Scalars and arrays of other libraries as Python's own."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a row holds a {type(value).__name__}, which JSON has no word for")


def json_rows(rows):
    """The JSON text of each row of a data frame (pandas, polars) or of an iterable of mappings."""
    if hasattr(rows, "to_dicts"):
        rows = rows.to_dicts()
    elif hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        rows = rows.to_dict("records")
    if isinstance(rows, dict) or not hasattr(rows, "__iter__"):
        raise TypeError("rows are a path, a list of dictionaries, or a data frame")
    texts = []
    for place, row in enumerate(rows):
        if not hasattr(row, "items"):
            raise TypeError(f"row {place} is a {type(row).__name__}, not a dictionary")
        kept = {str(name): value for name, value in row.items() if not _is_missing(value)}
        texts.append(json.dumps(kept, default=_plain))
    return texts
