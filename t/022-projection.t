#!/usr/bin/perl
# attributes and excludedAttributes select the attributes in every response with a resource (RFC 7644 3.9); id and schemas
# are always returned.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my ($user, $enterprise) = ($Scim::Check::user_urn, $Scim::Check::enterprise_urn);
my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => 'location /scim/v2/ { scim main; }');
my $c = $t->client(token => $t->seed('acme'));
$t->start;

my $base = '/scim/v2/Users';
my $ada = {
    schemas => [$user, $enterprise], userName => 'ada', title => 'Countess', active => JSON::PP::true,
    name => { givenName => 'Ada', familyName => 'Lovelace' },
    emails => [{ value => 'a@x.com', type => 'work' }, { type => 'home', display => 'none' }],
    $enterprise => { department => 'Engines', division => 'North' },
};
my $r = $c->request(POST => $base, json => $ada);
is_user $r, 201, 'POST creates the user';
my ($id, $whole) = ($r->{json}{id}, $r->{json});
my $path = "$base/$id";

sub of { my ($extension, %part) = @_; return { schemas => [$user, $extension ? $enterprise : ()], id => $id, %part } }
sub without { my %rest = %$whole; delete @rest{@_}; return \%rest }

my $value_only = { emails => [{ value => 'a@x.com' }] };
my @cases = (
    ['attributes=userName' => of(1, userName => 'ada')],
    ['attributes=username,TITLE' => of(1, userName => 'ada', title => 'Countess')],
    ['attributes=%20userName%20,+title' => of(1, userName => 'ada', title => 'Countess')],
    ["attributes=$user:userName" => of(1, userName => 'ada')],
    ['attributes=name' => of(1, name => $ada->{name})],
    ['attributes=name.givenName' => of(1, name => { givenName => 'Ada' })],
    ['attributes=name.givenName,name' => of(1, name => $ada->{name})],
    ['attributes=emails.value' => of(1, %$value_only)],
    ['attributes=meta.resourceType,id' => of(1, meta => { resourceType => 'User' })],
    ['attributes=meta' => of(1, meta => $whole->{meta})],
    ["attributes=$enterprise:department" => of(1, $enterprise => { department => 'Engines' })],
    ["attributes=$enterprise" => of(1, $enterprise => $ada->{$enterprise})],
    ['attributes=nickName' => of(1)],
    ['attributes=noSuchThing,title' => of(1, title => 'Countess')],
    ['attributes=noSuchThing' => of(1)],
    ['attributes=password' => of(1)],
    ['attributes=' => $whole],
    ['attributes=,' => $whole],
    ['excludedAttributes=title' => without('title')],
    ['excludedAttributes=TITLE,name,emails' => without(qw(title name emails))],
    ['excludedAttributes=name.givenName' => { %$whole, name => { familyName => 'Lovelace' } }],
    ['excludedAttributes=emails.value' => { %$whole, emails => [{ type => 'work' }, { type => 'home', display => 'none' }] }],
    ['excludedAttributes=meta' => without('meta')],
    ['excludedAttributes=meta.version,meta.location' => { %$whole,
        meta => { map { $_ => $whole->{meta}{$_} } qw(resourceType created lastModified) } }],
    ["excludedAttributes=$enterprise" => without($enterprise)],
    ["excludedAttributes=$enterprise:division" => { %$whole, $enterprise => { department => 'Engines' } }],
    ['excludedAttributes=id,schemas' => $whole],
    ['excludedAttributes=noSuchThing' => $whole],
    ['attributes=&excludedAttributes=title' => without('title')],
);
for my $case (@cases) {
    my ($query, $expected) = @$case;
    $r = $c->request(GET => "$path?$query");
    is $r->{status}, 200, "GET of a user with $query is answered with 200";
    is_deeply $r->{json}, $expected, "[S-98 S-100 S-101 S-102 S-103] GET of a user with $query returns the selected attributes" or diag $r->{body};
    is_deeply $c->request(GET => "$base?$query")->{json}{Resources}, [$expected],
        "[S-98] GET of a list with $query returns the selected attributes";
}

# --- "schemas" lists the schemas of the resource, not of the selection; an extension without selected attributes is left out

unlike $c->request(GET => "$path?excludedAttributes=$enterprise:department,$enterprise:division")->{body}, qr/\{\}/,
    'an extension whose attributes are all excluded is not returned as an empty object';

# --- writes

my $put = { %$ada, title => 'Lady' };
is_deeply $c->request(PUT => "$path?attributes=title", json => $put)->{json}, of(1, title => 'Lady'),
    '[S-98] PUT with "attributes" returns the selected attributes';
$r = $c->request(POST => "$base?excludedAttributes=meta,active", json => { schemas => [$user], userName => 'bob' });
is $r->{status}, 201, 'POST with "excludedAttributes" is answered with 201';
is_deeply $r->{json}, { schemas => [$user], id => $r->{json}{id}, userName => 'bob' },
    '[S-61 S-98] POST with "excludedAttributes" returns the other attributes';
is $r->{headers}{location}, "http://localhost$base/$r->{json}{id}", 'POST with "excludedAttributes" has a Location header';
like $r->{headers}{etag}, qr{^W/"}, 'POST with "excludedAttributes" has an ETag header';

# --- both

for my $case ([GET => $path], [GET => $base], [PUT => $path, $put], [POST => $base, { schemas => [$user], userName => 'c' }]) {
    my ($method, $to, $json) = @$case;
    is_error $c->request($method => "$to?attributes=title&excludedAttributes=name", $json ? (json => $json) : ()), 400,
        'invalidValue', qr/"attributes" and "excludedAttributes" exclude each other/,
            "[S-99] $method $to with both parameters is refused with 400";
}
is $c->request(GET => $base)->{json}{totalResults}, 2, 'refused requests with both parameters have created no users';

$t->finish;
