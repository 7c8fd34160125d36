#!/usr/bin/perl
# Requests that meet a full thread pool queue or a lack of file descriptors are refused with 503 and Retry-After; the same
# worker serves the next ones.

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
    is_error $r, 503, '', $detail, "$name is refused with 503";
    like $r->{headers}{'retry-after'} // 'none', qr/^[1-9]\d*\z/, "the 503 of $name has Retry-After in seconds";
}

# --- a thread pool with one thread, for two stores

# Changes the size of the pool's queue. The tests before it fill the stores, while any number of tasks may wait.
sub limit_queue {
    my ($t, $size, %token) = @_;
    $t->conf(undef, main => "thread_pool one threads=1 max_queue=$size;")->reload(gone => 1) or die 'the reload was refused';
    settle($t, %token);
    return ($t->workers)[0];
}

# Waits until the worker has no task of its own. It looks for old changes when it has opened a store and then every 50 seconds,
# and a second after the first use of a token it stores that use.
sub settle {
    my ($t, %token) = @_;
    for my $name (sort keys %token) {
        $t->served("/$name/Users", token => $token{$name});
        local $t->{store} = "$t->{dir}/$name";
        my $new = $t->token('acme', label => 'new');
        is $t->request(GET => "/$name/Users?count=0", token => $new)->{status}, 200, "a new token reads store $name";
        ok is_used($t, $name, 'new'), "the use of a new token of store $name is stored";
    }
    wait_for_threads($t);
    is $t->request(GET => "/$_/Users?count=0", token => $token{$_})->{status}, 200, "store $_ is idle" for sort keys %token;
    return;
}

# Waits until the use of a token is stored, for much less than the minute after which an idle worker would look for work.
sub is_used {
    my ($t, $name, $label) = @_;
    local $t->{store} = "$t->{dir}/$name";
    return $t->wait_for(sub {
        my ($exit, $out) = $t->scimctl(qw(token list --json --tenant acme));
        return grep { $_->{label} eq $label && $_->{lastUsed} } @{ $Scim::json->decode($out)->{tokens} };
    }, 20);
}
sub overflows { return scalar(() = $_[0]->log =~ /queue overflow/g) }

# Waits until each thread of the worker has taken the tasks that were queued for it, and waits for a task or for a lock.
sub wait_for_threads { return $_[0]->threads_sleep($_[0]->workers) }

sub two_stores {
    my $t = Scim->new(main => 'thread_pool one threads=1;', server => <<'EOS', http => <<'EOC');
    location /a/ { scim a; client_body_in_file_only clean; }
    location /b/ { scim b; client_body_in_file_only clean; }
EOS
    scim_store a %%DIR%%/a size=64m;
    scim_store b %%DIR%%/b size=64m;
    scim_thread_pool one;
EOC
    my %token = map { local $t->{store} = "$t->{dir}/$_"; $_ => $t->seed('acme') } qw(a b);
    $t->start;
    $t->served("/$_/Users", token => $token{$_}) for qw(a b);
    return ($t, %token);
}

# --- no queue, and the thread is occupied by a write to another store

my ($t, %token) = two_stores();
my $client = $t->client(token => $token{b});
is scalar(grep $client->request(POST => '/b/Users', json => Scim::user("long$_", displayName => 'x' x 15_000))->{status} != 201, 1 .. 80),
    0, 'the store has 80 users of 15 KB';
$client->close;
my $worker = limit_queue($t, 0, %token);
# A pool without a queue accepts a task only while its thread waits for one, which it does a moment after the answer to its
# last task.
sub ask { wait_for_threads($t); return $client->request(@_) }
my $late = do { local $t->{store} = "$t->{dir}/b"; $t->token('acme', label => 'late') };
my $lock = do { local $t->{store} = "$t->{dir}/a"; $t->hold_lock };
my $first = $t->client(token => $token{a});
$first->send(POST => '/a/Users', json => Scim::user('first'));
ok $t->wait_for(sub { $t->bodies == 1 }), 'a write occupies the only thread';
is $t->request(GET => '/a/Users?count=0', token => $token{a})->{status}, 200,
    'a short read is answered while the write waits for the write lock';
