#!/usr/bin/perl
# The access gate: who passes, the headers of the application, and what the log says.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my $t = Scim->new(http => <<'EOC', server => <<'EOS');
    scim_store main %%DIR%%/store size=64m;
    underscores_in_headers on;
    log_format gate '$uri $scim_decision $scim_denied_reason';
    access_log %%DIR%%/gate.log gate;
    scim_subject $http_x_remote_user tenant=acme trusted;
    scim_header X-User $scim_user_name;
    scim_header X-User-Id $scim_user_id;
EOC
    location /scim/v2/ { scim main; }
    location = /application {
        return 200 "user=$http_x_user id=$http_x_user_id other=$http_x_other agent=$http_user_agent";
    }
    location /active/ { scim_require active; proxy_pass http://127.0.0.1:%%PORT%%/application?; }
    location /group/ { scim_require group=Admins; proxy_pass http://127.0.0.1:%%PORT%%/application?; }
    location /teapot/ { scim_require group=Admins error=418; proxy_pass http://127.0.0.1:%%PORT%%/application?; }
    location /either/ { scim_require group=Admins role=auditor; proxy_pass http://127.0.0.1:%%PORT%%/application?; }
    location /filter/ { scim_require 'filter=title eq "boss" and active eq true'; proxy_pass http://127.0.0.1:%%PORT%%/application?; }
    location /both/ { scim_require group=Admins; scim_require role=auditor; proxy_pass http://127.0.0.1:%%PORT%%/application?; }
    location /missing/ { scim_require group=Nobody; proxy_pass http://127.0.0.1:%%PORT%%/application?; }
    location /dry/ { scim_require group=Admins; scim_require_dry_run on; proxy_pass http://127.0.0.1:%%PORT%%/application?; }
    location /open/ { proxy_pass http://127.0.0.1:%%PORT%%/application?; }
    location /early/ { scim_require active; return 204; }
    location /decide { scim_require group=Admins; scim_decide; add_header X-Name $scim_user_name; }
    location /decide200 { scim_require active; scim_decide 200; }
    location /outer/ {
        scim_require group=Admins;
        location /outer/off/ { scim_require off; proxy_pass http://127.0.0.1:%%PORT%%/application?; }
        location /outer/in/ { proxy_pass http://127.0.0.1:%%PORT%%/application?; }
    }
    location /post/ {
        scim_require active;
        limit_except GET { scim_require group=Admins; }
        proxy_pass http://127.0.0.1:%%PORT%%/application?;
    }
EOS
my $token = $t->seed('acme');
$t->start;
my $scim = $t->client(token => $token);
my $c = $t->client;

sub create {
    my ($type, %body) = @_;
    my $r = $scim->request(POST => "/scim/v2/$type", json => { schemas => [], %body });
    is $r->{status}, 201, "a $type is created" or diag $r->{body};
    return $r->{json}{id};
}
my $user_urn = 'urn:ietf:params:scim:schemas:core:2.0:User';
my %id = map { my ($name, %rest) = @$_; $name => create(Users => schemas => [$user_urn], userName => $name, %rest) }
    ['ada', active => JSON::PP::true, title => 'boss', roles => [{ value => 'auditor' }]],
    ['bob', active => JSON::PP::true], ['eve', active => JSON::PP::false], ['nil'];
my $admins = create(Groups => schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'], displayName => 'Admins',
    members => [{ value => $id{ada} }]);

sub get {
    my ($path, $user, @headers) = @_;
    return $c->request(GET => $path, headers => { defined $user ? ('X-Remote-User' => $user) : (), @headers });
}
sub is_passed {
    my ($path, $user, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = get($path, $user);
    is "$r->{status} $r->{body}" =~ s/ other=.*//sr, "200 user=$user id=$id{$user}", $name // "$path lets $user pass";
}
sub is_refused {
    my ($path, $user, $status, $log) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $who = defined $user ? $user : 'a request without a subject';
    is get($path, $user)->{status}, $status, "$path refuses $who with $status";
    like $t->log, $log, "the log says why $path refuses $who" if $log;
}

is_passed '/active/', $_ for qw(ada bob nil);    # nil was created without active, which is stored as true
is_refused '/active/', undef, 401, qr/access denied: the request has no subject/;
is_refused '/active/', 'eve', 403, qr/access denied: user "eve" of tenant "acme" is not active/;
is_refused '/active/', 'zoe', 403, qr/the tenant has no user "zoe"/;
is_passed '/group/', 'ada';
is_refused '/group/', 'bob', 403, qr/user "bob" of tenant "acme" does not meet "scim_require group=Admins" in \S+nginx.conf:\d+/;
is_refused '/teapot/', 'bob', 418;
is_refused '/teapot/', 'eve', 403;
is_passed '/either/', 'ada';
is_refused '/either/', 'bob', 403;
is_passed '/filter/', 'ada';
is_refused '/filter/', 'bob', 403;
is_passed '/both/', 'ada';
is_refused '/missing/', 'ada', 403, qr/tenant "acme" has no group for "group=Nobody" of "scim_require"/;
is_passed '/dry/', 'bob';
like $t->log, qr/access would be denied: user "bob"/, 'the log says whom a dry run would refuse';
is_passed '/outer/off/', 'bob';
is_passed '/outer/in/', 'ada';
is_refused '/outer/in/', 'bob', 403;
is_passed '/post/', 'bob';
is $c->request(POST => '/post/', headers => { 'X-Remote-User' => 'bob' }, body => '{}')->{status}, 403,
    'scim_require in limit_except refuses a POST';

# Nobody
is get('/open/', 'eve')->{body} =~ s/ other=.*//sr, 'user= id=', 'an inactive user has no identity, even without scim_require';
is get('/open/', undef, 'X-User' => 'root', 'X_User' => 'root', 'x-USER-id' => '1')->{body} =~ s/ other=.*//sr, 'user= id=',
    'headers of the client are removed in every spelling';
is get('/open/', 'ada', 'X-User' => 'root', 'X-Other' => 'kept')->{body} =~ s/ agent=.*//sr, "user=ada id=$id{ada} other=kept",
    'headers of the client are replaced, others are kept';

# scim_decide
my $r = get('/decide/any?x', 'ada');
is "$r->{status} " . ($r->{headers}{'x-name'} // ''), '204 ada', 'scim_decide answers 204, with headers from variables';
is get('/decide200', 'ada')->{status}, 200, 'scim_decide 200 answers 200';
is get('/decide', 'bob')->{status}, 403, 'scim_decide answers 403';
is get('/decide', undef)->{status}, 401, 'scim_decide answers 401';
is $c->request(POST => '/decide', headers => { 'X-Remote-User' => 'ada' }, body => 'x' x 100_000)->{status}, 204,
    'scim_decide answers a POST with a body';

# answers without a decision
is get('/early/', undef)->{status}, 204, 'return answers before the gate';
like $t->log, qr/\[error\].*answered without the decision of "scim_require" in \S+nginx.conf:\d+/, 'the log says so';

# from the acknowledged change on
is $scim->request(PATCH => "/scim/v2/Users/$id{ada}", json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations => [{ op => 'replace', path => 'active', value => JSON::PP::false }] })->{status}, 200, 'ada is deactivated';
is_refused '/active/', 'ada', 403;
is_refused '/open/', 'ada', 200;
$t->quit;
open my $log, '<', "$t->{dir}/gate.log" or die;
my @lines = <$log>;
is $lines[0], "/active/ allow -\n", 'the access log has the decision' if @lines;
is join('', $t->complaints), '', 'no alert, no crash, no sanitizer report';
done_testing;
