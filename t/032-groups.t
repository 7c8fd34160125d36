#!/usr/bin/perl
# Groups and their members: members in POST, PUT and PATCH, User.groups and manager as computed from them, nested groups, the
# versions of group and member, and what changes when a member or a group is deleted.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $group_urn = 'urn:ietf:params:scim:schemas:core:2.0:Group';
my $enterprise = $Scim::Check::enterprise_urn;
my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => <<'EOS')->start->served('/scim/v2/Users');
    location /scim/v2/ { scim main; }
    location /few/ { scim main; scim_max_members 3; scim_max_operations 2; }
EOS
my $token = $t->token($t->tenant('acme'));
my $c = $t->client(token => $token);
my $base = '/scim/v2';

sub create { my $r = $c->request(POST => "$base/Users", json => Scim::user(@_)); return $r->{json}{id} // diag $r->{body} }
sub group {
    my ($name, @members) = @_;
    return { schemas => [$group_urn], displayName => $name, members => [map +{ value => $_ }, @members] };
}
sub members { return join ' ', sort map $_->{value}, @{ $c->request(GET => "$base/Groups/$_[0]")->{json}{members} // [] } }
sub groups { return join ' ', sort map $_->{value}, @{ $c->request(GET => "$base/Users/$_[0]")->{json}{groups} // [] } }
sub patch {
    my ($path, @operations) = @_;
    return $c->request(PATCH => "$base$path",
        json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => \@operations });
}
sub set { return join ' ', sort @_ }
sub etag { return $c->request(GET => "$base$_[0]")->{headers}{etag} }

my ($ada, $bob, $eve) = (create('ada', displayName => 'Ada L'), create('bob'), create('eve'));

# --- a group and its members

my $before = etag("/Users/$ada");
my $r = $c->request(POST => "$base/Groups", json => { %{ group('Staff', $ada, $bob) }, externalId => 'x' });
is $r->{status}, 201, 'POST of a group with members is answered with 201' or diag $r->{body};
my $staff = $r->{json}{id};
is_deeply [sort keys %{ $r->{json} }], [qw(displayName externalId id members meta schemas)],
    'the answer to POST of a group has its attributes, id, meta and schemas';
my ($member) = grep $_->{value} eq $ada, @{ $r->{json}{members} };
is_deeply $member, { value => $ada, '$ref' => "http://localhost$base/Users/$ada", display => 'Ada L', type => 'User' },
    '[E-6011] a member is returned with value, $ref, display and type';
is +(grep $_->{value} eq $bob, @{ $r->{json}{members} })[0]{display}, 'bob',
    'display of a member without displayName is its userName';
is $r->{json}{meta}{resourceType}, 'Group', '[S-57] meta.resourceType of a group is Group';
$r = $c->request(GET => "$base/Users/$ada");
is_deeply $r->{json}{groups},
    [{ value => $staff, '$ref' => "http://localhost$base/Groups/$staff", display => 'Staff', type => 'direct' }],
    '[S-34] "groups" of a member has the group with value, $ref, display and type';
isnt $r->{headers}{etag}, $before, 'a new membership changes the ETag of the member';
is $r->{json}{meta}{version}, $r->{headers}{etag}, 'meta.version of a member is its ETag';
is $c->request(GET => "$base/Users/$ada", headers => { 'If-None-Match' => $before })->{status}, 200,
    'GET of a member with the ETag from before the membership is answered with 200';
is $c->request(GET => "$base/Users/$ada", headers => { 'If-None-Match' => $r->{headers}{etag} })->{status}, 304,
    'GET of a member with its ETag in If-None-Match is answered with 304';
ok !exists $c->request(GET => "$base/Users/$ada?excludedAttributes=groups")->{json}{groups},
    'excludedAttributes=groups leaves out "groups"';
ok !exists $c->request(GET => "$base/Groups/$staff?excludedAttributes=members")->{json}{members},
    '[S-102] excludedAttributes=members leaves out "members"';
is_deeply $c->request(GET => "$base/Groups/$staff?attributes=members.value")->{json}{members}[0], { value => set($ada, $bob) =~ s/ .*//r },
    'attributes=members.value returns the members with value only';
is $c->request(POST => "$base/Groups", json => group('sTAFF'))->{status}, 409,
    '[S-26] POST of a group with a displayName that is taken, in another case, is refused with 409';
is_error $c->request(POST => "$base/Groups", json => { schemas => [$group_urn] }), 400, 'invalidValue', qr/displayName/,
    '[S-21 E-5368] POST of a group without displayName is refused with 400';

# --- unknown members

my $unknown_id = '01900000-0000-7000-8000-000000000000';
is_error $c->request(POST => "$base/Groups", json => group('Ghosts', $ada, $unknown_id)), 400, 'invalidValue',
    qr/no User or Group with the id "$unknown_id"/,
        '[S-37] POST of a group with one unknown member is refused with 400 and names that member';
is_error $c->request(POST => "$base/Groups", json => group('Ghosts', 'xyz')), 400, 'invalidValue', qr/xyz/,
    'POST of a group with a member that has no valid id is refused with 400';
is_error patch("/Groups/$staff", { op => 'add', path => 'members', value => [{ value => $unknown_id }] }), 400,
    'invalidValue', qr/$unknown_id/,
    'PATCH that adds an unknown member is refused with 400';
is_error patch("/Groups/$staff", { op => 'add', path => 'displayName', value => 'Crew' },
    { op => 'add', path => 'members', value => [{ value => $eve }, { value => $unknown_id }] }), 400, 'invalidValue',
    qr/Operations\[1\]\.value: members: there is no User or Group with the id "$unknown_id"/,
        'PATCH whose second operation adds an unknown member is refused with 400 and names the operation';
is members($staff), set($ada, $bob), '[S-116] a refused PATCH does not change the members';

# --- PATCH

$r = patch("/Groups/$staff", { op => 'add', path => 'members', value => [{ value => $eve }] });
is $r->{status} . $r->{body}, '204', '[S-117] PATCH of a group is answered with 204 and no body';
is members($staff), set($ada, $bob, $eve), 'PATCH add of a member adds it';
my $version = etag("/Groups/$staff");
is patch("/Groups/$staff", { op => 'add', path => 'members', value => [{ value => $eve }] })->{headers}{etag}, $version,
    '[S-38 S-118 S-133] PATCH add of an existing member does not change the ETag';
is patch("/Groups/$staff", { op => 'remove', path => qq(members[value eq "$unknown_id"]) })->{status}, 204,
    '[S-118 S-125] PATCH remove of an unknown member is answered with 204';
is etag("/Groups/$staff"), $version, '[S-118 S-133] PATCH remove of an unknown member does not change the ETag';
is patch("/Groups/$staff", { op => 'Remove', path => 'members', value => [{ value => $bob }] })->{status}, 204,
    'PATCH remove of members with a value is answered with 204';
is members($staff), set($ada, $eve), 'PATCH remove of members with a value removes only that member';
is groups($bob), '', 'PATCH remove of a member removes the group from "groups" of that user';
is patch("/Groups/$staff", { op => 'remove', path => 'members', value => [] })->{status}, 204,
    'PATCH remove of members with an empty array is answered with 204';
is members($staff), set($ada, $eve), 'PATCH remove of members with an empty array removes no member';
is_error patch("/Groups/$staff", { op => 'remove', path => qq(members[value eq "$eve" and type eq "Group"]) }), 400,
    'invalidFilter', qr/can only be selected by value/, 'PATCH remove of members with a filter on type is refused with 400';
is patch("/Groups/$staff", { op => 'remove', path => qq(members[value eq "$eve"]) },
    { op => 'add', path => 'members', value => [{ value => $bob }] }, { op => 'replace', path => 'displayName', value => 'Crew' })->{status},
    204, 'PATCH with three operations is answered with 204';
is members($staff), set($ada, $bob), '[S-116] PATCH with three operations applies all of them';
is $c->request(GET => "$base/Users/$ada")->{json}{groups}[0]{display}, 'Crew',
    '"groups" of a member shows the new displayName of the group';
$r = $c->request(PATCH => "$base/Groups/$staff?attributes=displayName",
    json => { Operations => [{ op => 'add', path => 'members', value => [{ value => $eve }] }] });
is "$r->{status} $r->{json}{displayName}", '200 Crew',
    '[S-98 S-104] PATCH of a group with "attributes" is answered with 200 and the selected attributes';
is patch("/Groups/$staff", { op => 'replace', path => 'members', value => [{ value => $eve }] })->{status}, 204,
    'PATCH replace of members is answered with 204';
is members($staff), $eve, 'PATCH replace of members sets the members';
is patch("/Groups/$staff", { op => 'remove', path => 'members' })->{status}, 204,
    'PATCH remove of members without a value is answered with 204';
is members($staff), '', 'PATCH remove of members without a value removes all members';
$r = patch("/Users/$ada", { op => 'replace', path => 'nickName', value => 'a' });
is "$r->{status} $r->{json}{nickName}", '200 a', '[S-117] PATCH of a user is answered with 200 and the user';
is_error patch("/Groups/$staff", { op => 'add', path => 'members', value => [{ value => $staff }] }), 400, 'invalidValue', qr/itself/,
    'PATCH that adds a group to itself is refused with 400';

# --- PUT

$r = $c->request(PUT => "$base/Groups/$staff", json => group('Crew', $bob, $eve));
is $r->{status}, 200, 'PUT of a group is answered with 200' or diag $r->{body};
is set(map $_->{value}, @{ $r->{json}{members} }), set($bob, $eve), '[S-111] PUT of a group sets the members';
$r = $c->request(PUT => "$base/Groups/$staff", json => group('Crew', $eve, $bob));
is $r->{headers}{etag}, etag("/Groups/$staff"),
    'PUT of a group with the same members in another order does not change the ETag';
is $c->request(PUT => "$base/Groups/$staff", json => { schemas => [$group_urn], displayName => 'Crew' })->{json}{members}, undef,
    'PUT of a group without members removes all members';

# --- scim_max_members and scim_max_operations

my @four = map +{ value => $_ }, $ada, $bob, $eve, create('four');
my $few = sub { $c->request(PATCH => "/few/Groups/$staff", json => { Operations => [@_] }) };
is $few->({ op => 'add', path => 'members', value => [@four[0 .. 2]] })->{status}, 204,
    'PATCH with as many members as scim_max_members is answered with 204';
is_error $few->({ op => 'add', path => 'members', value => \@four }), 413,
    '', qr/scim_max_members \(3\)|scim_max_members.*3/, 'PATCH with more members than scim_max_members is refused with 413';
is_error $c->request(PUT => "/few/Groups/$staff", json => { %{ group('Crew') }, members => \@four }), 413, '', qr/scim_max_members/,
    'PUT with more members than scim_max_members is refused with 413';
my $name = { op => 'replace', path => 'displayName', value => 'Crew' };
is $few->($name, $name)->{status}, 204, 'PATCH with as many operations as scim_max_operations is answered with 204';
is_error $few->($name, $name, $name), 413, '', qr/scim_max_operations/,
    'PATCH with more operations than scim_max_operations is refused with 413';

# --- nested groups, and the deletion of members and groups

my $all = $c->request(POST => "$base/Groups", json => group('All', $staff, $ada))->{json}{id};
is +(grep $_->{value} eq $staff, @{ $c->request(GET => "$base/Groups/$all")->{json}{members} })[0]{type}, 'Group',
    '[S-36] a group in a group has the type Group';
$version = etag("/Groups/$all");
is $c->request(DELETE => "$base/Groups/$staff")->{status}, 204, 'DELETE of a nested group is answered with 204';
is members($all), $ada, '[S-37] DELETE of a nested group removes it from the members of the outer group';
isnt etag("/Groups/$all"), $version, 'DELETE of a nested group changes the ETag of the outer group';
is groups($eve), '', 'DELETE of a group removes it from "groups" of its members';
$version = etag("/Groups/$all");
is $c->request(DELETE => "$base/Users/$ada")->{status}, 204, 'DELETE of a member is answered with 204';
is members($all), '', '[S-37 S-136] DELETE of a user removes it from the members of its group';
isnt etag("/Groups/$all"), $version, 'DELETE of a user changes the ETag of its group';

# --- manager

my $boss = create('boss', displayName => 'The Boss');
$r = $c->request(POST => "$base/Users", json => Scim::user('worker', $enterprise => { department => 'D', manager => { value => $boss } }));
is_deeply $r->{json}{$enterprise},
    { department => 'D', manager => { value => $boss, '$ref' => "http://localhost$base/Users/$boss", displayName => 'The Boss' } },
    'a manager is returned with value, $ref and displayName';
my $worker = $r->{json}{id};
is_deeply $c->request(GET => "$base/Users/$worker")->{json}{$enterprise}, $r->{json}{$enterprise},
    'GET returns the same manager as POST';
is_deeply $c->request(GET => "$base/Users/$worker?attributes=$enterprise:manager.displayName")->{json}{$enterprise},
    { manager => { displayName => 'The Boss' } }, 'attributes=manager.displayName returns the manager with displayName only';
$c->request(DELETE => "$base/Users/$boss");
is_deeply $c->request(GET => "$base/Users/$worker")->{json}{$enterprise}{manager}, { value => $boss },
    'a deleted manager is returned with its value only';

my ($status, $out) = $t->scimctl('verify');
is $status, 0, 'scimctl verify finds no error' or diag $out;
$t->finish;
