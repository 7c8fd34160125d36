#!/usr/bin/perl
# scim_nested_groups: groups in groups are indirect groups of a user in the responses of a SCIM location, in filters, and in the
# values that the gate sends.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my $t = Scim->new(http => <<'EOC', server => <<'EOS', expect_log => [qr/is longer than its limit/])->start->served('/scim/v2/Users');
    scim_store main %%DIR%%/store;
    scim_set $types groups.type;
EOC
    location /scim/v2/ { scim main; }
    location /nested/ { scim main; scim_base_url http://localhost/nested; scim_nested_groups on; }
    scim_subject $http_x_remote_user tenant=acme trusted;
    scim_require active;
    add_header X-Groups $scim_user_groups;
    add_header X-Types $types;
    add_header X-Truncated $scim_truncated;
    location /on { scim_nested_groups on; try_files /none =204; }
    location /off { try_files /none =204; }
    location /redirect { scim_nested_groups on; scim_header X-Groups $scim_user_groups; try_files /none /off; }
    location /require { scim_nested_groups on; scim_require 'filter=groups[display eq "Outer" and type eq "indirect"]'; try_files /none =204; }
    location /require-off { scim_require 'filter=groups.display eq "Outer"'; try_files /none =204; }
EOS
my $token = $t->token($t->tenant('acme'));
my $c = $t->client(token => $token);
sub create {
    my ($type, $body) = @_;
    my $r = $c->request(POST => "/scim/v2/$type", json => $body);
    return $r->{json}{id} // BAIL_OUT $r->{body};
}
sub group {
    my ($name, @members) = @_;
    return create(Groups => { schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'], displayName => $name, members => [map +{ value => $_ }, @members] });
}
my ($ada, $bob) = map create(Users => Scim::user($_, active => JSON::PP::true)), qw(ada bob);
my $inner = group('Inner', $ada);
my $outer = group('Outer', $inner, $bob);

sub groups { my ($user) = @_; return join ' ', map "$_->{display}:$_->{type}", @{ $user->{groups} // [] } }
sub found { my ($path) = @_; return join ' ', sort map $_->{userName}, @{ $c->request(GET => $path)->{json}{Resources} // [] } }

my $r = $c->request(GET => "/nested/Users/$ada");
is groups($r->{json}), 'Inner:direct Outer:indirect', 'with scim_nested_groups on, a user shows indirect groups';
is $r->{json}{groups}[1]{'$ref'}, "http://localhost/nested/Groups/$outer", 'an indirect group has a $ref';
is groups($c->request(GET => "/scim/v2/Users/$ada")->{json}), 'Inner:direct', 'by default, a user shows direct groups only';
is_deeply [map $_->{display}, @{ $c->request(GET => "/nested/Users/$ada?attributes=groups.display")->{json}{groups} }], [qw(Inner Outer)],
    'a projection of groups.display has the names of indirect groups';
ok !exists $c->request(GET => "/nested/Users/$ada?excludedAttributes=groups")->{json}{groups}, 'excludedAttributes=groups leaves out indirect groups';
my %listed = map { $_->{userName} => groups($_) } @{ $c->request(GET => '/nested/Users')->{json}{Resources} };
is $listed{ada}, 'Inner:direct Outer:indirect', 'a list of users shows indirect groups';
my $patched = $c->request(PATCH => "/nested/Users/$ada", json => {
    schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => [{ op => 'add', path => 'title', value => 'x' }] });
is groups($patched->{json}), 'Inner:direct Outer:indirect', 'the response to a PATCH shows indirect groups';

my $eq = "filter=groups%20eq%20%22$outer%22";
is found("/nested/Users?$eq"), 'ada bob', 'with scim_nested_groups on, a filter finds indirect members';
is found("/scim/v2/Users?$eq"), 'bob', 'by default, a filter finds direct members';
is found('/nested/Users?filter=groups[type%20eq%20%22indirect%22]'), 'ada', 'a filter of type indirect';
is join(' ', map $_->{userName}, @{ $c->request(GET => '/nested/Users?filter=groups%20pr&sortBy=groups.display')->{json}{Resources} }), 'ada bob',
    'users are sorted by their first direct group';

my $version = $c->request(GET => "/nested/Users/$ada")->{headers}{etag};
my $top = group('Top', $outer);
is groups($c->request(GET => "/nested/Users/$ada")->{json}), 'Inner:direct Outer:indirect Top:indirect', 'a new outer group shows at once';
is $c->request(GET => "/nested/Users/$ada")->{headers}{etag}, $version, 'the ETag of a user does not cover indirect groups';

sub headers { my ($path, $user) = @_; return $c->request(GET => $path, headers => { 'X-Remote-User' => $user })->{headers} }
is headers('/on', 'ada')->{'x-groups'}, 'Inner,Outer,Top', 'with scim_nested_groups on, $scim_user_groups has indirect groups';
is headers('/on', 'ada')->{'x-types'}, 'direct,indirect,indirect', 'groups.type of scim_set is direct or indirect';
is headers('/off', 'ada')->{'x-groups'}, 'Inner', 'by default, $scim_user_groups has direct groups';
is headers('/redirect', 'ada')->{'x-groups'}, 'Inner', 'after an internal redirect, the setting of the new location counts';
sub status { my ($path, $user) = @_; return $c->request(GET => $path, headers => { 'X-Remote-User' => $user })->{status} }
is status('/require', 'ada'), 204, 'a filter of scim_require knows indirect groups';
is status('/require', 'bob'), 403, 'a filter of scim_require knows the type of a group';
is status('/require-off', 'ada'), 403, 'by default, a filter of scim_require knows direct groups only';

for (my ($i, $in) = (4, $top); $i <= 11; $i++) { $in = group("G$i", $in) }
is headers('/on', 'ada')->{'x-groups'}, 'Inner', 'of a user in groups deeper than 10, $scim_user_groups has direct groups only';
is headers('/on', 'ada')->{'x-truncated'}, 1, 'of a user in groups deeper than 10, $scim_truncated is 1';
is groups($c->request(GET => "/nested/Users/$ada")->{json}), 'Inner:direct', 'of a user in groups deeper than 10, direct groups are shown';
$t->finish;
