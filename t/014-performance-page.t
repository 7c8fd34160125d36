#!/usr/bin/perl
# The ratios in docs/performance.md are the quotients of the figures beside them.

use strict;
use warnings;
use FindBin;
use Test::More;

open my $f, '<', "$FindBin::Bin/../docs/performance.md" or die "performance.md: $!";
my ($rate, $cpu);
while (<$f>) {
    my @row = /^\| (.+?) \| ([\d,]+) \| (\d\.\d\d) \| ([\d.]+) µs \| (\d\.\d\d) \|$/ or next;
    s/,//g for @row[1, 3];
    ($rate, $cpu) = @row[1, 3] if !$rate;
    is $row[2], sprintf('%.2f', $row[1] / $rate), "the ratio of the request rates in the row \"$row[0]\" is their quotient";
    is $row[4], sprintf('%.2f', $cpu / $row[3]), "the ratio of the CPU times in the row \"$row[0]\" is their quotient";
}
ok $rate, 'docs/performance.md has a table with ratios';
done_testing;
