#!/usr/bin/perl
# What has let strangers past gates like this one, tried here: paths that applications read differently, names that look the
# same, users of other tenants, connections that users share, a directory that cannot answer.

use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Encode qw(encode_utf8);
use Test::More;
use Scim;
use Scim::Gate;

my $app = Scim::Gate::application('http');
my $pass = "proxy_pass http://127.0.0.1:$app->{port};";
my $t = Scim->new(http => <<"EOH", server => <<"EOS", expect_log => [qr/store "broken"/]);
    scim_store main %%DIR%%/store size=64m;
    scim_store broken %%DIR%%/broken size=64m;
    scim_header X-User \$scim_user_name;
    scim_header X-Role \$scim_user_roles;
    log_format gate '\$request_uri \$status \$scim_decision \$scim_denied_reason';
    upstream shared { server 127.0.0.1:%%PORT2%%; keepalive 1; }
    server {
        listen 127.0.0.1:%%PORT2%%;
        location / { return 200 "X-User=\$http_x_user\\nCONNECTION=\$connection\\n"; }
    }
    # required at server level, relaxed below
    server {
        listen 127.0.0.1:%%PORT1%%;
        scim_subject \$http_x_remote_user store=main tenant=acme trusted;
        scim_require group=Admins;
        location / { $pass }
        location /admins/ { $pass }
        location /public/ { scim_require off; $pass }
    }
