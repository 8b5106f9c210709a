"""Rows of a result."""

from html import escape


def _cell(value):
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict) and "value" in value:
        return _cell(value["value"])
    return "" if value is None else str(value)


class Table(list):
    """A list of dictionaries with the same keys, which data frames are made of."""

    def to_pandas(self):
        """A pandas DataFrame; pandas is imported here."""
        import pandas

        return pandas.DataFrame(list(self))

    def to_polars(self):
        """A polars DataFrame; polars is imported here."""
        import polars

        return polars.DataFrame(list(self), infer_schema_length=None)

    def to_dict(self):
        """A dictionary of columns."""
        names = list(self[0]) if self else []
        return {name: [row[name] for row in self] for name in names}

    def _repr_html_(self):
        names = list(self[0]) if self else []
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_cell(row.get(name)))}</td>" for name in names) + "</tr>" for row in self
        )
        return f"<table><tr>{head}</tr>{body}</table>"
