#!/usr/bin/perl
# Groups and who belongs to them: members by POST, PUT and PATCH, User.groups and manager as they follow from it, nested
# groups, versions on both sides, and what is left when a member or a group goes.

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

# --- a group and its two sides

my $before = etag("/Users/$ada");
my $r = $c->request(POST => "$base/Groups", json => { %{ group('Staff', $ada, $bob) }, externalId => 'x' });
is $r->{status}, 201, 'a group with members' or diag $r->{body};
my $staff = $r->{json}{id};
is_deeply [sort keys %{ $r->{json} }], [qw(displayName externalId id members meta schemas)], 'what it shows';
my ($member) = grep $_->{value} eq $ada, @{ $r->{json}{members} };
is_deeply $member, { value => $ada, '$ref' => "http://localhost$base/Users/$ada", display => 'Ada L', type => 'User' },
    'a member is shown with its name, type and address';
is +(grep $_->{value} eq $bob, @{ $r->{json}{members} })[0]{display}, 'bob', 'a userName where there is no displayName';
is $r->{json}{meta}{resourceType}, 'Group', 'resourceType';
$r = $c->request(GET => "$base/Users/$ada");
is_deeply $r->{json}{groups},
    [{ value => $staff, '$ref' => "http://localhost$base/Groups/$staff", display => 'Staff', type => 'direct' }],
    'the user shows its groups';
isnt $r->{headers}{etag}, $before, 'and has another version';
is $r->{json}{meta}{version}, $r->{headers}{etag}, 'the same in meta';
is $c->request(GET => "$base/Users/$ada", headers => { 'If-None-Match' => $before })->{status}, 200,
    'what was known before is no longer the answer';