EOH
    location /scim/v2/ { scim main; }
    access_log %%DIR%%/gate.log gate;
    scim_subject \$http_x_remote_user store=main tenant=acme trusted;
    location /active/ { scim_require active; $pass }
    location /admins/ { scim_require group=Admins; $pass }
    location /case/ { scim_require group=admins; $pass }
    location /id/ { scim_subject \$http_x_remote_user store=main by=id tenant=acme trusted; scim_require active; $pass }
    location /external/ { scim_subject \$http_x_remote_user store=main by=externalId tenant=acme trusted; scim_require active; $pass }
    location /tenant/ { scim_subject \$http_x_remote_user store=main tenant=\$arg_tenant trusted; scim_require active; $pass }
    location /cycle/ { scim_subject \$scim_user_name store=main tenant=acme; scim_require active; $pass }
    location /lines/ { scim_require group=Admins; scim_require role=bob-role; $pass }
    location /error/ { scim_require group=Admins error=404; scim_require active; $pass }
    location /close/ { scim_require group=Admins error=444; $pass }
    location /shared/ { scim_require active; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://shared; }
    location /decide { scim_require active; scim_decide; }
    location /broken/ {
        scim_subject \$http_x_remote_user store=broken tenant=acme trusted;
        scim_require active;
        $pass
        location /broken/allow/ { scim_on_error allow; $pass }
        location /broken/dry/ { scim_require_dry_run on; $pass }
        location /broken/off/ { scim_require off; $pass }
        location /broken/page/ { error_page 503 /down; $pass }
    }
    location = /down { scim_require off; return 200 "down: \$scim_denied_reason"; }
EOS
my $other = $t->seed('other');
mkdir "$t->{dir}/broken", 0700 or die;
$t->write_file('broken/data.mdb', 'x' x 65536);
my $gate = Scim::Gate->new($t);
sub got { my ($r, $name) = @_; return join ',', $r->{body} =~ /^$name=(.*)$/mgi }
sub status { return $gate->ask(@_)->{status} }
my $elsewhere = $t->client(token => $other);
my %theirs;
for my $user ('ada', 'mallory') {
    my $r = $elsewhere->request(POST => '/scim/v2/Users', json => Scim::user($user, active => JSON::PP::true));
    is $r->{status}, 201, "another tenant has a user $user";
    $theirs{$user} = $r->{json}{id};
}
$gate->create(Users => Scim::user('external', externalId => 'Ext-1', active => JSON::PP::true));

# --- paths that an application may read differently

my $server = $t->client(port => 1);
for my $path ('/', '/Public/', '/public;x/', '/public/../x', '/public/%2e%2e/x', '//x', '/public/..%2fx', '/public/%2e%2e%2fx', '/%70ublic/../x') {
    is $server->request(GET => $path, headers => { 'X-Remote-User' => 'bob' })->{status}, 403,
        "required at server level: $path is not the public location";
}
is $server->request(GET => '/admins')->{status}, 301, "nginx's own redirect to /admins/ is answered before the gate";
unlike $t->log, qr/answered without the decision/, 'and is not reported';
is $server->request(GET => '/public/x')->{status}, 200, 'the public location is';
is $server->request($_ => '/x', headers => { 'X-Remote-User' => 'bob' })->{status}, 403, "$_ is judged"
    for qw(HEAD POST PUT DELETE PATCH OPTIONS PROPFIND MADEUP);
is $server->request(GET => 'http://other.example/x', headers => { 'X-Remote-User' => 'bob' })->{status}, 403, 'so is an absolute URL';
is $server->request(GET => '/x', version => '1.0', headers => { 'X-Remote-User' => 'bob' })->{status}, 403, 'and HTTP/1.0';

# --- names that look the same

for my $name ('ａda', 'adа', "ada\x{200b}", 'a%64a', 'ada,bob', 'ada@acme', '"ada"', '*', 'ad', 'ada*') {
    is status('/active/', encode_utf8($name)), 403, encode_utf8("\"$name\" is not ada");
}
is status('/active/', 'ADA'), 200, 'ASCII case does not matter in userName';
is status('/case/', 'ada'), 200, 'nor in the name of a group';
is status('/active/', 'x' x 5000), 403, 'a subject of 5000 bytes names nobody';
is status('/external/', 'Ext-1'), 200, 'externalId names a user';
is status('/external/', $_), 403, "externalId is exact: $_" for qw(ext-1 EXT-1), encode_utf8('Ｅxt-1');
is status('/id/', 'ada'), 403, 'by=id does not take a userName';
is status('/active/', $gate->{id}{ada}), 403, 'by=userName does not take an id';

# --- tenants

is status('/active/', 'mallory'), 403, 'a user of another tenant is unknown';
is status('/id/', $theirs{mallory}), 403, 'so is the id of such a user';
is status('/tenant/?tenant=acme', 'bob'), 200, 'tenant= from a variable';
is status('/tenant/?tenant=other', 'bob'), 403, 'bob is not in the other tenant';
is status('/tenant/?tenant=', 'bob'), 403, 'an empty tenant is refused';
is status('/tenant/?tenant=none', 'bob'), 403, 'an unknown tenant is refused';
is got($gate->ask('/tenant/?tenant=other', 'ada'), 'X-Role'), '', 'a user of the same name in another tenant has no roles of this one';

# --- lines

is status('/lines/', $_), 403, "all lines must hold: $_" for qw(ada bob);
is status('/error/', 'bob'), 404, 'error= is the status of its line';
is status('/error/', 'eve'), 403, 'an inactive user gets 403, whatever error= says';
is status('/error/', undef), 401, 'and nobody 401';
my $r = $gate->ask('/close/', 'bob');
is "$r->{status} $r->{error}", '0 closed', 'error=444 closes the connection';

is status('/cycle/', 'ada'), 401, 'a subject that is taken from itself is empty';

# --- connections that users share

my (%connection, @names);
for my $user (qw(ada bob ada bob)) {
    my $shared = $gate->ask('/shared/', $user, 'X-User' => 'root');
    push @names, got($shared, 'X-User');
    $connection{ got($shared, 'CONNECTION') }++;
}
is "@names " . keys %connection, 'ada bob ada bob 1', 'on one kept connection to the application each request has its own user';
is status('/shared/', 'eve'), 403, 'an inactive user does not get on it';

# --- scim_decide

is status('/decide/../active/', 'eve'), 403, 'scim_decide: paths are normalised before';
is $gate->{client}->request($_ => '/decide', headers => { 'X-Remote-User' => 'bob' })->{status}, 204, "scim_decide answers $_"
    for qw(GET HEAD POST PUT DELETE OPTIONS MADEUP);
is $gate->{client}->request($_ => '/decide', headers => { 'X-Remote-User' => 'eve' })->{status}, 403, "scim_decide refuses $_"
    for qw(GET HEAD POST PUT DELETE OPTIONS MADEUP);

# --- a directory that cannot answer

my @spoof = ('X-User' => 'root', 'X-Role' => 'root');
$r = $gate->ask('/broken/', 'ada');
is "$r->{status} " . ($r->{headers}{'retry-after'} // ''), '503 5', 'without an answer of the store: 503 with Retry-After';
is status('/broken/', undef), 401, 'without a subject it stays 401';
$r = $gate->ask('/broken/allow/', 'ada', @spoof);
is "$r->{status} " . got($r, 'X-User') . got($r, 'X-Role'), '200 ', 'scim_on_error allow: the request passes without identity';
is status('/broken/allow/', undef), 401, 'scim_on_error allow: nobody does not pass';
$r = $gate->ask('/broken/dry/', 'ada', @spoof);
is "$r->{status} " . got($r, 'X-User'), '200 ', 'dry run: the request passes without identity';
$r = $gate->ask('/broken/off/', 'ada', @spoof);
is "$r->{status} " . got($r, 'X-User'), '200 ', 'where nothing is required nobody is sent';
$r = $gate->ask('/broken/page/', 'ada');
is "$r->{status} $r->{body}", '503 down: unavailable', 'the page for it has the reason';
is $r->{headers}{'retry-after'}, 5, 'and Retry-After';
is status('/active/', 'ada'), 200, 'other stores answer';

$t->quit;
my $log = Scim::_slurp("$t->{dir}/gate.log");
like $log, $_->[1], "the access log has $_->[0]" for ['ambiguous', qr{(?m)^/active/ 403 deny ambiguous$}], ['tenant', qr{(?m)^/tenant/\?tenant=none 403 deny tenant$}],
    ['unavailable', qr{(?m)^/broken/ 503 deny unavailable$}], ['allow and the reason', qr{(?m)^/broken/allow/ 200 allow unavailable$}],
    ['dry_run_deny', qr{(?m)^/broken/dry/ 200 dry_run_deny unavailable$}];
is join('', $t->complaints), '', 'no alert, no crash, no sanitizer report';
done_testing;
