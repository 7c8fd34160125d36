#!/usr/bin/perl
# While a stopped process holds the write lock, writes are refused with 503 after 10 seconds, and the error log names the
# process; reads are served.

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

is create('before')->{status}, 201, 'a write is answered with 201';
my $lock = $t->hold_lock;
kill STOP => $lock->{pid};
for my $name ('first', 'second') {
    my $r = create($name);
    is $r->{status}, 503, "the $name write that waits 10 seconds is refused" or diag $r->{body};
    ok $r->{headers}{'retry-after'} > 0, "the 503 of the $name write has Retry-After";
    is $r->{json}{errorId}, 'queue-timeout', "the refusal of the $name write is queue-timeout";
    like $r->{json}{detail}, qr/write lock/, "the 503 of the $name write names the write lock";
}
sub refused { return scalar(() = $t->log =~ /\[error\].* scim: \w+ answered with 503 \[queue-timeout\]: .* \(request [0-9a-f]{32}\), client:/g) }
$t->wait_for(sub { refused() == 2 });
is refused(), 2, 'the error log has each refused write, with the id of the request at the end of the message';
is found('before'), 1, 'a read is answered while a stopped process holds the write lock';
like $t->log, qr/\[crit\].*process $lock->{pid} has held the write lock \(lock\.mdb\)/,
    'the error log names the process that holds the write lock';
my @said = $t->log =~ /has held the write lock/g;
is scalar @said, 1, 'the error log names the process once';

open my $tool, '-|', "$ENV{TEST_SCIMCTL} --store $t->{store} tenant add other 2>&1" or die $!;
like scalar <$tool>, qr/waiting for the write lock .*, which process $lock->{pid} holds/,
    'scimctl names the process that holds the write lock';
kill CONT => $lock->{pid};
$t->release($lock);
like scalar <$tool>, qr/Tenant other added/, 'scimctl completes when the write lock is free';
close $tool;
is create('after')->{status}, 201, 'nginx accepts writes when the write lock is free';
is found('first') + found('second'), 0, 'refused writes have not been committed';
unlike +($t->scimctl(qw(log --tenant acme --failed)))[1], qr/503/, 'scimctl log has none of them';
is found('after'), 1, 'the acknowledged write is committed';

$t->finish;
