#!/usr/bin/perl
# Open requests are decided again when a backup replaces the store: also if it has the same transaction number as the store
# before, and also by a worker process that is exiting. Requests that passed by scim_on_error allow while the store could not
# answer are decided as soon as it does.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy qw(move);
use Test::More;
use Scim;
use Scim::Streams;

my $app = Scim::Streams::application();
my $pass = "proxy_pass http://127.0.0.1:$app->{port}; proxy_http_version 1.1; proxy_set_header Upgrade \$http_upgrade; "
    . 'proxy_set_header Connection $http_connection;';
my $t = Scim->new(http => 'scim_store main %%DIR%%/store size=64m; scim_status_zone scim 256k;', server => <<"EOS",
    scim_subject \$http_x_remote_user tenant=acme trusted;
    scim_recheck 1s;
    location /scim/v2/ { scim main; }
    location = /status { scim_status; }
    location / { scim_require active; $pass }
    location /group/ { scim_require group=Staff; scim_on_error allow; $pass }
    location /allow/ { scim_require active; scim_on_error allow; $pass }
    location /session/ { scim_require active; scim_on_error allow; scim_session \$http_x_auth_time trusted; $pass }
    location /optional/ { scim_require active; scim_on_error allow; scim_session \$http_x_auth_time optional trusted; $pass }
EOS
    expect_log => [qr/its data.mdb was (?:removed|replaced)/, qr/locations answer 503/]);
my $token = $t->seed('acme');
$t->start->served('/scim/v2/Users', token => $token);
my $scim = $t->client(token => $token);
sub create {
    my ($type, $resource) = @_;
    my $r = $scim->request(POST => "/scim/v2/$type", json => $resource);
    $r->{status} == 201 or die "$type: $r->{status} $r->{body}";
    return $r->{json}{id};
}
create(Users => Scim::user($_, active => JSON::PP::true)) for qw(stays blocked1 blocked2 seen1 seen2 other);
create(Users => Scim::user('inactive', active => JSON::PP::false));
sub stream { my ($user, $path, @more) = @_; return Scim::Streams->open($t->port(0), GET => $path, ['X-Remote-User' => $user, @more]) }
sub opened {
    my %open = @_;
    $t->wait_for(sub { !grep $_->status != 101, values %open }) or BAIL_OUT 'no WebSocket: ' . join ' ', map "$_ " . $open{$_}->status, sort keys %open;
    return %open;
}
sub scimctl_in {
    my ($store, @args) = @_;
    local $t->{store} = $store;
    my ($exit, $out, $err) = $t->scimctl(@args);
    $exit == 0 or die "@args: $out$err";
    return;
}
sub last_txn { my ($exit, $out) = $t->run('', qw(mdb_stat -e), $_[0]); return $out =~ /Last transaction ID: (\d+)/ ? $1 : die "mdb_stat: $exit $out" }
# The counter of ended requests in the status page, by reason.
sub ended {
    return { map { /^nginx_scim_gate_decisions_total\{decision="ended",reason="(\w+)"\} (\d+)$/ && $2 ? ($1 => $2) : () } split /\n/,
        $t->client->request(GET => '/status')->{body} };
}

# --- a restored store with the number of the last transaction that the replaced one had

my $kept;
for my $case ([1, 'a running worker process'], [2, 'a worker process that is exiting']) {
    my ($i, $name) = @$case;
    # In this order, in which they are decided again: what is said of `seen` holds for the two before.
    my %open = opened(blocked => stream("blocked$i", '/app/ws'), stays => stream('stays', '/app/ws'), seen => stream("seen$i", '/app/ws'));
    my ($old) = $t->workers;
    $t->reload if $i == 2;
    my $backup = "$t->{dir}/backup$i";
    mkdir $backup or die;
    is +($t->run('', 'mdb_copy', $t->{store}, $backup))[0], 0, 'a backup is made';
    scimctl_in($backup, qw(user block --tenant acme), "blocked$i");
    scimctl_in($t->{store}, qw(user block --tenant acme), "seen$i");
    ok $t->wait_for(sub { !$open{seen}->is_open }), "$name ends the WebSocket of a user who is blocked";
    scimctl_in(last_txn($backup) < last_txn($t->{store}) ? $backup : $t->{store}, qw(user revoke --tenant acme other))
        while last_txn($backup) != last_txn($t->{store});
    ok $open{blocked}->echoes($t, 'ping') && $open{stays}->echoes($t, 'ping'), 'those of others stay';
    chmod 0600, "$backup/data.mdb";
    chown +(stat "$t->{store}/data.mdb")[4, 5], "$backup/data.mdb";
    unlink "$t->{store}/lock.mdb";
    move("$backup/data.mdb", "$t->{store}/data.mdb") or die "move: $!";
    ok $t->wait_for(sub { !$open{blocked}->is_open }), "$name decides by a restored store with the same transaction number";
    ok $open{stays}->echoes($t, 'pong'), 'and only ends the requests of users who are refused there';
    is +($t->workers)[0] == $old, $i == 1, "the decision is that of $name";
    $kept = $open{stays};
}
is_deeply ended(), { blocked => 4 }, 'scim_status counts what all worker processes have ended, by reason';
$kept->close;

# --- scim_on_error allow

my $now = time;
sub without_store { rename $t->{store}, "$t->{store}.away" or die "rename: $!"; return }
sub with_store { rename "$t->{store}.away", $t->{store} or die "rename: $!"; return }
my $client = $t->client;
sub status { my ($path, $user) = @_; return $client->request(GET => $path, headers => { 'X-Remote-User' => $user })->{status} }
without_store();
ok $t->wait_for(sub { status('/app/ok', 'stays') == 503 }), 'a store that is removed cannot answer';
my %open = opened(
    active => stream('stays', '/allow/ws'), inactive => stream('inactive', '/allow/ws'), unknown => stream('nobody', '/allow/ws'),
    group => stream('stays', '/group/ws'),
    'new session' => stream('stays', '/session/ws', 'X-Auth-Time' => $now + 200), 'old session' => stream('stays', '/session/ws', 'X-Auth-Time' => $now - 1000),
    'no session' => stream('stays', '/session/ws'), 'optional session' => stream('stays', '/optional/ws'),
);
ok $open{$_}->echoes($t, 'ping'), "scim_on_error allow: $_: the request passes while the store cannot answer" for sort keys %open;
my %stays = map { $_ => delete $open{$_} } 'active', 'new session', 'optional session';
with_store();
ok $t->wait_for(sub { !grep $_->is_open, values %open }), 'when the store answers, requests that are refused end';
ok !$open{$_}->is_open, "$_: it ends" for sort keys %open;
ok $stays{$_}->echoes($t, 'pong'), "$_: it stays" for sort keys %stays;
is_deeply ended(), { blocked => 4, inactive => 1, unknown => 1, not_allowed => 1, session_revoked => 2 }, 'scim_status counts them by reason';
# What has been decided with a user is decided as that of this user.
is +($t->scimctl(qw(user revoke --tenant acme stays)))[0], 0, 'the sessions of the user are revoked';
ok $t->wait_for(sub { !grep $_->is_open, values %stays }), 'the requests that stayed end with the user\'s sessions';
undef $app;
$t->finish;
