"""What a notebook shows of evaluations of quantities and labels."""

import numpy as np

import fastbp
from fastbp.network import Network

INPUTS = np.array([[0.5, -1.5], [2.5, 3.0], [-1.0, 4.5]])
APART = np.array([[0.5, 0], [-0.5, 0], [0.5, 0]])


def linear(output):
    network = Network((2, 2), output=output)
    network.weights[0][...] = np.eye(2)
    return network


def test_quantities():
    found = fastbp.test(linear("identity"), (INPUTS, INPUTS + APART))
    html = found._repr_html_()
    assert "R2 0.8816" in html  # 1 - 0.75 / 3.1667 and 1
    assert "(3 samples)" in html
    assert html.count("0.5</td>") == 2  # RMSE and MAE of the first target
    assert ">mean</td>" in html
    assert "without targets" in fastbp.test(linear("identity"), {"images": INPUTS})._repr_html_()


def test_labels():
    found = fastbp.test(linear("logistic"), (INPUTS, np.array([[1, 1], [1, 1], [0, 1]])))
    html = found._repr_html_()
    assert "all labels right 66.67 %" in html
    assert ">66.67 %</td>" in html
    assert ">100.00 %</td>" in html
    assert "without labels" in fastbp.test(linear("logistic"), {"images": INPUTS})._repr_html_()