is $c->request(GET => "$base/Users/$ada", headers => { 'If-None-Match' => $r->{headers}{etag} })->{status}, 304, 'this is';
ok !exists $c->request(GET => "$base/Users/$ada?excludedAttributes=groups")->{json}{groups}, 'groups can be left out';
ok !exists $c->request(GET => "$base/Groups/$staff?excludedAttributes=members")->{json}{members}, 'members can be left out';
is_deeply $c->request(GET => "$base/Groups/$staff?attributes=members.value")->{json}{members}[0], { value => set($ada, $bob) =~ s/ .*//r },
    'or cut to a part';
is $c->request(POST => "$base/Groups", json => group('sTAFF'))->{status}, 409, 'the name of a group is unique';
is_error $c->request(POST => "$base/Groups", json => { schemas => [$group_urn] }), 400, 'invalidValue', qr/displayName/, 'and required';

# --- unknown members

my $nobody = '01900000-0000-7000-8000-000000000000';
is_error $c->request(POST => "$base/Groups", json => group('Ghosts', $ada, $nobody)), 400, 'invalidValue',
    qr/no User or Group with the id "$nobody"/, 'only what is unknown is named';
is_error $c->request(POST => "$base/Groups", json => group('Ghosts', 'xyz')), 400, 'invalidValue', qr/xyz/, 'also what is no id';
is_error patch("/Groups/$staff", { op => 'add', path => 'members', value => [{ value => $nobody }] }), 400, 'invalidValue', qr/$nobody/,
    'by PATCH, too';
is_error patch("/Groups/$staff", { op => 'add', path => 'displayName', value => 'Crew' },
    { op => 'add', path => 'members', value => [{ value => $eve }, { value => $nobody }] }), 400, 'invalidValue',
    qr/Operations\[1\]\.value: members: there is no User or Group with the id "$nobody"/, 'the operation is named';
is members($staff), set($ada, $bob), 'and nothing has happened';

# --- PATCH

$r = patch("/Groups/$staff", { op => 'add', path => 'members', value => [{ value => $eve }] });
is $r->{status} . $r->{body}, '204', 'a group is patched without an answer';
is members($staff), set($ada, $bob, $eve), 'a member more';
my $version = etag("/Groups/$staff");
is patch("/Groups/$staff", { op => 'add', path => 'members', value => [{ value => $eve }] })->{headers}{etag}, $version,
    'a member again changes nothing';
is patch("/Groups/$staff", { op => 'remove', path => qq(members[value eq "$nobody"]) })->{status}, 204, 'no member removed';
is etag("/Groups/$staff"), $version, 'changes nothing either';
is patch("/Groups/$staff", { op => 'Remove', path => 'members', value => [{ value => $bob }] })->{status}, 204, 'one by value';
is members($staff), set($ada, $eve), 'the others stay';
is groups($bob), '', 'on both sides';
is patch("/Groups/$staff", { op => 'remove', path => 'members', value => [] })->{status}, 204, 'remove nobody';
is members($staff), set($ada, $eve), 'removes nobody';
is_error patch("/Groups/$staff", { op => 'remove', path => qq(members[value eq "$eve" and type eq "Group"]) }), 400,
    'invalidFilter', qr/selected by value alone/, 'who the path excludes does not go';
is patch("/Groups/$staff", { op => 'remove', path => qq(members[value eq "$eve"]) },
    { op => 'add', path => 'members', value => [{ value => $bob }] }, { op => 'replace', path => 'displayName', value => 'Crew' })->{status},
    204, 'several operations';
is members($staff), set($ada, $bob), 'in their order';
is $c->request(GET => "$base/Users/$ada")->{json}{groups}[0]{display}, 'Crew', 'the new name is seen from the other side';
$r = $c->request(PATCH => "$base/Groups/$staff?attributes=displayName",
    json => { Operations => [{ op => 'add', path => 'members', value => [{ value => $eve }] }] });
is "$r->{status} $r->{json}{displayName}", '200 Crew', 'attributes ask for an answer';
is patch("/Groups/$staff", { op => 'replace', path => 'members', value => [{ value => $eve }] })->{status}, 204, 'replace';
is members($staff), $eve, 'sets the members';
is patch("/Groups/$staff", { op => 'remove', path => 'members' })->{status}, 204, 'remove without value';
is members($staff), '', 'empties the group';
$r = patch("/Users/$ada", { op => 'replace', path => 'nickName', value => 'a' });
is "$r->{status} $r->{json}{nickName}", '200 a', 'a patched user is shown';
is_error patch("/Groups/$staff", { op => 'add', path => 'members', value => [{ value => $staff }] }), 400, 'invalidValue', qr/itself/,
    'a group is not in itself';

# --- PUT

$r = $c->request(PUT => "$base/Groups/$staff", json => group('Crew', $bob, $eve));
is $r->{status}, 200, 'PUT' or diag $r->{body};
is set(map $_->{value}, @{ $r->{json}{members} }), set($bob, $eve), 'sets the members';
$r = $c->request(PUT => "$base/Groups/$staff", json => group('Crew', $eve, $bob));
is $r->{headers}{etag}, etag("/Groups/$staff"), 'the same members in another order';
is $c->request(PUT => "$base/Groups/$staff", json => { schemas => [$group_urn], displayName => 'Crew' })->{json}{members}, undef,
    'PUT without members clears them';

# --- bounds

my @four = map +{ value => $_ }, $ada, $bob, $eve, create('four');
my $few = sub { $c->request(PATCH => "/few/Groups/$staff", json => { Operations => [@_] }) };
is $few->({ op => 'add', path => 'members', value => [@four[0 .. 2]] })->{status}, 204, 'as many members as scim_max_members';
is_error $few->({ op => 'add', path => 'members', value => \@four }), 413, '', qr/scim_max_members \(3\)|scim_max_members.*3/, 'one more';
is_error $c->request(PUT => "/few/Groups/$staff", json => { %{ group('Crew') }, members => \@four }), 413, '', qr/scim_max_members/,
    'by PUT, too';
my $name = { op => 'replace', path => 'displayName', value => 'Crew' };
is $few->($name, $name)->{status}, 204, 'as many operations as scim_max_operations';
is_error $few->($name, $name, $name), 413, '', qr/scim_max_operations/, 'one more';

# --- nested, and the end of members and groups

my $all = $c->request(POST => "$base/Groups", json => group('All', $staff, $ada))->{json}{id};
is +(grep $_->{value} eq $staff, @{ $c->request(GET => "$base/Groups/$all")->{json}{members} })[0]{type}, 'Group', 'a group in a group';
$version = etag("/Groups/$all");
is $c->request(DELETE => "$base/Groups/$staff")->{status}, 204, 'the inner group goes';
is members($all), $ada, 'and is no member any more';
isnt etag("/Groups/$all"), $version, 'which is a change of the outer one';
is groups($eve), '', 'nor is it shown by its members';
$version = etag("/Groups/$all");
is $c->request(DELETE => "$base/Users/$ada")->{status}, 204, 'a user goes';
is members($all), '', 'and leaves its groups';
isnt etag("/Groups/$all"), $version, 'which have another version';

# --- manager

my $boss = create('boss', displayName => 'The Boss');
$r = $c->request(POST => "$base/Users", json => Scim::user('worker', $enterprise => { department => 'D', manager => { value => $boss } }));
is_deeply $r->{json}{$enterprise},
    { department => 'D', manager => { value => $boss, '$ref' => "http://localhost$base/Users/$boss", displayName => 'The Boss' } },
    'a manager is shown with name and address';
my $worker = $r->{json}{id};
is_deeply $c->request(GET => "$base/Users/$worker")->{json}{$enterprise}, $r->{json}{$enterprise}, 'always';
is_deeply $c->request(GET => "$base/Users/$worker?attributes=$enterprise:manager.displayName")->{json}{$enterprise},
    { manager => { displayName => 'The Boss' } }, 'also in part';
$c->request(DELETE => "$base/Users/$boss");
is_deeply $c->request(GET => "$base/Users/$worker")->{json}{$enterprise}{manager}, { value => $boss }, 'one who is gone by the id';

my ($status, $out) = $t->scimctl('verify');
is $status, 0, 'the store agrees with itself' or diag $out;
$t->finish;
