#!/usr/bin/perl
# A user lives as RFC 7644 says: created, read, replaced, deleted, each step with its status, headers and body; what a
# client may not set is ignored, what is missing or of the wrong type is named.

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
ok $t->wait_for(sub { $c->request(GET => $base)->{status} == 200 }), 'a new store is served';
is $c->request(GET => $base)->{json}{totalResults}, 0, 'and empty';

# --- create

my $ada = {
    schemas => [$user, $enterprise], externalId => 'x-1', userName => 'ada', active => JSON::PP::true,
    name => { givenName => 'Ada', familyName => 'Lovelace' }, displayName => "Ada \x{e9} \x{1f600}",
    emails => [{ value => 'ada@x.com', type => 'work', primary => JSON::PP::true }, { value => 'ada@home.org', type => 'home' }],
    $enterprise => { department => 'Engines', manager => { value => '0193-of-another-directory' } },
};
my $r = $c->request(POST => $base, json => $ada);
is_user $r, 201, 'create';
my ($id, $path, $etag) = ($r->{json}{id}, "$base/$r->{json}{id}", $r->{headers}{etag});
my $created = $r->{json}{meta}{created};
is $r->{json}{meta}{location}, "http://localhost$path", 'its address';
is $r->{json}{meta}{created}, $r->{json}{meta}{lastModified}, 'it is as old as its last change';
my %got = %{ $r->{json} };
delete @got{qw(id meta)};
is_deeply \%got, $ada, 'everything that was sent comes back';
like $r->{body}, qr/^\{"schemas":\[/, 'schemas come first';

my $read = $c->request(GET => $path);
is_user $read, 200, 'read';
is $read->{body}, $r->{body}, 'the same body';
is $read->{headers}{etag}, $etag, 'and version';
$read = $c->request(HEAD => $path);
is "$read->{status} $read->{headers}{etag} $read->{headers}{'content-length'} '$read->{body}'",
    "200 $etag " . length($r->{body}) . " ''", 'HEAD says the same without a body';

my $other = $c->request(POST => $base, json => { schemas => [$user], userName => 'bob' });
is_user $other, 201, 'the least user';
is_deeply [sort keys %{ $other->{json} }], [qw(active id meta schemas userName)], 'has no more than the server gives';
is $other->{json}{active}, JSON::PP::true, 'active is true unless said otherwise';
isnt $other->{json}{id}, $id, 'another id';
is $c->request(POST => $base, json => { schemas => [$user], userName => 'off', active => JSON::PP::false })->{json}{active},
    JSON::PP::false, 'an inactive user';

# --- what the server decides is ignored (S-56), unassigned values vanish (S-17..19)

$r = $c->request(POST => $base, json => {
    schemas => [$user], userName => 'eve', id => $id, meta => { created => '2001-01-01T00:00:00Z', version => 'x' },
    groups => [{ value => 'g' }], nickName => undef, emails => [], name => {}, title => undef, password => 'secret',
    $enterprise => {} });
is_user $r, 201, 'id, meta and groups in a body';
isnt $r->{json}{id}, $id, 'id is ignored';
isnt $r->{json}{meta}{created}, '2001-01-01T00:00:00Z', 'meta is ignored';
is_deeply [sort keys %{ $r->{json} }], [qw(active id meta schemas userName)], 'groups, nulls, empty values and password too';
is_deeply $r->{json}{schemas}, [$user], 'an empty extension is not listed';
unlike $r->{body} . $c->request(GET => "$base/$r->{json}{id}")->{body}, qr/secret|assword/, 'a password never comes back';
$r = $c->request(POST => $base, json => { SCHEMAS => [uc $user], USERNAME => 'case', nAMe => { GIVENname => 'C' } });
is_user $r, 201, 'names in any case';
is_deeply $r->{json}{name}, { givenName => 'C' }, 'come back in the schema\'s';

# --- refusals

is_error $c->request(POST => $base, json => { schemas => [$user] }), 400, 'invalidValue', qr/userName/, 'no userName';
is_error $c->request(POST => $base, json => { schemas => [$user], userName => $_ }), 400, 'invalidValue', qr/userName/,
    'userName is ' . (ref $_ || $_ // 'null') for undef, '', 5, [], {}, JSON::PP::true;
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
    400, 'invalidValue', $wrong{$_}[1], "a wrong value of $_" for sort keys %wrong;

$r = $c->request(POST => $base, json => { schemas => [$user], userName => 'ADA' });
is_error $r, 409, 'uniqueness', qr/userName "ADA" is taken by the User \Q$id\E /, 'a userName that is taken, in another case';
is $c->request(GET => $base)->{json}{totalResults}, 5, 'nothing that was refused is there';

# --- replace

my $new = { schemas => [$user], userName => 'ada2', title => 'Countess' };
$r = $c->request(PUT => $path, json => $new);
is_user $r, 200, 'replace';
%got = %{ $r->{json} };
is $got{id}, $id, 'the id stays';
is $got{meta}{created}, $created, 'created stays';
cmp_ok $got{meta}{lastModified}, 'ge', $got{meta}{created}, 'lastModified moves';
isnt $r->{headers}{etag}, $etag, 'and the version';
delete @got{qw(id meta)};
is_deeply \%got, { %$new, active => JSON::PP::true }, 'what the body lacks is gone, the extension with its URN';
is $c->request(GET => $path)->{body}, $r->{body}, 'read again';

my $noop = $c->request(PUT => $path, json => $new);
is $noop->{body}, $r->{body}, 'the same again changes nothing, lastModified included';
is $noop->{headers}{etag}, $r->{headers}{etag}, 'nor the version';

$c->request(PUT => $path, json => { %$new, active => JSON::PP::false });
is $c->request(PUT => $path, json => $new)->{json}{active}, JSON::PP::false, 'a replace without active keeps it';
is_error $c->request(POST => $base, json => { schemas => [$user], userName => 'ada2' }), 409, 'uniqueness',
    qr/taken by the inactive User \Q$id\E /, 'an inactive user is called so';
is_user $c->request(POST => $base, json => { schemas => [$user], userName => 'ada' }), 201, 'the old userName is free';
is_error $c->request(PUT => $path, json => { schemas => [$user], userName => 'bob' }), 409, 'uniqueness',
    qr/userName "bob" is taken by the User \Q$other->{json}{id}\E /, 'a replace with a userName that is taken';
is_user $c->request(PUT => $path, json => { schemas => [$user], userName => 'ADA2' }), 200, 'its own in another case';
is_error $c->request(PUT => $path, json => { schemas => [$user], title => 'x' }), 400, 'invalidValue', qr/userName/,
    'a replace without userName';
is $c->request(GET => $path)->{json}{userName}, 'ADA2', 'and nothing changed';

# --- delete

$r = $c->request(DELETE => $path);
is "$r->{status} '$r->{body}'", "204 ''", 'delete';
ok !exists $r->{headers}{'content-type'}, 'without a body';
for my $method (qw(GET PUT DELETE)) {
    $r = $c->request($method => $path, $method eq 'PUT' ? (json => $new) : ());
    is_error $r, 404, '', qr/there is no User with the id "\Q$id\E"/, "$method of what was deleted";
}
is_user $c->request(POST => $base, json => $new), 201, 'its userName is free';
is_error $c->request(PUT => "$base/$_", json => $new), 404, '', qr/there is no User with the id "\Q$_\E"/, "no PUT creates $_"
    for '01930000-0000-7000-8000-000000000000', 'bob', uc $id;

$t->finish;
