#!/usr/bin/perl
# docs/conformance.md is made from t/conformance/rules.tsv and the names of the tests, each rule that this server claims has
# a test, and each leniency is in docs/deviations.md.

use strict;
use warnings;
use FindBin;
use Test::More tests => 1;

is readpipe("$FindBin::Bin/../tools/conformance check 2>&1"), '', 'tools/conformance check finds nothing wrong';
