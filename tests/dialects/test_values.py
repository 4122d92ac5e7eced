"""Values out of JSON that anyone may have written."""

from __future__ import annotations

from agent.dialects.values import count, error_word, last_object, parse, seconds, usd, word


def test_what_is_no_count() -> None:
    """Booleans, negatives, strings and the absurd are "not stated"."""
    assert [count(value) for value in (True, -1, "5", 10**13, float("nan"), None, [])] == [None] * 7
    assert [count(value) for value in (0, 5, 5.0)] == [0, 5, 5]


def test_what_is_no_money() -> None:
    """Nor is infinity."""
    assert [usd(value) for value in (True, "x", float("inf"), -0.1, None, 10**12)] == [None] * 6


def test_nothing_to_pay_is_an_amount() -> None:
    """A stated 0 is a cost of 0, which is not an unknown one."""
    assert [usd(value) for value in (0, 0.0, "0", 10**9 - 1)] == [0, 0, 0, 10**9 - 1]


def test_error_words_never_quote_messages() -> None:
    """Messages quote prompts."""
    assert error_word("the prompt was: secret") == "error"
    assert error_word({"message": "secret", "type": "overloaded"}) == "overloaded"
    assert error_word({"message": "secret"}) == "error"


def test_words_are_bounded() -> None:
    """They become labels."""
    assert len(word("x" * 10_000)) == 256


def test_the_last_object_of_a_text_that_is_not_whole() -> None:
    """A key inside a string has escaped quotes and is not found."""
    body = b'ond half of an answer \\"usage\\": {\\"prompt_tokens\\": 1}", "usage": {"prompt_tokens": 7, "d": {"c": 1}}, "x":'
    assert last_object(body, b"usage") == {"prompt_tokens": 7, "d": {"c": 1}}
    assert last_object(b'"usage": {"prompt_tok', b"usage") == {}
    assert last_object(b"nothing", b"usage") == {}


def test_what_python_servers_write_is_read() -> None:
    """NaN, half a surrogate pair, a byte order mark, broken UTF-8: the standard forbids them, figures beside them still count."""
    for body in (b'{"n": 7, "x": NaN}', b'{"n": 7, "x": "\\ud83d"}', b'\xef\xbb\xbf{"n": 7}', b'{"n": 7, "x": "\xff"}'):
        value = parse(body)
        assert isinstance(value, dict)
        assert value["n"] == 7


def test_what_is_no_json() -> None:
    """None, and no exception: HTML, half an object, nesting without end, a number of a megabyte."""
    for body in (b"", b"<html>", b'{"n":', b"[" * 100_000, b'{"a":' * 100_000, b'{"n": ' + b"9" * 10**6 + b"}"):
        assert parse(body) is None or count(parse(body)["n"]) is None  # type: ignore[index]


def test_names_are_valid_unicode() -> None:
    """Half a surrogate pair in a name would fail where the name is written, far from here."""
    name = word(parse(b'["gpt-\\ud83d"]')[0])  # type: ignore[index]
    assert name.encode().decode() == name == "gpt-?"


def test_durations() -> None:
    """Seconds may have a fraction; what is no duration is not stated."""
    assert [seconds(value) for value in (19, 1.5, 0)] == [19.0, 1.5, 0.0]
    assert [seconds(value) for value in (True, -1, "5", float("inf"), float("nan"), 10**400)] == [None] * 6


def test_money_that_only_makes_work() -> None:
    """A million digits, an exponent out of the world, an integer too long to print."""
    assert [usd(value) for value in ("1" * 10**6, "1e-999999", "1E+999999", 10**5000)] == [None] * 4
    assert str(usd("1.5e-05")) == "0.000015"


def test_codes_that_are_sentences_are_not_words() -> None:
    """Some servers write what went wrong, and with what input, where the code belongs."""
    assert error_word({"code": "prompt 'my secret' is too long", "type": "invalid_request_error"}) == (
        "invalid_request_error"
    )
    assert error_word({"code": 429}) == "429"
    assert error_word({"code": 10**300, "type": None}) == "error"
    assert error_word({}) == error_word(None) == error_word("") == ""
