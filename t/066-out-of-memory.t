#!/usr/bin/perl
# Whichever allocation of a request fails, the first, the second, the third …: the request gets an answer or its connection
# ends, a refusal means that nothing has happened, the worker's next read and write succeed, and a reload lets it exit.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

BEGIN {
    plan skip_all => 'TEST_ALLOCATIONS is not set' if !$ENV{TEST_ALLOCATIONS};
    plan skip_all => 'a sanitizer has an allocator of its own' if $ENV{TEST_NGINX_PRELOAD};
    $ENV{TEST_NGINX_PRELOAD} = $ENV{TEST_ALLOCATIONS};
}
use Scim;

my $t = Scim->new(main => 'env TEST_ALLOCATIONS_FILE;', http => 'scim_store main %%DIR%%/store size=256m;', server => <<'EOS',
    client_body_buffer_size 1k;
    location /scim/v2/ { scim main; }
EOS
    expect_log => [qr/\[(?:crit|emerg|alert)\].*(?:out of memory|Cannot allocate memory|cannot be written)/]);
my $file = $ENV{TEST_ALLOCATIONS_FILE} = $t->write_file('allocations', pack 'q4', 0, 0, 0, 0);
open my $order, '+<:raw', $file or die "$file: $!";

sub arm { sysseek $order, 0, 0; syswrite $order, pack 'q4', 1, $_[0], $_[1] // 1, 0 }

# Counts no more; how many allocations have failed.
sub disarm {
    sysseek $order, 0, 0;
    syswrite $order, pack 'q', 0;
    sysseek $order, 24, 0;
    sysread $order, my $failed, 8;
    return unpack 'q', $failed;
}

my $users = '/scim/v2/Users';
my $token = $t->seed('acme');
$t->start->served($users, token => $token);
my ($worker) = $t->workers;
my $client = $t->client(token => $token, timeout => 10);
my $names = 0;

sub user { my ($name, %more) = @_; return Scim::user($name, name => { familyName => 'Lovelace' }, emails => [{ type => 'work', value => "$name\@example.com" }], %more) }
sub is_there { my ($name) = @_; return ($client->request(GET => "$users?count=0&filter=userName+eq+\"$name\"")->{body} // '') =~ /"totalResults":1\D/ }
sub create {
    my $r = $client->request(POST => $users, json => user($_[0]));
    return $r->{json}{id} // die "no user $_[0]: $r->{status} ", $r->{error} // $r->{body};
}

my $ada = create('ada');
my @members = map create("member$_"), 1 .. 4;
$client->request(POST => $users, json => user("long$_", displayName => 'x' x 60_000))->{status} == 201 or die for 1 .. 20;
my $group = $client->request(POST => '/scim/v2/Groups', json => { displayName => 'all', members => [map +{ value => $_ }, @members] })->{json}{id};
my $touched = 0;

# What a request is, and how to see that a write has happened.
my %request = (
    'GET' => sub { [GET => "$users/$ada"] },
    'a list with a filter' => sub { [GET => "$users?filter=userName+sw+\"m\"+and+name.familyName+co+\"ove\"&attributes=userName"] },
    'a group' => sub { [GET => "/scim/v2/Groups/$group"] },
    'a search' => sub { [POST => "$users/.search", json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:SearchRequest'], filter => 'userName eq "ada"' }] },
    'a long read' => sub { [GET => "$users?count=1000"] },
    'POST' => sub { my $name = 'post' . ++$names; ([POST => $users, json => user($name)], sub { is_there($name) }) },
    'POST of a body in a file' => sub {
        my $name = 'file' . ++$names;
        ([POST => $users, json => user($name, displayName => 'y' x 3000)], sub { is_there($name) });
    },
    'PUT' => sub { my $name = 'ada' . ++$names; ([PUT => "$users/$ada", json => user($name)], sub { is_there($name) }) },
    'PATCH' => sub {
        my $name = 'ada' . ++$names;
        ([PATCH => "$users/$ada", json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => [
            { op => 'replace', path => 'userName', value => $name },
            { op => 'add', path => 'emails[type eq "home"].value', value => "$name\@example.net" },
        ] }], sub { is_there($name) });
    },
    'PATCH of a group' => sub {
        my $op = ++$names % 2 ? 'remove' : 'add';
        my $id = $members[0];
        my $path = $op eq 'remove' ? "members[value eq \"$id\"]" : 'members';
        ([PATCH => "/scim/v2/Groups/$group", json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
            Operations => [{ op => $op, path => $path, $op eq 'add' ? (value => [{ value => $id }]) : () }] }]);
    },
    'DELETE' => sub { my $name = 'delete' . ++$names; my $id = create($name); ([DELETE => "$users/$id"], sub { !is_there($name) }) },
);

# What is wrong with an answer; nothing if it is a success, a SCIM error, or the end of the connection.
sub fault_of {
    my ($r, $happened) = @_;
    return if $r->{status} == 0 && ($r->{error} // '') ne 'timeout';
    return 'no answer' if $r->{status} == 0;
    return if $r->{status} =~ /^2/ && (!$happened || $happened->());
    return "$r->{status} without effect" if $r->{status} =~ /^2/;
    return "$r->{status}: $r->{body}" if $r->{status} !~ /^50[03]$/;
    return "no SCIM error: $r->{body}" if length $r->{body} && ($r->{json}{status} // '') ne $r->{status};
    return "$r->{status} of a write that has happened" if $happened && $happened->();
    return;
}

for my $name (sort keys %request) {
    for my $times (1, 1 << 40) {
        my (@wrong, %status, $n);
        for ($n = 1; $n < 5000; $n++) {
            my ($request, $happened) = $request{$name}->();
            my $victim = $t->client(token => $token, timeout => 10);
            $victim->connect;
            arm($n, $times);
            my $r = $victim->request(@$request);
            my $failed = disarm();
            $victim->close;
            $status{ $r->{status} }++;
            if (my $wrong = fault_of($r, $happened)) { push @wrong, "allocation $n: $wrong" }
            my $next = $client->request(PATCH => "$users/$members[1]", json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
                Operations => [{ op => 'replace', path => 'title', value => 'title ' . ++$touched }] });
            push @wrong, "allocation $n: the next write is $next->{status}: " . ($next->{error} // $next->{body}) if $next->{status} != 200;
            last if !$failed || @wrong > 3;
        }
        ok !@wrong, sprintf '%s: %s of %d allocations may fail (%s)', $name, $times == 1 ? 'each' : 'all from each on', $n - 1,
            join ', ', map "$_: $status{$_}", sort keys %status or diag join "\n", @wrong;
        cmp_ok $n, '<', 5000, "$name: and then it succeeds";
    }
}

is join(' ', $t->workers), $worker, 'it is the same worker all the while';
ok $t->reload(gone => 1), 'and it exits after a reload';
$t->finish;
