"""Judge mathematical answers without a computer algebra system, as far as that is possible.

Read top-down: answer (golds, and the order of the decisions), words (text answers and choices),
number (plain numbers), bound (limits of size), notation (one spelling), compare (the grading
policy), families (parameters), same and sets (equality of structures), equal and value (equality of
values), show (printing); parse, expressions, cursor, lexer and tree read an answer. `worker` judges
the rest with sympy and math-verify; it runs in worker processes only, which `warm` prepares.
"""
