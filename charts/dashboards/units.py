"""Values as Grafana writes them: units of @grafana/data, as far as our panels use them."""

from __future__ import annotations

import math

_THOUSANDS = ("", " K", " Mil", " Bil", " Tri")
_MONEY = ("", "K", "M", "B", "T")
_BYTES = (" B", " KiB", " MiB", " GiB", " TiB")
_BYTE_RATES = (" B/s", " kB/s", " MB/s", " GB/s", " TB/s")


def decimals(value: float) -> int:
    """How many decimals Grafana shows if it is not told: about two figures that count."""
    if value == 0 or value % 1 == 0:
        return 0
    power = math.floor(math.log10(abs(value)))
    places = 1 - power
    if abs(value) / 10.0**-places > 2.25:
        places += 1
    return max(0, places)


def number(value: float) -> str:
    text = f"{value:.{min(decimals(value), 9)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scaled(value: float, factor: float, names: tuple[str, ...]) -> str:
    step = 0
    while abs(value) >= factor and step < len(names) - 1:
        value /= factor
        step += 1
    return _three(value) + names[step]


def _three(value: float) -> str:
    """Three figures, as scaled values are read."""
    if value == 0 or abs(value) < 1:
        return number(value)
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def written(value: float, unit: str) -> str:
    """``value`` with its unit."""
    if math.isnan(value):
        return "NaN"
    sign, size = ("-" if value < 0 else ""), abs(value)
    if unit == "currencyUSD":
        return f"{sign}${_scaled(size, 1000, _MONEY)}"
    if unit == "percentunit":
        return f"{_three(value * 100)}%"
    if unit == "s":
        return (
            f"{_three(value * 1000)} ms"
            if size < 1
            else f"{_three(value)} s"
            if size < 60
            else f"{_three(value / 60)} mins"
        )
    if unit == "bytes":
        return sign + _scaled(size, 1024, _BYTES)
    if unit == "Bps":
        return sign + _scaled(size, 1000, _BYTE_RATES)
    if unit == "cps":
        return f"{_three(value)} c/s"
    if unit == "short":
        return sign + _scaled(size, 1000, _THOUSANDS)
    return number(value)
