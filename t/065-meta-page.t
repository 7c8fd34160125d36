#!/usr/bin/perl
# After a failed write of LMDB's meta page it is unknown what is on disk. The write is refused with 503; the same worker
# opens the store again and has every acknowledged write.

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

is create('before')->{status}, 201, 'a write is answered with 201';
my @workers = $t->workers;
push @{ $t->{expect_log} }, qr/cannot be written: LMDB must be reopened/, qr/must be reopened: a write to it failed/;
$t->write_file('store/fail', '');
my $r = create('lost');
is $r->{status}, 503, 'a write whose meta page cannot be written is refused with 503';
ok $r->{headers}{'retry-after'} > 0, 'the 503 has Retry-After';
ok !-e $order, 'the write of the meta page has failed';
is $t->request(GET => '/Users', token => $token)->{status}, 200, 'the next read is answered with 200';
like $t->log, qr/\[notice\].*is served again/, 'the error log says that the store is served again';
is names(), 'before', 'the store has the acknowledged write only';
is create('after')->{status}, 201, 'a write to the reopened store is answered with 201';
is names(), 'after before', 'the reopened store has both acknowledged writes';
is "@{[$t->workers]}", "@workers", 'the same worker has reopened the store';
my ($status, $out) = $t->scimctl('verify');
is $status, 0, 'scimctl verify finds no problem' or diag $out;

$t->finish;
