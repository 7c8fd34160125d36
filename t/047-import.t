#!/usr/bin/perl
# scimctl export writes all resources of a tenant, and scimctl import reads them into another one beside a running nginx: with
# --keep-ids the export of the import has the same bytes, without it references follow the new ids. Records that cannot be
# imported are refused one by one, with the line and the reason. An import that was killed continues where it was.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use Test::More;
use Scim;
use Scim::Examples;

my $json = $Scim::json;
my $http = Scim::Examples::slurp('custom-types.conf');
my ($t) = Scim::Examples::start($http, server => 'location /scim/v2/ { scim main; }');
my $token = $t->token($t->tenant('acme'));
$t->served('/scim/v2/Users', token => $token);
my $c = $t->client(token => $token);
my ($core, $enterprise) =
    ('urn:ietf:params:scim:schemas:core:2.0:', 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User');

sub create {
    my ($path, $body) = @_;
    my $r = $c->request(POST => "/scim/v2/$path", json => $body);
    $r->{status} == 201 or die "create: $r->{status} $r->{body}";
    return $r->{json}{id};
}
sub group {
    my ($name, @members) = @_;
    return { schemas => ["${core}Group"], displayName => $name, members => [map +{ value => $_ }, @members] };
}
sub exported {
    my ($tenant) = @_;
    my ($exit, $out, $err) = $t->scimctl('export', '--tenant', $tenant);
    $exit == 0 or die "export: $exit: $err";
    return $out;
}
sub records { return map $json->decode($_), split /\n/, $_[0] }
# The records of a tenant by userName or displayName.
sub named { return map { ($_->{userName} // $_->{displayName} // $_->{id}) => $_ } records(exported($_[0])) }
sub file_of { return $t->write_file('input.ndjson', join '', map { (ref $_ ? $json->encode($_) : $_) . "\n" } @_) }
# Imports a file with --json: (exit code, counts, stderr).
sub import {
    my ($tenant, @more) = @_;
    my ($exit, $out, $err) = $t->scimctl('--json', 'import', '--tenant', $tenant, @more);
    return ($exit, $out ne '' ? $json->decode($out) : undef, $err);
}
sub counts_are {
    my ($want, $exit, $counts, $err, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my %got = map { $_ => $counts->{$_} } grep $counts->{$_} && !ref $counts->{$_}, keys %{ $counts // {} };
    is_deeply [$exit, \%got], $want, $name or diag $err;
    return;
}
sub is_sound {
    my ($name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($exit, $out) = $t->scimctl('verify');
    is $exit, 0, "verify finds no problem $name" or diag $out;
    return;
}

# --- the round trip

my $boss = create('Users', Scim::user('boss', password => 'Secret-1234', displayName => "B\x{f6}ss \x{1F451}\x{65e5}"));
my $ada = create('Users', Scim::user('ada', externalId => 'x' x 400, active => JSON::PP::false,
    emails => [{ value => 'ada@example.com', type => 'work', primary => JSON::PP::true }],
    schemas => ["${core}User", $enterprise], $enterprise => { department => 'R&D', manager => { value => $boss } }));
my $long = create('Users', Scim::user('y' x 399, externalId => "\x{f1}" x 300));
my $device = create('Devices', { schemas => ["${core}Device"], displayName => 'Lamp', active => JSON::PP::true });
my $inner = create('Groups', group('Inner', $ada, $long));
my $outer = create('Groups', group('Outer', $inner, $boss));
create('Groups', group('Empty'));
is +($t->scimctl(qw(user block --tenant acme ada)))[0], 0, 'ada is blocked';
my $first = exported('acme');
my @records = records($first);
is_deeply [map $_->{meta}{resourceType}, @records], [qw(Device User User User Group Group Group)],
    'export writes the types in the order of their names, and groups last';
is_deeply [map $_->{id}, @records], [$device, sort($boss, $ada, $long), sort($inner, $outer, $records[-1]{id})],
    'export writes the resources of a type in the order of their ids';
is_deeply [sort keys %{ $records[1]{meta} }], [qw(created lastModified resourceType)], 'export leaves out version and location';
my %by = named('acme');
is_deeply $by{Outer}{members}, [map +{ value => $_->[0], type => $_->[1] },
    sort { $a->[0] cmp $b->[0] } [$inner, 'Group'], [$boss, 'User']], 'members are written with value and type';
is_deeply $by{ada}{$enterprise}, { department => 'R&D', manager => { value => $boss } },
    'a manager is written without its computed parts';
ok !exists $by{ada}{groups}, 'groups of a user are not written';
unlike $first, qr/password|Secret/, 'a password is not written';

$t->tenant('copy');
my $input = $t->write_file('acme.ndjson', $first);
counts_are([0, { created => 7 }], import('copy', '--keep-ids', $input), 'import --keep-ids creates every record');
is exported('copy'), $first, 'the export of the import has the same bytes';
is_sound('after an import');
is $json->decode(($t->scimctl(qw(--json user show --tenant copy ada)))[1])->{blocked}, JSON::PP::false,
    'a block is not part of an export';
counts_are([1, { refused => 7 }], import('copy', '--keep-ids', $input), 'the same import again refuses every record');
counts_are([0, { skipped => 7 }], import('copy', qw(--keep-ids --on-conflict skip), $input), '--on-conflict skip skips them');
counts_are([0, { unchanged => 7 }], import('copy', qw(--keep-ids --on-conflict update), $input),
    '--on-conflict update finds them unchanged');
is exported('copy'), $first, 'and changes no byte';

# --- new ids

$t->tenant('new');
counts_are([0, { created => 7 }], import('new', $input), 'import without --keep-ids creates every record');
my %new = named('new');
is scalar(grep $first =~ /\Q$_->{id}/, values %new), 0, 'every resource has a new id';
is $new{ada}{$enterprise}{manager}{value}, $new{boss}{id}, 'a manager follows the new ids';
is_deeply [sort map $_->{value}, @{ $new{Outer}{members} }], [sort $new{Inner}{id}, $new{boss}{id}],
    'members follow the new ids, also groups in groups';
ok !$new{ada}{active}, 'active stays false';
is_sound('after an import with new ids');

# --- conflicts

$t->tenant('other');
import('other', file_of(Scim::user('ada', id => 'u1', displayName => 'Old', active => JSON::PP::false)));
my ($old) = records(exported('other'));
sub ada_in { return file_of(Scim::user('ADA', id => 'a', displayName => 'New'), { %{ group($_[0], 'a') }, id => 'g' }) }
my ($exit, $counts, $err) = import('other', ada_in('One'));
counts_are([1, { created => 1, refused => 1, missingReferences => 1 }], $exit, $counts, $err,
    'a userName that is taken is refused');
like $err, qr/\A\z/, 'with --json errors are not printed';
($exit, undef, $err) = $t->scimctl(qw(import --tenant other), ada_in('Two'));
like $err, qr/^scimctl: line 1: userName "ADA" is taken by the inactive User \Q$old->{id}\E$/m,
    'the refusal names the line and the resource';
like $err, qr/^scimctl: line 2: members: "a" is not the id of a record that was imported; it is left out$/m,
    'a member that was refused is left out of its group';
counts_are([0, { created => 1, skipped => 1 }], import('other', '--on-conflict', 'skip', ada_in('Three')),
    '--on-conflict skip imports the other records');
is_deeply [map $_->{value}, map @{ $_->{members} // [] }, records(exported('other'))], [$old->{id}],
    'a member that was skipped is the resource that is there';
counts_are([0, { updated => 2 }], import('other', '--on-conflict', 'update', ada_in('One')),
    '--on-conflict update replaces the resources');
my %other = named('other');
is_deeply $other{One}{members}, [{ value => $old->{id}, type => 'User' }], 'with their members';
is_deeply [@{ $other{ADA} }{qw(id displayName)}, !!$other{ADA}{active}], [$old->{id}, 'New', !!0],
    'an update keeps the id, and a user that is not active stays so';

# --- refused records

$t->tenant('bad');
my $errors = "$t->{dir}/errors.ndjson";
my @bad = (
    ['{"userName"', qr/JSON/], [{ userName => 'x' }, qr/no meta\.resourceType, and its "schemas" contains the schema of no/],
    [{ meta => { resourceType => 'Robot' } }, qr/there is no resource type "Robot"/],
    [{ schemas => ["${core}User"] }, qr/userName/], [Scim::user('z', active => 'maybe'), qr/active/],
    [Scim::user('ok', id => 'same', costCentre => 1), undef], [Scim::user('second', id => 'same'), qr/an earlier record has the id "same"/],
    [{ %{ group('Later', 'late', 'never') }, id => 'g1' }, qr/members: "never" is not the id/],
    [Scim::user('late', id => 'late', schemas => ["${core}User", $enterprise], $enterprise => { manager => { value => 'later' } }), undef],
    ['', undef], [Scim::user('later', id => 'later'), undef],
    [{ %{ group('Bad', 'late') }, id => 'g2', members => [{ value => 7 }] }, qr/members\[0\]/],
);
my @in = (file_of(map $_->[0], @bad), '--errors', $errors);
($exit, $counts, $err) = import('bad', '--dry-run', @in);
my %dry = %$counts;
is exported('bad'), '', '--dry-run writes nothing';
($exit, $counts, $err) = import('bad', @in);
is_deeply $counts, \%dry, '--dry-run has found what the import finds';
is_deeply $counts, { created => 4, updated => 0, unchanged => 0, skipped => 0, refused => 7, missingReferences => 1,
    ignoredAttributes => { costCentre => 1 } }, 'each record is imported or refused for itself';
is $exit, 1, 'an import with refused records exits with 1';
my @errors = map $json->decode($_), split /\n/, Scim::_slurp($errors);
is join(' ', map $_->{line}, @errors), '1 2 3 4 5 7 12 8', '--errors has a line for each of them, by the number of its line';
for (@errors) {
    my ($text, $why) = @{ $bad[$_->{line} - 1] };
    like $_->{error}{detail}, $why, "line $_->{line} has its reason";
    is_deeply $_->{record}, $_->{line} == 8 ? undef : $text, "line $_->{line} has its record";
}
my %bad = named('bad');
is_deeply $bad{Later}{members}, [{ value => $bad{late}{id}, type => 'User' }], 'a member may follow its group';
is $bad{late}{$enterprise}{manager}{value}, $bad{later}{id}, 'a manager may follow the user';
counts_are([1, { refused => 1 }], import('bad', '--keep-ids', file_of(Scim::user('k', id => 'K'))),
    'with --keep-ids an id must be a UUID');
counts_are([1, { refused => 1 }], import('bad', '--keep-ids', file_of({ %{ Scim::user('k') }, meta => { created => 'now' } })),
    'with --keep-ids a time must be a dateTime');

# --- a group of many members, times

$t->tenant('large');
my $id = sub { sprintf '0%07x-0000-7000-8000-000000000000', $_[0] };
my %meta = (created => '2020-01-01T00:00:00.000Z', lastModified => '2021-01-01T00:00:00.000Z');
my @large = ((map +{ %{ Scim::user("user$_") }, id => $id->($_), meta => { resourceType => 'User', %meta } }, 1 .. 2500),
    map { +{ %{ group("All$_", map $id->($_), 1 .. 2500) }, id => $id->(3000 + $_), meta => { resourceType => 'Group', %meta } } }
        1 .. 2);
push @{ $large[2500]{members} }, { value => $id->(3002) };
counts_are([0, { created => 2502 }], import('large', '--keep-ids', file_of(@large)), 'groups of 2,500 members are imported');
my %large = named('large');
is_deeply [map scalar @{ $large{$_}{members} }, 'All1', 'All2'], [2501, 2500], 'with all their members';
is_deeply $large{All1}{meta}, { resourceType => 'Group', %meta },
    'and their times, although their members were added in several steps';
is_sound('after the import of large groups');

# --- an import that is killed

my $many = join '', map { $json->encode($large[$_ % 2500]) =~ s/user\d+/more$_/r =~ s/"id":"[^"]+"/'"id":"' . $id->(5000 + $_) . '"'/er . "\n" }
    1 .. 20000;
my $path = $t->write_file('many.ndjson', $many . $json->encode({ %{ $large[2501] }, members => [map +{ value => $id->(5000 + $_) }, 1 .. 20000] }) . "\n");
for my $tenant (qw(whole killed)) { $t->tenant($tenant) }
counts_are([0, { created => 20001 }], import('whole', '--keep-ids', $path), '20,000 users and a group of them are imported');
my $pid = open my $to, '|-', $ENV{TEST_SCIMCTL}, '--store', $t->{store}, qw(import --tenant killed --keep-ids -) or die $!;
print $to $many;
$to->flush;
ok $t->wait_for(sub { exported('killed') =~ tr/\n// > 0 }), 'an import from stdin writes before the end of the input';
kill KILL => $pid;
close $to;
is $? & 127, 9, 'it is killed';
is_sound('after an import was killed');
my $before = exported('killed') =~ tr/\n//;
cmp_ok $before, '<', 20001, 'the killed import has not written everything';
($exit, undef, $err) = $t->scimctl(qw(import --tenant killed --keep-ids), $path);
is $exit, 0, 'the same command imports the rest' or diag $err;
like $err, qr/^scimctl: continues the interrupted import after line [\d,]+$/m, 'it says where it continues';
is exported('killed'), exported('whole'), 'the result is that of an import that was not killed';
is_sound('after an import was continued');

# --- usage

for ([2, qr/--tenant is required/, qw(import x)], [2, qr/FILE is required/, qw(import --tenant acme)],
    [2, qr/--on-conflict.*never/, qw(import --tenant acme --on-conflict never x)],
    [2, qr/cannot open "nosuch": No such file/, qw(import --tenant acme nosuch)],
    [1, qr/there is no tenant "amce"; did you mean "acme"/, qw(import --tenant amce), $input],
    [1, qr/there is no tenant "amce"; did you mean "acme"/, qw(export --tenant amce)])
{
    my ($code, $pattern, @command) = @$_;
    my ($got, $out, $said) = $t->scimctl(@command);
    ok $got == $code && $out eq '' && $said =~ $pattern, "scimctl @command exits with $code" or diag "$got $out$said";
}
SKIP: {
    -w '/dev/full' or skip 'no /dev/full', 2;
    my ($got, undef, $said) = $t->run('', 'sh', '-c', 'exec "$@" >/dev/full', 'sh', $ENV{TEST_SCIMCTL}, '--store', $t->{store},
        qw(export --tenant large));
    ok $got == 3 && $said =~ /cannot write the output: No space left/, 'export exits with 3 if its output cannot be written'
        or diag "$got $said";
    ($got, undef, $said) = $t->scimctl(qw(import --tenant bad --errors /dev/full), file_of('{'));
    ok $got == 3 && $said =~ /--errors/, 'import exits with 3 if --errors cannot be written' or diag "$got $said";
}
$t->finish;
