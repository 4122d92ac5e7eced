# The contract of ../README.md with Net::HTTP.
require "json"
require "net/http"

$stdout.sync = true
puts "ready"
calls = Integer($stdin.gets)
Net::HTTP.start("api.openai.com", 443, use_ssl: true, ca_file: ENV.fetch("SSL_CERT_FILE")) do |connection|
  calls.times do |number|
    wanted = { model: "gpt-4o-mini", messages: [{ role: "user", content: "hello" }] }
    wanted.update(stream: true, stream_options: { include_usage: true }) if number.odd?
    headers = { "Authorization" => "Bearer #{ENV.fetch('OPENAI_API_KEY')}", "Content-Type" => "application/json" }
    answer = connection.post("/v1/chat/completions", wanted.to_json, headers)
    raise answer.code unless answer.code == "200"
  end
  puts "done"
  $stdin.read
end
