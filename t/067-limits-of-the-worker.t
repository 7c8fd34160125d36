#!/usr/bin/perl
# A full queue of a thread pool and a lack of file descriptors are 503 with Retry-After for the requests that they meet; the
# same worker serves the next ones.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $users = '/scim/v2/Users';

sub is_busy {
    my ($r, $detail, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_error $r, 503, '', $detail, $name;
    like $r->{headers}{'retry-after'} // 'none', qr/^[1-9]\d*\z/, "$name has Retry-After in seconds";
}

# --- a thread pool that has one thread, busy with a write to another store, and no queue

my $t = Scim->new(main => 'thread_pool one threads=1 max_queue=0;', server => <<'EOS', http => <<'EOC');
    location /a/ { scim a; client_body_in_file_only clean; }
    location /b/ { scim b; }
EOS
    scim_store a %%DIR%%/a size=64m;
    scim_store b %%DIR%%/b size=64m;
    scim_thread_pool one;
EOC
my %token = map { local $t->{store} = "$t->{dir}/$_"; $_ => $t->seed('acme') } qw(a b);
$t->start->served("/$_/Users", token => $token{$_}) for 'a';
$t->served('/b/Users', token => $token{b});
my ($worker) = $t->workers;
my $client = $t->client(token => $token{b});
# A pool without a queue takes a task only while its thread waits for one, which it does a moment after its last task was
# answered.
sub sleeps { return $t->threads_sleep($worker) }
sub ask { sleeps(); return $client->request(@_) }
is ask(POST => '/b/Users', json => Scim::user("long$_", displayName => 'x' x 15_000))->{status}, 201, 'a user of 15 KB is created' for 1 .. 80;
sleeps();
my $lock = do { local $t->{store} = "$t->{dir}/a"; $t->hold_lock };
my $first = $t->client(token => $token{a});
$first->send(POST => '/a/Users', json => Scim::user('first'));
ok $t->wait_for(sub { $t->bodies == 1 }), 'a write has the only thread';
is $t->request(GET => '/a/Users?count=0', token => $token{a})->{status}, 200, 'and waits for the lock';
my @long = map [GET => '/b/Users?count=1000'], 1 .. 20;
push @long, [POST => '/b/Users/.search', json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:SearchRequest'], count => 1000 }];
is_busy $client->request(@$_), qr/too many long reads are waiting/, "a long read ($_->[0]) that finds no thread" for @long;
my @writes = map [POST => '/b/Users', json => Scim::user("u$_")], 1 .. 20;
push @writes, [DELETE => '/b/Users/2819c223-7f76-453a-919d-413861904646'];
is_busy $client->request(@$_), qr/thread pool's queue is full/, "a write ($_->[0]) that finds no thread" for @writes;
is $client->request(GET => '/b/Users?count=0')->{json}{totalResults}, 80, 'nothing has happened, and a short read is answered';
$t->release($lock);
is $first->receive->{status}, 201, 'the thread is free: its write is answered';
is ask(GET => '/b/Users?count=1000')->{json}{totalResults}, 80, 'and so is a long read';
is ask(POST => '/b/Users', json => Scim::user('u1'))->{status}, 201, 'and a write';
is join(' ', $t->workers), $worker, 'by the same worker';
$t->quit;
is join('', $t->complaints), '', 'no alert, no crash, no sanitizer report';

# --- the end of a worker with threads at work and a full queue: nginx does not wait for those

$t = Scim->new(main => "thread_pool one threads=1 max_queue=1;", server => <<'EOS', http => <<'EOC');
    location /scim/v2/ { scim main; client_body_in_file_only clean; }
EOS
    scim_store main %%DIR%%/store size=64m;
    scim_thread_pool one;
EOC
my $token = $t->seed('acme');
$t->start->served($users, token => $token);
($worker) = $t->workers;
$client = $t->client(token => $token);
is $client->request(POST => $users, json => Scim::user("long$_", displayName => 'x' x 60_000))->{status}, 201, 'a long user' for 1 .. 20;
$lock = $t->hold_lock;
my ($write, $read) = map $t->client(token => $token, raw => 1), 1 .. 2;
$write->send(POST => $users, json => Scim::user('under-way'));
ok $t->wait_for(sub { $t->bodies == 1 }), 'a write waits for the lock, on the only thread';
$read->send(GET => "$users?count=1000");
is $client->request(GET => "$users?count=0")->{json}{totalResults}, 20, 'a long read waits behind it';
$t->signal(TERM => $worker);
ok $t->wait_for(sub { $t->log =~ /queue overflow/ }), 'the worker is told to end';
ok !$t->_gone($worker), 'and waits for its threads';
$t->release($lock);
ok $t->wait_for(sub { $t->_gone($worker) }), 'it ends when they have';
$_->close for $write, $read, $client;
$t->served($users, token => $token);
is $t->request(GET => "$users?count=0", token => $token)->{json}{totalResults}, 21, 'what was under way is done';
$t->quit;
is join('', $t->complaints), '', 'no alert, no crash, no sanitizer report';

# --- no descriptor for a body

my $limit = 80;
$t = Scim->new(main => "worker_rlimit_nofile $limit;", http => 'scim_store main %%DIR%%/store size=64m;', server => <<'EOS',
    client_body_buffer_size 1k;
    location /scim/v2/ { scim main; }
EOS
    expect_log => [qr/\[(?:crit|alert)\].*Too many open files/]);
$token = $t->seed('acme');
$t->start->served($users, token => $token);
($worker) = $t->workers;
$client = $t->client(token => $token);
sub large { return $client->request(POST => $users, json => Scim::user($_[0], displayName => 'x' x 5000)) }
is large('before')->{status}, 201, 'a body in a file is taken';
my @idle;

# Leaves the worker so many descriptors.
sub leave {
    my ($free) = @_;
    my $count = sub { opendir my $fds, "/proc/$worker/fd" or die "fd: $!"; scalar grep /^\d+$/ && $_ < $limit, readdir $fds };    # inherited ones may be beyond it
    while ((my $before = $count->()) < $limit - $free) {
        push @idle, $t->client;
        $idle[-1]->connect;
        $t->wait_for(sub { $count->() > $before }) or die 'a connection was not accepted';
    }
}
leave(1);
is_busy large('one'), qr/^there are too many open files to keep the request body/, 'with one descriptor, for the file alone, a write';
leave(0);
is_busy large('none'), qr/^the request body cannot be kept/, 'with no descriptor for the file a write';
is $client->request(GET => "$users?count=0")->{json}{totalResults}, 1, 'nothing has happened, and a read is answered';
$_->close for @idle;
ok $t->wait_for(sub { (() = glob "/proc/$worker/fd/*") < $limit / 2 }), 'connections are closed';
is large('after')->{status}, 201, 'a body in a file is taken again';
is join(' ', $t->workers), $worker, 'by the same worker';
$t->finish;
