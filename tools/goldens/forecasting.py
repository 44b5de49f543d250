"""Golden forecasts of baselines, from statsforecast: OptimizedTheta, ETS with given parameters, CrostonSBA.

    pip install -r tools/goldens/requirements-forecasting.txt
    python tools/goldens/forecasting.py

The script writes packages/testkit/goldens/forecasting/baselines.json: { generator, versions, series, intermittent }. The
series are drawn with a fixed seed. They differ in length, level, trend, season (4, 7, 12 or none) and kind of noise.
  - series: 50 cases { season, values, theta: [8], thetaError, ets }. `theta` is the forecast of OptimizedTheta, `thetaError` its mean
    squared error. `ets` is a fitted model of one of ten forms ("Ad" is a damped trend): { model, alpha, beta, gamma, phi,
    level, trend, season, forecast: [8] }. `level`, `trend` and `season` are the initial states; `season` lists one for each row
    of the first season
  - intermittent: 50 cases { values, crostonSba: the forecast of every step }
Tolerance, relative to the largest value of a forecast: 1e-6 for ETS and CrostonSBA, whose parameters are given. 1e-3 for theta,
whose parameters both libraries search for. In seven series the difference is larger: in five, Unroll's parameters have the lower
squared error; in two, only Unroll adjusts for the season, because it is significant only in the differenced series, and
statsforecast tests only the values.
ETS forecasts are computed step by step, because the multi-step forecast of statsforecast 2.1.1 with a damped trend adds 2 phi b at
step 2 (as R's package forecast does) instead of (phi + phi^2) b (Hyndman et al. 2008).
"""

import json
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
from statsforecast.ets import ets_f, forecast_ets, forward_ets
from statsforecast.models import CrostonSBA, OptimizedTheta
from statsmodels.tsa.seasonal import seasonal_decompose

OUT = Path(__file__).resolve().parents[2] / "packages" / "testkit" / "goldens" / "forecasting"
LIBRARIES = ("statsforecast", "statsmodels", "scipy", "numpy")
HORIZON = 8
FORMS = ("ANN", "AAdN", "MNN", "MAdN", "ANA", "AAdA", "MNM", "MAdM", "AAA", "MAM")


def make_series(rng: np.random.Generator, i: int) -> tuple[int, np.ndarray]:
    season = (1, 4, 12, 7, 12)[i % 5]
    rows = int(rng.integers(30, 49)) if season < 12 else int(rng.integers(48, 73))
    t = np.arange(rows)
    level = rng.uniform(50, 500)
    trend = rng.uniform(-0.5, 1.0) * level / rows
    walk = np.cumsum(rng.normal(0, 0.03 * level, rows)) if i % 3 == 0 else 0
    y = level + trend * t + walk + rng.normal(0, rng.uniform(0.01, 0.08) * level, rows)
    if season > 1:
        shape = rng.normal(0, 0.2, season)
        cycle = (shape - shape.mean())[t % season]
        y = y * (1 + cycle) if i % 2 == 0 else y + level * cycle
    if i % 7 == 3:
        y = y - y.mean()  # also negative values
    else:
        y = np.maximum(y, 1)
    return season, np.round(y, 1)


def ets_forecast(fit: dict, y: np.ndarray) -> list[float]:
    """Forecasts one step at a time: each forecast is appended as the next value."""
    for _ in range(HORIZON):
        y = np.append(y, forecast_ets(forward_ets(fit, y), h=1)["mean"][0])
    return [float(f) for f in y[-HORIZON:]]


def ets_case(y: np.ndarray, season: int, form: str) -> dict:
    damped = "d" in form
    letters = form.replace("d", "")
    fit = ets_f(y, m=season, model=letters, damped=damped)
    state = fit["states"][0]
    has_trend = letters[1] != "N"
    alpha, beta, gamma, phi = fit["par"][:4]
    return {
        "model": form,
        "alpha": float(alpha),
        "beta": float(beta) if has_trend else 0,
        "gamma": float(gamma) if letters[2] != "N" else 0,
        "phi": (float(phi) if damped else 1.0) if has_trend else 0,
        "level": float(state[0]),
        "trend": float(state[1]) if has_trend else 0,
        "season": [float(s) for s in state[1 + has_trend :][::-1]] if letters[2] != "N" else [],
        "forecast": ets_forecast(fit, y),
    }


def theta_error(fit: dict, y: np.ndarray, season: int) -> float:
    """Returns the mean squared error on the seasonally adjusted series, without the first three rows."""
    errors = fit["residuals"]
    if fit.get("decompose"):
        kind = fit["decomposition_type"]
        indices = np.asarray(seasonal_decompose(y, model=kind, period=season).seasonal)
        errors = errors / indices if kind == "multiplicative" else errors - indices
    return float(np.mean(errors[3:] ** 2))


def series_case(rng: np.random.Generator, i: int) -> dict:
    season, y = make_series(rng, i)
    forms = [f for f in FORMS if (f[-1] == "N" or season > 1) and (f[0] == "A" or y.min() > 0)]
    model = OptimizedTheta(season_length=season).fit(y)
    return {
        "season": season,
        "values": y.tolist(),
        "theta": [float(f) for f in model.predict(HORIZON)["mean"]],
        "thetaError": theta_error(model.model_, y, season),
        "ets": ets_case(y, season, forms[i % len(forms)]),
    }


def intermittent_case(rng: np.random.Generator, i: int) -> dict:
    rows = int(rng.integers(10, 41))
    y = rng.poisson(rng.uniform(0.5, 6), rows) * (rng.random(rows) < rng.uniform(0.1, 0.7))
    if i == 0:
        y = np.zeros(rows)
    forecast = CrostonSBA().forecast(y.astype(float), HORIZON)["mean"]
    return {"values": y.tolist(), "crostonSba": float(forecast[0])}


def main() -> None:
    rng = np.random.default_rng(18)
    goldens = {
        "generator": "tools/goldens/forecasting.py",
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "series": [series_case(rng, i) for i in range(50)],
        "intermittent": [intermittent_case(rng, i) for i in range(50)],
    }
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "baselines.json").write_text(json.dumps(goldens, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
