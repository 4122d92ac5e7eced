# The contract of ../README.md with LWP.
use strict;
use warnings;
use HTTP::Request;
use LWP::UserAgent;
use LWP::Protocol::https;

$| = 1;
my $agent = LWP::UserAgent->new(keep_alive => 1, ssl_opts => { SSL_ca_file => $ENV{SSL_CERT_FILE} });
print "ready\n";
my $calls = <STDIN>;
for my $number (0 .. $calls - 1) {
    my $stream = $number % 2 ? ',"stream":true,"stream_options":{"include_usage":true}' : "";
    my $body = qq({"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]$stream});
    my @headers = ("Authorization" => "Bearer $ENV{OPENAI_API_KEY}", "Content-Type" => "application/json");
    my $answer = $agent->request(HTTP::Request->new("POST", "https://api.openai.com/v1/chat/completions", \@headers, $body));
    die $answer->status_line unless $answer->is_success;
}
print "done\n";
<STDIN>;
