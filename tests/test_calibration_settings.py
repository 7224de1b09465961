"""`calibration` of a configuration: what it may hold, and what it makes of logits."""

import math
import re

import numpy as np
import pytest
import torch

from glirel_transformers.calibration_glirel import BackgroundRule, ScoreCalibration, calibration_of

FITTED = ScoreCalibration(
    1.7, -0.4, {"spouse": 0.3}, BackgroundRule(0.2, 0.5, 0.9, ("met", "owns")), {"ece_before": 0.1, "ece_after": 0.02}
)


def test_it_is_the_same_after_it_was_written_as_json():
    assert ScoreCalibration.read(FITTED.to_dict()) == FITTED
    assert ScoreCalibration.read(None) == ScoreCalibration()
    assert ScoreCalibration.read(ScoreCalibration().to_dict()) == ScoreCalibration()


def test_logits_are_divided_and_then_moved():
    logits = [-3.0, 0.0, 2.5]
    expected = [logit / 1.7 - 0.4 for logit in logits]
    torch.testing.assert_close(FITTED.apply(torch.tensor(logits)), torch.tensor(expected))
    np.testing.assert_allclose(FITTED.apply(np.array(logits, np.float32)), expected, rtol=1e-6)
    assert FITTED.apply(np.array(logits, np.float32)).dtype == np.float32


def test_nothing_fitted_leaves_logits_as_they_are():
    logits = torch.randn(5)
    assert ScoreCalibration(1.0, 0.0, {"spouse": 0.3}).apply(logits) is logits
    assert calibration_of(object()).apply(logits) is logits


@pytest.mark.parametrize("temperature", [0.02, 0.7, 3.0, 50.0])
def test_a_temperature_never_changes_the_order_and_padding_stays_impossible(temperature):
    logits = torch.linspace(-8, 8, 101)
    scaled = ScoreCalibration(temperature, -1.0).apply(logits)
    assert (scaled.diff() > 0).all()
    lowest = torch.tensor(torch.finfo(torch.float32).min)
    assert ScoreCalibration(temperature, 5.0).apply(lowest).sigmoid() == 0


def test_the_rule_moves_the_logit_of_a_threshold_by_a_part_of_the_difference():
    rule = BackgroundRule(0.2, 0.5, 0.9, ("met",))
    assert rule.threshold_for(1.0, 1.0) == pytest.approx(0.2)
    moved = rule.threshold_for(-1.0, -3.0)
    assert math.log(moved / (1 - moved)) == pytest.approx(math.log(0.25) + 1.0)
    assert rule.threshold_for(1000.0, -1000.0) == 1.0
    assert rule.threshold_for(-1000.0, 1000.0) == pytest.approx(0)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1], "`calibration` must be a dictionary, as glirel calibrate writes it, or None: got [1]"),
        ({"scale": 1}, "`calibration` has the unknown key 'scale'; known are temperature, bias, thresholds"),
        ({"temperature": -2.0}, "`calibration.temperature` must be a finite number of at least 0: got -2.0"),
        ({"temperature": True}, "`calibration.temperature` must be a finite number of at least 0: got True"),
        ({"temperature": "2"}, "got '2'"),
        ({"bias": math.nan}, "`calibration.bias` must be a finite number: got nan"),
        ({"thresholds": [0.5]}, "`calibration.thresholds` must be a dictionary: got [0.5]"),
        ({"thresholds": {" ": 0.5}}, "`calibration.thresholds` must have names that are not empty: got ' '"),
        (
            {"thresholds": {"met": None}},
            "`calibration.thresholds['met']` must be a finite number from 0 to 1: got None",
        ),
        ({"background": {"threshold": 0.5}}, "`calibration.background` has no 'quantile'"),
        ({"background": {"threshold": 0.5, "wait": 1}}, "`calibration.background` has the unknown key 'wait'"),
        (
            {"background": {"threshold": 1, "weight": 1, "quantile": 0.5, "reference_types": ["met"]}},
            "must be between 0 and 1, and neither of them: got 1",
        ),
        (
            {"background": {"threshold": 0.5, "weight": 1, "quantile": 0.5, "reference_types": []}},
            "`calibration.background.reference_types` is empty",
        ),
        (
            {"background": {"threshold": 0.5, "weight": 1, "quantile": 0.5, "reference_types": "met"}},
            "must be a list of names: got 'met'",
        ),
    ],
)
def test_what_cannot_be_one_is_named(value, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        ScoreCalibration.read(value)
