"""Both paths side by side, with bounds on how far apart they may be.

===================  ==============================================================
`paths`              `verify_paths` and `verify_all`, and why the bounds are these
`problem`            what both paths are given
`runs`               whole runs of the trainer: in float64, in float32, and twins
`images`             distorted images
`steps`, `rounding`  gradients and short runs, with bounds derived from rounding
`configurations`     the list of ``fastbp verify --all``
`report`             what was found, and the verdict
===================  ==============================================================
"""
