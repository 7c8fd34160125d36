#!/usr/bin/perl
# The body of a request is read unchanged in every transfer form, and 100 Continue is sent only for a body that will be read.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my ($buffer, $limit) = (2048, 61440);
my $t = Scim->new(http => 'scim_store main %%DIR%%/store size=64m;', server => <<EOS)->start->served('/scim/v2/Users');
    client_body_buffer_size $buffer;
    client_max_body_size $limit;
    lingering_timeout 1s;
    location /scim/v2/ { scim main; }
EOS
my $users = '/scim/v2/Users';
my $token = $t->token($t->tenant('acme'));
my $reader = $t->token('acme', scope => 'read', label => 'reader');
my $client = $t->client(token => $token);

# A user whose JSON has exactly this size in bytes: (user, JSON).
my $names = 0;
sub body_of {
    my ($size) = @_;
    my $user = Scim::user(sprintf('user%06d', ++$names), displayName => '');
    my $rest = $size - length $Scim::json->encode($user);
    $user->{displayName} = join '', map chr(97 + ($_ + $names) % 26), 1 .. $rest;
    return ($user, $Scim::json->encode($user));
}

# Checks for an error in the form of RFC 7644 3.12.
sub is_error {
    my ($r, $status, $detail, $name) = @_;
    my $e = $r->{json} // {};
    ok $r->{status} == $status && ($e->{status} // '') eq $status && ($e->{detail} // '') =~ $detail
        && ($r->{headers}{'content-type'} // '') =~ m{^application/scim\+json}
        && ($e->{schemas}[0] // '') eq 'urn:ietf:params:scim:api:messages:2.0:Error', $name
        or diag "$r->{status} ", $r->{error} // '', "\n", $r->{head} // '', "\n$r->{body}";
    return $r;
}

# --- sizes of bodies

is_error $client->request(POST => $users, body => ''), 400, qr/./, 'POST with a body of 0 bytes is refused with 400';
is_error $client->request(POST => $users, headers => { 'Content-Type' => 'application/scim+json' }), 400, qr/./,
    'POST without a body is refused with 400';
is_error $client->request(POST => $users, body => '{"a": "b"}'), 400, qr/./,
    'POST with a body of 10 bytes is refused with 400';
is_error $client->request(POST => $users, body => '{"a": "b"', chunked => 3), 400, qr/JSON/i,
    'POST with an incomplete JSON body in chunks is refused with 400';

sub arrives {
    my ($name, $user, $r) = @_;
    is $r->{status}, 201, "POST with a body of $name is answered with 201" or return diag $r->{body};
    my $got = $client->request(GET => $r->{headers}{location} =~ s{^http://[^/]+}{}r)->{json};
    is_deeply [@$got{qw(userName displayName)}], [@$user{qw(userName displayName)}],
        "POST with a body of $name stores what was sent";
}

for my $size (200, $buffer - 1, $buffer, $buffer + 1, 3 * $buffer, $limit - 1, $limit) {
    my ($user, $body) = body_of($size);
    arrives "$size bytes", $user, $client->request(POST => $users, body => $body);
    ($user, $body) = body_of($size);
    arrives "$size bytes in chunks", $user, $client->request(POST => $users, body => $body, chunked => 1000);
    ($user, $body) = body_of($size);
    arrives "$size bytes after 100 Continue", $user, $client->request(POST => $users, body => $body, expect => 1);
}
{
    my ($user, $body) = body_of(300);
    arrives '300 bytes in chunks of one byte', $user, $client->request(POST => $users, body => $body, chunked => 1);
}

# Searches whose body goes to a file: it begins with this number of blanks.
for my $size (100, $buffer, $buffer + 1, $limit - 200) {
    my $search = ' ' x $size . $Scim::json->encode({ schemas => ['urn:ietf:params:scim:api:messages:2.0:SearchRequest'],
        filter => 'userName eq "user000001"' });
    my $r = $client->request(POST => "$users/.search", body => $search);
    is $r->{json}{Resources}[0]{userName}, 'user000001',
        "a search with a body of more than $size bytes finds its user" or diag $r->{body};
}

# --- 413

my $sentence = qr/^the request body is larger than client_max_body_size allows \($limit bytes\) \(request [0-9a-f]{32}\)$/;
for (['in Content-Length', 1], ['in Content-Length, by far', 1_000_000], ['in chunks', 1, chunked => 1000],
    ['in chunks, by far', 1_000_000, chunked => 65536]) {
    my ($name, $more, @how) = @$_;
    is_error $t->request(POST => $users, token => $token, body => 'x' x ($limit + $more), @how), 413, $sentence,
        "POST with a body larger than client_max_body_size, $name, is refused with 413";
}
my $r = is_error $t->request(POST => $users, token => $token, body => 'x' x ($limit + 1), expect => 1), 413, $sentence,
    'POST with Expect and a body larger than client_max_body_size is refused with 413';
ok !$r->{continued}, 'POST with Expect and a body larger than client_max_body_size is not answered with 100';

# --- Expect

(undef, my $body) = body_of(500);
$r = $t->request(POST => $users, token => $token, body => $body, expect => 1);
is "$r->{status} $r->{continued}", '201 1', 'POST with Expect is answered with 100 and 201';
for (
    [401, 'POST without a token', POST => $users],
    [401, 'POST with an unknown token', POST => $users, token => $token =~ s/(.)$/$1 eq 'x' ? 'y' : 'x'/er],
    [403, 'POST with a token that may not write', POST => $users, token => $reader],
    [405, 'POST to a resource', POST => "$users/ABC", token => $token],
    [405, 'PUT to a list', PUT => $users, token => $token],
    [405, 'OPTIONS', OPTIONS => $users, token => $token],
    [415, 'POST of another media type', POST => $users, token => $token, headers => { 'Content-Type' => 'text/plain' }],
    [415, 'POST with Content-Encoding', POST => $users, token => $token, headers => { 'Content-Encoding' => 'gzip' }],
    [415,
        'a search of another media type', POST => "$users/.search", token => $reader,
            headers => { 'Content-Type' => 'text/plain' }],
    [404, 'POST to an unknown endpoint', POST => '/scim/v2/Nothings', token => $token],
    [404, 'POST to an address outside of SCIM locations', POST => '/elsewhere', token => $token],
) {
    my ($status, $name, $method, $path, @how) = @$_;
    $r = $t->request($method => $path, body => $body, expect => 1, @how);
    is "$r->{status} $r->{continued}", "$status 0", "$name with Expect is refused with $status and without 100";
}
is $t->request(GET => $users, token => $token, body => $body, expect => 1)->{continued}, 0,
    'GET with Expect is not answered with 100';
is_error $t->request(PUT => $users, token => $token, body => 'x' x 50_000), 405, qr/PUT is not allowed.*GET, HEAD, POST/,
    'PUT with a body that nginx discards is refused with 405';

# --- HEAD

my $ada = $client->request(POST => $users, json => Scim::user('ada'))->{json};
for ("$users/$ada->{id}", $users, "$users?filter=userName+eq+%22ada%22", "$users/none", "$users?filter=x", '/scim/v2/Bulk',
    map "/scim/v2/$_", qw(Schemas ResourceTypes ServiceProviderConfig Nothings Me)) {
    my ($get, $head) = ($client->request(GET => $_), $client->request(HEAD => $_));
    my @same = qw(content-type content-length etag location allow);
    is_deeply [$head->{status}, $head->{body}, @{ $head->{headers} }{@same}], [$get->{status}, '', @{ $get->{headers} }{@same}],
        "HEAD $_ has status and headers of GET ($get->{status}) and no body";
}
$r = $t->request(HEAD => $users);
is "$r->{status} '$r->{body}'", "401 ''", 'HEAD without a token is refused with 401 and no body';
$r = $client->request(HEAD => "$users/$ada->{id}", headers => { 'If-None-Match' => $ada->{meta}{version} });
is "$r->{status} '$r->{body}'", "304 ''", 'HEAD with the ETag in If-None-Match is answered with 304';

# --- pipelining

my @all = $client->pipeline(
    [GET => "$users/$ada->{id}"],
    [POST => $users, json => Scim::user('grace')],
    [GET => "$users?filter=userName+eq+%22grace%22"],
    [POST => $users, json => Scim::user('grace'), chunked => 20],
    [DELETE => "$users/$ada->{id}"],
    [GET => "$users/$ada->{id}"],
);
is join(' ', map $_->{status}, @all), '200 201 200 409 204 404', 'pipelined requests are answered in order';
is $all[2]{json}{totalResults}, 1, 'a pipelined request sees the write before it';

# --- keep-alive

ok $client->connect, 'the client connects';
my $socket = $client->{socket};
for (
    [400, POST => $users, body => '{'],
    [400, POST => $users, body => '[' x 5000],
    [404, GET => "$users/none"],
    [409, POST => $users, json => Scim::user('grace')],
    [405, PUT => $users, body => 'x' x 5000],
    [415, POST => $users, body => 'x', headers => { 'Content-Type' => 'text/plain' }],
    [401, POST => $users, body => 'x' x 5000, token => 'wrong'],
    [403, POST => $users, body => 'x' x 5000, token => $reader],
    [200, GET => "$users?count=1", body => 'x' x 5000],
    [200, GET => "$users?count=1", body => 'x' x 5000, chunked => 1000],
    [204, DELETE => "$users/$all[1]{json}{id}", body => '{}'],
    [200, GET => $users],
) {
    my ($status, $method, $path, @how) = @$_;
    is $client->request($method => $path, @how)->{status}, $status,
        "$method $path is answered with $status on a kept connection";
}
is $client->{socket}, $socket, 'all requests were sent over one connection';

# --- clients that disconnect

my $half = $t->client(token => $token);
$half->send(POST => $users, json => Scim::user('half'));
shutdown $half->{socket}, 1;
is $half->receive->{status}, 201, 'a client that has shut down its sending side gets its answer';

my $lock = $t->hold_lock;
$half = $t->client(token => $token);
$half->send(POST => $users, json => Scim::user('patient'));
shutdown $half->{socket}, 1;
my $gone = $t->client(token => $token);
$gone->send(POST => $users, json => Scim::user('gone', displayName => 'x' x (3 * $buffer)));    # its body is in a file
setsockopt $gone->{socket}, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack 'ii', 1, 0;    # it closes with a RST
is $client->request(GET => "$users?filter=userName+eq+%22gone%22")->{json}{totalResults}, 0,
    'the user of a waiting write is not visible';
$gone->close;
$t->release($lock);
is $half->receive->{status}, 201, 'a client that has shut down its sending side while its write waited gets its answer';
ok $t->wait_for(sub { $client->request(GET => "$users?filter=userName+eq+%22gone%22")->{json}{totalResults} == 1 }),
    'the write of a client that has disconnected while it waited is committed';

my $cut = $t->client(token => $token);
$cut->connect;
$cut->write("POST $users HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $token\r\nContent-Length: 1000\r\n\r\n{\"userName\":");
$cut->close;
is $client->request(GET => $users)->{status}, 200,
    'a read is served after a client has disconnected in the middle of its body';

$t->finish;
