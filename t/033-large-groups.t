#!/usr/bin/perl
# Large groups: concurrent PATCHes lose no member, one PATCH adds a thousand members, and a group with more members than one
# transaction deletes is emptied by one record; its dead rows are in no answer and are swept later.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => 'location /scim/v2/ { scim main; }', workers => 2);
my $token = $t->seed('acme');
$t->start->served('/scim/v2/Users');
my ($base, $count) = ('/scim/v2', 1100);
my $c = $t->client(token => $token);

my @users = map $_->{id}, $t->concurrently(16, $count, sub {
    my ($i, $client) = @_;
    my $r = $client->request(POST => "$base/Users", json => Scim::user("u$i"));
    return { id => $r->{json}{id} };
}, token => $token);
is scalar(grep defined, @users), $count, "$count users are created";
sub new_group { return $c->request(POST => "$base/Groups", json => { displayName => $_[0] })->{json}{id} }
sub patch {
    my ($client, $group, @operations) = @_;
    return $client->request(PATCH => "$base/Groups/$group", json => { Operations => \@operations });
}
sub add { return { op => 'add', path => 'members', value => [map +{ value => $_ }, @_] } }
sub members {
    my @members = sort map $_->{value}, @{ $c->request(GET => "$base/Groups/$_[0]?attributes=members")->{json}{members} // [] };
    return @members;
}
sub groups { return map $_->{display}, @{ $c->request(GET => "$base/Users/$_[0]")->{json}{groups} // [] } }

# --- 64 clients change one group

my $team = new_group('team');
my %status;
$status{ $_->{status} }++ for $t->concurrently(64, 256, sub {
    my ($i, $client) = @_;
    return { status => patch($client, $team, add($users[$i]))->{status} };
}, token => $token);
is_deeply \%status, { 204 => 256 }, '256 PATCHes by 64 clients over two workers are answered with 204';
is_deeply [members($team)], [sort @users[0 .. 255]], '256 concurrent PATCHes add 256 members';
%status = ();
$status{ $_->{status} }++ for $t->concurrently(64, 128, sub {
    my ($i, $client) = @_;
    my $operation = $i % 2 ? add($users[256 + $i]) : { op => 'remove', path => qq(members[value eq "$users[$i]"]) };
    return { status => patch($client, $team, $operation)->{status} };
}, token => $token);
is_deeply \%status, { 204 => 128 }, '128 concurrent PATCHes that add and remove members are answered with 204';
my %expected = map { $_ => 1 } @users[0 .. 255];
$_ % 2 ? $expected{ $users[256 + $_] } = 1 : delete $expected{ $users[$_] } for 0 .. 127;
is_deeply [members($team)], [sort keys %expected], '128 concurrent PATCHes add and remove exactly their members';

# --- many members in one request

my $all = new_group('all');
is patch($c, $all, add(@users[0 .. 999]))->{status}, 204,
    'PATCH that adds 1000 members in one operation is answered with 204';
is scalar(members($all)), 1000, 'PATCH that adds 1000 members in one operation adds them all';
is patch($c, $all, map add($_), @users[1000 .. 1099])->{status}, 204,
    'PATCH that adds members in 100 operations is answered with 204';
is scalar(members($all)), $count, 'PATCH that adds members in 100 operations adds them all';
is patch($c, $all, { op => 'remove', path => 'members', value => [map +{ value => $_ }, @users[0 .. 9]] })->{status}, 204,
    'PATCH that removes ten members is answered with 204';
is scalar(members($all)), $count - 10, 'PATCH that removes ten members removes only these';
is join(' ', groups($users[500])), 'all', '"groups" of a member has the large group';
my $etag = $c->request(GET => "$base/Users/$users[500]")->{headers}{etag};

# --- all members removed at once

is patch($c, $all, { op => 'remove', path => 'members' })->{status}, 204,
    'PATCH that removes all members of a large group is answered with 204';
is scalar(members($all)), 0, 'an emptied group has no members';
is join(' ', groups($users[500])), '', 'an emptied group is not in "groups" of a former member';
isnt $c->request(GET => "$base/Users/$users[500]")->{headers}{etag}, $etag,
    'the removal of all members changes the ETag of a member';
is patch($c, $all, add($users[500]))->{status}, 204, 'PATCH that adds a member to an emptied group is answered with 204';
is_deeply [members($all)], [$users[500]], 'an emptied group has only the member added afterwards';
is $c->request(PUT => "$base/Groups/$all", json => { displayName => 'all', members => [map +{ value => $_ }, @users] })->{status}, 200,
    'PUT with 1100 members is answered with 200';
is scalar(members($all)), $count, 'PUT with 1100 members sets them all';
is $c->request(PUT => "$base/Groups/$all", json => { displayName => 'all', members => [map +{ value => $_ }, @users[1 .. 3]] })->{status},
    200, 'PUT with three members in place of 1100 is answered with 200';
is_deeply [members($all)], [sort @users[1 .. 3]], 'PUT with three members in place of 1100 leaves these three';
is $c->request(PUT => "$base/Groups/$all", json => { displayName => 'all', members => [map +{ value => $_ }, @users] })->{status}, 200,
    'PUT with 1100 members in place of three is answered with 200';
is $c->request(DELETE => "$base/Groups/$all")->{status}, 204, 'DELETE of a large group is answered with 204';
is join(' ', groups($users[500])), '', 'a deleted large group is not in "groups" of a former member';
sub dead_rows {
    my ($exit, $out) = $t->poke(qw(count jobs));
    return $exit ? die "poke: $out" : $out + 0;
}
ok $t->wait_for(sub { dead_rows() == 0 }), 'all dead rows are swept';
my ($exit, $out) = $t->scimctl('verify');
is $exit, 0, 'scimctl verify finds no error' or diag $out;
is +($t->poke(qw(count members)))[1] + 0, scalar(members($team)),
    'after sweeping the store has only the rows of the current members';

$t->finish;
