"""What a correction changed, marked."""

import re
from difflib import SequenceMatcher
from html import escape


def difference(answer, correction):
    """The correction as HTML: what was taken from the answer struck out, what was added underlined."""
    old, new = (re.findall(r"\s+|\w+|[^\w\s]", text) for text in (answer.strip(), correction))
    parts = []
    for _, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        taken, added = "".join(old[a:b]), "".join(new[c:d])
        if taken == added:
            parts.append(escape(added))
            continue
        if taken:
            parts.append(f'<del style="color:#b00">{escape(taken)}</del>')
        if added:
            parts.append(f'<ins style="color:#070">{escape(added)}</ins>')
    return f'<div style="white-space:pre-wrap">{"".join(parts)}</div>'
