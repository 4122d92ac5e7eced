<?php
// The contract of ../README.md: client.php curl|curl-http2|stream|guzzle.

function call(string $kind, int $number, $handle): void
{
    $wanted = ["model" => "gpt-4o-mini", "messages" => [["role" => "user", "content" => "hello"]]];
    if ($number % 2) {
        $wanted += ["stream" => true, "stream_options" => ["include_usage" => true]];
    }
    $headers = ["Authorization: Bearer " . getenv("OPENAI_API_KEY"), "Content-Type: application/json"];
    $url = "https://api.openai.com/v1/chat/completions";
    if ($kind === "guzzle") {
        $options = ["headers" => ["Authorization" => "Bearer " . getenv("OPENAI_API_KEY")], "json" => $wanted, "stream" => (bool) ($number % 2)];
        $answer = $handle->post($url, $options)->getBody()->getContents();
    } elseif ($kind !== "stream") {
        curl_setopt_array($handle, [
            CURLOPT_URL => $url, CURLOPT_POSTFIELDS => json_encode($wanted), CURLOPT_HTTPHEADER => $headers,
            CURLOPT_CAINFO => getenv("SSL_CERT_FILE"), CURLOPT_RETURNTRANSFER => true, CURLOPT_FAILONERROR => true,
            CURLOPT_HTTP_VERSION => $kind === "curl" ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS,
        ]);
        $answer = curl_exec($handle);
    } else {
        $http = ["method" => "POST", "header" => $headers, "content" => json_encode($wanted), "protocol_version" => 1.1];
        $http["header"][] = "Connection: close";
        $context = stream_context_create(["http" => $http, "ssl" => ["cafile" => getenv("SSL_CERT_FILE")]]);
        $answer = file_get_contents($url, false, $context);
    }
    if ($answer === false) {
        exit(1);
    }
}

function handle(string $kind)
{
    if ($kind === "stream") {
        return null;
    }
    if ($kind !== "guzzle") {
        return curl_init();
    }
    require_once "GuzzleHttp/autoload.php";
    return new GuzzleHttp\Client(["verify" => getenv("SSL_CERT_FILE")]);
}

$handle = handle($argv[1]);
echo "ready\n";
$calls = (int) fgets(STDIN);
for ($number = 0; $number < $calls; $number++) {
    call($argv[1], $number, $handle);
}
echo "done\n";
fgets(STDIN);
