"""Mathematical answers: read (`lexer`, `parse`, `tree`), valued (`value`), compared (`equal`,
`sets`, `compare`). Only `worker` needs a computer algebra system, and runs in workers alone."""
