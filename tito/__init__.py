"""tito: the tool of the course, for learners, instructors and authors."""
