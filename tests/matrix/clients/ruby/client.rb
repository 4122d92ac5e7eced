# The contract of ../README.md: client.rb net_http|faraday|typhoeus.
require "json"

URL = "https://api.openai.com"
PATH = "/v1/chat/completions"
AUTHORITY = ENV.fetch("SSL_CERT_FILE")
HEADERS = { "Authorization" => "Bearer #{ENV.fetch('OPENAI_API_KEY')}", "Content-Type" => "application/json" }.freeze

def wanted(number)
  asked = { model: "gpt-4o-mini", messages: [{ role: "user", content: "hello" }] }
  asked.update(stream: true, stream_options: { include_usage: true }) if number.odd?
  asked.to_json
end

# Each loads what it needs and gives what makes a call; a call gives its status.
def net_http
  require "net/http"
  connection = Net::HTTP.new("api.openai.com", 443)
  connection.use_ssl = true
  connection.ca_file = AUTHORITY
  lambda do |number|
    connection.start unless connection.started?
    connection.post(PATH, wanted(number), HEADERS).code.to_i
  end
end

def faraday
  require "faraday"
  connection = Faraday.new(url: URL, ssl: { ca_file: AUTHORITY })
  ->(number) { connection.post(PATH, wanted(number), HEADERS).status }
end

def typhoeus
  require "typhoeus"
  # Else libcurl, and its TLS library, come with the first call.
  Ethon::Curl.init
  lambda do |number|
    Typhoeus.post(URL + PATH, body: wanted(number), headers: HEADERS, cainfo: AUTHORITY, http_version: :httpv2_0).code
  end
end

$stdout.sync = true
call = send(ARGV.fetch(0))
puts "ready"
Integer($stdin.gets).times do |number|
  status = call.call(number)
  raise status.to_s unless status == 200
end
puts "done"
$stdin.read
