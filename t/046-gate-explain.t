#!/usr/bin/perl
# scimctl gate explain says whether the gate lets a user pass, and why each condition holds or does not.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => 'location /scim/v2/ { scim main; }');
my $token = $t->seed('acme');
$t->start->served('/scim/v2/Users', token => $token);
my $c = $t->client(token => $token);

sub create {
    my ($type, $body) = @_;
    my $r = $c->request(POST => "/scim/v2/$type", json => $body);
    $r->{status} == 201 or die "create: $r->{status} $r->{body}";
    return $r->{json}{id};
}
sub group { return { schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'], displayName => $_[0], members => [map +{ value => $_ }, @_[1 .. $#_]] } }
my $ada = create(Users => Scim::user('ada', externalId => 'o-1', roles => [{ value => 'auditor' }]));
create(Users => Scim::user('eve', active => JSON::PP::false));
create(Groups => group('Outer', create(Groups => group('Admins', $ada))));

sub is_explained {
    my ($arguments, $exit, $out, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @got = $t->scimctl(qw(gate explain --tenant acme), @$arguments);
    is $got[0], $exit, "$name: exit code" or diag "@got";
    like $got[1] . $got[2], $out, $name;
}
is_explained ['ada'], 0, qr/^User "ada" is active and not blocked\.$/m, 'an active user';
is_explained [$ada], 0, qr/is active and not blocked/, 'a user by id';
is_explained [qw(--by externalId o-1)], 0, qr/is active and not blocked/, 'a user by externalId';
is_explained [qw(--by title x)], 1, qr/^No attribute "title" of users has an index/m, 'an attribute without an index';
is_explained ['eve'], 1, qr/^User "eve" is not active\.$/m, 'an inactive user';
is_explained ['zoe'], 1, qr/^The tenant has no user "zoe"\.$/m, 'an unknown user';
is_explained [qw(ada group=Admins)], 0, qr/^group=Admins: holds, as a direct member$/m, 'a direct group';
is_explained [qw(ada group=Outer)], 1, qr/^group=Outer: does not hold, because the user is not a member$/m, 'an indirect group';
is_explained [qw(--nested-groups ada group=Outer)], 0, qr/^group=Outer: holds, as a member of a group in it$/m, 'an indirect group with --nested-groups';
is_explained [qw(ada group=None)], 1, qr/^group=None: does not hold, because the tenant has no such group$/m, 'a missing group';
is_explained [qw(ada role=auditor role=clerk)], 1, qr/^role=auditor: holds\nrole=clerk: does not hold$/m, 'two roles';
is_explained ['ada', 'filter=nonsense eq 1'], 1, qr/because it cannot be evaluated/, 'an invalid filter';
is_explained [qw(ada colour=red)], 2, qr/"colour=red" is not a condition/, 'no condition';
my ($exit, $out) = $t->scimctl(qw(--json gate explain --tenant acme ada group=Admins role=clerk));
is $exit, 1, '--json: exit code';
my $explained = $Scim::json->decode($out);
like delete $explained->{notBefore}, qr/\A\d{4}-/, '--json: since when sessions count';
is_deeply $explained, { passes => JSON::PP::false, conditions => [
    { condition => 'group=Admins', holds => JSON::PP::true, why => 'as a direct member' },
    { condition => 'role=clerk', holds => JSON::PP::false } ] }, '--json: the conditions';
$t->scimctl(qw(gate pause --tenant acme --for 1h));
is_explained [qw(ada role=clerk)], 0, qr/paused until .*: conditions do not count\./, 'a pause';
is_explained ['eve'], 1, qr/is not active/, 'a pause lets no inactive user pass';
$t->scimctl(qw(user block --tenant acme ada));
is_explained ['ada'], 1, qr/^User "ada" has been blocked since \d{4}-/m, 'a blocked user';
$t->finish;
