#!/usr/bin/perl
# Workers are killed while the members of an emptied and of a deleted group are deleted in the background, and so are scimctl
# compact and scimctl export, which read meanwhile. The deletion continues in the next worker and ends; every answer shows
# the groups as they are after the write, and verify finds nothing at any point.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use Test::More;
use Scim;

my $members = 12_000;
my $t = Scim->new(workers => 2, http => 'scim_store main %%DIR%%/store;', server => 'location /scim/v2/ { scim main; }');
my $token = $t->seed('acme');
my @users = map sprintf('%08x-0000-4000-8000-000000000000', $_), 1 .. $members;
my ($emptied, $deleted, $kept) = map "0000000$_-0000-4000-8000-00000000000f", 1 .. 3;
{
    my @records = map +{ id => $users[$_], %{ Scim::user("u$_") } }, 0 .. $#users;
    push @records, map +{ schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'], id => $_, displayName => "group $_",
        members => [map +{ value => $_ }, @users] }, $emptied, $deleted, $kept;
    my ($exit, undef, $err) = $t->scimctl({ stdin => join '', map $Scim::json->encode($_) . "\n", @records },
        qw(import --tenant acme --keep-ids -));
    is $exit, 0, "three groups of $members members are imported" or diag $err;
}
$t->start->served('/scim/v2/Users', token => $token);

sub is_sound {
    my ($when) = @_;
    my ($exit, $out) = $t->scimctl('verify');
    is $exit, 0, "verify finds no problem $when" or diag $out;
    return;
}
sub groups_to_sweep { return $Scim::json->decode(($t->scimctl(qw(--json stats)))[1])->{groupsToSweep} }
sub count_members { return scalar @{ $t->request(GET => "/scim/v2/Groups/$_[0]", token => $token)->{json}{members} // [] } }
# Starts scimctl with its stdout in a file and kills it as soon as this file or, if it is another one, `file` has a byte.
sub kill_while_it_writes {
    my ($file, @command) = @_;
    unlink "$t->{dir}/stdout";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDOUT, '>', "$t->{dir}/stdout" or POSIX::_exit(126);
        exec $ENV{TEST_SCIMCTL}, '--store', $t->{store}, @command or POSIX::_exit(127);
    }
    $t->wait_for(sub { -s $file }) or diag "@command: it writes nothing";
    kill KILL => $pid;
    waitpid $pid, 0;
    return;
}

# --- kills while rows are deleted

is $t->request(PATCH => "/scim/v2/Groups/$emptied", token => $token, json => { Operations => [{ op => 'remove', path => 'members' }] })->{status}, 204,
    'a group is emptied';
is $t->request(DELETE => "/scim/v2/Groups/$deleted", token => $token)->{status}, 204, 'another one is deleted';
cmp_ok groups_to_sweep(), '>=', 1, 'their rows wait';
my $interrupted = 0;
for my $round (1 .. 4) {
    my $waiting = groups_to_sweep();
    $t->kill_worker($_) for $t->workers;
    $interrupted++ if $waiting && groups_to_sweep();
    kill_while_it_writes("$t->{dir}/copy$round/data.mdb", 'compact', "$t->{dir}/copy$round");
    kill_while_it_writes("$t->{dir}/stdout", 'export', '--tenant', 'acme');
    is join(' ', count_members($emptied), count_members($kept)), "0 $members", "the members are right after kill $round";
    is_sound("after kill $round");
}
cmp_ok $interrupted, '>=', 1, 'at least one kill interrupts the deletion';
ok $t->wait_for(sub { groups_to_sweep() == 0 }), 'the deletion ends';
is join(' ', count_members($emptied), count_members($kept)), "0 $members", 'the members are right afterwards';
is $t->request(GET => "/scim/v2/Groups?filter=members.value+eq+\"$users[0]\"&attributes=id", token => $token)->{json}{totalResults}, 1,
    'a user is found in one group';
is_sound('afterwards');

# --- the copy

my ($exit, undef, $err) = $t->scimctl('compact', "$t->{dir}/compact");
is $exit, 0, 'scimctl compact writes a copy' or diag $err;
($exit, my $out) = $t->run('', $ENV{TEST_SCIMCTL}, '--store', "$t->{dir}/compact", 'verify');
is $exit, 0, 'verify finds no problem in the copy' or diag $out;
$t->finish;
