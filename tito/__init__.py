"""tito: the tool of the course, for learners, instructors and authors."""

import sys

# With this module, importing jsonschema (and so nbformat) builds a grammar of international web addresses. That takes half a
# second of nearly every command, and no notebook needs it.
sys.modules.setdefault("rfc3987_syntax", None)
