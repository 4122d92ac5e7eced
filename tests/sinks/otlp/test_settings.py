"""Where to export to, and mistakes told at start."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.sinks.otlp.settings import Asked, OtlpError, parse_headers_file, resolve

URL = "http://collector:4318"


def test_nothing_named_is_nothing_exported() -> None:
    """No endpoint in the file and none in the environment."""
    assert resolve(Asked(), {}) is None
    assert resolve(Asked(endpoint=URL, traces=False, metrics=False), {}) is None


def test_the_file_wins_over_the_environment() -> None:
    """The endpoint's paths are made; the environment's headers are sent all the same."""
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://other", "OTEL_EXPORTER_OTLP_HEADERS": "Api-Key=a%20b, x=y"}
    found = resolve(Asked(endpoint=URL + "/"), environ)
    assert found is not None
    assert found.traces is not None
    assert found.metrics is not None
    assert (found.traces.url, found.metrics.url) == (URL + "/v1/traces", URL + "/v1/metrics")
    assert dict(found.traces.headers) == {"api-key": "a b", "x": "y"}
    assert "a b" not in repr(found)


def test_the_standard_variables() -> None:
    """A signal's own variable is the whole URL, the common one a base; a signal without either is not exported."""
    found = resolve(Asked(), {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://t/x"})
    assert found is not None
    assert found.metrics is None
    assert found.traces is not None
    assert found.traces.url == "https://t/x"
    found = resolve(Asked(), {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://t/x/"})
    assert found is not None
    assert found.metrics is not None
    assert found.metrics.url == "https://t/x/v1/metrics"


@pytest.mark.parametrize(
    ("asked", "environ", "words"),
    [
        (Asked(endpoint="collector:4318"), {}, "otlp.endpoint must be a URL that begins with http"),
        (Asked(endpoint="grpc://collector"), {}, "begins with http"),
        (Asked(endpoint="http://"), {}, "begins with http"),
        (Asked(endpoint="http://c:port"), {}, "must be a URL such as"),
        (Asked(endpoint="http://me:SECRET@c"), {}, "must not hold a name or password"),
        (Asked(endpoint="http://c/?key=SECRET"), {}, "without"),
        (Asked(endpoint="http://c:4317"), {}, "gRPC"),
        (Asked(), {"OTEL_EXPORTER_OTLP_ENDPOINT": "c"}, "OTEL_EXPORTER_OTLP_ENDPOINT must be a URL"),
        (
            Asked(),
            {"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL must be",
        ),
        (
            Asked(endpoint=URL),
            {"OTEL_EXPORTER_OTLP_HEADERS": "SECRET"},
            "OTEL_EXPORTER_OTLP_HEADERS must be name=value",
        ),
        (Asked(endpoint=URL), {"OTEL_EXPORTER_OTLP_HEADERS": "a=SECRET%0d%0ab"}, "must be name=value"),
        (Asked(endpoint=URL, ca_file="/none"), {}, "otlp.ca_file: /none can't be read"),
        (Asked(endpoint=URL, headers_file="/none"), {}, "otlp.headers_file /none: can't be read"),
        (Asked(endpoint=URL, client_key_file=__file__), {}, "needs otlp.client_certificate_file"),
        (Asked(endpoint=URL, cost_aliases=("Not a name",)), {}, "otlp.cost_aliases"),
    ],
)
def test_mistakes_are_one_sentence_without_secrets(asked: Asked, environ: dict[str, str], words: str) -> None:
    """Each names its key or variable; no value is shown that could be a secret."""
    with pytest.raises(OtlpError, match=words) as caught:
        resolve(asked, environ)
    assert "SECRET" not in str(caught.value)


def test_a_file_of_headers(tmp_path: Path) -> None:
    """Lines of name: value; remarks are passed over; a line that is none is told by its number only."""
    file = tmp_path / "headers"
    file.write_text("# who we are\nAuthorization: Bearer a:b\n\nX-Org:  1\n")
    assert parse_headers_file(str(file)) == {"authorization": "Bearer a:b", "x-org": "1"}
    for text, words in [("a: b\nSECRET\n", "line 2"), ("x" * 70_000, "64 KiB")]:
        file.write_text(text)
        with pytest.raises(OtlpError, match=words) as caught:
            parse_headers_file(str(file))
        assert "SECRET" not in str(caught.value)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(OtlpError, match="UTF-8"):
        parse_headers_file(str(file))
