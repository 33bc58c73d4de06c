"""Judge mathematical answers without a computer algebra system, as far as that is possible.

Read top-down: answer (golds, and the order of the decisions), words (text answers and choices),
phrases (words beside a value), number (plain numbers), bound (limits of size), notation and
characters (one spelling), spelling (the same text), compare (the grading policy), solution_families
(names without a meaning), forms, naming and binding (what an answer states), same, curves, vectors
and sets (equality of structures), equal, value, whole_numbers and faults (equality of values), show
(printing). parse, joining, quantities, expressions, numeral, cursor, lexer and tree read an answer.
`worker` judges the rest with sympy and math-verify; it runs in worker processes only, which `warm`
prepares.
"""
