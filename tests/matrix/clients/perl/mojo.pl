# The contract of ../README.md with Mojo::UserAgent, which never blocks.
use strict;
use warnings;
use IO::Socket::SSL;
use Mojo::UserAgent;

$| = 1;
my $agent = Mojo::UserAgent->new(ca => $ENV{SSL_CERT_FILE});
print "ready\n";
my $calls = <STDIN>;
for my $number (0 .. $calls - 1) {
    my $wanted = {model => "gpt-4o-mini", messages => [{role => "user", content => "hello"}]};
    $wanted = {%$wanted, stream => \1, stream_options => {include_usage => \1}} if $number % 2;
    my $headers = {Authorization => "Bearer $ENV{OPENAI_API_KEY}"};
    my $answer = $agent->post("https://api.openai.com/v1/chat/completions", $headers, json => $wanted)->result;
    die $answer->message unless $answer->is_success;
}
print "done\n";
<STDIN>;
