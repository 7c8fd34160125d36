#!/usr/bin/perl
# /Me (RFC 7644 3.11) is the user that the token is bound to: GET, HEAD, PUT, PATCH and DELETE are answered as for
# /Users/{id}. A token that is not bound is answered 501.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $t = Scim->new(http => <<'EOC', server => <<'EOS');
    scim_store main %%DIR%%/store;
    log_format me '$request_method $uri $status $scim_operation $scim_resource_type $scim_resource_id';
EOC
    access_log %%DIR%%/me.log me;
    location /scim/v2/ { scim main; }
    client_body_in_file_only clean;
    location /readonly/ { scim main; scim_scope read; }
    location /open/ { scim main; scim_auth off; scim_tenant acme; }
EOS
my ($base, $patch_urn) = ('/scim/v2', 'urn:ietf:params:scim:api:messages:2.0:PatchOp');
my $admin = $t->seed('acme', label => 'admin');
$t->start->served("$base/Users", token => $admin);
my $c = $t->client(token => $admin);
my $ada = $c->request(POST => "$base/Users", json => Scim::user('ada', title => 'Countess'))->{json}{id};
my $bob = $c->request(POST => "$base/Users", json => Scim::user('bob'))->{json}{id};

# Makes a token that is bound to a user, and returns its JSON.
sub bound {
    my ($label, $user, @more) = @_;
    my ($exit, $out, $err) = $t->scimctl('--json', qw(token create --tenant acme --label), $label, '--subject', $user, @more);
    is $exit, 0, "scimctl token create --subject $user succeeds" or diag $err;
    return $Scim::json->decode($out);
}

my $made = bound('ada', 'ada');
is $made->{subject}, $ada, 'token create --subject with a userName prints the id of the user';
my $reader = bound('reader', $ada, qw(--scope read));
my ($exit, $out, $err) = $t->scimctl(qw(token create --tenant acme --label nobody --subject nobody));
is $exit, 1, 'token create --subject with an unknown user fails';
like $err, qr/tenant acme|"acme" has no user "nobody"/, 'token create --subject with an unknown user says so';
($exit, $out) = $t->scimctl(qw(token list --tenant acme));
like $out, qr/^\d+ +ada +live +read, write .* $ada$/m, 'token list shows the subject';
like $out, qr/^\d+ +admin +live +read, write .* -$/m, 'token list shows no subject of a token that is not bound';

my $me = $t->client(token => $made->{token});
my $url = $c->request(GET => "$base/Users/$ada")->{json}{meta}{location};

# --- reading

my $r = $me->request(GET => "$base/Me");
is_user $r, 200, 'GET /Me is answered with 200';
is_deeply $r->{json}, $c->request(GET => "$base/Users/$ada")->{json}, '[S-55] GET /Me returns the user';
is $r->{headers}{location}, $url, '[S-55] Location of GET /Me is the URL of the user';
is $r->{headers}{'content-location'}, $url, 'Content-Location of GET /Me is the URL of the user';
my $etag = $r->{headers}{etag};
is $me->request(GET => "$base/Me", headers => { 'If-None-Match' => $etag })->{status}, 304, 'GET /Me with its ETag is answered with 304';
is_deeply [sort keys %{ $me->request(GET => "$base/Me?attributes=title")->{json} }], [qw(id schemas title)],
    'GET /Me?attributes returns the attributes';
$r = $me->request(HEAD => "$base/Me");
is "$r->{status} $r->{headers}{etag}", "200 $etag", 'HEAD /Me is answered with 200 and the ETag';
is $me->request(GET => "$base/v2/Me/")->{json}{id}, $ada, 'GET /v2/Me/ returns the user';
is_error $me->request(GET => "$base/Me/$ada"), 404, '', qr/there is nothing below "\/Me"/, 'GET below /Me is refused with 404';

# An error response of a request to /Me, which has the URL of the user (RFC 7644 3.11).
sub is_error_of_me {
    my ($r, @expected) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is delete $r->{headers}{location}, $url, "Location is the URL of the user: $expected[-1]";
    return is_error $r, @expected;
}

# --- writing

sub ops { return { schemas => [$patch_urn], Operations => [@_] } }

$r = $me->request(PATCH => "$base/Me", json => ops({ op => 'replace', path => 'title', value => 'Lady' }));
is_user $r, 200, 'PATCH /Me is answered with 200';
is "$r->{json}{id} $r->{json}{title}", "$ada Lady", '[S-55] PATCH /Me changes the user';
is $r->{headers}{location}, $url, 'Location of PATCH /Me is the URL of the user';
is_error_of_me $me->request(PATCH => "$base/Me", json => ops({ op => 'remove', path => 'title' }), headers => { 'If-Match' => $etag }),
    412, '', qr/If-Match/, 'PATCH /Me with a stale If-Match is refused with 412';
