#!/usr/bin/perl
# Every error in a SCIM location is a SCIM Error (RFC 7644 3.12) with one sentence and the request id: errors of the module,
# errors of nginx itself, and 503 for a store that cannot be opened.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $user = $Scim::Check::user_urn;
my $t = Scim->new(http => <<'EOC', server => <<'EOS');
    scim_store main %%DIR%%/store;
    scim_store broken %%DIR%%/broken;
    limit_req_zone $server_port zone=one:64k rate=1r/m;
    log_format status $status;
EOC
    error_page 400 401 403 404 405 409 413 415 429 500 501 502 503 504 /sorry;
    location = /sorry { return 200 sorry; }
    add_header X-Request-Id $request_id always;
    client_max_body_size 1k;
    location /scim/v2/ {
        scim main;
        client_body_timeout 1s;
        access_log %%DIR%%/status.log status;
        if ($arg_return = 505) { return 505; }
        if ($arg_return = 501) { return 501; }
        if ($arg_return = 421) { return 421; }
        if ($arg_return = 411) { return 411; }
        if ($arg_return = 500) { return 500; }
        if ($arg_return = 502) { return 502; }
        if ($arg_return = 418) { return 418; }
        if ($arg_set) { set $x 1; }
    }
    location /denied/ { scim main; deny all; }
    location /reads/ { scim main; limit_except GET { deny all; } }
    location /loop/ { scim main; limit_except GET { allow 127.0.0.1; deny all; } }
    location /429/ { scim main; limit_req zone=one; limit_req_status 429; }
    location /503/ { scim main; limit_req zone=one; }
    location /own/ { scim main; error_page 403 /sorry; deny all; }
    location /own-401/ { scim main; error_page 401 404 409 /sorry; }
    location /hosted/ { scim main; scim_base_url http://$http_host/hosted; }
    location /broken/ { scim broken; }
    location ~ ^/re/(?<who>\w+) { scim main; scim_base_url https://id.example.com/re/$who/scim; }
EOS
my $token = $t->seed('acme');
my $c = $t->client(token => $token);
mkdir "$t->{dir}/broken";
$t->write_file('broken/data.mdb', 'x' x 100_000);
$t->start;
my $base = '/scim/v2/Users';
my $unknown_user = "$base/01930000-0000-7000-8000-000000000000";
my $bob = { schemas => [$user], userName => 'bob' };
is_user $c->request(POST => $base, json => $bob), 201, 'POST creates the user';

# --- bodies

sub post { return $c->request(POST => $base, @_) }
is_error post(body => $_->[0]), 400, 'invalidSyntax', $_->[1],
    '[S-1 S-2 S-60 S-165 S-167] POST is refused with 400 for the body: ' . substr $_->[0], 0, 30 for (
    ['', qr/the request has no body; a JSON object was expected/],
    ['  ', qr/has no body/],
    ['[]', qr/must be a JSON object, which begins with \{; this one begins with "\["/],
    ['"secret"', qr/this one begins with """ at/],
    ['{"a":1', qr/the body ends too early, at line 1, column 7/],
    ["{\n \"a\": tru }", qr/the body is not JSON at line 2, column 7/],
    ['{"a":1}{', qr/the body goes on after the JSON object at line 1, column 8/],
    ['{"a":1,"a":2}', qr/names "a" twice/],
    ['{"a":1,"A":2}', qr/both "a" and "A"; names that differ by case are one attribute/],
    ["\xef\xbb\xbf{}", qr/byte order mark/],
    ["{\"a\":\"\xff\"}", qr/not UTF-8 at line 1, column 7/],
    ['{"a":"\u0000"}', qr/U\+0000/],
    ['{"a":' . '[' x 16 . ']' x 16 . '}', qr/nested deeper than scim_max_json_depth \(16\) allows/],
    ['{"schemas":["urn:scim:schemas:core:1.0"],"userName":"x"}', qr/is SCIM 1\.1; this server speaks SCIM 2\.0/],
    ['{"schemas":[7],"userName":"x"}', qr/"schemas" must contain strings/]);
is_error post(body => '{"schemas":["' . $user . '"]}'), 400, 'invalidValue', qr/"userName" is required and has no value/,
    'POST without userName is refused with 400';
is_error post(json => $bob), 409, 'uniqueness', qr/userName "bob" is taken/,
    'POST with a userName that is taken is refused with 409';
is_error post(json => $bob, headers => { 'Content-Type' => $_ }), 415, '',
    qr{the body is "\Q$_\E"; send Content-Type: application/scim\+json}, "[S-48] POST with Content-Type: $_ is refused with 415"
        for qw(text/plain application/xml multipart/form-data);
is_error $c->request($_->[0] => "$base$_->[1]", body => "\x1f\x8b\x08", headers => { 'Content-Encoding' => $_->[2] }), 415, '',
    qr/the body is encoded as "$_->[2]"; send it without Content-Encoding/,
        "$_->[0] $base$_->[1] with Content-Encoding: $_->[2] is refused with 415"
    for [POST => '', 'gzip'], [PATCH => $unknown_user =~ s/^$base//r, 'br'], [POST => '/.search', 'deflate'];
my $n = 0;
is_user post(json => { %$bob, userName => 'identity' }, headers => { 'Content-Encoding' => 'Identity' }), 201,
    'POST with Content-Encoding: Identity is answered with 201';
is_user post(json => { %$bob, userName => 'type' . $n++ }, headers => { 'Content-Type' => $_ }), 201,
    "[S-48] POST with Content-Type: '$_' is answered with 201"
    for 'application/json', 'Application/SCIM+json; charset=utf-8', 'application/json;charset=UTF-8', '';
is_user post(json => { %$bob, userName => 'set' }, headers => { 'X-HTTP-Method-Override' => 'DELETE' }), 201,
    '[S-47] POST ignores X-HTTP-Method-Override';

# --- addresses

is_error $c->request(GET => "/scim/v2/$_->[0]"), 404, '', $_->[1], "[S-149 S-207] GET $_->[0] is refused with 404" for (
    ['Users/bob', qr/there is no User with the id "bob"/], ['users', qr/no endpoint "\/users": did you mean "\/Users"\?/],
    ['User', qr/did you mean "\/Users"\?/], ['Userz', qr/no endpoint "\/Userz".*\/ResourceTypes lists/],
    ['Users.search', qr/a slash is missing in "\/Users\.search": did you mean "\/Users\/\.search"\?/],
    ['v2Users', qr/a slash is missing .* did you mean "\/v2\/Users"\?/], ['Users/a/b', qr/nothing below "\/Users\/a"/],
    ['Schemas/nope', qr/no schema "nope"; \/Schemas lists/], ['x/Users', qr/part of the base URL .* twice: did you mean "\/Users"\?/], ['%3Cscript%3E', qr/"\/<script>"/]);
is_error $c->request(GET => '/scim/v2/v1/Users'), 400, 'invalidVers', qr/version "v1" of the protocol is not supported/,
    '[S-44] GET v1/Users below the base URL is refused with 400 invalidVers';
is $c->request(GET => "/scim/v2/$_")->{status}, 200, "[S-44] GET $_ below the base URL is answered with 200"
    for 'v2/Users', '/Users/', 'Users?filter=userName+eq+"bob"';
is $c->request(GET => '/re/x/scim/Users')->{status}, 200,
    'a regular expression location with scim_base_url serves its base URL';
is_error $c->request(GET => '/re/x/Users'), 404, '', qr{not below "/re/x/scim", the path of this server's SCIM base URL},
    'a path outside scim_base_url in a regular expression location is refused with 404';
is_error $c->request(GET => '/scim/v2/Me'), 501, '', qr{not bound to a user, so there is no /Me},
    '[S-46] GET of /Me with a token that is not bound to a user is refused with 501';
for my $case ([$base, 'GET, HEAD, POST', qw(PUT DELETE OPTIONS PROPFIND FOO)], [$unknown_user,
    'GET, HEAD, PUT, PATCH, DELETE', qw(POST COPY)]) {
    my ($path, $allow, @methods) = @$case;
    for my $method (@methods) {
        my $r = $c->request($method => $path);
        is_error $r, 405, '', qr/ is not allowed; this endpoint supports \Q$allow\E/, "[S-46 S-147] $method $path is refused with 405";
        is $r->{headers}{allow}, $allow, "the 405 to $method $path has the Allow header $allow";
    }
}
my $r = $c->request(HEAD => $unknown_user);
is "$r->{status} $r->{headers}{'content-type'} '$r->{body}'", "404 application/scim+json ''",
    'HEAD of an unknown id is refused with 404 and no body';
is $r->{headers}{'content-length'}, length $c->request(GET => $unknown_user)->{body},
    'HEAD of an unknown id has the Content-Length of GET';

# --- the host in meta.location

my $raw = $t->client;
my $id = $c->request(GET => "$base?filter=userName+eq+\"bob\"")->{json}{Resources}[0]{id};
sub is_location { my ($at, $host, $expected, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $c->request(GET => "$at/$id", headers => [Host => $host])->{headers}{location}, $expected, $name }
for (['http://line.example:8080', 'http://line.example:8080'], ['http://line.example', 'http://line.example'],
    ['HTTP://Line.Example:1', 'http://Line.Example:1'], ['http://[::1]:99', 'http://[::1]:99']) {
    $raw->connect;
    $raw->write("GET $_->[0]$base/$id HTTP/1.1\r\nHost: header.example:9\r\nAuthorization: Bearer $token\r\n\r\n");
    $r = $raw->receive;
    is "$r->{status} " . ($r->{headers}{location} // ''), "200 $_->[1]$base/$id",
        "GET $_->[0]/…: meta.location has the host of the request target, not of Host";
}

# --- errors of nginx itself

$r = post(body => 'x' x 1025);
is_error $r, 413, '', qr/larger than client_max_body_size allows \(1024 bytes\)/,
    '[S-53 S-147 S-165] a body larger than client_max_body_size is refused with 413';
like $r->{json}{detail}, qr/\(request $r->{headers}{'x-request-id'}\)/, 'the request id in an error of nginx is $request_id';
is_error post(body => 'x' x 2000, chunked => 500), 413, '', qr/client_max_body_size/,
    'a chunked body larger than client_max_body_size is refused with 413';
$r = $c->request(GET => $unknown_user);
like $r->{json}{detail}, qr/\(request $r->{headers}{'x-request-id'}\)/,
    'the request id in an error of the module is $request_id';
$r = $c->request(GET => '/denied/Users');
is_error $r, 403, '', qr/nginx \(allow or deny\) forbids access/,
    '[S-53] GET in a location with "deny all" is refused with 403';
is $c->request(HEAD => '/denied/Users')->{status}, 403, 'HEAD in a location with "deny all" is refused with 403';
is $c->request(GET => '/reads/Users')->{status}, 200, 'limit_except GET allows GET';
is_error $c->request(POST => '/reads/Users', json => { %$bob, userName => 'limit' }), 403, '', qr/allow or deny/,
    'limit_except GET with "deny all" refuses POST with 403';
is_user $c->request(POST => '/loop/Users', json => { %$bob, userName => 'limit' }), 201,
    'limit_except GET with "allow" for the client lets POST through';
is_error $t->request(POST => '/loop/Users', json => $bob), 401, '', qr/no Authorization/,
    'limit_except GET with "allow" for the client does not replace the token: POST without one is refused with 401';
is $c->request(GET => "$base?set=1")->{status}, 200,
    'a request with a token is served in an "if" block without SCIM directives';
is_error $t->request(GET => "$base?set=1"), 401, '', qr/no Authorization/,
    'a request without a token is refused with 401 in an "if" block without SCIM directives';
for my $case ([429, qr/too many requests/], [503, qr/limit_req or limit_conn refused the request/]) {
    my ($status, $detail) = @$case;
    $c->request(GET => "/$status/Users");
    $r = $c->request(GET => "/$status/Users");
    is_error $r, $status, '', $detail, "a request beyond limit_req with status $status is refused with $status";
    is $r->{headers}{'retry-after'}, 1, "the $status of limit_req has Retry-After";
}
is_error $c->request(GET => "$base?return=$_->[0]"), $_->[0], '', $_->[1],
    "\"return $_->[0]\" in a SCIM location is answered with a SCIM Error of that status" for (
    [411, qr/neither Content-Length nor chunked/], [418, qr/nginx refused the request/], [421, qr/another host name/],
    [501, qr/Transfer-Encoding other than chunked/], [505, qr/version of HTTP/], [500, qr/failed inside nginx/],
    [502, qr/failed inside nginx/]);
# nginx 1.30 refuses most of these hosts before it looks for a location. An older one leaves them to the module.
sub is_bad_host {
    my ($at, $host, $detail) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $name = "GET $at with Host: $host is refused with 400";
    $r = $c->request(GET => $at, headers => [Host => $host]);
    $c->request(GET => '/sorry', headers => [Host => $host])->{status} == 200
        ? is_error($r, 400, '', $detail, $name) && is($r->{json}{errorId}, $at eq $base ? 'host-invalid' : 'base-url-invalid', "the refusal of $host")
        : is "$r->{status} $r->{body}", '400 sorry', $name;
}
is_bad_host($base, $_, qr/is invalid; expected a name or an address/)
    for 'x","y":"', 'x\\', 'x#y', 'a:b:c', 'ev%0d%0ail', 'a@b', 'x?y', 'h:65536', 'h:8x', '[::1', '[]', '[x]', "\xc3\xa4.example", 'x' x 256;
is_bad_host('/hosted/Users', $_, qr/scim_base_url does not form a valid URL for this request/) for 'x#y', 'a%20b';
is_location('/hosted/Users', 'id.example.com:8443', "http://id.example.com:8443/hosted/Users/$id",
    'a valid Host in scim_base_url is the host in meta.location');
is_location($base, $_, "http://$_$base/$id", "Host: $_ is the host in meta.location")
    for 'id.example.com', 'ID.example.com:8443', '127.0.0.1:65535', '[2001:db8::1]:80',
    '[::1]', 'a_b-c.d', 'x' x 255;
$raw->connect;
$raw->write("GET $base HTTP/1.0\r\nAuthorization: Bearer $token\r\n\r\n");
is_error $raw->receive, 400, '', qr/the request has no Host header, which the URLs in the response require/,
    'GET over HTTP/1.0 without Host is refused with 400';
$raw->connect;
$raw->write("GET $base HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer $token\r\n\r\n");
is $raw->receive->{status}, 200, 'GET over HTTP/1.0 with Host is answered with 200';
$r = $c->request(GET => '/own/Users');
is $r->{body}, 'sorry', 'an error_page of the location itself replaces a 403 of nginx';
is_error $t->request(GET => '/own-401/Users'), 401, '', qr/no Authorization/,
    'an error_page of the location itself does not replace a 401 of the module';
is_error $c->request(GET => '/own-401/Users/x'), 404, '', qr/there is no User/,
    'an error_page of the location itself does not replace a 404 of the module';
is_error $c->request(POST => '/own-401/Users', json => $bob), 409, 'uniqueness', qr/is taken/,
    'an error_page of the location itself does not replace a 409 of the module';
$raw->connect;
$raw->write("POST $base HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\nTransfer-Encoding: chunked\r\n\r\nnope\r\n");
is_error $raw->receive, 400, '', qr/the request is not valid HTTP/, 'a malformed chunk is refused with 400';
$raw->connect;
$raw->write("POST $base HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\nContent-Length: 5\r\n\r\n{");
is $raw->receive->{status}, 0, 'nginx closes the connection when a body does not arrive within client_body_timeout';
sub statuses { open my $f, '<', "$t->{dir}/status.log"; return <$f> }
ok $t->wait_for(sub { (statuses())[-1] eq "408\n" }),
    'a body that does not arrive within client_body_timeout is logged with 408';

# --- a store that cannot be opened

$r = $c->request(GET => '/broken/Users');
is_error $r, 503, '', qr/the directory cannot be served now/, '[S-53 S-147] GET on a damaged store is refused with 503';
is $r->{headers}{'retry-after'}, 10, '[S-147] the 503 of a damaged store has Retry-After';
is_error $c->request(POST => '/broken/Users', json => $bob), 503, '', qr/cannot be served now/,
    'POST on a damaged store is refused with 503';
like $t->log, qr{\[error\].*/broken.*; its locations answer 503 until this is fixed},
    'the error log says why the store cannot be opened';
is $c->request(GET => $base)->{status}, 200, 'another store is served while one is damaged';
{
    local $t->{store} = "$t->{dir}/good";
    mkdir $t->{store} or die $!;
    $t->tenant('other');
    unlink "$t->{dir}/broken/lock.mdb";
    rename "$t->{store}/data.mdb", "$t->{dir}/broken/data.mdb" or die $!;
}
ok $t->wait_for(sub { $c->request(GET => '/broken/Users')->{status} == 401 }),
    'the store is opened again once a sound data.mdb replaces the damaged one';
like $t->log, qr{\[notice\].*store "[^"]*/broken" is served again}, 'the error log says that the store is served again';

$t->finish;
