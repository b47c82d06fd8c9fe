"""What all charts have in common."""

from __future__ import annotations

import json

import plotly.graph_objects as go

from vigie.dashboard.chart import TICKS, dressed, round_step


def test_labels_from_the_data_are_shown_letter_by_letter() -> None:
    link = "<a href='http://192.0.2.1'>win</a>"
    bars = go.Bar(x=[1.0, 2.0], y=[link, "home"], name=link, customdata=[[link, 3]] * 2)

    [drawn] = json.loads(dressed(go.Figure(bars), "one", 200, False).to_json())["data"]

    spelled = "&lt;a href='http://192.0.2.1'>win&lt;/a>"
    assert (drawn["name"], drawn["y"], drawn["customdata"]) == (spelled, [spelled, "home"], [[spelled, 3]] * 2)
    assert drawn["x"] == [1.0, 2.0]


def test_a_name_that_looks_like_a_day_is_a_name() -> None:
    bars = go.Bar(x=[3, 2], y=["France", "2026-11-21"], orientation="h")
    heat = go.Heatmap(x=["00 h"], y=["2026-11-21"], z=[[1]])

    assert dressed(go.Figure(bars), "one", 200, False).layout.yaxis.type == "category"
    assert dressed(go.Figure(heat), "two", 200, False).layout.yaxis.type == "category"


def test_the_ticks_of_an_axis_of_counts_are_round_numbers() -> None:
    steps = {most: round_step(most) for most in (1, 5, 6, 11, 26, 129, 225, 1_001)}

    assert steps == {1: 1, 5: 1, 6: 2, 11: 5, 26: 10, 129: 50, 225: 50, 1_001: 500}
    assert all(most <= TICKS * step for most, step in steps.items())


def test_what_a_person_did_to_a_chart_is_kept_as_its_figure_changes() -> None:
    first, second = (dressed(go.Figure(go.Bar(x=[n], y=["a"])), "one", 200, True) for n in (1, 2))

    assert first.layout.uirevision == second.layout.uirevision == "one"
