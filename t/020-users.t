#!/usr/bin/perl
# The life of a user (RFC 7644 3.3 to 3.6): create, read, replace and delete with their status, headers and bodies. Read-only
# attributes in a request are ignored; an error names the attribute that is missing or has the wrong type.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my ($user, $enterprise) = ($Scim::Check::user_urn, $Scim::Check::enterprise_urn);
my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => 'location /scim/v2/ { scim main; }')->start;
my $c = $t->client(token => $t->token($t->tenant('acme')));
my $base = '/scim/v2/Users';
ok $t->wait_for(sub { $c->request(GET => $base)->{status} == 200 }), 'GET of a list in a new store is answered with 200';
is $c->request(GET => $base)->{json}{totalResults}, 0, 'a new store has no users';

# --- create

my $ada = {
    schemas => [$user, $enterprise], externalId => 'x-1', userName => 'ada', active => JSON::PP::true,
    name => { givenName => 'Ada', familyName => 'Lovelace' }, displayName => "Ada \x{e9} \x{1f600}",
    emails => [{ value => 'ada@x.com', type => 'work', primary => JSON::PP::true }, { value => 'ada@home.org', type => 'home' }],
    $enterprise => { department => 'Engines', manager => { value => '0193-of-another-directory' } },
};
my $r = $c->request(POST => $base, json => $ada);
is_user $r, 201, '[S-32 S-52 S-57 S-58] POST of a complete user is answered with 201 and the user';
my ($id, $path, $etag) = ($r->{json}{id}, "$base/$r->{json}{id}", $r->{headers}{etag});
my $created = $r->{json}{meta}{created};
is $r->{json}{meta}{location}, "http://localhost$path", '[S-58] meta.location is the URL of the new user';
is $r->{json}{meta}{created}, $r->{json}{meta}{lastModified}, 'meta.created and meta.lastModified of a new user are equal';
my %got = %{ $r->{json} };
delete @got{qw(id meta)};
is_deeply \%got, $ada, '[S-30] the answer to POST has every attribute that was sent';
like $r->{body}, qr/^\{"schemas":\[/, '"schemas" is the first member of the answer to POST';

my $read = $c->request(GET => $path);
is_user $read, 200, '[S-62] GET of a user is answered with 200 and the user';
is $read->{body}, $r->{body}, 'GET has the same body as the POST that created the user';
is $read->{headers}{etag}, $etag, '[S-151] GET has the same ETag as the POST that created the user';
$read = $c->request(HEAD => $path);
is "$read->{status} $read->{headers}{etag} $read->{headers}{'content-length'} '$read->{body}'",
    "200 $etag " . length($r->{body}) . " ''", 'HEAD has the status, ETag and Content-Length of GET and no body';

my $other = $c->request(POST => $base, json => { schemas => [$user], userName => 'bob' });
is_user $other, 201, '[S-35] POST of a user with userName only is answered with 201';
is_deeply [sort keys %{ $other->{json} }], [qw(active id meta schemas userName)],
    'a user with userName only has active, id, meta and schemas besides';
is $other->{json}{active}, JSON::PP::true, 'active is true in a user created without it';
isnt $other->{json}{id}, $id, 'two users have different ids';
is $c->request(POST => $base, json => { schemas => [$user], userName => 'off', active => JSON::PP::false })->{json}{active},
    JSON::PP::false, 'active is false in a user created with active false';

# --- read-only attributes in a request are ignored (RFC 7643 2.2, RFC 7644 3.3), unassigned ones are not stored (RFC 7643
# 2.5)

$r = $c->request(POST => $base, json => {
    schemas => [$user], userName => 'eve', id => $id, meta => { created => '2001-01-01T00:00:00Z', version => 'x' },
    groups => [{ value => 'g' }], nickName => undef, emails => [], name => {}, title => undef, password => 'secret',
    $enterprise => {} });
is_user $r, 201, 'POST with id, meta and groups in the body is answered with 201';
isnt $r->{json}{id}, $id, '[S-24 S-32 S-56] POST ignores "id" in the body';
isnt $r->{json}{meta}{created}, '2001-01-01T00:00:00Z', '[S-32 S-56] POST ignores "meta" in the body';
is_deeply [sort keys %{ $r->{json} }], [qw(active id meta schemas userName)],
    '[S-17 S-18 S-19 S-34 S-56] groups, nulls, empty values and the password are not in the answer to POST';
is_deeply $r->{json}{schemas}, [$user], '[S-31] "schemas" does not list an extension whose object is empty';
unlike $r->{body} . $c->request(GET => "$base/$r->{json}{id}")->{body}, qr/secret|assword/,
    '[S-164] no answer contains the password';
$r = $c->request(POST => $base, json => { SCHEMAS => [uc $user], USERNAME => 'case', nAMe => { GIVENname => 'C' } });
is_user $r, 201, '[S-2 S-5] POST with attribute names in another case is answered with 201';
is_deeply $r->{json}{name}, { givenName => 'C' }, '[S-3] attribute names in the answer have the case of the schema';

# --- refusals

is_error $c->request(POST => $base, json => { schemas => [$user] }), 400, 'invalidValue', qr/userName/,
    '[S-21 S-60 S-146] POST without userName is refused with 400';
is_error $c->request(POST => $base, json => { schemas => [$user], userName => $_ }), 400, 'invalidValue', qr/userName/,
    'POST is refused with 400 where userName is ' . (ref $_ || $_ // 'null') for undef, '', 5, [], {}, JSON::PP::true;
my %wrong = (
    active => [5, qr/"active" must be true or false, not 5/],
    name => ['Ada', qr/"name" must be an object, not a string/],
    title => [{ a => 1 }, qr/"title" must be a string, not an object/],
    emails => [[7], qr/"emails\[0\]" must be an object, not a number/],
    phoneNumbers => [[{ value => '1' }, { value => JSON::PP::true }], qr/"phoneNumbers\[1\]\.value" must be a string, not true/],
    x509Certificates => [[{ value => '!' }], qr/"x509Certificates\[0\]\.value" must be a base64 string/],
    addresses => [[{ primary => JSON::PP::true, country => 'DE' }, { primary => JSON::PP::true, country => 'FR' }],
        qr/"addresses\[1\]" is the second element with "primary": true/],
    $enterprise => [[1], qr/"\Q$enterprise\E" must be an object, not an array/],
);
is_error $c->request(POST => $base, json => { schemas => [$user, $enterprise], userName => 'w', $_ => $wrong{$_}[0] }),
    400, 'invalidValue', $wrong{$_}[1], "[S-6 S-9 S-11 S-60] POST is refused with 400 where $_ has a wrong value" for sort keys %wrong;

$r = $c->request(POST => $base, json => { schemas => [$user], userName => 'ADA' });
is_error $r, 409, 'uniqueness', qr/userName "ADA" is taken by the User \Q$id\E /,
    '[S-23 S-26 S-59 S-204 S-214] POST with a userName that is taken, in another case, is refused with 409';
is $c->request(GET => $base)->{json}{totalResults}, 5, 'refused requests have created no users';

# --- replace

my $new = { schemas => [$user], userName => 'ada2', title => 'Countess' };
$r = $c->request(PUT => $path, json => $new);
is_user $r, 200, '[S-109] PUT is answered with 200 and the user';
%got = %{ $r->{json} };
is $got{id}, $id, 'PUT does not change id';
is $got{meta}{created}, $created, 'PUT does not change meta.created';
cmp_ok $got{meta}{lastModified}, 'ge', $got{meta}{created}, 'PUT does not move meta.lastModified back';
isnt $r->{headers}{etag}, $etag, 'PUT changes the ETag';
delete @got{qw(id meta)};
is_deeply \%got, { %$new, active => JSON::PP::true }, '[S-107 S-108] PUT removes what the body lacks, an extension and its URN included';
is $c->request(GET => $path)->{body}, $r->{body}, 'GET after PUT has the same body as the answer to PUT';

my $noop = $c->request(PUT => $path, json => $new);
is $noop->{body}, $r->{body}, '[S-110] PUT of the same user again changes neither the user nor meta.lastModified';
is $noop->{headers}{etag}, $r->{headers}{etag}, '[S-110] PUT of the same user again does not change the ETag';

$c->request(PUT => $path, json => { %$new, active => JSON::PP::false });
is $c->request(PUT => $path, json => $new)->{json}{active}, JSON::PP::false, '[S-108] PUT without active does not change active';
is_error $c->request(POST => $base, json => { schemas => [$user], userName => 'ada2' }), 409, 'uniqueness',
    qr/taken by the inactive User \Q$id\E /, 'a 409 says that the userName belongs to an inactive user';
is_user $c->request(POST => $base, json => { schemas => [$user], userName => 'ada' }), 201,
    'the userName that a PUT has replaced can be taken by another user';
is_error $c->request(PUT => $path, json => { schemas => [$user], userName => 'bob' }), 409, 'uniqueness',
    qr/userName "bob" is taken by the User \Q$other->{json}{id}\E /,
        '[S-26] PUT with the userName of another user is refused with 409';
is_user $c->request(PUT => $path, json => { schemas => [$user], userName => 'ADA2' }), 200,
    'PUT with the own userName in another case is answered with 200';
is_error $c->request(PUT => $path, json => { schemas => [$user], title => 'x' }), 400, 'invalidValue', qr/userName/,
    '[S-21] PUT without userName is refused with 400';
is $c->request(GET => $path)->{json}{userName}, 'ADA2', 'refused PUTs do not change the user';

# --- delete

$r = $c->request(DELETE => $path);
is "$r->{status} '$r->{body}'", "204 ''", '[S-134 S-212] DELETE is answered with 204 and no body';
ok !exists $r->{headers}{'content-type'}, 'the answer to DELETE has no Content-Type';
for my $method (qw(GET PUT DELETE)) {
    $r = $c->request($method => $path, $method eq 'PUT' ? (json => $new) : ());
    is_error $r, 404, '', qr/there is no User with the id "\Q$id\E"/, "[S-134 S-212] $method of a deleted user is refused with 404";
}
is_user $c->request(POST => $base, json => $new), 201, '[S-135 S-212] the userName of a deleted user can be taken by another user';
is_error $c->request(PUT => "$base/$_", json => $new), 404, '', qr/there is no User with the id "\Q$_\E"/,
    "[S-45] PUT to the unknown id $_ is refused with 404"
    for '01930000-0000-7000-8000-000000000000', 'bob', uc $id;

$t->finish;
