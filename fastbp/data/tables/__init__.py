"""Tables: columns with names, of numbers, booleans and words, as inputs and targets.

Polars reads them. `options` is what the user may say of the columns, `table` opens a
file or a frame, `infer` decides what each column is, `encode` makes arrays.
"""
