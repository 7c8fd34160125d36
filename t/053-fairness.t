#!/usr/bin/perl
# While another process has the store's write lock, a worker reads on and lets writes wait; beyond the bounds of its queue
# it answers 503 with Retry-After; nothing that it took is lost, and nothing that it refused happens.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);
use Scim;
use Scim::Check;

my $t = Scim->new(events => 'worker_connections 2048;', http => <<'EOC', server => <<'EOS');
    scim_store main %%DIR%%/store;
    log_format status '$status';
    server {
        listen 127.0.0.1:%%PORT1%% %%HTTP2%%;
        http2_max_concurrent_streams 8000;
        keepalive_requests 10000;
        access_log %%DIR%%/flood.log status;
        location /scim/v2/ { scim main; }
    }
EOC
    client_max_body_size 16m;
    location /scim/v2/ { scim main; client_body_in_file_only clean; }
EOS
my $token = $t->seed('acme');
my $users = '/scim/v2/Users';
$t->start->served($users, token => $token);
my $client = $t->client(token => $token);
my ($worker) = $t->workers;

sub total { return $client->request(GET => "$users?count=0&$_[0]")->{json}{totalResults} // 'no answer' }
sub named { return total("filter=userName+eq+\"$_[0]\"") }

# Sends a create, padded with $pad bytes of blanks, and does not wait.
sub create {
    my ($name, $pad) = @_;
    my $waiting = $t->client(token => $token);
    $waiting->send(POST => $users, body => $Scim::json->encode(Scim::user($name)) . ' ' x ($pad // 0));
    return $waiting;
}

sub is_busy {
    my ($r, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_error $r, 503, '', qr/^too many requests are waiting/, $name;
    like $r->{headers}{'retry-after'} // 'none', qr/^[1-9]\d*\z/, 'with Retry-After in seconds';
}

# --- readers and writers

my $ada = $client->request(POST => $users, json => Scim::user('ada'))->{json};
my $grace = $client->request(POST => $users, json => Scim::user('grace'))->{json};
my $lock = $t->hold_lock;
my @writes = map create("waits$_"), 1 .. 50;
push @writes, my $replace = $t->client(token => $token);
$replace->send(PUT => "$users/$ada->{id}", json => Scim::user('ada', title => 'Countess'));
ok $t->wait_for(sub { $t->bodies == 51 }), '51 writes wait';
push @writes, my $delete = $t->client(token => $token);
$delete->send(DELETE => "$users/$grace->{id}");

my $slowest = 0;
my %status;
for (1 .. 200) {
    my $start = time;
    my $r = $client->request(GET => $_ % 4 == 0 ? "$users?count=1000" : $_ % 2 ? "$users/$ada->{id}" : "$users?filter=userName+eq+\"ada\"");
    $status{ $r->{status} }++;
    $slowest = time - $start if $slowest < time - $start;
}
is_deeply \%status, { 200 => 200 }, 'reads of the same worker are answered, short and long ones';
cmp_ok $slowest, '<', 5, sprintf 'at once (%.3f s)', $slowest;
is $t->request(GET => $users, token => "x$token")->{status}, 401, 'strangers are turned away';
ok !exists $client->request(GET => "$users/$ada->{id}")->{json}{title}, 'what has not been answered is not shown';
is total(''), 2, 'no user has come or gone';
is scalar(grep $_->_fill(0), @writes), 0, 'no write is answered';
ok $t->reload, 'a new worker starts';
is total(''), 2, 'and reads';
ok !$t->_gone($worker), 'the old one waits with its writes';
push @writes, my $late = create('late');
ok $t->wait_for(sub { $t->bodies == 52 }), 'the new one takes a write';
$t->release($lock);
is join(' ', map $_->receive->{status}, @writes), join(' ', (201) x 50, 200, 204, 201), 'the lock is free: all writes are answered';
is total(''), 52, 'and have happened';
is $client->request(GET => "$users/$ada->{id}")->{json}{title}, 'Countess', 'the replace, too';
ok $t->wait_for(sub { $t->_gone($worker) }), 'the old worker leaves';
$_->close for @writes;

# --- more than 64 MiB of bodies: one request is under way, ten of 6 MiB fit into the queue

$lock = $t->hold_lock;
my $first = create('under-way');
ok $t->wait_for(sub { $t->bodies == 1 }), 'one write is under way';
my @large;
for my $i (1 .. 10) {
    push @large, create("large$i", 6 << 20);
    ok $t->wait_for(sub { $t->bodies == 1 + $i }), "and $i large ones wait";
}
is_busy create('refused', 6 << 20)->receive, 'another one';
is $client->request(GET => "$users/$ada->{id}")->{status}, 200, 'a read is answered';
my $small = create('small');
ok $t->wait_for(sub { $t->bodies == 12 }), 'a small one still fits';
$t->release($lock);
is join(' ', map $_->receive->{status}, $first, @large, $small), join(' ', (201) x 12), 'all that waited are answered';
is named('refused'), 0, 'the refused one has not happened';
is $client->request(POST => $users, json => Scim::user('refused'))->{status}, 201, 'and can be sent again';

# --- more than 4,096 requests

my $before = total('');
$lock = $t->hold_lock;
$first = create('before-the-flood');
ok $t->wait_for(sub { $t->bodies == 1 }), 'one write is under way';
my $flood = $t->launch(1, 1, sub {
    my (undef, $load) = $t->run('', qw(h2load -n 4200 -c 1 -m 4200 -H), "authorization: Bearer $token",
        '-H', 'content-type: application/scim+json', '-d', $t->write_file('one', $Scim::json->encode(Scim::user('flood'))),
        'http://127.0.0.1:' . $t->port(1) . $users);
    return { said => $load };
});
ok $t->wait_for(sub { (() = Scim::_slurp("$t->{dir}/flood.log") =~ /^503$/mg) >= 104 }), 'those beyond 4,096 are refused at once';
is_busy create('one-more')->receive, 'and so is one more';
is total(''), $before, 'a list is answered';
$t->release($lock);
is $first->receive->{status}, 201, 'the first is answered';
my ($done) = $t->collect($flood);
like $done->{said}, qr/status codes: 1 2xx, 0 3xx, 4095 4xx, 104 5xx/, 'one of the flood is created, 4,095 are in conflict, 104 refused';
is_deeply [total(''), named('one-more')], [$before + 2, 0], 'and nothing else has happened';
is $client->request(POST => $users, json => Scim::user('one-more'))->{status}, 201, 'writes are taken again';

my ($exit, $out, $err) = $t->scimctl('verify');
is $exit, 0, 'scimctl verify' or diag $out, $err;

$t->finish;
