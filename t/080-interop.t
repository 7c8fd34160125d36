#!/usr/bin/perl
# The dialogues of t/interop: what identity providers send has the answer that they need, in a location with `scim_profile
# default`. In one with `scim_profile rfc`, requests with an `rfc` answer have that one.
#
# On a server that runs already:   perl t/080-interop.t http://127.0.0.1:8080/scim/v2 TOKEN [okta.txt …]

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

# Tests the checks of the dialogues: those that must hold do, and the others do not.
sub test_the_checks {
    my $player = Scim::Interop->new(base => 'http://localhost/x', token => 't', dialect => 1);
    my $r = { body => '{"n":1}', headers => { location => '/Users/1', 'x-scim-dialect' => 'op-case, bare-value' },
        json => { n => 1, s => '1', t => JSON::PP::true, z => undef, e => [], o => { a => 1, b => [2, 3] },
            l => [{ a => 'x', b => 'y' }, { a => 'z' }] } };
    my %checks = (
        1 => ['/n 1', '/s "1"', '/t true', '/o/b/1 3', '/l/1/a "z"', '/z absent', '/e absent', '/q absent', '/l size 2', '/n number',
            '/l has {"a": "x"}', '/l has [{"a": "z"}, {"b": "y"}]', '/o has {"b": [3]}', '/l lacks {"a": "y"}', '/s ~ ^1$', 'Location ~ 1$',
            'body ~ "n"', 'Retry-After absent', 'dialect op-case', '/n => kept', '/n <kept>', '/e []'],
        '' => ['/n "1"', '/s 1', '/t "true"', '/t 1', '/z 0', '/q null', '/n absent', '/l absent', '/l size 1', '/n size 1', '/s number',
            '/l has {"a": "y"}', '/l has [{"a": "x"}, {"a": "y"}]', '/o has {"b": [4]}', '/o has {"a": "1"}', '/l lacks {"a": "z"}', '/s ~ 2',
            '/q ~ .', 'Location absent', 'Location ~ ^1', 'dialect op', 'dialect none', '/q => kept', '/l/2/a "z"', '/o {"a": 1}'],
    );
    for my $holds (sort keys %checks) {
        my @wrong = grep { ($player->_holds(Scim::Interop::_check($_, 1), $r) eq '') ne $holds } @{ $checks{$holds} };
        is "@wrong", '', $holds ? 'every check of a matching answer holds' : 'no check of another answer holds';
    }
    return;
}

# The attribute paths of a body, as docs/*.md write them: of a resource, or of the operations of a PATCH. An element of a
# multi-valued attribute is selected by its type and, if it is the primary one, also by that.
sub paths_of {
    my ($body) = @_;
    return map $_->{path} // (), @{ $body->{Operations} } if $body->{Operations};
    my @paths;
    for my $name (sort keys %$body) {
        my ($value, $urn) = ($body->{$name}, $name =~ /^urn:/);
        my @elements = ref $value eq 'ARRAY' ? grep ref eq 'HASH', @$value : ();
        push @paths, $name if !ref $value || ref $value eq 'ARRAY' || JSON::PP::is_bool($value);
        for my $e (@elements) {
            my @at = map "$name\[$_]", $e->{type} ? qq(type eq "$e->{type}") : (), $e->{primary} ? 'primary eq true' : ();
            push @paths, map { my $at = $_; map "$at.$_", keys %$e } @at;
        }
        push @paths, map $name . ($urn ? ':' : '.') . $_, paths_of($value) if ref $value eq 'HASH';
    }
    return @paths;
}

# Checks that each attribute in the tables "Attribute mapping" of a page is sent in the dialogues of a file.
sub mapped {
    my ($page, $file) = @_;
    open my $f, '<', "$FindBin::Bin/../docs/$page" or die "$page: $!";
    my ($section) = do { local $/; <$f> } =~ /^## Attribute mapping\n(.*?)^## /ms or return fail "$page has the section Attribute mapping";
    my @targets = $section =~ /^\|[^|]+\| `([^`]+)` \|/mg;
    my $player = Scim::Interop->new(base => 'http://localhost/x', token => 't');
    my %sent = map { $_ => 1 } map { paths_of($_) } map { $player->sample_body($_) }
        map @{ $_->{steps} }, Scim::Interop::read_file("$FindBin::Bin/interop/$file");
    cmp_ok scalar @targets, '>', 20, "docs/$page lists more than 20 attributes";
    is join(' ', grep !$sent{$_}, @targets), '', "$file sends every attribute of docs/$page";
    return;
}

if (defined $base) {
    defined $token or BAIL_OUT('usage: perl t/080-interop.t BASE TOKEN [FILE …]');
    play(default => base => $base, token => $token);
    done_testing;
    exit;
}

my $custom = "$FindBin::Bin/interop/custom-user.json";
my $t = Scim->new(workers => 2, http => "scim_store main %%DIR%%/store;\nscim_schema $custom;", server => <<'EOS');
    client_max_body_size 4m;
    add_header X-Scim-Dialect $scim_dialect always;
    location /scim/v2/ { scim main; }
    location /rfc/v2/ { scim main; scim_profile rfc; }
EOS
test_the_checks();
my $tenant = $t->seed('acme');
$t->start->served('/scim/v2/Users', token => $tenant);
my $at = 'http://127.0.0.1:' . $t->port;
play(default => base => "$at/scim/v2", token => $tenant, dialect => 1);
play(rfc => base => "$at/rfc/v2", token => $tenant);

# Every row of the list in deviations.txt has a case.
my %row = map { $_ => 1 } map @{ $_->{rows} }, @cases;
is join(' ', grep !$row{$_}, map "2.$_", 1 .. 37), '', 'every known deviation has a case';
mapped('entra.md', 'entra-mapping.txt');
mapped('okta.md', 'okta-mapping.txt');
my ($left) = map $_->{json}{totalResults}, $t->request(GET => '/scim/v2/Users', token => $tenant);
is $left, 0, 'the cases delete every resource that they create';

$t->finish;
