#!/usr/bin/env escript
%% The contract of ../README.md with httpc, over Erlang's own TLS.

main(_) ->
    {ok, _} = application:ensure_all_started(inets),
    {ok, _} = application:ensure_all_started(ssl),
    io:format("ready~n"),
    {ok, [Calls]} = io:fread("", "~d"),
    [call(Number) || Number <- lists:seq(0, Calls - 1)],
    io:format("done~n"),
    io:get_line("").

call(Number) ->
    Stream = case Number rem 2 of
        0 -> "";
        1 -> ",\"stream\":true,\"stream_options\":{\"include_usage\":true}"
    end,
    Body = "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]" ++ Stream ++ "}",
    Headers = [{"Authorization", "Bearer " ++ os:getenv("OPENAI_API_KEY")}],
    Request = {"https://api.openai.com/v1/chat/completions", Headers, "application/json", Body},
    Trust = [{verify, verify_peer}, {cacertfile, os:getenv("SSL_CERT_FILE")}, {customize_hostname_check, [{match_fun, public_key:pkix_verify_hostname_match_fun(https)}]}],
    {ok, {{_, 200, _}, _, _}} = httpc:request(post, Request, [{ssl, Trust}], []).
