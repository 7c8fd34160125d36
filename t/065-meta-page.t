#!/usr/bin/perl
# After a failed write of LMDB's meta page nobody knows what is on disk: the write is 503, and the same worker opens the
# store anew and has all that was acknowledged.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

BEGIN {
    plan skip_all => 'TEST_FAULTS is not set' if !$ENV{TEST_FAULTS};
    $ENV{TEST_NGINX_PRELOAD} = join ' ', grep length, $ENV{TEST_NGINX_PRELOAD} // '', $ENV{TEST_FAULTS};
}
use Scim;

my $t = Scim->new(main => 'env TEST_FAULT;', http => 'scim_store main %%DIR%%/store;', server => 'location / { scim main; }');
my $order = $ENV{TEST_FAULT} = "$t->{dir}/store/fail";
my $token = $t->seed('acme');
$t->start->served('/Users', token => $token);

sub create { return $t->request(POST => '/Users', token => $token, json => Scim::user($_[0])) }
sub names {
    my $list = $t->request(GET => '/Users', token => $token)->{json}{Resources};
    return join ' ', sort map $_->{userName}, @$list;
}

is create('before')->{status}, 201, 'a write';
my @workers = $t->workers;
push @{ $t->{expect_log} }, qr/cannot be written: LMDB must be reopened/, qr/must be reopened: a write to it failed/;
$t->write_file('store/fail', '');
my $r = create('lost');
is $r->{status}, 503, 'a write that fails';
ok $r->{headers}{'retry-after'} > 0, 'with Retry-After';
ok !-e $order, 'because the disk did';
is $t->request(GET => '/Users', token => $token)->{status}, 200, 'the next read is answered: it is opened again at once';
like $t->log, qr/\[notice\].*is served again/, 'the store is served again';
is names(), 'before', 'with what was acknowledged and nothing else';
is create('after')->{status}, 201, 'it is written';
is names(), 'after before', 'and read';
is "@{[$t->workers]}", "@workers", 'by the same worker';
my ($status, $out) = $t->scimctl('verify');
is $status, 0, 'and is whole' or diag $out;

$t->finish;