sub is_located { my ($r, $what) = @_; return is $r->{headers}{location}, $url, "Location of $what is the URL of the user (RFC 7644 3.11)" }
my @stale = (headers => { 'If-Match' => 'W/"99"' });
is_located $me->request(GET => "$base/Me", headers => { 'If-None-Match' => '*' }), 'GET /Me with If-None-Match, answered with 304,';
my $refused = $me->request(GET => "$base/Me", @stale);
is_located $refused, 'GET /Me with a stale If-Match, refused with 412,';
ok !exists $refused->{headers}{'content-location'}, 'an error response to /Me has no Content-Location';
is_located $me->request(PATCH => "$base/Me", json => ops({ op => 'remove', path => 'title' }), @stale), 'PATCH /Me, refused with 412,';
is_located $me->request(DELETE => "$base/Me", @stale), 'DELETE /Me, refused with 412,';
is_located $me->request(PUT => "$base/Me", json => {}), 'PUT /Me, refused with 400,';
is_located $me->request(POST => "$base/Me", json => {}), 'POST /Me, refused with 405,';
ok !exists $me->request(PATCH => "$base/Users/$ada", json => ops({ op => 'remove', path => 'title' }), @stale)->{headers}{location},
    'PATCH of the same user by its URL, refused with 412, has no Location';
$r = $me->request(PUT => "$base/Me", json => Scim::user('ada', nickName => 'A'), headers => { 'If-Match' => $me->request(GET => "$base/Me")->{headers}{etag} });
is_user $r, 200, 'PUT /Me with the current If-Match is answered with 200';
is_deeply [@{ $r->{json} }{qw(id nickName title)}], [$ada, 'A', undef], '[S-55] PUT /Me replaces the user';
is_error_of_me $me->request(PUT => "$base/Me", json => Scim::user('bob')), 409, 'uniqueness', qr/is taken by the User \Q$bob\E/,
    'PUT /Me with the userName of another user is refused with 409';
is $c->request(GET => "$base/Users/$bob")->{json}{userName}, 'bob', 'another user is not changed';
$r = $me->request(POST => "$base/Me", json => Scim::user('carl'));
is_error_of_me $r, 405, '', qr/POST is not allowed/, 'POST /Me is refused with 405';
is $r->{headers}{allow}, 'GET, HEAD, PUT, PATCH, DELETE', 'Allow of the 405 names the methods of a user';
is $me->request(PUT => "$base/Users/$bob", json => Scim::user('bob', title => 'x'))->{status}, 200,
    'a bound token may still write other users: its scopes are not limited';

# --- scopes, tokens that are not bound

my $read = $t->client(token => $reader->{token});
is $read->request(GET => "$base/Me")->{json}{id}, $ada, 'a bound token with scope read may read /Me';
is_error_of_me $read->request(DELETE => "$base/Me"), 403, '', qr/lacks the scope write/, 'a bound token with scope read may not write /Me';
is_error $c->request($_ => "$base/Me", $_ =~ /^P/ ? (json => Scim::user('x')) : ()), 501, '',
    qr/not bound to a user, so there is no \/Me: .*--subject/, "[S-55] $_ /Me with a token that is not bound is answered with 501"
    for qw(GET POST PUT PATCH DELETE);
is_error $t->request(GET => '/open/Me'), 501, '', qr/no \/Me/, 'GET /Me without a token is answered with 501';

my ($code, $json) = $t->scimctl('--json', qw(token rotate --tenant acme --overlap 0s ada));
my $next = $Scim::json->decode($json);
is $next->{subject}, $ada, 'token rotate keeps the subject';
$me = $t->client(token => $next->{token});
is $me->request(GET => "$base/Me")->{json}{id}, $ada, 'the successor of a bound token is bound';

# --- users that may not act

