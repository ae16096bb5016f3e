"""tito: the tool of the course, for learners, instructors and authors."""

import sys

# With this module jsonschema, and so nbformat, would build a grammar of international web addresses when it is imported: half
# a second of nearly every command, for something that no notebook holds.
sys.modules.setdefault("rfc3987_syntax", None)
