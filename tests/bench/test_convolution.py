"""bench/convolution*.py: costs from the shapes, and who wins, on numbers counted by hand."""

import pytest


@pytest.fixture(name="bench")
def _bench(script):
    return script("convolution_nets"), script("convolution_page")


def test_the_costs_of_lenet_are_those_counted_by_hand(bench):
    nets, _ = bench
    first, second, *rest = nets.costs(nets.NETS["LeNet-5"])
    # 6 maps of 28 x 28, 25 terms each; forward and for the weights. 16 of 10 x 10 over 6 x 25, thrice.
    assert (first.shape, first.weights, first.flop) == ((6, 28, 28), 150, 2 * 2 * 4704 * 25)
    assert (second.shape, second.weights, second.flop) == ((16, 10, 10), 2400, 3 * 2 * 1600 * 150)
    assert [(cost.shape, cost.weights) for cost in rest] == [((120,), 48000), ((84,), 10080), ((10,), 840)]
    # 6 channels need a vector of 16, as outputs of the first and as gradients of the second.
    assert first.full == first.flop / 6 * 16
    assert second.full == 2 * 100 * 25 * (2 * 6 * 16 + 16 * 16)
    assert (first.patches, second.patches) == (4 * 784 * 25, 4 * 100 * 6 * 25)


def test_a_depthwise_layer_has_one_filter_a_channel(bench):
    nets, _ = bench
    _, depthwise, pointwise, *_ = nets.costs(nets.NETS["depthwise"])
    assert (depthwise.shape, depthwise.weights) == ((32, 7, 7), 9 * 32)
    assert depthwise.flop == depthwise.full == 3 * 2 * 9 * 32 * 49
    assert (pointwise.shape, pointwise.weights) == ((64, 7, 7), 32 * 64)


@pytest.mark.parametrize("name", ["strided-8-16", "LeNet-5", "depthwise", "three-32-64-64"])
def test_modules_have_the_weights_that_the_costs_count(bench, script, name):
    torch = pytest.importorskip("torch")
    nets, _ = bench
    module = script("convolution_training").module_of(nets.NETS[name])
    weights = sum(p.numel() for p in module.parameters() if p.dim() > 1)
    assert weights == nets.total(nets.NETS[name], "weights")
    assert module(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_a_recipe_is_beaten_by_what_is_faster_and_no_worse(bench):
    _, page = bench
    recipes = [(0.4, 1.8), (1.0, 1.4), (5.0, 0.9)]
    assert page.crossing(recipes, [(2.0, 0.9)]) == 1.4
    assert page.crossing(recipes, [(2.0, 0.95)]) == 0.9
    assert page.crossing(recipes, [(0.3, 0.8)]) is None
    assert page.crossing(recipes, []) == 0.9


def test_the_frontier_keeps_what_none_beats(bench):
    _, page = bench
    assert page.frontier([(3, 1.0), (1, 2.0), (2, 2.5), (4, 0.9)]) == [(1, 2.0), (3, 1.0), (4, 0.9)]
