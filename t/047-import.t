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
# A type of which each resource has a manager.
my $post_schema = { schemas => ['urn:ietf:params:scim:schemas:core:2.0:Schema'], id => 'urn:example:Post', name => 'Post', attributes => [
    { name => 'displayName', type => 'string', required => JSON::PP::true, uniqueness => 'server' },
    { name => 'manager', type => 'complex', required => JSON::PP::true, subAttributes => [
        { name => 'value', type => 'string' }, { name => '$ref', type => 'reference', referenceTypes => [qw(Post User)] }] }] };
my $post_type = { schemas => ['urn:ietf:params:scim:schemas:core:2.0:ResourceType'], id => 'Post', name => 'Post', endpoint => '/Posts',
    schema => 'urn:example:Post' };
my $http = Scim::Examples::slurp('custom-types.conf') . 'scim_schema %%DIR%%/post-schema.json; scim_schema %%DIR%%/post-type.json;';
my ($t) = Scim::Examples::start($http, server => 'location /scim/v2/ { scim main; }', files => sub {
    my %file = ('post-schema.json' => $post_schema, 'post-type.json' => $post_type);
    while (my ($name, $content) = each %file) {
        open my $f, '>', "$_[0]/$name" or die "$name: $!";
        print $f $json->encode($content);
        close $f;
    }
});
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
sub named { return map { ($_->{userName} // $_->{displayName} // $_->{id}) => $_ } grep $_->{meta}, records(exported($_[0])) }
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
sub show { return $json->decode(($t->scimctl(qw(--json user show --tenant), @_))[1]) }
ok show(qw(copy ada))->{blocked}, 'a block is part of an export';
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
is_deeply $counts, { created => 4, updated => 0, unchanged => 0, skipped => 0, refused => 7, tombstones => 0, missingReferences => 1,
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
# The text of such an id has the length of a UUID, and a backslash.
my $escaped = 'x' x 34 . '"';
$t->tenant('escaped');
counts_are([0, { created => 2 }], import('escaped', file_of(Scim::user('boss', id => $escaped),
    Scim::user('ada', schemas => ["${core}User", $enterprise], $enterprise => { manager => { value => $escaped } }))),
    'the id of another server may contain a quotation mark');
my %escaped = named('escaped');
is $escaped{ada}{$enterprise}{manager}{value}, $escaped{boss}{id}, 'a manager follows such an id';
is +($t->scimctl('verify'))[0], 0, 'scimctl verify finds no fault in the record of its user';
sub post { my ($name, $manager) = @_; return { id => $name, schemas => ['urn:example:Post'], displayName => $name, manager => { value => $manager } } }
$t->tenant('posts');
my @post = import('posts', '--errors', $errors, file_of(Scim::user('head', id => 'head'), post('filled', 'head'), post('vacant', 'nobody'),
    post('early', 'late'), post('late', 'head')));
counts_are([1, { created => 3, refused => 2 }], @post, 'a resource that must have a manager is not created without it');
is_deeply [map $json->decode($_)->{error}{detail}, split /\n/, Scim::_slurp($errors)],
    [map "manager: \"$_\" is not the id of a record before this one: \"manager\" is required and has no value", qw(nobody late)],
    'the reasons are in the file of --errors';
my %post = named('posts');
is $post{filled}{manager}{value}, $post{head}{id}, 'one whose manager is before it is created';
counts_are([0, { created => 1, skipped => 1 }],
    import('posts', '--on-conflict', 'skip', file_of(post('filled', 'elsewhere'), post('below', 'filled'))), 'to skip it, no manager is needed');
%post = named('posts');
is $post{below}{manager}{value}, $post{filled}{id}, 'and records refer to the one that was skipped';
counts_are([1, { refused => 1 }], import('posts', '--on-conflict', 'update', file_of(post('filled', 'elsewhere'))),
    'it is not updated without its manager');
is {named('posts')}->{filled}{manager}{value}, $post{head}{id}, 'and keeps the one it has';
counts_are([1, { refused => 1 }], import('bad', '--keep-ids', file_of(Scim::user('k', id => 'K'))),
    'with --keep-ids an id must be a UUID');
counts_are([1, { refused => 1 }], import('bad', '--keep-ids', file_of({ %{ Scim::user('k') }, meta => { created => 'now' } })),
    'with --keep-ids a time must be a dateTime');

# --- who is kept out

my $id_of = sub { sprintf '0%07x-0000-7000-8000-000000000000', $_[0] };
my ($access, $deleted) = ('urn:nginx-scim:access', 'urn:nginx-scim:deleted');
my $kc = $t->client(token => $t->token($t->tenant('kept')));
$t->served('/scim/v2/Users', token => $kc->{token});
my %kept = map { $_->{userName} => $kc->request(POST => '/scim/v2/Users', json => $_)->{json}{id} } map Scim::user(@$_),
    ['plain'], ['revoked'], ['blocked'], ['Gone', externalId => 'X-1'], ['y' x 450, externalId => "\x{e4}" x 300];
$kc->request(DELETE => "/scim/v2/Users/$kept{$_}")->{status} == 204 or die 'DELETE' for 'Gone', 'y' x 450;
is +($t->scimctl(qw(user revoke --tenant kept revoked)))[0], 0, 'sessions are revoked';
is +($t->scimctl(qw(user block --tenant kept blocked)))[0], 0, 'a user is blocked';
my $kept = exported('kept');
%by = named('kept');
is_deeply $by{revoked}{$access}, { notBefore => show(qw(kept revoked))->{notBefore} }, 'a not-before is written with its user';
is_deeply $by{blocked}{$access}, { blocked => show(qw(kept blocked))->{blockedSince} }, 'so is a block';
ok !exists $by{plain}{$access}, 'a user who is not kept out has nothing of it';
my @gone = map $_->{$deleted}, grep $_->{$deleted}, records($kept);
is_deeply [map { my $d = $_; map "$_ " . ($d->{$_} =~ s/(?<=\A.{20}).{700,}//r), grep $_ ne 'notBefore', keys %$d } @gone],
    ['userName gone', 'userNameKey ' . '79' x 10, 'externalId X-1', 'externalIdKey ' . 'c3a4' x 5, map "id $_", sort @kept{'Gone', 'y' x 450}],
    'what keeps deleted users out follows, by userName, externalId and id';
is scalar(grep { ($_->{notBefore} // '') =~ /\A\d{4}-.*Z\z/ } @gone), 6, 'with the time of the deletion';
($exit, undef, $err) = $t->scimctl(qw(export --tenant kept));
like $err, qr/^scimctl: 3 resources and 6 names and ids of deleted users exported$/m, 'export says how many there are';
my $kept_file = $t->write_file('kept.ndjson', $kept);
$t->tenant('kept2');
counts_are([0, { created => 3, tombstones => 6 }], import('kept2', '--keep-ids', $kept_file), 'import reads them');
is exported('kept2'), $kept, 'the export of the import has the same bytes';
counts_are([0, { unchanged => 3, tombstones => 6 }], import('kept2', qw(--keep-ids --on-conflict update), $kept_file), 'a second import changes nothing');
is exported('kept2'), $kept, 'and no byte';
is_sound('after an import of who is kept out');

$t->tenant('kept3');
counts_are([0, { created => 3, tombstones => 4, skipped => 2 }], import('kept3', $kept_file), 'without --keep-ids the ids of deleted users are left out');
my %kept3 = named('kept3');
is_deeply $kept3{$_}{$access}, $by{$_}{$access}, "$_ is kept out as before" for qw(revoked blocked plain);
counts_are([0, { created => 3 }], import('kept3', file_of(Scim::user('GONE'), Scim::user('y' x 450), Scim::user('ext', externalId => "\x{e4}" x 300))),
    'the names of deleted users are used again');
%kept3 = named('kept3');
is_deeply $kept3{$_->[0]}{$access}, { notBefore => $gone[$_->[1]]{notBefore} }, "$_->[2] of a deleted user is inherited"
    for ['GONE', 0, 'the userName'], ['y' x 450, 1, 'a long userName'], ['ext', 3, 'a long externalId'];
is_sound('after they were inherited');

# An update, and a line of a deleted user whose name a user has.
sub access_of { return { named($_[0]) }->{$_[1]}{$access} }
sub kept_line { my ($id, $name, %state) = @_; return { %{ Scim::user($name) }, id => $id, $access => \%state } }
my @update = qw(kept2 --keep-ids --on-conflict update);
my $revoked = $by{revoked}{$access}{notBefore};
counts_are([0, { unchanged => 1 }], import(@update, file_of(kept_line($kept{revoked}, 'revoked', notBefore => '2001-01-01T00:00:00Z'))),
    'an earlier not-before changes nothing');
is access_of('kept2', 'revoked')->{notBefore}, $revoked, 'it does not lower the one that is there';
counts_are([0, { updated => 1 }], import(@update, file_of(kept_line($kept{plain}, 'plain', notBefore => '2001-01-01T00:00:00.5+01:00'))),
    'a not-before alone is an update');
is access_of('kept2', 'plain')->{notBefore}, '2000-12-31T23:00:00.500Z', 'it is there';
like +(split /\n/, ($t->scimctl(qw(log --tenant kept2)))[1])[-1], qr/  revoke   User  $kept{plain}/, 'the log has it';
counts_are([0, { updated => 1 }], import(@update, file_of({ %{ kept_line($kept{plain}, 'plain', notBefore => '2002-01-01T00:00:00Z') }, title => 'x' })),
    'an update of the user has its not-before, too');
is access_of('kept2', 'plain')->{notBefore}, '2002-01-01T00:00:00.000Z', 'which is there';
sub last_lines { my ($tenant, $n) = @_; return join "\n", (split /\n/, ($t->scimctl(qw(log --tenant), $tenant))[1])[-$n .. -1] }
like last_lines('kept2', 2), qr/  replace  User  $kept{plain}.*\n.*  revoke   User  $kept{plain}/, 'the log has both';
counts_are([0, { updated => 1 }], import(@update, file_of({ %{ kept_line($kept{revoked}, 'revoked', blocked => '2002-01-01T00:00:00Z') }, title => 'x' })),
    'an update of a user has its block, too');
like last_lines('kept2', 2), qr/  replace  User  $kept{revoked}.*\n.*  block    User  $kept{revoked}/, 'which the log has';
counts_are([0, { created => 1 }], import(@update, file_of(kept_line($id_of->(9), 'new', blocked => '2002-01-01T00:00:00Z'))), 'a user is created blocked');
like last_lines('kept2', 2), qr/  create   User  @{[$id_of->(9)]}.*\n.*  block    User  @{[$id_of->(9)]}/, 'the log has the block';
counts_are([0, { updated => 1 }], import(@update, file_of({ %{ Scim::user('plain', title => 'y') }, id => $kept{plain} })), 'an update without it');
is access_of('kept2', 'plain')->{notBefore}, '2002-01-01T00:00:00.000Z', 'leaves it';
counts_are([0, { tombstones => 1 }], import('kept2', file_of({ $deleted => { userName => 'PLAIN', blocked => '2003-01-01T00:00:00Z' } })),
    'the userName of a deleted user that another user has');
ok show(qw(kept2 plain))->{blocked}, 'that user is blocked at once';
counts_are([0, { tombstones => 1 }], import('kept2', '--keep-ids', file_of({ $deleted => { id => $kept{revoked}, blocked => '2003-01-01T00:00:00Z' } })),
    'the id of a deleted user that a user has');
ok show(qw(kept2 revoked))->{blocked}, 'blocks that user';
my $line = { $deleted => { userName => 'soon', notBefore => '9999-01-01T00:00:00Z' } };
counts_are([0, { tombstones => 1 }], import('kept2', '--dry-run', file_of($line)), 'a dry run counts a deleted user');
is exported('kept2') =~ /"soon"/, '', 'and writes nothing';
my $latest = time + 300;
import('kept2', file_of($line));
my ($soon) = exported('kept2') =~ /"userName":"soon","notBefore":"([^"]+)"/;
require Time::Local;
my $soon_time = $soon =~ /\A(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)/ ? Time::Local::timegm($6, $5, $4, $3, $2 - 1, $1) : 0;
cmp_ok $soon_time, '>=', $latest, 'a time that is far in the future becomes 300 seconds after now';
cmp_ok $soon_time, '<=', time + 300, 'not later';
is_sound('after updates of who is kept out');

# Blocks of two users of another directory may have the same time.
$t->tenant('equal');
my $same = '2003-01-01T00:00:00Z';
import('equal', file_of(map +{ $deleted => { $_->[0] => $_->[1], blocked => $same, blockedUser => $_->[2] } },
    ['userName', 'a', $id_of->(1)], ['externalId', 'a-x', $id_of->(1)], ['userName', 'b', $id_of->(2)], ['externalId', 'b-x', $id_of->(2)]));
my ($unblocked) = ($t->scimctl(qw(--json user unblock --tenant equal a)))[1];
is $json->decode($unblocked)->{tombstones}, 2, 'unblock ends the block of one imported user';
is_deeply [map $_->{$deleted}{userName} // $_->{$deleted}{externalId}, records(exported('equal'))], ['b', 'b-x'], 'and not that of another';
is +($t->scimctl(qw(user unblock --tenant equal), $id_of->(2)))[0], 0, 'the other one is unblocked by its id, which itself is not blocked';
is exported('equal'), '', 'and all that it has left';
is +($t->scimctl(qw(user unblock --tenant equal), $id_of->(2)))[0], 1, 'an id that has left nothing is of no user';

# The user who has left a tombstone is imported under another id, and keeps it when the same input is imported again.
{
    my @input = ({ id => $id_of->(3), %{ Scim::user('ada2') }, $access => { blocked => $same } },
        { $deleted => { userName => 'ada', blocked => $same, blockedUser => $id_of->(3) } },
        { $deleted => { userName => 'nobody', blocked => $same } });
    $t->tenant('again');
    counts_are([0, { created => 1, tombstones => 2 }], import('again', file_of(@input)), 'a blocked user and the name that it has left are imported');
    my $imported = exported('again');
    like $imported, qr/"userName":"ada",.*"blockedUser":"/, 'the name is of the user';
    counts_are([1, { refused => 1, tombstones => 2 }], import('again', file_of(@input)), 'a second import refuses the user');
    is exported('again'), $imported, 'and changes nothing';
    counts_are([1, { refused => 1, tombstones => 2 }], import('again', file_of({ %{ $input[0] }, id => '00000000-0000-0000-0000-000000000000' },
        @input[1, 2])), 'nor does one in which the user has the id that stands for nobody');
    is exported('again'), $imported, 'the name that nobody has left stays so';
    is +($t->scimctl(qw(user unblock --tenant again ada2)))[0], 0, 'the user is unblocked';
    is_deeply [map $_->{$deleted}{userName}, grep $_->{$deleted}, records(exported('again'))], ['nobody'], 'and the name that it has left';
}

# A value that nobody has left may be the name of another user in another attribute: unblock of this name ends it.
{
    $t->tenant('values');
    import('values', file_of(Scim::user('bob'), { $deleted => { externalId => 'bob', blocked => $same } }));
    my ($exit, $out) = $t->scimctl(qw(--json user unblock --tenant values bob));
    is_deeply [$exit, $json->decode($out)->{tombstones}], [0, 1], 'unblock of a user ends what nobody has left under its userName as an externalId';
    unlike exported('values'), qr/$deleted/, 'and the value is free';
}

my $now = '2020-01-01T00:00:00Z';
my @hex = ('00' x 400, '00' x 401);
for (
    [{ %{ Scim::user('z') }, $access => 1 }, qr/"$access": the value must be an object, not a number/],
    [{ %{ Scim::user('z') }, $access => {} }, qr/"$access": it must have blocked or notBefore/],
    [{ %{ Scim::user('z') }, $access => { notBefore => 'now' } }, qr/"$access": notBefore must be a dateTime after 1970, not "now"/],
    [{ %{ Scim::user('z') }, $access => { blocked => JSON::PP::true } }, qr/"$access": blocked must be a dateTime after 1970, not true/],
    [{ %{ Scim::user('z') }, $access => { notBefore => '1969-12-31T23:59:59Z' } }, qr/must be a dateTime after 1970/],
    [{ %{ Scim::user('z') }, $access => { blocked => $now, blockedUser => $kept{plain} } }, qr/"$access": there is no member "blockedUser"/],
    [{ $deleted => { userName => 'z', blocked => $now, blockedUser => 'Z' } }, qr/"$deleted": blockedUser must be a UUID in lower case, not "Z"/],
    [{ $deleted => { userName => 'z', blocked => $now, blockedUser => 1 } }, qr/"$deleted": blockedUser must be a UUID in lower case, not a number/],
    [{ $deleted => { userName => 'z', notBefore => $now, blockedUser => $kept{plain} } }, qr/"$deleted": it has blockedUser, but not blocked/],
    [{ %{ Scim::user('z') }, $access => { until => $now } }, qr/"$access": there is no member "until"/],
    [{ %{ group('Z') }, $access => { blocked => $now } }, qr/only users can be kept out, by "$access"; this is a Group/],
    [{ $deleted => { notBefore => $now } }, qr/"$deleted": it must have one of userName, externalId and id/],
    [{ $deleted => { userName => 'z' } }, qr/"$deleted": it must have blocked or notBefore/],
    [{ $deleted => { userName => 'z', id => $kept{plain}, notBefore => $now } }, qr/"$deleted": it must have one of userName, externalId and id only/],
    [{ $deleted => { userName => '', notBefore => $now } }, qr/userName must be a string that is not empty, not ""/],
    [{ $deleted => { id => 'Z', notBefore => $now } }, qr/id must be a UUID in lower case, not "Z"/],
    [{ $deleted => { userNameKey => 'FF', notBefore => $now } }, qr/userNameKey must be 2 to 800 hexadecimal digits in lower case, not "FF"/],
    [{ $deleted => { externalIdKey => $hex[1], notBefore => $now } }, qr/externalIdKey must be 2 to 800 hexadecimal digits/],
    [{ $deleted => { externalIdKey => $hex[0], notBefore => $now } }, undef],
    [{ $deleted => { userName => 'z', notBefore => $now }, userName => 'z' }, qr/"$deleted": the line must have no other member/],
) {
    my ($record, $why) = @$_;
    ($exit, undef, $err) = $t->scimctl(qw(import --tenant kept3), file_of($record));
    $why ? like($err, qr/^scimctl: line 1: .*$why/m, 'refused: ' . substr $json->encode($record), 0, 100) : is($exit, 0, 'a key of 800 digits is accepted') || diag $err;
}
is +(grep /"z"/, exported('kept3')) + 0, 0, 'nothing of a refused line is imported';

# --- a group of many members, times

$t->tenant('large');
my $id = $id_of;
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

# A computed $ref is not written.
my $apps = 'urn:ietf:params:scim:schemas:extension:endpointAppsExt:2.0:Device';
$t->tenant($_) for qw(refs refs2);
my %ref = map { my $tenant = $_; $tenant => $t->client(token => $t->token($tenant)) } qw(refs refs2);
my $app = $ref{refs}->request(POST => '/scim/v2/EndpointApps', json => { schemas => ["${core}EndpointApp"], applicationType => 'deviceControl',
    applicationName => 'App', certificateInfo => { rootCA => 'MIIB', subjectName => 'CN=App' } });
is $app->{status}, 201, 'an application' or diag $app->{body};
my $refers = $ref{refs}->request(POST => '/scim/v2/Devices', json => { schemas => ["${core}Device", $apps], displayName => 'Refers', active => JSON::PP::true,
    $apps => { applications => [{ value => $app->{json}{id}, '$ref' => "../EndpointApps/$app->{json}{id}" }], telemetryEnterpriseEndpoint => 'https://example.com/t' } });
is $refers->{status}, 201, 'a device that refers to it' or diag $refers->{body};
is_deeply {named('refs')}->{Refers}{$apps}{applications}, [{ value => $app->{json}{id} }], 'export leaves out a computed $ref';
counts_are([0, { created => 2 }], import('refs2', '--keep-ids', $t->write_file('refs.ndjson', exported('refs'))), 'they are imported');
like $ref{refs2}->request(GET => "/scim/v2/Devices/$refers->{json}{id}")->{json}{$apps}{applications}[0]{'$ref'}, qr{^http.*/EndpointApps/\Q$app->{json}{id}\E$},
    'the server computes it again';

$t->tenant('times');
counts_are([0, { created => 1 }], import('times', '--keep-ids', file_of({ %{ Scim::user('late') }, meta => { lastModified => $meta{lastModified} } })),
    'a record may have lastModified only');
is_deeply {named('times')}->{late}{meta}, { resourceType => 'User', created => $meta{lastModified}, lastModified => $meta{lastModified} },
    'it was created then';

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

for ([2, qr/--tenant is required/, qw(import x)], [2, qr/import needs a FILE or --from URL/, qw(import --tenant acme)],
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
