#!/usr/bin/perl
# kill -9 in the middle of a bulk request: of an ordinary one the first operations are there, each as a whole; of an atomic one
# all or nothing is. SCIM_CRASH=long repeats this more often.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Scim;

my $rounds = ($ENV{SCIM_CRASH} // '') eq 'long' ? 40 : 5;
my $seed = $ENV{SCIM_SEED} // time;
note "SCIM_SEED=$seed";
srand $seed;

my $t = Scim->new(http => 'scim_store main %%DIR%%/store size=1g;', server => <<'EOS');
    client_max_body_size 8m;
    scim_bulk_max_operations 10000;
    location /scim/v2/ { scim main; }
    location /atomic/ { scim main; scim_bulk_atomic on; }
EOS
my $token = $t->seed('acme');
my $users = '/scim/v2/Users';
$t->start->served($users, token => $token);

# Each user has a group that it is a member of: work order is user 0, group 0, user 1, …
sub body {
    my ($prefix, $count) = @_;
    return $Scim::json->encode({ schemas => ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'], Operations => [map {
        ({ method => 'POST', path => '/Users', bulkId => "u$_", data => Scim::user("$prefix-$_") },
         { method => 'POST', path => '/Groups', bulkId => "g$_", data => { displayName => "$prefix-$_", members => [{ value => "bulkId:u$_" }] } })
    } 0 .. $count - 1] });
}

sub total {
    my ($path) = @_;
    my $r = $t->wait_for(sub { my $r = $t->request(GET => $path, token => $token); $r->{status} == 200 && $r }) or return -1;
    return $r->{json}{totalResults};
}
sub count_of { my ($type, $prefix) = @_; return total("/scim/v2/$type?count=0&filter=" . ($type eq 'Users' ? 'userName' : 'displayName') . "+sw+\"$prefix-\"") }

my $middle = 0;
for my $round (1 .. $rounds) {
    my ($prefix, $count) = ("round$round", 5000);
    my ($client, $watcher) = ($t->client(token => $token, raw => 1), $t->client(token => $token));
    my $enough = 1 + rand 0.4 * $count;
    $client->send(POST => '/scim/v2/Bulk', body => body($prefix, $count));
    my $end = time + $Scim::deadline;
    1 while time < $end && $watcher->request(GET => "$users?count=0&filter=userName+sw+\"$prefix-\"")->{json}{totalResults} < $enough;
    $t->kill_worker(($t->workers)[0]);
    my $answer = $client->receive;
    my ($is, $groups) = (count_of(Users => $prefix), count_of(Groups => $prefix));
    $middle++ if $is > 0 && $groups < $count;
    ok $is == $groups || $is == $groups + 1, "round $round: users and groups are the first operations ($is and $groups, status $answer->{status})";
    my $last = $t->request(GET => "/scim/v2/Groups?filter=displayName+eq+\"$prefix-" . ($groups - 1) . '"', token => $token)->{json}{Resources}[0];
    is $last->{members}[0]{display}, "$prefix-" . ($groups - 1), "round $round: the last group has its member";
    is total("$users?count=0&filter=userName+eq+\"$prefix-" . ($is - 1) . '"'), 1, "round $round: the last of them is there" if $is > 0;
    is total("$users?count=0&filter=userName+eq+\"$prefix-$is\""), 0, "round $round: the next one is not" if $is < $count;
}
cmp_ok $middle, '>', 0, "$middle of $rounds kills were in the middle of a request";

# How long an atomic request takes, which is the time in which the kills come.
my $start = time;
is $t->client(token => $token, raw => 1)->request(POST => '/atomic/Bulk', body => body('whole', 600))->{status}, 200, 'an atomic request is answered';
my $takes = time - $start;
my %seen;
for my $round (1 .. $rounds) {
    my ($prefix, $count) = ("atom$round", 600);
    my $client = $t->client(token => $token, raw => 1);
    $client->send(POST => '/atomic/Bulk', body => body($prefix, $count));
    sleep $takes * rand;
    $t->kill_worker(($t->workers)[0]);
    my $answer = $client->receive;
    my ($is, $groups) = (count_of(Users => $prefix), count_of(Groups => $prefix));
    ok $is == $groups && ($is == 0 || $is == $count), "round $round: all or nothing of an atomic request is there ($is, $groups)";
    ok $answer->{status} != 200 || $is == $count, "round $round: what was answered is there";
    $seen{$is}++;
}
note join ', ', map "$seen{$_} times $_ users", sort keys %seen;
my ($exit, $out, $err) = $t->scimctl('verify');
is $exit, 0, 'scimctl verify finds no problem' or diag $out, $err;

$t->finish;
