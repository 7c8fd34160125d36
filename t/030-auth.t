#!/usr/bin/perl
# Only a live token of a tenant opens a SCIM location, whatever else nginx allows, and only that tenant's directory; each
# way of failing is told apart in the answer, and none of them writes to the disk.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA;
use Test::More;
use Scim;
use Scim::Check;

my $user = $Scim::Check::user_urn;
my $t = Scim->new(workers => 2, http => <<'EOC', server => <<'EOS');
    scim_store main %%DIR%%/store;
    server {
        listen 127.0.0.1:%%PORT1%% reuseport;
        add_header X-Pid $pid always;
        location /scim/v2/ { scim main; }
    }
EOC
    add_header X-Scim-Dialect $scim_dialect always;
    location /scim/v2/ { scim main; }
    location /reads/ { scim main; scim_scope read; }
    location /rfc/ { scim main; scim_profile rfc; }
    location /off/ { scim main; scim_auth off; scim_tenant acme; }
    location /off-write/ { scim main; scim_auth off; scim_tenant acme; scim_scope write; }
    location /off-nobody/ { scim main; scim_auth off; scim_tenant nobody; }
    location /acme/ { scim main; scim_tenant acme; }
    location ~ ^/of/(?<name>[^/]+)/ { scim main; scim_tenant $name; scim_base_url http://localhost/of/$name; }
    location /any-allow/ { scim main; satisfy any; allow 127.0.0.1; deny all; }
    location /any-deny/ { scim main; satisfy any; deny all; }
    location /any-off/ { scim main; scim_auth off; scim_tenant acme; satisfy any; deny all; }
EOS
my $token = $t->seed('acme');
my $foreign = $t->token($t->tenant('globex'));
$t->start;
my $base = '/scim/v2/Users';
my $bob = { schemas => [$user], userName => 'bob' };

sub with { my ($authorization, %o) = @_;
    return $t->request($o{method} // 'GET', $o{path} // $base, %o, headers => { Authorization => $authorization }) }

sub is_dialect {
    my ($r, $expected, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is "$r->{status} $r->{headers}{'x-scim-dialect'}", "200 $expected", $name;
}

is with($_->[1])->{status}, 200, $_->[0] for ['Bearer', "Bearer $token"], ['lower case', "bearer $token"],
    ['more blanks', "Bearer   $token"];
is_dialect(with($token), 'bare-token', 'the bare token');
is_dialect($t->request(GET => "$base?filter=active+eq+%22True%22", headers => { Authorization => $token }),
    'bare-token,string-boolean', 'it is named beside what else is not the RFC\'s form');
is with("Bearer $token", path => '/rfc/Users')->{status}, 200, 'scim_profile rfc: Bearer';
is_error with($token, path => '/rfc/Users'), 401, '', qr/the Authorization header has no scheme; send "Authorization: Bearer <token>"/,
    'not the bare token';

# --- each way of failing

sub unauthorized {
    my ($name, $r, $detail) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_error $r, 401, '', $detail, $name;
    (my $sentence = $r->{json}{detail} // '') =~ s/ \(request .*//;
    $sentence =~ tr/"/'/;
    is $r->{headers}{'www-authenticate'}, qq(Bearer realm="scim", error="invalid_token", error_description="$sentence"), 'WWW-Authenticate';
}

my $r = $t->request(GET => $base);
is_error $r, 401, '', qr/the request has no Authorization header; send "Authorization: Bearer <token>"/, 'no header';
is $r->{headers}{'www-authenticate'}, 'Bearer realm="scim"', 'WWW-Authenticate';
unauthorized 'another scheme', with('Basic YTpi'), qr/uses the scheme "Basic"; this server takes "Bearer <token>"/;
unauthorized 'a registered scheme in another case', with('negotiate YTpi'), qr/uses the scheme "negotiate"/;
unauthorized 'a word that is no registered scheme', with($_), qr/the Authorization header begins with no registered scheme; this server takes/
    for 'Token abc', 'Bearer: abc', "$token Bearer";
unauthorized 'a tab behind Bearer', with($_), qr/has a tab behind Bearer; send one space/ for "Bearer\t$token", "Bearer \t$token";
is with($_)->{status}, 200, 'blanks and tabs around the value' for "\tBearer $token", "Bearer $token\t ";
unauthorized 'no token', with('Bearer'), qr/says Bearer but carries no token/;
unauthorized 'unknown', with("Bearer $_"), qr/the token is unknown here: .*scimctl token list names the tokens of this store/
    for 'nonsense', 'x' x 4000, ($token =~ s/^scim_/mics_/r);
unauthorized 'damaged', with("Bearer $_"), qr/the token is not complete: it begins like one of this server/
    for substr($token, 0, -1), "${token}x", 'scim_', ($token =~ s/(.)$/$1 eq 'a' ? 'b' : 'a'/er);
unauthorized 'not yet', with('Bearer ' . $t->token('acme', label => 'soon', 'not-before' => '2099-01-01T00:00:00Z')),
    qr/the token "soon" is not valid before 2099-01-01T00:00:00\.000Z/;
my $short = $t->token('acme', label => 'short', expires => '2s');
ok $t->wait_for(sub { with("Bearer $short")->{status} == 401 }), 'a token expires';
unauthorized 'expired', with("Bearer $short"),
    qr/the token "short" expired at \d{4}-\d\d-\d\dT[\d:.]+Z; create a new one with scimctl token create/;

# A refusal spares the client the sending of its body.
$r = $t->request(POST => $base, body => 'x' x 500_000, expect => 1, token => 'nonsense');
is "$r->{status} $r->{continued}", '401 0', 'refused before the body';

# --- a stranger writes nothing

my $data = "$t->{dir}/store/data.mdb";
sub trace { return join ' ', (stat $data)[7, 9], Digest::SHA->new(256)->addfile($data)->hexdigest }
my $trace = trace();
for my $i (1 .. 50) {
    $t->request(POST => $base, json => $bob, $i % 2 ? (token => "scim_$i") : ());
    $t->request(DELETE => "$base/$i", token => $i);
}
is trace(), $trace, '401s do not touch the store';

# --- what a token and a location allow

my $reader = $t->token('acme', label => 'reader', scope => 'read');
is with("Bearer $reader")->{status}, 200, 'a token with scope read reads';
for my $case ([POST => $base], [PUT => "$base/x"], [DELETE => "$base/x"], [PATCH => "$base/x"]) {
    my ($method, $path) = @$case;
    is_error $t->request($method => $path, token => $reader, json => $bob), 403, '',
        qr/the token "reader" may not write: it lacks the scope write/, "and may not $method";
}
is $t->request(GET => '/reads/Users', token => $token)->{status}, 200, 'scim_scope read reads';
is_error $t->request(POST => '/reads/Users', token => $token, json => $bob), 403, '', qr/this address is read-only: scim_scope/,
    'and does not write';
is $t->request(GET => '/off/Users')->{status}, 200, 'scim_auth off reads';
is_error $t->request(POST => '/off/Users', json => $bob), 403, '', qr/this address is read-only/, 'and does not write';
is_user $t->request(POST => '/off-write/Users', json => $bob), 201, 'but with scim_scope write';
is $t->request(GET => "/off/Users?filter=userName+eq+\"bob\"")->{json}{totalResults}, 1, 'the tenant that scim_tenant says';
is_error $t->request(GET => '/off-nobody/Users'), 403, '', qr/there is no tenant "nobody" here/, 'a tenant that is not there';

is $t->request(GET => '/acme/Users', token => $token)->{status}, 200, 'scim_tenant and token agree';
is_error $t->request(GET => '/acme/Users', token => $foreign), 403, '', qr/the token is of another tenant than this address/,
    'or do not';
is $t->request(GET => '/of/globex/Users', token => $foreign)->{status}, 200, 'scim_tenant with a variable';
is_error $t->request(GET => $_, token => $foreign), 403, '', qr/another tenant/, $_ for qw(/of/acme/Users /of/GLOBEX/Users /of/x/Users);
is_error $t->request(POST => '/of/acme/Users', token => $foreign, json => $bob), 403, '', qr/another tenant/, 'nor to write';

# --- satisfy

is_error $t->request(GET => '/any-allow/Users'), 401, '', qr/no Authorization/, 'satisfy any: an allowed address opens nothing';
is_error $t->request(POST => '/any-allow/Users', json => $bob), 401, '', qr/no Authorization/, 'nor to write';
is $t->request(GET => '/any-allow/Users', token => $token)->{status}, 200, 'a token does';
is $t->request(GET => '/any-deny/Users', token => $token)->{status}, 200, 'satisfy any: a token is enough';
is_error $t->request(GET => '/any-deny/Users', token => 'x'), 403, '', qr/allow, deny/, 'another is not';
is_error $t->request(GET => '/any-off/Users'), 403, '', qr/allow, deny/, 'and scim_auth off satisfies nobody';

# --- ServiceProviderConfig (RFC 7643 5)

my $config = '/scim/v2/ServiceProviderConfig';
for my $path ($config, "$config/", '/scim/v2/v2/ServiceProviderConfig', '/acme/ServiceProviderConfig', '/of/nobody/ServiceProviderConfig',
    '/any-allow/ServiceProviderConfig') {
    $r = $t->request(GET => $path);
    is "$r->{status} " . ($r->{json}{authenticationSchemes}[0]{type} // ''), '200 oauthbearertoken', "GET $path without a token";
    is $t->request(HEAD => $path)->{status}, 200, 'and HEAD';
}
is $t->request(GET => $config)->{body}, $t->request(GET => $config, token => $token)->{body}, 'is what is answered to a token';
is_error with($_, path => $config), 401, '', qr/./, "with \"$_\" it is 401" for 'Bearer nonsense', 'Basic YTpi', 'Bearer', "Bearer ${token}x", ' ';
is_error $t->request($_ => $config), 401, '', qr/no Authorization/, "$_ without a token" for qw(POST PUT PATCH DELETE OPTIONS);
is_error $t->request(GET => $_), 401, '', qr/no Authorization/, "$_ without a token"
    for map "/scim/v2/$_", 'Schemas', 'ResourceTypes', 'Users', '', 'ServiceProviderConfig/x', 'serviceProviderConfig', 'x/ServiceProviderConfig';
is_error $t->request(GET => '/any-deny/ServiceProviderConfig'), 403, '', qr/allow, deny/, 'satisfy any: to ask without a token satisfies nobody';
is_error $t->request(GET => '/off-nobody/ServiceProviderConfig'), 403, '', qr/there is no tenant/, 'scim_auth off asks for the tenant as before';

# --- two tenants

my ($acme, $globex) = map $t->client(token => $_), $token, $foreign;
my $id = $acme->request(GET => "$base?filter=userName+eq+\"bob\"")->{json}{Resources}[0]{id};
is $globex->request(GET => $base)->{json}{totalResults}, 0, 'a list has only the tenant\'s own';
is $globex->request(GET => "$base?filter=userName+eq+\"bob\"")->{json}{totalResults}, 0, 'and so has a filter';
is $globex->request(GET => "$base?count=1000")->{json}{totalResults}, 0, 'and a long read';
is_error $globex->request($_ => "$base/$id", $_ eq 'PUT' ? (json => $bob) : ()), 404, '', qr/there is no User with the id/,
    "$_ of another tenant's user" for qw(GET PUT DELETE);
is_user $globex->request(POST => $base, json => $bob), 201, 'userName is unique in a tenant, not in the store';
is $acme->request(GET => $base)->{json}{totalResults}, 1, 'which the other does not see';
is join(' ', map $_->{json}{Resources}[0]{id} eq $id ? 'acme' : 'globex', $t->client->pipeline(
    map [GET => $base, token => $_], $token, $foreign, $foreign, $token)), 'acme globex globex acme', 'requests on one connection';

# --- revoked at once, in every worker; other tokens live on

# Asks on new connections until both workers have answered: the statuses that came.
sub everywhere {
    my ($asked) = @_;
    my (%pid, %status);
    $t->wait_for(sub {
        my $r = $t->request(GET => $base, port => 1, token => $asked);
        $status{ $r->{status} }++;
        return ++$pid{ $r->{headers}{'x-pid'} } && keys %pid == 2 && $status{ $r->{status} } > 20;
    }) or fail 'both workers answer';
    return join ' ', sort keys %status;
}
my $doomed = $t->token('acme', label => 'doomed');
is everywhere($doomed), 200, 'a new token is known to all workers at once';
is +($t->scimctl(qw(token revoke --tenant acme doomed)))[0], 0, 'scimctl token revoke';
is everywhere($doomed), 401, 'a revoked one to none';
unauthorized 'revoked', with("Bearer $doomed"), qr/the token "doomed" was revoked at \d{4}-\d\d-\d\dT[\d:.]+Z/;
is everywhere($token), 200, 'others live on';
is +($t->scimctl(qw(tenant remove globex --yes)))[0], 0, 'scimctl tenant remove';
is everywhere($foreign), 401, 'a removed tenant has no tokens';
unauthorized 'of a removed tenant', with("Bearer $foreign"), qr/the token is unknown here/;
is_error $t->request(GET => '/of/globex/Users', token => $token), 403, '', qr/another tenant/, 'its address is of nobody';
is everywhere($token), 200, 'the other tenant lives on';

unlike $t->log . with("Bearer ${token}x")->{body}, qr/\Q$_\E/, 'no token in log or answer'
    for map substr($_, 5, 40), $token, $foreign, $doomed, $short, $reader;

$t->finish;
