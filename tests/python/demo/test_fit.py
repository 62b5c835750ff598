"""The demo's main job and its lecture, against closed forms and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad.demo import fit, lecture
from tapegrad.demo.data import Dataset


@pytest.fixture
def data() -> Dataset:
    rng = np.random.default_rng(3)
    features = rng.standard_normal((60, 4))
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    chance = 1 / (1 + np.exp(-(features @ [1.0, -2.0, 0.5, 0.0] + 0.3)))
    return Dataset("made up", features, (rng.random(60) < chance) * 1.0, tuple("abcd"))


@pytest.mark.parametrize("method", fit.METHODS)
def test_each_solver_agrees_with_scikit_learn(data, method):
    pytest.importorskip("sklearn")
    found, known = fit.fit(data, method), fit.reference(data)
    assert not found.complaint or "precision loss" in found.complaint  # the end of rounding
    assert fit.disagreement(found, known) < 1e-6
    assert found.loss == pytest.approx(known.loss, rel=1e-12)
    assert found.gradients > 0 and (found.curvatures > 0) == (method != "L-BFGS-B")
    assert len(found.path) == len(found.clock) == found.iterations + 1


def test_the_gradient_is_the_closed_form(data):
    loss = fit.logistic_loss(data.features, data.labels)
    w = np.linspace(-1, 1, 5)
    exact = np.asarray(lecture.closed_form_gradient(data, w), float)
    assert np.allclose(tg.grad(loss)(w), exact, rtol=1e-13, atol=1e-15)


def test_the_loss_does_not_overflow(data):
    loss = fit.logistic_loss(data.features, data.labels)
    value, slope = tg.value_and_grad(loss)(np.full(5, 1e4))
    assert np.isfinite(value) and np.all(np.isfinite(slope))


def test_differences_have_a_v_and_ad_is_at_rounding(data):
    measured = lecture.accuracy(data)
    assert measured.automatic < 1e-14
    assert 1e-10 < measured.forward.min() < 1e-6
    assert 1e-12 < measured.central.min() < 1e-8
    for curve in (measured.forward, measured.central):
        assert 0 < curve.argmin() < len(curve) - 1


def test_costs_say_what_was_timed():
    small, large = lecture.cost(10), lecture.cost(5000)
    assert small.timed == 10 and large.timed == lecture.TIMED_DIRECTIONS
    assert large.differences > 100 * large.function


def test_forward_differences():
    x = np.linspace(-1, 1, 6)
    assert np.allclose(
        lecture.forward_differences(lecture.rosenbrock, x, 6),
        tg.grad(lecture.rosenbrock)(x),
        rtol=1e-4,
        atol=1e-4,
    )


def test_the_neuron_descends(data):
    measured = lecture.neuron(data, steps=50)
    assert measured.feature == "b"
    for path in measured.paths:
        assert path.shape == (50, 3) and path[-1, 2] < path[0, 2]
    assert measured.surface.shape == (len(measured.bs), len(measured.ws))


def test_thinned_keeps_small_data_and_cuts_large(data):
    assert np.array_equal(lecture.thinned(data).labels, data.labels)
    many = Dataset("many", np.zeros((9000, 1)), np.zeros(9000), ("a",))
    assert len(lecture.thinned(many).labels) == lecture.MOST_ROWS
