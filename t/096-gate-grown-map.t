#!/usr/bin/perl
# A thread reads in the old map while another process has grown the file. A request at the gate waits for the thread with a
# timer: the worker serves others meanwhile. The wait is bounded.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use Test::More;

BEGIN {
    plan skip_all => 'TEST_FAULTS is not set' if !$ENV{TEST_FAULTS};
    $ENV{TEST_NGINX_PRELOAD} = join ' ', grep length, $ENV{TEST_NGINX_PRELOAD} // '', $ENV{TEST_FAULTS};
}
use Scim;

my $gate = <<'EOS';
    location /scim/v2/ { scim main; scim_explain on; }
    location = /application { return 200 "user=$http_x_user"; }
    location = /open { return 200 open; }
    location /deny { scim_require active; proxy_pass http://127.0.0.1:%%PORT%%/application; }
    location /allow { scim_require active; scim_on_error allow; proxy_pass http://127.0.0.1:%%PORT%%/application; }
EOS
my $http = 'scim_subject $http_x_remote_user tenant=acme trusted; scim_header X-User $scim_user_name;';
my $t = Scim->new(main => 'env TEST_HOLD;', http => "scim_store main %%DIR%%/store size=4m; $http", server => $gate,
    expect_log => [qr/the map was grown by another process/, qr/access allowed without identity/]);
my $hold = $ENV{TEST_HOLD} = "$t->{dir}/hold";
my $token = $t->seed('acme');
$t->start->served('/scim/v2/Users', token => $token);
my %large = map { $_ => 'x' x 60_000 } qw(displayName title nickName userType preferredLanguage);
sub create { my ($server, $name, %more) = @_; return $server->request(POST => '/scim/v2/Users', token => $token, json => Scim::user($name, %more))->{status} }
is create($t, 'ada'), 201, 'a user is created';
is create($t, "old$_", %large), 201, 'a large user is created' for 1 .. 6;

sub ask { my ($path) = @_; my $client = $t->client; $client->send(GET => $path, headers => { 'X-Remote-User' => 'ada' }); return $client }
sub answer { my ($client) = @_; my $r = $client->receive; return "$r->{status}" . ($r->{status} == 200 ? " $r->{body}" : '') }
sub is_answered { my ($client) = @_; return scalar IO::Select->new($client->{socket})->can_read(0) }

# Starts a read that holds the map, and lets another process grow the file.
sub grow {
    my ($size, @users) = @_;
    $t->write_file('hold', '');
    my $reader = $t->client;
    $reader->send(GET => '/scim/v2/Users?filter=manager.displayName%20co%20%22x%22&count=0', token => $token);
    ok $t->wait_for(sub { -e "$hold.held" }), 'a list holds the map on a thread' or diag answer($reader);
    my $other = Scim->new(http => "scim_store main $t->{store} size=64m;", server => 'location /scim/v2/ { scim main; }')->start
        ->served('/scim/v2/Users?count=0', token => $token);
    is create($other, $_, %large), 201, 'another process creates a large user' for @users;
    cmp_ok -s "$t->{store}/data.mdb", '>', $size << 20, "the file is larger than $size MiB";
    $other->quit;
    return $reader;
}
sub let_go { unlink $hold, "$hold.held"; return }

my $reader = grow(5, map "big$_", 1 .. 14);
my @waiting = map ask($_), qw(/deny /allow);
is answer(ask('/open')), '200 open', 'the worker serves other requests while two wait for the map';
ok !is_answered($_), 'a request at the gate waits' for @waiting;
is answer($waiting[0]), '503', 'it is refused after a second';
is answer($waiting[1]), '200 user=', '"scim_on_error allow" lets it pass without identity';
@waiting = map ask($_), qw(/deny /allow);
ask('/deny')->close;
is answer(ask('/open')), '200 open', 'the worker serves other requests after a client that waited is gone';
let_go();
is answer($_), '200 user=ada', 'a request that waits is decided after the thread has ended its read' for @waiting;
$reader->receive;

$t->finish;
