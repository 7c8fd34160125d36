#!/usr/bin/perl
# Large groups: no member is lost to parallel PATCHes, a thousand come in one PATCH, and a group of more members than are
# deleted at once is emptied by one record, whose dead rows nobody sees and somebody sweeps.

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
is scalar(grep defined, @users), $count, "$count users";
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

# --- 64 clients, one group

my $team = new_group('team');
my %status;
$status{ $_->{status} }++ for $t->concurrently(64, 256, sub {
    my ($i, $client) = @_;
    return { status => patch($client, $team, add($users[$i]))->{status} };
}, token => $token);
is_deeply \%status, { 204 => 256 }, '256 PATCHes by 64 clients over two workers';
is_deeply [members($team)], [sort @users[0 .. 255]], 'and no member is lost';
%status = ();
$status{ $_->{status} }++ for $t->concurrently(64, 128, sub {
    my ($i, $client) = @_;
    my $operation = $i % 2 ? add($users[256 + $i]) : { op => 'remove', path => qq(members[value eq "$users[$i]"]) };
    return { status => patch($client, $team, $operation)->{status} };
}, token => $token);
is_deeply \%status, { 204 => 128 }, 'some come while others go';
my %expected = map { $_ => 1 } @users[0 .. 255];
$_ % 2 ? $expected{ $users[256 + $_] } = 1 : delete $expected{ $users[$_] } for 0 .. 127;
is_deeply [members($team)], [sort keys %expected], 'and all of it holds';

# --- many at once

my $all = new_group('all');
is patch($c, $all, add(@users[0 .. 999]))->{status}, 204, 'a thousand members in one operation';
is scalar(members($all)), 1000, 'are in';
is patch($c, $all, map add($_), @users[1000 .. 1099])->{status}, 204, 'a hundred operations';
is scalar(members($all)), $count, 'are in, too';
is patch($c, $all, { op => 'remove', path => 'members', value => [map +{ value => $_ }, @users[0 .. 9]] })->{status}, 204, 'ten go';
is scalar(members($all)), $count - 10, 'and no more';
is join(' ', groups($users[500])), 'all', 'a member sees the group';
my $etag = $c->request(GET => "$base/Users/$users[500]")->{headers}{etag};

# --- everybody leaves at once

is patch($c, $all, { op => 'remove', path => 'members' })->{status}, 204, 'a large group is emptied';
is scalar(members($all)), 0, 'nobody is in';
is join(' ', groups($users[500])), '', 'nobody sees it';
isnt $c->request(GET => "$base/Users/$users[500]")->{headers}{etag}, $etag, 'which is another version of the member';
is patch($c, $all, add($users[500]))->{status}, 204, 'one comes back';
is_deeply [members($all)], [$users[500]], 'alone';
is $c->request(PUT => "$base/Groups/$all", json => { displayName => 'all', members => [map +{ value => $_ }, @users] })->{status}, 200,
    'all by PUT';
is scalar(members($all)), $count, 'all are in';
is $c->request(PUT => "$base/Groups/$all", json => { displayName => 'all', members => [map +{ value => $_ }, @users[1 .. 3]] })->{status},
    200, 'three by PUT';
is_deeply [members($all)], [sort @users[1 .. 3]], 'three are in';
is $c->request(PUT => "$base/Groups/$all", json => { displayName => 'all', members => [map +{ value => $_ }, @users] })->{status}, 200,
    'all again';
is $c->request(DELETE => "$base/Groups/$all")->{status}, 204, 'a large group is deleted';
is join(' ', groups($users[500])), '', 'nobody sees it';
sub dead_rows {
    my ($exit, $out) = $t->poke(qw(count jobs));
    return $exit ? die "poke: $out" : $out + 0;
}
ok $t->wait_for(sub { dead_rows() == 0 }), 'dead rows are swept';
my ($exit, $out) = $t->scimctl('verify');
is $exit, 0, 'the store agrees with itself' or diag $out;
is +($t->poke(qw(count members)))[1] + 0, scalar(members($team)), 'and only living rows are left';

$t->finish;