my @long = map [GET => '/b/Users?count=1000'], 1 .. 20;
push @long, [POST => '/b/Users/.search', json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:SearchRequest'], count => 1000 }];
is_busy $client->request(@$_), qr/too many long reads are waiting/, "a long read ($_->[0]) without a free thread" for @long;
my @writes = map [POST => '/b/Users', json => Scim::user("u$_")], 1 .. 20;
push @writes, [DELETE => '/b/Users/2819c223-7f76-453a-919d-413861904646'];
is_busy $client->request(@$_), qr/thread pool's queue is full/, "a write ($_->[0]) without a free thread" for @writes;
is $client->request(GET => '/b/Users?count=0')->{json}{totalResults}, 80,
    'refused writes have created no user, and a short read is answered';
my $refused = overflows($t);
is $t->request(GET => '/b/Users?count=0', token => $late)->{status}, 200, 'a short read with another token is answered';
ok $t->wait_for(sub { overflows($t) > $refused }), 'the task that stores the use of this token meets a full queue';
$t->release($lock);
ok is_used($t, 'b', 'late'), 'the use of this token is stored when the thread is free';
is $first->receive->{status}, 201, 'the write is answered when the write lock is free';
is ask(GET => '/b/Users?count=1000')->{json}{totalResults}, 80, 'a long read is answered when the thread is free';
is ask(POST => '/b/Users', json => Scim::user('u1'))->{status}, 201, 'a write is answered when the thread is free';
is join(' ', $t->workers), $worker, 'the same worker has answered all requests';
$t->quit;
is join('', $t->complaints), '', 'no alert, no crash, no sanitizer report';

# --- the long response to a write meets a full queue: the only thread works for another store

($t, %token) = two_stores();
$client = $t->client(token => $token{b});
my $member = $client->request(POST => '/b/Users', json => Scim::user('member'))->{json}{id};
is scalar(grep $client->request(POST => '/b/Groups', json => { displayName => "g$_", members => [{ value => $member }] })->{status} != 201,
    1 .. 501), 0, 'a user is a member of 501 groups';
$client->close;
limit_queue($t, 1, %token);

# The queue is full when the PUT is committed: the thread has a write to the other store, which waits for its lock, and the
# queue has the next write to this store. Sometimes that write comes before the thread has taken the other one: then it is
# refused, and the response to the PUT may find a place in the queue.
for my $case ([204, 'a PUT'], [503, 'the same PUT again, which changes nothing,']) {
    my ($status, $name) = @$case;
    my ($lock_a, $lock_b) = map { local $t->{store} = "$t->{dir}/$_"; $t->hold_lock } qw(a b);
    my ($put, $next) = map $t->client(token => $token{b}), 1 .. 2;
    my $other = $t->client(token => $token{a});
    $put->send(PUT => "/b/Users/$member", json => Scim::user('member', title => 'Countess'));
    ok $t->wait_for(sub { $t->bodies == 1 }), "$name waits for the write lock";
    wait_for_threads($t);
    $next->send(POST => '/b/Users', json => Scim::user("next$status"));
    ok $t->wait_for(sub { $t->bodies == 2 }), 'the next write waits';
    $other->send(POST => '/a/Users', json => Scim::user("other$status"));
    ok $t->wait_for(sub { $t->bodies == 3 }), 'a write to the other store waits for the thread';
    my $before = overflows($t);
    $t->release($lock_b);
    ok $t->wait_for(sub { overflows($t) > $before }), "the response to $name meets a full queue";
    is $client->request(GET => '/b/Users?count=0')->{status}, 200, 'a short read is answered while the queue is full';
    cmp_ok overflows($t), '<=', $before + 2, "neither the response to $name nor the next write is refused again and again";
    $t->release($lock_a);
    my $r = $put->receive;
    my $is_refused = $next->receive->{status} == 201 || $r->{status} != 200;
    is $r->{status}, $is_refused ? $status : 200, "$name is answered with $status, or with 200 if the queue had a place";
    is_busy $r, qr/too many long reads are waiting/, $name if $is_refused && $status == 503;
    is length $r->{body}, 0, "the answer to $name has no body" if $is_refused && $status == 204;
    is $other->receive->{status}, 201, 'the write to the other store is done';
    $_->close for $put, $next, $other;
}
is $client->request(GET => "/b/Users/$member?attributes=title")->{json}{title}, 'Countess', 'the PUT without a body is committed';
$client->close;
$t->quit;
is join('', $t->complaints), '', 'no alert, no crash, no sanitizer report';

# --- a worker is told to end while its thread works and its queue is full: nginx itself does not wait for threads

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
is $client->request(POST => $users, json => Scim::user("long$_", displayName => 'x' x 60_000))->{status}, 201,
    'POST of a long user is answered with 201' for 1 .. 20;
$lock = $t->hold_lock;
my ($write, $read) = map $t->client(token => $token, raw => 1), 1 .. 2;
$write->send(POST => $users, json => Scim::user('under-way'));
ok $t->wait_for(sub { $t->bodies == 1 }), 'a write occupies the only thread and waits for the write lock';
wait_for_threads($t);
$read->send(GET => "$users?count=1000");
is $client->request(GET => "$users?count=0")->{json}{totalResults}, 20,
    'a short read is answered while a long read waits for the thread';
$t->signal(TERM => $worker);
ok $t->wait_for(sub { $t->log =~ /queue overflow/ }), 'the end of the worker meets a full queue';
ok !$t->_gone($worker), 'the worker does not exit while its thread works';
$t->release($lock);
ok $t->wait_for(sub { $t->_gone($worker) }), 'the worker exits after its thread';
$_->close for $write, $read, $client;
$t->served($users, token => $token);
is $t->request(GET => "$users?count=0", token => $token)->{json}{totalResults}, 21,
    'the write of the exiting worker is committed';
$t->quit;
is join('', $t->complaints), '', 'no alert, no crash, no sanitizer report';

# --- no descriptor for the temporary file of a body

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
is large('before')->{status}, 201, 'a body in a file is accepted';
my @idle;

# Opens connections until the worker has this number of descriptors left.
sub leave {
    my ($free) = @_;
    my $count = sub { opendir my $fds, "/proc/$worker/fd" or die "fd: $!"; scalar grep /^\d+$/ && $_ < $limit, readdir $fds };    # inherited ones may be beyond it
    while ($count->() < $limit - $free) {
        push @idle, $t->client(token => $token);
        $idle[-1]->request(GET => "$users?count=0")->{status} == 200 or die 'a connection was not accepted';
    }
}
leave(1);
my $kept = large('one');
is $kept->{json}{errorId}, 'body-not-kept', 'the refusal of a body without a descriptor is body-not-kept';
is_busy $kept, qr/^the request body cannot be kept: too many files are open/,
    'a write with one descriptor left, which only its file could have,';
leave(0);
is_busy large('none'), qr/^the request body cannot be kept/, 'a write without a descriptor for its file';
is $client->request(GET => "$users?count=0")->{json}{totalResults}, 1,
    'refused writes have created no user, and a read is answered';
$_->close for @idle;
ok $t->wait_for(sub { (() = glob "/proc/$worker/fd/*") < $limit / 2 }), 'the worker has closed the idle connections';
is large('after')->{status}, 201, 'a body in a file is accepted again';
is join(' ', $t->workers), $worker, 'the same worker has answered all requests';
$t->finish;
