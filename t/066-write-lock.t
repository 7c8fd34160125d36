#!/usr/bin/perl
# A process that is stopped while it holds the write lock costs the writes of the others a 503 after 10 seconds, and the
# log says which process it is; reads go on.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => 'location / { scim main; }');
my $token = $t->seed('acme');
$t->start->served('/Users', token => $token);
push @{ $t->{expect_log} }, qr/has held the write lock/;

sub create { return $t->request(POST => '/Users', token => $token, json => Scim::user($_[0])) }

sub found {
    return $t->request(GET => "/Users?filter=userName+eq+%22$_[0]%22", token => $token)->{json}{totalResults};
}

is create('before')->{status}, 201, 'a write';
my $lock = $t->hold_lock;
kill STOP => $lock->{pid};
for my $name ('first', 'second') {
    my $r = create($name);
    is $r->{status}, 503, "the $name write that waits 10 seconds is refused" or diag $r->{body};
    ok $r->{headers}{'retry-after'} > 0, 'with Retry-After';
    like $r->{json}{detail}, qr/write lock/, 'and the reason';
}
is found('before'), 1, 'reads are answered meanwhile';
like $t->log, qr/\[crit\].*process $lock->{pid} has held the write lock \(lock\.mdb\)/, 'the log names the process';
my @said = $t->log =~ /has held the write lock/g;
is scalar @said, 1, 'once';

open my $tool, '-|', "$ENV{TEST_SCIMCTL} --store $t->{store} tenant add other 2>&1" or die $!;
like scalar <$tool>, qr/waiting for the write lock .*, which process $lock->{pid} holds/, 'scimctl says what it waits for';
kill CONT => $lock->{pid};
$t->release($lock);
like scalar <$tool>, qr/Tenant other added/, 'and goes on when the lock is free';
close $tool;
is create('after')->{status}, 201, 'as nginx does';
is found('first') + found('second'), 0, 'what was refused has not been written';
is found('after'), 1, 'what was acknowledged has';

$t->finish;
