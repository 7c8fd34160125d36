#!/usr/bin/perl
# Each allocation of a request fails in turn: the first, the second, the third … Each time the client gets a response or the
# connection is closed, a write that is refused changes nothing, and the next write succeeds. At the end the store is
# undamaged, no worker process has died, and the worker exits after a reload.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

BEGIN {
    plan skip_all => 'TEST_ALLOCATIONS is not set: `make faults` builds the library' if !$ENV{TEST_ALLOCATIONS};
    plan skip_all => 'a sanitizer replaces malloc itself, so that no other library can make it fail' if $ENV{TEST_NGINX_PRELOAD};
    $ENV{TEST_NGINX_PRELOAD} = $ENV{TEST_ALLOCATIONS};
}
use Scim;

my $t = Scim->new(main => "env TEST_ALLOCATIONS_FILE;\nthread_pool one threads=1;", http => <<'EOC', server => <<'EOS',
    scim_store main %%DIR%%/store size=256m;
    scim_thread_pool one;
EOC
    client_body_buffer_size 1k;
    location /scim/v2/ { scim main; }
EOS
    expect_log => [qr/\[(?:crit|emerg|alert)\].*(?:out of memory|Cannot allocate memory|cannot be written)/]);
my $file = $ENV{TEST_ALLOCATIONS_FILE} = $t->write_file('allocations', pack 'q4', 0, 0, 0, 0);
open my $order, '+<:raw', $file or die "$file: $!";

# Makes the worker's allocation number $n, counted from now, fail, and the $times - 1 allocations after it.
sub arm { my ($n, $times) = @_; sysseek $order, 0, 0; syswrite $order, pack 'q4', 1, $n, $times, 0 }

# Lets all further allocations succeed. Returns the number of allocations that failed.
sub disarm {
    sysseek $order, 0, 0;
    syswrite $order, pack 'q', 0;
    sysseek $order, 24, 0;
    sysread $order, my $failed, 8;
    return unpack 'q', $failed;
}

my ($users, $groups) = ('/scim/v2/Users', '/scim/v2/Groups');
my $token = $t->seed('acme');
$t->start->served($users, token => $token);
my ($worker) = $t->workers;
my $client = $t->client(token => $token, timeout => 10);
my ($names, $titles) = (0, 0);

