#!/usr/bin/perl
# A store is open in one PID namespace only: LMDB's table of readers has process ids, which mean other processes elsewhere.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IPC::Open2 ();
use Test::More;
use Scim;

my @elsewhere = qw(unshare --pid --fork --kill-child);
plan skip_all => 'this user cannot create PID namespaces' if system("@elsewhere true 2>/dev/null") != 0;

my $refused = qr/store "[^"]+" is open in another PID namespace \(another container, or the host\)/;
my $t = Scim->new(
    http => 'scim_store main %%DIR%%/store size=64m;',
    server => 'location /scim/v2 { scim main; }',
    expect_log => [$refused],
);
my $token = $t->seed('acme');
my @list = ($ENV{TEST_SCIMCTL}, '--store', $t->{store}, 'tenant', 'list');
my $users = '/scim/v2/Users';

my ($exit, $out, $err) = $t->run('', @elsewhere, @list);
is $exit, 0, 'scimctl opens a store that no other namespace has open' or diag $err;

{
    my $pid = IPC::Open2::open2(my $from, my $to, @elsewhere, $ENV{TEST_POKE}, $t->{store}, 'hold');
    is scalar(<$from>), "held\n", 'a process of another namespace has the store open';
    ($exit, $out, $err) = $t->run('', @list);
    isnt $exit, 0, 'scimctl in the namespace outside does not open it';
    like $err, $refused, 'its error message says why';
    $t->start;
    ok $t->wait_log($refused), 'the error log of nginx says why it does not open the store';
    is $t->request(GET => $users, token => $token)->{status}, 503, 'a request is answered with 503';
    syswrite $to, 'x';
    close $_ for $to, $from;
    waitpid $pid, 0;
}
$t->served($users, token => $token);
pass 'nginx opens the store once no other namespace has it open';

($exit, $out, $err) = $t->run('', @elsewhere, @list);
isnt $exit, 0, 'scimctl in a namespace inside does not open the store of this nginx';
like $err, $refused, 'its error message says why';
($exit, $out, $err) = $t->run('', @list);
is $exit, 0, 'scimctl in the namespace of nginx opens it' or diag $err;

$t->finish;
