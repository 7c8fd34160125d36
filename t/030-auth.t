#!/usr/bin/perl
# A SCIM location serves only requests with a valid token of a tenant, whatever else nginx allows, and only that tenant's
# directory. The answer tells apart why a request is refused, and refused requests do not write to the store.

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

is with($_->[1])->{status}, 200, "GET with a valid token is answered with 200: $_->[0]" for ['Bearer',
    "Bearer $token"], ['lower case', "bearer $token"],
    ['several blanks', "Bearer   $token"];
is_dialect(with($token), 'bare-token', '[L-bare-token] a token without a scheme is accepted and named in $scim_dialect');
is_dialect($t->request(GET => "$base?filter=active+eq+%22True%22", headers => { Authorization => $token }),
    'bare-token,string-boolean', '$scim_dialect names a token without a scheme together with other deviations');
is with("Bearer $token", path => '/rfc/Users')->{status}, 200, 'with scim_profile rfc a Bearer token is accepted';
is_error with($token, path => '/rfc/Users'), 401, '', qr/the Authorization header has no scheme; send "Authorization: Bearer <token>"/,
    '[L-bare-token] with scim_profile rfc a token without a scheme is refused with 401';

# --- the reasons of a 401

sub unauthorized {
    my ($name, $r, $detail) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_error $r, 401, '', $detail, "[S-149] a request with $name is refused with 401";
    (my $sentence = $r->{json}{detail} // '') =~ s/ \(request .*//;
    $sentence =~ tr/"/'/;
    is $r->{headers}{'www-authenticate'}, qq(Bearer realm="scim", error="invalid_token", error_description="$sentence"),
        "[S-160] the 401 to a request with $name has WWW-Authenticate";
}

my $r = $t->request(GET => $base);
is_error $r, 401, '', qr/the request has no Authorization header; send "Authorization: Bearer <token>"/,
    '[S-149] a request without Authorization is refused with 401';
is $r->{headers}{'www-authenticate'}, 'Bearer realm="scim"',
    'the 401 to a request without Authorization has WWW-Authenticate without an error';
unauthorized 'another scheme', with('Basic YTpi'), qr/uses the scheme "Basic"; expected "Bearer <token>"/;
unauthorized 'a registered scheme in another case', with('negotiate YTpi'), qr/uses the scheme "negotiate"/;
unauthorized 'an unregistered scheme', with($_),
    qr/the Authorization header begins with no registered scheme; expected "Bearer <token>"/
    for 'Token abc', 'Bearer: abc', "$token Bearer";
unauthorized 'a tab behind Bearer', with($_), qr/has a tab after Bearer; send a space/ for "Bearer\t$token",
    "Bearer \t$token";
is with($_)->{status}, 200, 'blanks and tabs around the value of Authorization are ignored'
    for "\tBearer $token", "Bearer $token\t ";
unauthorized 'Bearer and no token', with('Bearer'), qr/has the scheme Bearer but no token/;
unauthorized 'a token that scimctl did not create', with("Bearer $_"),
    qr/the token is unknown here: it does not begin with "scim_".*; check the token field of the identity provider/
    for 'nonsense', 'x' x 4000, ($token =~ s/^scim_/mics_/r);
unauthorized 'a token of another store', with('Bearer ' . Scim->new->seed('acme')),
    qr/the token is unknown here: it was created for another .*scimctl token list --tenant NAME lists the tokens of this store/;
unauthorized 'a damaged token', with("Bearer $_"), qr/the token is not complete: it has the prefix of this server's tokens/
    for substr($token, 0, -1), "${token}x", 'scim_', ($token =~ s/(.)$/$1 eq 'a' ? 'b' : 'a'/er);
unauthorized 'a token that is not valid yet', with('Bearer ' . $t->token('acme', label => 'soon',
    'not-before' => '2099-01-01T00:00:00Z')),
    qr/the token "soon" is not valid before 2099-01-01T00:00:00\.000Z/;
my $short = $t->token('acme', label => 'short', expires => '2s');
ok $t->wait_for(sub { with("Bearer $short")->{status} == 401 }), '[S-162] a token is refused with 401 after its expiry';
unauthorized 'an expired token', with("Bearer $short"),
    qr/the token "short" expired at \d{4}-\d\d-\d\dT[\d:.]+Z; create a new one with scimctl token create/;

# A refusal comes before 100 Continue, so the client does not send the body.
$r = $t->request(POST => $base, body => 'x' x 500_000, expect => 1, token => 'nonsense');
is "$r->{status} $r->{continued}", '401 0', 'a request with Expect: 100-continue is refused with 401 before its body';

# --- unauthenticated requests do not write

my $data = "$t->{dir}/store/data.mdb";
sub fingerprint { return join ' ', (stat $data)[7, 9], Digest::SHA->new(256)->addfile($data)->hexdigest }
my $before = fingerprint();
for my $i (1 .. 50) {
    $t->request(POST => $base, json => $bob, $i % 2 ? (token => "scim_$i") : ());
    $t->request(DELETE => "$base/$i", token => $i);
}
is fingerprint(), $before, '100 requests refused with 401 do not change data.mdb';

# --- what a token and a location allow

my $reader = $t->token('acme', label => 'reader', scope => 'read');
is with("Bearer $reader")->{status}, 200, 'a token with scope read may read';
for my $case ([POST => $base], [PUT => "$base/x"], [DELETE => "$base/x"], [PATCH => "$base/x"]) {
    my ($method, $path) = @$case;
    is_error $t->request($method => $path, token => $reader, json => $bob), 403, '',
        qr/the token "reader" may not write: it lacks the scope write/,
            "[S-149 S-160 S-163] $method with a token of scope read is refused with 403";
}
is $t->request(GET => '/reads/Users', token => $token)->{status}, 200, 'with scim_scope read GET is answered with 200';
is_error $t->request(POST => '/reads/Users', token => $token, json => $bob), 403, '',
    qr/this location is read-only: its scim_scope/,
    'with scim_scope read POST is refused with 403';
is $t->request(GET => '/off/Users')->{status}, 200, '[S-161] with scim_auth off GET is answered with 200';
is_error $t->request(POST => '/off/Users', json => $bob), 403, '', qr/this location is read-only/,
    'with scim_auth off POST is refused with 403';
is_user $t->request(POST => '/off-write/Users', json => $bob), 201,
    'with scim_auth off and scim_scope write POST is answered with 201';
is $t->request(GET => "/off/Users?filter=userName+eq+\"bob\"")->{json}{totalResults}, 1,
    'with scim_auth off the tenant of scim_tenant is served';
is_error $t->request(GET => '/off-nobody/Users'), 403, '', qr/there is no tenant "nobody", the value of scim_tenant/,
    'with scim_auth off an unknown tenant in scim_tenant is refused with 403';

is $t->request(GET => '/acme/Users', token => $token)->{status}, 200, 'a token of the tenant in scim_tenant is accepted';
is_error $t->request(GET => '/acme/Users', token => $foreign), 403, '',
    qr/the token belongs to another tenant than this URL/,
    '[S-160 S-170] a token of another tenant than scim_tenant is refused with 403';
is $t->request(GET => '/of/globex/Users', token => $foreign)->{status}, 200,
    'a token of the tenant in scim_tenant with a variable is accepted';
is_error $t->request(GET => $_, token => $foreign), 403, '', qr/another tenant/,
    "GET $_ with a token of another tenant is refused with 403" for qw(/of/acme/Users /of/GLOBEX/Users /of/x/Users);
is_error $t->request(POST => '/of/acme/Users', token => $foreign, json => $bob), 403, '', qr/another tenant/,
    'POST with a token of another tenant than scim_tenant is refused with 403';

# --- satisfy

is_error $t->request(GET => '/any-allow/Users'), 401, '', qr/no Authorization/,
    'with satisfy any GET from an allowed address without a token is refused with 401';
is_error $t->request(POST => '/any-allow/Users', json => $bob), 401, '', qr/no Authorization/,
    'with satisfy any POST from an allowed address without a token is refused with 401';
is $t->request(GET => '/any-allow/Users', token => $token)->{status}, 200,
    'with satisfy any GET from an allowed address with a token is answered with 200';
is $t->request(GET => '/any-deny/Users', token => $token)->{status}, 200,
    'with satisfy any GET from a denied address with a token is answered with 200';
is_error $t->request(GET => '/any-deny/Users', token => 'x'), 403, '', qr/allow or deny/,
    'with satisfy any GET from a denied address with an unknown token is refused with 403';
is_error $t->request(GET => '/any-off/Users'), 403, '', qr/allow or deny/,
    'with satisfy any GET from a denied address is refused with 403 where scim_auth is off';

# --- ServiceProviderConfig is served without a token (RFC 7643 5)

my $config = '/scim/v2/ServiceProviderConfig';
for my $path ($config, "$config/", '/scim/v2/v2/ServiceProviderConfig', '/acme/ServiceProviderConfig', '/of/nobody/ServiceProviderConfig',
    '/any-allow/ServiceProviderConfig') {
    $r = $t->request(GET => $path);
    is "$r->{status} " . ($r->{json}{authenticationSchemes}[0]{type} // ''), '200 oauthbearertoken',
        "[S-41] GET $path without a token is answered with 200";
    is $t->request(HEAD => $path)->{status}, 200, "HEAD $path without a token is answered with 200";
}
is $t->request(GET => $config)->{body}, $t->request(GET => $config, token => $token)->{body},
    'ServiceProviderConfig is the same with and without a token';
is_error with($_, path => $config), 401, '', qr/./, "GET of ServiceProviderConfig with Authorization: '$_' is refused with 401"
    for 'Bearer nonsense', 'Basic YTpi', 'Bearer', "Bearer ${token}x";
is_error $t->request($_ => $config), 401, '', qr/no Authorization/,
    "$_ of ServiceProviderConfig without a token is refused with 401" for qw(POST PUT PATCH DELETE OPTIONS);
is_error $t->request(GET => $_), 401, '', qr/no Authorization/, "GET $_ without a token is refused with 401"
    for map "/scim/v2/$_", 'Schemas', 'ResourceTypes', 'Users', '', 'ServiceProviderConfig/x', 'serviceProviderConfig', 'x/ServiceProviderConfig';
is_error $t->request(GET => '/any-deny/ServiceProviderConfig'), 403, '', qr/allow or deny/,
    'with satisfy any ServiceProviderConfig from a denied address without a token is refused with 403';
is_error $t->request(GET => '/off-nobody/ServiceProviderConfig'), 403, '', qr/there is no tenant/,
    'with scim_auth off ServiceProviderConfig of an unknown tenant is refused with 403';

# --- two tenants

my ($acme, $globex) = map $t->client(token => $_), $token, $foreign;
my $id = $acme->request(GET => "$base?filter=userName+eq+\"bob\"")->{json}{Resources}[0]{id};
is $globex->request(GET => $base)->{json}{totalResults}, 0, '[S-172] a list has only users of the tenant of the token';
is $globex->request(GET => "$base?filter=userName+eq+\"bob\"")->{json}{totalResults}, 0,
    'a filter finds only users of the tenant of the token';
is $globex->request(GET => "$base?count=1000")->{json}{totalResults}, 0,
    'a list made on a thread has only users of the tenant of the token';
is_error $globex->request($_ => "$base/$id", $_ eq 'PUT' ? (json => $bob) : ()), 404, '', qr/there is no User with the id/,
    "[S-150 S-172] $_ of a user of another tenant is refused with 404" for qw(GET PUT DELETE);
is_user $globex->request(POST => $base, json => $bob), 201, '[S-166 S-171] a userName of another tenant is not taken';
is $acme->request(GET => $base)->{json}{totalResults}, 1, 'the user of another tenant is not in the list';
is join(' ', map $_->{json}{Resources}[0]{id} eq $id ? 'acme' : 'globex', $t->client->pipeline(
    map [GET => $base, token => $_], $token, $foreign, $foreign, $token)), 'acme globex globex acme',
        'pipelined requests with different tokens are answered for the tenant of each token';

# --- a revoked token is refused at once by every worker, other tokens are not affected

# Sends requests on new connections until both workers have answered; returns the statuses.
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
is everywhere($doomed), 200, 'every worker accepts a new token at once';
is +($t->scimctl(qw(token revoke --tenant acme doomed)))[0], 0, 'scimctl token revoke exits with 0';
is everywhere($doomed), 401, 'every worker refuses a revoked token';
unauthorized 'a revoked token', with("Bearer $doomed"), qr/the token "doomed" was revoked at \d{4}-\d\d-\d\dT[\d:.]+Z/;
is everywhere($token), 200, 'every worker accepts the other token of the tenant after a revocation';
# --- a disabled tenant

is +($t->scimctl(qw(tenant disable globex)))[0], 0, 'scimctl tenant disable exits with 0';
is everywhere($foreign), 403, 'every worker refuses a token of a disabled tenant';
is_error $t->request(GET => $base, token => $foreign), 403, '', qr/the tenant "globex" is disabled; scimctl tenant enable enables it again/,
    'the refusal says that the tenant is disabled';
is everywhere($token), 200, 'another tenant is served';
like +($t->scimctl(qw(tenant disable globex)))[1], qr/was disabled already/, 'disabling it again succeeds';
like +($t->scimctl(qw(tenant list)))[1], qr/^globex +disabled /m, 'tenant list shows it';
like +($t->scimctl(qw(find --tenant globex)))[1], qr/\AID +NAME/, 'scimctl reads it';
is +($t->scimctl(qw(tenant enable globex)))[0], 0, 'scimctl tenant enable exits with 0';
is everywhere($foreign), 200, 'every worker accepts its token again';
is +($t->scimctl(qw(tenant disable nobody)))[0], 1, 'disabling a tenant that does not exist exits with 1';

is +($t->scimctl(qw(tenant remove globex --yes)))[0], 0, 'scimctl tenant remove exits with 0';
is everywhere($foreign), 401, 'every worker refuses a token of a removed tenant';
unauthorized 'a token of a removed tenant', with("Bearer $foreign"), qr/the token is unknown here/;
is_error $t->request(GET => '/of/globex/Users', token => $token), 403, '', qr/another tenant/,
    'the address of a removed tenant is refused with 403';
is everywhere($token), 200, 'every worker accepts a token of the other tenant after a tenant is removed';

unlike $t->log . with("Bearer ${token}x")->{body}, qr/\Q$_\E/, '[S-150 S-167] no token is in the error log or in an answer'
    for map substr($_, 5, 40), $token, $foreign, $doomed, $short, $reader;

$t->finish;
