#!/usr/bin/perl
# Lists are paged as RFC 7644 3.4.2.4 says, on the event loop and on a thread: every user is on exactly one page.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use Test::More;
use Scim;
use Scim::Check;

my $user = $Scim::Check::user_urn;
my $t = Scim->new(main => 'thread_pool one threads=1;', http => 'scim_store main %%DIR%%/store; scim_thread_pool one;',
    server => <<'EOS');
    location /scim/v2/ { scim main; client_body_in_file_only clean; }
    location /small/ { scim main; scim_max_results 7; }
EOS
my $token = $t->seed('acme');
my $c = $t->client(token => $token);
$t->start;
my $base = '/scim/v2/Users';

sub list { my ($query, @rest) = @_; return is_list($c, length $query ? "$base?$query" : $base, @rest) }
sub ids { return [map $_->{id}, @{ $_[0]{Resources} }] }

list '', 0, 0, '[S-63 S-64] a list of an empty directory is empty';

my $count = 2103;
my @made = $t->concurrently(8, $count, sub {
    my ($i, $client) = @_;
    my $r = $client->request(POST => $base, token => $token, json => { schemas => [$user], userName => "user$i",
        emails => [{ value => $i < 250 ? 'team@x.com' : "$i\@x.com" }] });
    return { status => $r->{status}, id => $r->{json}{id} };
});
is scalar(grep $_->{status} == 201, @made), $count, "$count users are created";
my @ids = sort map $_->{id}, @made;

# --- startIndex and count (RFC 7644 3.4.2.4)

my $first = list '', $count, 100, '[S-63 S-210] a list without count has 100 resources';
is_deeply ids($first), [@ids[0 .. 99]], 'a list without startIndex has the first 100 users in the order of their ids';
is $first->{startIndex}, 1, 'a list without startIndex has startIndex 1';
is list("startIndex=$_", $count, 100)->{startIndex}, 1, "[S-93] startIndex=$_ is taken as 1" for qw(1 0 -5 -99999999999999999999);
is_deeply ids(list 'startIndex=3&count=2', $count, 2), [@ids[2, 3]],
    '[S-93] startIndex=3&count=2 returns the third and the fourth user';
is list('startIndex=3&count=2', $count, 2)->{startIndex}, 3, 'the answer to startIndex=3 has startIndex 3';
list "count=$_", $count, 0, "[S-93] count=$_ returns no resources" for qw(0 -1 -99999999999999999999);
is list("startIndex=$count&count=10", $count, 1, "[S-97] the last page has one resource")->{Resources}[0]{id}, $ids[-1],
    'startIndex at the total returns the last user';
list $_, $count, 0, "[S-94] $_ returns no resources" for 'startIndex=' . ($count + 1), 'startIndex=99999999999999999999&count=5';
list "count=$_", $count, 1000, "[S-210] count=$_ returns 1000 resources" for qw(1000 1001 99999999999999999999);
is_list $c, "/small/Users$_", $count, 7, "[S-93] scim_max_results 7 limits a list with '$_' to 7 resources"
    for '', '?count=8', '?count=1000';
is_list $c, '/small/Users?count=3', $count, 3, 'count=3 below scim_max_results 7 returns 3 resources';
list 'STARTINDEX=2&Count=1', $count, 1;
list 'startIndex&count=&count=2', $count, 2;
is_error $c->request(GET => "$base?$_"), 400, 'invalidValue', qr/query parameter "(?:startIndex|count)" is ".*", expected an integer/,
    "[S-95] GET with $_ is refused with 400" for qw(startIndex=one count=1.5 count=+ count=1e3 count=0x10 count=%2B5);

# --- the same pages from the event loop and from the pool

my @paged;
push @paged, @{ ids($c->request(GET => "$base?startIndex=$_&count=150")->{json}) } for map 1 + 150 * $_, 0 .. 13;
is_deeply [@paged, @{ ids($c->request(GET => "$base?startIndex=2101")->{json}) }], \@ids,
    '[S-96] pages of 150 return every user once, in the order of ids';

# The only thread of the pool is occupied by a write that waits for the write lock: a list that is answered meanwhile is made
# on the event loop.
my $lock = $t->hold_lock;
my $write = $t->client(token => $token);
$write->send(POST => $base, json => Scim::user('user1'));
ok $t->wait_for(sub { $t->bodies == 1 }), 'a write occupies the only thread';
list $_->[0], $count, $_->[1], "the list with $_->[0] is made on the event loop"
    for ['startIndex=2000', 100], ['count=200', 200], ['startIndex=2001&count=2', 2];
my @long = map { my $long = $t->client(token => $token); $long->send(GET => "$base?$_"); $long } 'count=201', 'startIndex=1800&count=201';
list 'startIndex=2000', $count, 100;
is scalar(grep IO::Select->new($_->{socket})->can_read(0), @long), 0,
    'lists of more than 200 resources wait for the thread';
$t->release($lock);
is $write->receive->{status}, 409, 'the write is answered when the write lock is free';
is scalar @{ $long[0]->receive->{json}{Resources} }, 201, 'the list of 201 resources is made on the thread';
is_deeply ids($long[1]->receive->{json}), [@ids[1799 .. 1999]], 'startIndex=1800&count=201 returns the users 1800 to 2000';
is_deeply ids(list 'count=1000', $count, 1000), [@ids[0 .. 999]], 'count=1000 returns the first 1000 users';
is_deeply ids(list 'startIndex=1501&count=1000', $count, 603), [@ids[1500 .. $#ids]],
    'startIndex=1501&count=1000 returns the remaining 603 users';
my $long = list('count=201&startIndex=5', $count, 201)->{Resources}[0];
is_deeply $long, list('count=1&startIndex=5', $count, 1)->{Resources}[0],
    'a list made on a thread has the same resource as one made on the event loop';
is_deeply $long, $c->request(GET => "$base/$long->{id}")->{json},
    'a list made on a thread has the same resource as a GET of it';
is_error $c->request(GET => "$base?count=500&attributes=id&excludedAttributes=id"), 400, 'invalidValue', qr/exclude each other/,
    'a list with both projections that would be made on a thread is refused with 400';
list 'filter=emails.value+eq+"team@x.com"', 250, 100, 'a filter that matches 250 users returns the first 100';
list 'filter=emails.value+eq+"team@x.com"&startIndex=241', 250, 10,
    'a filter that matches 250 users returns 10 from startIndex=241';
list 'filter=emails.value+eq+"team@x.com"&count=250', 250, 250, 'a filter that matches 250 users returns all with count=250';
list 'filter=userName+eq+"user5"&count=0', 1, 0, 'a filter with count=0 returns totalResults and no resources';

my @many = $t->concurrently(12, 48, sub {
    my ($i, $client) = @_;
    my $r = $client->request(GET => "$base?count=300&attributes=userName&startIndex=" . ($i + 1), token => $token);
    return { first => $r->{json}{Resources}[0]{id}, items => scalar @{ $r->{json}{Resources} } };
});
is_deeply \@many, [map +{ first => $ids[$_], items => 300 }, 0 .. 47],
    '48 concurrent lists of 300 resources return their pages';
for (1 .. 5) {
    my $gone = $t->client(token => $token);
    $gone->send(GET => "$base?count=1000");
    $gone->close;
}
is_deeply ids(list 'count=201', $count, 201), [@ids[0 .. 200]],
    'lists are served after clients have disconnected before their page was ready';

$t->finish;
