#!/usr/bin/perl
# While another process holds the write lock, a worker serves reads and lets writes wait. Beyond the bounds of its queue it
# answers 503 with Retry-After. Every accepted write is committed, no refused write is.

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

# Sends a POST of a user, padded with $pad blanks, and does not wait for the answer.
sub create {
    my ($name, $pad) = @_;
    my $waiting = $t->client(token => $token);
    $waiting->send(POST => $users, body => $Scim::json->encode(Scim::user($name)) . ' ' x ($pad // 0));
    return $waiting;
}

sub is_busy {
    my ($r, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_error $r, 503, '', qr/^too many requests are waiting/, "$name is refused with 503";
    is $r->{json}{errorId}, 'queue-full', "the refusal of $name is queue-full";
    like $r->{headers}{'retry-after'} // 'none', qr/^[1-9]\d*\z/, 'the 503 has Retry-After in seconds';
}

# --- reads while writes wait

my $ada = $client->request(POST => $users, json => Scim::user('ada'))->{json};
my $grace = $client->request(POST => $users, json => Scim::user('grace'))->{json};
my $lock = $t->hold_lock;
my @writes = map create("waits$_"), 1 .. 50;
push @writes, my $replace = $t->client(token => $token);
$replace->send(PUT => "$users/$ada->{id}", json => Scim::user('ada', title => 'Countess'));
ok $t->wait_for(sub { $t->bodies == 51 }), '51 writes wait for the write lock';
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
is_deeply \%status, { 200 => 200 }, '200 short and long reads are answered with 200 while writes wait';
cmp_ok $slowest, '<', 5, sprintf 'no read takes 5 s while writes wait (the slowest: %.3f s)', $slowest;
is $t->request(GET => $users, token => "x$token")->{status}, 401,
    'a read with an unknown token is refused with 401 while writes wait';
ok !exists $client->request(GET => "$users/$ada->{id}")->{json}{title}, 'a waiting PUT is not visible';
is total(''), 2, 'waiting POSTs and DELETEs are not visible';
is scalar(grep $_->_fill(0), @writes), 0, 'no waiting write is answered';
ok $t->reload, 'a reload starts a new worker while writes wait';
is total(''), 2, 'the new worker serves reads while writes wait';
ok !$t->_gone($worker), 'the old worker does not exit while its writes wait';
push @writes, my $late = create('late');
ok $t->wait_for(sub { $t->bodies == 52 }), 'the new worker accepts a write';
$t->release($lock);
is join(' ', map $_->receive->{status}, @writes), join(' ', (201) x 50, 200, 204, 201),
    'all waiting writes are answered once the write lock is free';
is total(''), 52, 'all waiting writes are committed';
is $client->request(GET => "$users/$ada->{id}")->{json}{title}, 'Countess', 'the waiting PUT is committed';
ok $t->wait_for(sub { $t->_gone($worker) }), 'the old worker exits after its writes';
$_->close for @writes;

# --- more than 64 MiB of bodies: with one request in its transaction, ten of 6 MiB fit into the queue

$lock = $t->hold_lock;
my $first = create('under-way');
ok $t->wait_for(sub { $t->bodies == 1 }), 'one write waits for the write lock';
my @large;
for my $i (1 .. 10) {
    push @large, create("large$i", 6 << 20);
    ok $t->wait_for(sub { $t->bodies == 1 + $i }), "$i bodies of 6 MiB wait in the queue";
}
is_busy create('refused', 6 << 20)->receive, 'an eleventh body of 6 MiB';
is $client->request(GET => "$users/$ada->{id}")->{status}, 200, 'a read is answered while the queue is full';
my $small = create('small');
ok $t->wait_for(sub { $t->bodies == 12 }), 'a small body is accepted behind ten of 6 MiB';
$t->release($lock);
is join(' ', map $_->receive->{status}, $first, @large, $small), join(' ', (201) x 12),
    'all accepted writes are answered with 201';
is named('refused'), 0, 'the refused write has created no user';
is $client->request(POST => $users, json => Scim::user('refused'))->{status}, 201,
    'the refused write succeeds when it is sent again';

# --- more than 4,096 requests

my $before = total('');
$lock = $t->hold_lock;
$first = create('before-the-flood');
ok $t->wait_for(sub { $t->bodies == 1 }), 'one write waits for the write lock before the flood';
my $flood = $t->launch(1, 1, sub {
    my (undef, $load) = $t->run('', qw(h2load -n 4200 -c 1 -m 4200 -H), "authorization: Bearer $token",
        '-H', 'content-type: application/scim+json', '-d', $t->write_file('one', $Scim::json->encode(Scim::user('flood'))),
        'http://127.0.0.1:' . $t->port(1) . $users);
    return { said => $load };
});
ok $t->wait_for(sub { (() = Scim::_slurp("$t->{dir}/flood.log") =~ /^503$/mg) >= 104 }),
    'requests beyond 4096 in the queue are refused at once';
is_busy create('one-more')->receive, 'a write on another connection beyond 4096 requests';
is total(''), $before, 'a list is answered while 4096 requests wait';
$t->release($lock);
is $first->receive->{status}, 201, 'the write before the flood is answered with 201';
my ($done) = $t->collect($flood);
like $done->{said}, qr/status codes: 1 2xx, 0 3xx, 4095 4xx, 104 5xx/,
    'of 4200 POSTs of the same userName one is answered with 201, 4095 with 409 and 104 with 503';
is_deeply [total(''), named('one-more')], [$before + 2, 0], 'the flood has created one user and the refused write none';
is $client->request(POST => $users, json => Scim::user('one-more'))->{status}, 201, 'a write is accepted after the flood';

my ($exit, $out, $err) = $t->scimctl('verify');
is $exit, 0, 'scimctl verify finds no problem' or diag $out, $err;

$t->finish;
