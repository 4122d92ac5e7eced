<?php
// The contract of ../README.md: client.php curl|stream.

function call(string $kind, int $number, $handle): void
{
    $wanted = ["model" => "gpt-4o-mini", "messages" => [["role" => "user", "content" => "hello"]]];
    if ($number % 2) {
        $wanted += ["stream" => true, "stream_options" => ["include_usage" => true]];
    }
    $headers = ["Authorization: Bearer " . getenv("OPENAI_API_KEY"), "Content-Type: application/json"];
    $url = "https://api.openai.com/v1/chat/completions";
    if ($kind === "curl") {
        curl_setopt_array($handle, [
            CURLOPT_URL => $url, CURLOPT_POSTFIELDS => json_encode($wanted), CURLOPT_HTTPHEADER => $headers,
            CURLOPT_CAINFO => getenv("SSL_CERT_FILE"), CURLOPT_RETURNTRANSFER => true, CURLOPT_FAILONERROR => true, CURLOPT_HTTP_VERSION => CURL_HTTP_VERSION_1_1,
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

$handle = function_exists("curl_init") ? curl_init() : null;
echo "ready\n";
$calls = (int) fgets(STDIN);
for ($number = 0; $number < $calls; $number++) {
    call($argv[1], $number, $handle);
}
echo "done\n";
fgets(STDIN);