# Checks that a token is refused for all that it could do before.
sub is_locked_out {
    my ($label, $id, $client, $why, $who) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_error $client->request(@$_), 401, '', qr/the token "$label" is bound to the user "\Q$id\E", which $why/, "$_->[0] $_->[1] with the token of $who is refused with 401"
        for [GET => "$base/Me"], [PATCH => "$base/Me", json => ops({ op => 'replace', path => 'active', value => JSON::PP::true })],
        [GET => "$base/Users"], [POST => "$base/Users", json => Scim::user('new')], [POST => "$base/Bulk", json => {}], [GET => "$base/Schemas"];
}
my $dora = $c->request(POST => "$base/Users", json => Scim::user('dora'))->{json}{id};
my $own = $t->client(token => bound('dora', $dora)->{token});
sub activate { my ($value) = @_; return $c->request(PATCH => "$base/Users/$dora", json => ops({ op => 'replace', path => 'active', value => $value })) }
is $own->request(GET => "$base/Me")->{status}, 200, 'the token of an active user is accepted';
activate(JSON::PP::false);
is_locked_out('dora', $dora, $own, 'is not active', 'a deactivated user');
like $own->request(GET => "$base/Me")->{headers}{'www-authenticate'}, qr/error="invalid_token"/, 'the 401 has WWW-Authenticate';
activate(JSON::PP::true);
is $own->request(GET => "$base/Me")->{status}, 200, 'the token of a user that is active again is accepted';
is +($t->scimctl(qw(user block --tenant acme dora)))[0], 0, 'scimctl user block succeeds';
is_locked_out('dora', $dora, $own, 'is blocked', 'a blocked user');
is +($t->scimctl(qw(user unblock --tenant acme dora)))[0], 0, 'scimctl user unblock succeeds';
is $own->request(GET => "$base/Me")->{status}, 200, 'the token of a user that is not blocked any more is accepted';

# The user is deactivated while its own write waits for the write lock: that write is refused, too.
my $lock = $t->hold_lock;
my $admin_write = $t->client(token => $admin);
$admin_write->send(PATCH => "$base/Users/$dora", json => ops({ op => 'replace', path => 'active', value => JSON::PP::false }));
ok $t->wait_for(sub { $t->bodies >= 1 }), 'the deactivation waits';
$own->send(PATCH => "$base/Me", json => ops({ op => 'replace', path => 'title', value => 'late' }));
ok $t->wait_for(sub { $t->bodies >= 2 }), 'the write of the user waits behind it';
$t->release($lock);
is $admin_write->receive->{status}, 200, 'the user is deactivated';
my $late = $own->receive;
like delete $late->{headers}{location} // '', qr{/Users/\Q$dora\E$}, 'its Location is the URL of the user';
is_error $late, 401, '', qr/which is not active/, 'a write that waited while its user was deactivated is refused with 401';
is $c->request(GET => "$base/Users/$dora")->{json}{title}, undef, 'it changes nothing';

my $limited = $t->client(token => $next->{token});
for ([PUT => json => Scim::user('ada')], [PATCH => json => ops()], ['DELETE']) {
    my ($method, @body) = @$_;
    my $r = $limited->request($method => '/readonly/Me', @body);
    like delete $r->{headers}{location} // '', qr{/readonly/Users/\Q$ada\E$}, "Location of $method /Me, refused with 403, is the URL of the user";
    is_error $r, 403, '', qr/this location is read-only/, "$method /Me is refused with 403 where scim_scope is read";
}

# --- deletion

$r = $me->request(DELETE => "$base/Me");
is $r->{status}, 204, 'DELETE /Me is answered with 204';
is_located $r, 'DELETE /Me';
is $c->request(GET => "$base/Users/$ada")->{status}, 404, '[S-55] DELETE /Me deletes the user';
is_locked_out('ada', $ada, $me, 'does not exist any more', 'a deleted user');
$c->request(POST => "$base/Users", json => Scim::user('ada'));
is $me->request(GET => "$base/Me")->{status}, 401, 'a new user with the userName of the deleted one is not the subject';

# --- what the logs say

my $log = sub { Scim::_slurp("$t->{dir}/me.log") };
ok $t->wait_for(sub { $log->() =~ m{DELETE /scim/v2/Me 204 } }), 'the access log has the requests';
like $log->(), qr{^GET /scim/v2/Me 200 get User $ada$}m, '$scim_operation of GET /Me is get, with the id of the user';
like $log->(), qr{^PATCH /scim/v2/Me 200 patch User $ada$}m, '$scim_operation of PATCH /Me is patch';
like $log->(), qr{^DELETE /scim/v2/Me 204 delete User $ada$}m, '$scim_operation of DELETE /Me is delete';
like $log->(), qr{^GET /scim/v2/Me 501 me - -$}m, '$scim_operation of /Me without a subject is me';
($exit, $out) = $t->scimctl('--json', qw(log --tenant acme));
like $out, qr/"patch".*\Q$ada\E/, 'scimctl log shows the changes made by /Me';
is +($t->scimctl('verify'))[0], 0, 'scimctl verify finds no problem';

$t->finish;