sub user {
    my ($name, %more) = @_;
    return Scim::user($name, name => { familyName => 'Lovelace' }, emails => [{ type => 'work', value => "$name\@example.com" }], %more);
}
sub patch { return { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => [@_] } }
sub is_there { my ($name) = @_; return ($client->request(GET => "$users?count=0&filter=userName+eq+\"$name\"")->{body} // '') =~ /"totalResults":1\D/ }
sub create {
    my ($path, $json) = @_;
    my $r = $client->request(POST => $path, json => $json);
    return $r->{json}{id} // die "POST $path: $r->{status} ", $r->{error} // $r->{body};
}

my $ada = create($users, user('ada'));
my @members = map create($users, user("member$_")), 1 .. 4;
my @long = map +($_ => 'x' x 60_000), qw(displayName nickName title userType externalId);
create($users, user("long$_", @long)) for 1 .. 4;
my $group = create($groups, { displayName => 'all', members => [map +{ value => $_ }, @members] });
$client->request(GET => "$users?count=1000")->{status} == 200 or die 'no list';

# The requests. Each sub returns the arguments of request() and, for some writes, a sub that returns true if the write was
# done.
my %request = (
    'GET' => sub { [GET => "$users/$ada"] },
    'GET of a group' => sub { [GET => "$groups/$group"] },
    'a list with a filter' => sub { [GET => "$users?filter=userName+sw+\"m\"+and+name.familyName+co+\"ove\"&attributes=userName"] },
    'a list of 1.2 MB' => sub { [GET => "$users?filter=userName+sw+\"long\""] },
    'a search' => sub { [POST => "$users/.search", json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:SearchRequest'], filter => 'userName eq "ada"' }] },
    'POST' => sub { my $name = 'post' . ++$names; ([POST => $users, json => user($name)], sub { is_there($name) }) },
    'POST of a body in a file' => sub {
        my $name = 'file' . ++$names;
        ([POST => $users, json => user($name, displayName => 'y' x 3000)], sub { is_there($name) });
    },
    'PUT' => sub { my $name = 'ada' . ++$names; ([PUT => "$users/$ada", json => user($name)], sub { is_there($name) }) },
    'PATCH' => sub {
        my $name = 'ada' . ++$names;
        ([PATCH => "$users/$ada", json => patch(
            { op => 'replace', path => 'userName', value => $name },
            { op => 'add', path => 'emails[type eq "home"].value', value => "$name\@example.net" },
        )], sub { is_there($name) });
    },
    'PATCH of a group' => sub {
        my @op = ++$names % 2 ? (op => 'remove', path => "members[value eq \"$members[0]\"]")
            : (op => 'add', path => 'members', value => [{ value => $members[0] }]);
        ([PATCH => "$groups/$group", json => patch({@op})]);
    },
    'DELETE' => sub { my $name = 'delete' . ++$names; my $id = create($users, user($name)); ([DELETE => "$users/$id"], sub { !is_there($name) }) },
);

# Returns what is wrong with a response. Nothing is wrong with a success that was done, with a 500 or 503 of a write that was
# not done, and with a closed connection.
sub fault_of {
    my ($r, $happened) = @_;
    return if $r->{status} == 0 && ($r->{error} // '') ne 'timeout';
    return 'no answer' if $r->{status} == 0;
    return if $r->{status} =~ /^2/ && (!$happened || $happened->());
    return "$r->{status} without effect" if $r->{status} =~ /^2/;
    return "$r->{status}: $r->{body}" if $r->{status} !~ /^50[03]$/;
    return "503 without Retry-After: $r->{body}" if $r->{status} == 503 && ($r->{headers}{'retry-after'} // '') !~ /^\d+$/;
    return "no SCIM error: $r->{body}" if length $r->{body} && ($r->{json}{status} // '') ne $r->{status};
    return "$r->{status} of a write that has happened" if $happened && $happened->();
    return;
}

# Sends a request repeatedly and makes each of its allocations fail in turn, with the $times - 1 allocations after it.
# Returns the number of allocations that failed, the status of the request in which none failed, and what was wrong.
sub fail_each {
    my ($name, $times) = @_;
    my (@wrong, %status);
    for my $n (1 .. 5000) {
        my ($request, $happened) = $request{$name}->();
        my $victim = $t->client(token => $token, timeout => 10);
        $victim->connect;
        arm($n, $times);
        my $r = $victim->request(@$request);
        my $failed = disarm();
        $victim->close;
        $status{ $r->{status} }++;
        if (my $wrong = fault_of($r, $happened)) { push @wrong, "allocation $n: $wrong" }
        my $next = $client->request(PATCH => "$users/$members[1]", json => patch({ op => 'replace', path => 'title', value => 'title ' . ++$titles }));
        push @wrong, "allocation $n: the next write is $next->{status}: " . ($next->{error} // $next->{body}) if $next->{status} != 200;
        next if $failed && @wrong < 4;
        note "$name: ", join ', ', map "$_: $status{$_}", sort keys %status;
        return ($n - 1, $r->{status}, @wrong);
    }
    return (5000, 'no end');
}

for my $name (sort keys %request) {
    my ($count, $status, @wrong) = fail_each($name, 1);
    ok !@wrong, "$name: if one allocation fails, a refused write is not done and the next write succeeds"
        or diag join "\n", @wrong;
    cmp_ok $count, '>', 5, "$name: each of more than 5 allocations failed once";
    like $status, qr/^2/, "$name: the request succeeds if no allocation fails";
    next if $name !~ /^(?:GET|POST|PATCH|DELETE)$/;    # the others take the same error paths
    (undef, $status, @wrong) = fail_each($name, 1 << 40);
    ok !@wrong, "$name: if an allocation and all after it fail, a refused write is not done and the next write succeeds"
        or diag join "\n", @wrong;
    like $status, qr/^2/, "$name: the request succeeds after allocations have stopped failing";
}

is join(' ', $t->workers), $worker, 'the worker process is still the one that was started: none has died';
is +($t->scimctl('verify'))[0], 0, 'scimctl verify finds no damage in the store';
ok $t->reload(gone => 1), 'the worker exits after a reload';
$t->finish;
