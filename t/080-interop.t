#!/usr/bin/perl
# What identity providers send is answered as they need it, whatever RFC 7644 says of its form: the dialogues of t/interop,
# against a server with `scim_profile default`. One with `scim_profile rfc` refuses what they mark so, and does nothing.
#
# On a server that runs already:   t/080-interop.t http://127.0.0.1:8080/scim/v2 TOKEN [okta.txt …]

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Interop;

my ($base, $token, @files) = @ARGV;
@files = map m{/} ? $_ : "$FindBin::Bin/interop/$_", @files;
@files = sort glob "$FindBin::Bin/interop/*.txt" if !@files;
my @cases = map Scim::Interop::read_file($_), @files;

sub play {
    my ($profile, %o) = @_;
    my $player = Scim::Interop->new(profile => $profile, %o);
    for my $case (@cases) {
        next if $profile ne 'default' && !grep $_->{answers}{$profile}, @{ $case->{steps} };
        my ($client) = $case->{file} =~ m{([^/]+)\.txt\z};
        my @faults = $player->play($case);
        ok !@faults, "$profile, $client: $case->{title}" or diag join "\n", @faults;
    }
    return;
}

if (defined $base) {
    defined $token or BAIL_OUT('usage: t/080-interop.t BASE TOKEN [FILE …]');
    play(default => base => $base, token => $token);
    done_testing;
    exit;
}

my $t = Scim->new(workers => 2, http => 'scim_store main %%DIR%%/store;', server => <<'EOS');
    client_max_body_size 4m;
    add_header X-Scim-Dialect $scim_dialect always;
    location /scim/v2/ { scim main; }
    location /rfc/v2/ { scim main; scim_profile rfc; }
EOS
my $tenant = $t->seed('acme');
$t->start->served('/scim/v2/Users', token => $tenant);
my $at = 'http://127.0.0.1:' . $t->port;
play(default => base => "$at/scim/v2", token => $tenant, dialect => 1);
play(rfc => base => "$at/rfc/v2", token => $tenant);

# Each row of deviations has a case, and each case of deviations.txt a row.
my %row = map { $_ => 1 } map @{ $_->{rows} }, @cases;
is join(' ', grep !$row{$_}, map "2.$_", 1 .. 27), '', 'every known deviation is played';
my ($left) = map $_->{json}{totalResults}, $t->request(GET => '/scim/v2/Users', token => $tenant);
is $left, 0, 'every case removes what it made';

$t->finish;
