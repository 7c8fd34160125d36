#!/usr/bin/perl
# scim_schema adds the attributes of an operator's Schema or ResourceType file; they are published and enforced. `nginx -t`
# refuses an invalid file with a sentence that names the file, the attribute and what is expected.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $json = $Scim::json;
my $user = $Scim::Check::user_urn;
my $urn = 'urn:acme:params:scim:schemas:extension:acme:2.0:User';
my $t = Scim->new(main => "thread_pool default threads=2;\n", server => 'location /scim/v2/ { scim main; }');
my $store = 'scim_store main %%DIR%%/store; scim_schema %%DIR%%/schema.json;';
my $server = 'location /scim/v2/ { scim main; }';

# --- invalid files

sub schema { return { id => $urn, attributes => [{ name => 'badge' }], @_ } }
sub attribute { return schema(attributes => [{ name => 'badge', @_ }]) }

sub refused {
    my ($name, $content, $pattern) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $t->write_file('schema.json', ref $content ? $json->encode($content) : $content);
    return conf_bad $t, "scim_schema with $name is refused", qr{"scim_schema".*$pattern}, http => $store, server => $server;
}

conf_bad $t,
    'scim_schema with a file that does not exist is refused',
    qr{invalid file "[^"]*/schema\.json" in "scim_schema" directive: it cannot be read: No such file}, http => $store;
conf_bad $t,
    'scim_schema with a directory is refused', qr/it cannot be read: Is a directory/, http => "$store scim_schema %%DIR%%;"
    if $t->write_file('schema.json', $json->encode(schema()));
conf_bad $t, 'scim_schema with a device is refused',
    qr{invalid file "/dev/zero" in "scim_schema" directive: it is not a regular file in },
    http => 'scim_store main store; scim_schema /dev/zero;';
conf_bad $t, 'scim_schema with the same file twice is refused',
    qr{for store "main": "[^"]*/schema\.json": the schema "\Q$urn\E" is defined already in [^ ]*nginx\.conf:\d+},
    http => "$store scim_schema %%DIR%%/schema.json;";
conf_bad $t, 'scim_schema with an unknown parameter is refused',
    qr/invalid parameter "for=main" in "scim_schema" directive, it must be store=NAME/,
    http => 'scim_store main store; scim_schema %%DIR%%/schema.json for=main;';
conf_bad $t, 'scim_schema for an unknown store is refused', qr{unknown store "other" in .*nginx\.conf:\d+},
    http => 'scim_store main store; scim_schema %%DIR%%/schema.json store=other;';
conf_bad $t, 'scim_schema without a scim_store is refused',
    qr{no "scim_store" is defined for "scim_schema" in .*nginx\.conf:\d+},
    http => 'scim_schema %%DIR%%/schema.json;';

refused 'an empty file', $_, qr/directive: the file is empty, expected a Schema or a ResourceType in JSON/ for '', " \n\t";
refused 'a misspelt member of an attribute', attribute(mutabilty => 'readOnly'),
    qr/attribute "badge": the member "mutabilty" is unknown; did you mean "mutability"\?/;
refused 'an unknown member of an attribute', attribute(colour => 'red'), qr/attribute "badge": the member "colour" is unknown in /;
refused 'a misspelt member of a schema', schema(attribute => []), qr/the schema: the member "attribute" is unknown; did you mean "attributes"\?/;
refused 'a misspelt member of a resource type', { name => 'Device', endpoint => '/Devices', schma => $user },
    qr/the resource type: the member "schma" is unknown; did you mean "schema"\?/;
refused 'a misspelt member of an extension', { name => 'User', endpoint => '/Users', schema => $user,
    schemaExtensions => [{ schema => 'urn:acme:User', requird => JSON::PP::true }] }, qr/the member "requird" is unknown; did you mean "required"\?/;
refused 'a file that is not JSON', "{\n  \"id\": x }", qr/the file is not JSON at line 2, column 9/;
refused 'a file with a JSON array', '[]', qr/the file must be a JSON object/;
refused 'a file of more than 1 MiB', '{"id":"' . 'x' x (1 << 20) . '"}', qr/it is larger than 1 MiB/;
refused 'an empty object', {},
    qr/neither a Schema nor a ResourceType, expected an object with "attributes" or with "endpoint"/;
refused 'a schema without id', { attributes => [{ name => 'badge' }] },
    qr/the schema: "id" is missing, expected the URN of the schema/;
refused 'an id that is no URN', schema(id => 'acme'), qr/the schema: "id" is "acme", expected the URN/;
refused 'an empty "attributes"', schema(attributes => []), qr/"attributes" is missing or empty, expected at least one/;
refused 'an object as "attributes"', schema(attributes => {}), qr/"attributes" is an object, expected an array of objects/;
refused 'a number as attribute', schema(attributes => [1]),
    qr/element 0 of "attributes": expected an object, found a number/;
refused 'an attribute without name', schema(attributes => [{}]), qr/element 0 of "attributes": "name" is missing/;
refused 'an invalid attribute name', attribute(name => 'my badge'),
    qr/attribute "my badge": the name is invalid, expected a letter/;
refused 'two attributes with the same name', schema(attributes => [{ name => 'a' }, { name => 'A' }]),
    qr/attribute "A": the name occurs twice/;
refused "an invalid \"$_->[0]\"", attribute(@$_[0, 1]), qr/attribute "badge": "$_->[0]" is $_->[2]/ for (
    [type => 'text', qr/"text", expected one of string, boolean, decimal,/],
    [mutability => 'rw', qr/"rw", expected one of readOnly, readWrite, immutable, writeOnly/],
    [returned => 'no', qr/"no", expected one of always, never, default, request/],
    [uniqueness => 'yes', qr/"yes", expected one of none, server, global/],
    [required => 'true', qr/a string, expected true or false/],
    [canonicalValues => 'a', qr/a string, expected an array of strings/]);
refused 'a complex attribute without sub-attributes', attribute(type => 'complex'), qr/"subAttributes" is missing or empty/;
refused 'sub-attributes of a simple attribute', attribute(subAttributes => [{ name => 'x' }]),
    qr/"subAttributes" belong to a complex attribute/;
refused 'a complex sub-attribute', attribute(type => 'complex', subAttributes => [{ name => 'x', type => 'complex' }]),
    qr/attribute "badge\.x": a sub-attribute cannot be complex/;
refused 'a unique boolean', attribute(type => 'boolean', uniqueness => 'server'), qr/a boolean is never unique/;
refused 'a globally unique attribute', attribute(uniqueness => 'global'),
    qr/"badge" of ".*" has "uniqueness": "global", which one server cannot enforce: use "server"/;
refused 'a unique attribute that is readOnly', attribute(uniqueness => 'server', mutability => 'readOnly'),
    qr/"badge" of ".*" has "uniqueness": "server", but clients cannot write it: use "none"/;
refused "a unique attribute that is $_->[1]", attribute(uniqueness => 'server', @$_),
    qr/"badge" of ".*" has "uniqueness": "server", but it is never returned, and a refusal would reveal its values/
    for [mutability => 'writeOnly'], [returned => 'never'];
refused 'a unique sub-attribute of a readOnly attribute', attribute(type => 'complex', mutability => 'readOnly', subAttributes => [{ name => 'x', uniqueness => 'server' }]),
    qr/"badge\.x" of ".*" has "uniqueness": "server", but clients cannot write it/;
refused 'a type that is unknown in "referenceTypes"', attribute(type => 'reference', referenceTypes => ['Usr']),
    qr/"badge" of ".*" has "Usr" in "referenceTypes", which is neither a resource type nor "external" or "uri"; did you mean "User"\?/;
refused '17 unique attributes', schema(attributes => [map { { name => "a$_", uniqueness => 'server' } } 1 .. 16]),
    qr/the resource type "User" has 17 unique attributes; at most 16 are allowed/;
$t->write_file('schema.json', $json->encode(schema(attributes => [map { { name => "a$_", uniqueness => 'server' } } 1 .. 15])));
conf_good $t, 'scim_schema with 16 unique attributes of a resource type is accepted', http => $store, server => $server;
$t->write_file("type$_.json", $json->encode({ name => "T$_", endpoint => "/T$_", schema => $user })) for 3 .. 65;
my $types = sub { 'scim_store main %%DIR%%/store;' . join '', map " scim_schema %%DIR%%/type$_.json;", 3 .. $_[0] };
conf_bad $t, 'scim_schema with 65 resource types is refused', qr/there are 65 resource types, the built-in ones included; at most 64 are allowed/,
    http => $types->(65), server => $server;
conf_good $t, 'scim_schema with 64 resource types is accepted', http => $types->(64), server => $server;
refused 'a writeOnly attribute that is returned', attribute(mutability => 'writeOnly', returned => 'default'),
    qr/a writeOnly attribute is never returned/;
refused 'the id of a built-in schema', schema(id => $user), qr/the schema "\Q$user\E" is defined already/;
refused 'a schema that extends no resource type', schema(id => 'urn:acme:Thing'),
    qr/"urn:acme:Thing" extends no resource type/;
my $type = { name => 'Device', endpoint => '/Devices', schema => 'urn:acme:Device' };
refused 'a resource type with an undefined schema', $type, qr/the resource type "Device" uses the schema "urn:acme:Device", which is not defined/;
refused "a resource type with the endpoint $_", { %$type, endpoint => $_ }, qr/"endpoint" is "\Q$_\E", /
    for qw(Devices /a/b /Schemas /v2);
refused 'a resource type with the endpoint of another one', { %$type, endpoint => '/users', schema => $user },
    qr{has the endpoint "/users", which another resource type has already};
refused 'the resource type User with another endpoint', { name => 'User', endpoint => '/People', schema => $user },
    qr{the resource type "User" has the endpoint "/Users"};

# --- a valid file

my @badge = (name => 'badge', type => 'string', uniqueness => 'none', caseExact => JSON::PP::true);
$t->write_file('schema.json', $json->encode(schema(attributes => [
    {@badge}, { name => 'level', type => 'integer' }, { name => 'key', mutability => 'writeOnly' },
    { name => 'serial', mutability => 'immutable' }, { name => 'desk', type => 'complex',
        subAttributes => [{ name => 'floor' }, { name => 'plate', mutability => 'immutable' }] }, { name => 'hired', type => 'dateTime', returned => 'request' },
    { name => 'sites', type => 'complex', multiValued => JSON::PP::true,
        subAttributes => [{ name => 'value' }, { name => 'since', type => 'dateTime' }] },
])));
conf_good $t, 'scim_schema with a valid schema is accepted', http => $store, server => $server;
$t->start;
my $c = $t->client(token => $t->token($t->tenant('acme')));
my $base = '/scim/v2/Users';
ok $t->wait_for(sub { $c->request(GET => $base)->{status} == 200 }), 'a store with scim_schema is served';

my $mine = { badge => 'B-1', level => 3, serial => 's', sites => [{ value => 'Rome', since => '2026-01-01T00:00:00Z' }] };
my $body = { schemas => [$user, $urn], userName => 'ada', $urn => { %$mine, key => 'k', hired => '2026-02-03T04:05:06Z' } };
my $r = $c->request(POST => $base, json => $body);
is_user $r, 201, 'POST with the extension is answered with 201';
my $path = "$base/$r->{json}{id}";
is_deeply $r->{json}{$urn}, { %$mine, hired => '2026-02-03T04:05:06Z' },
    'the answer to POST has the extension without the writeOnly attribute';
is_deeply $c->request(GET => $path)->{json}{$urn}, $mine, 'GET does not return an attribute with "returned": "request"';
is_deeply $r->{json}{schemas}, [$user, $urn], '"schemas" lists the extension';
is $c->request(GET => "$path?attributes=$urn:hired")->{json}{$urn}{hired}, '2026-02-03T04:05:06Z',
    'GET returns an attribute with "returned": "request" that is in "attributes"';
ok !exists $c->request(GET => "$path?attributes=$urn:key")->{json}{$urn},
    'GET does not return a writeOnly attribute that is in "attributes"';
is_error $c->request(POST => $base, json => { %$body, userName => 'bob', $urn => { level => 'three' } }), 400, 'invalidValue',
    qr/"\Q$urn\E:level" must be a number without fraction/, 'POST with a value of the wrong type is refused with 400';
is_error $c->request(PUT => $path, json => { %$body, $urn => { serial => 'other' } }), 400, 'mutability',
    qr/serial is immutable/, '[S-24 S-107] PUT with another value of an immutable attribute is refused with 400';
$r = $c->request(PUT => $path, json => { %$body, $urn => { %$mine, desk => { floor => '1', plate => 'p' } } });
is_deeply $r->{json}{$urn}{desk}, { floor => '1', plate => 'p' }, '[S-24] PUT sets an immutable sub-attribute that has no value';
is_error $c->request(PUT => $path, json => { %$body, $urn => { desk => { floor => '1', plate => 'q' } } }), 400, 'mutability',
    qr/desk\.plate is immutable/, 'PUT with another value of an immutable sub-attribute is refused with 400';
my $plate = sub { { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => [{ op => 'replace', path => "$urn:desk.plate", value => $_[0] }] } };
is_error $c->request(PATCH => $path, json => $plate->('q')), 400, 'mutability', qr/desk\.plate is immutable/,
    '[S-24 S-131] PATCH with another value of an immutable sub-attribute is refused with 400';
is $c->request(PATCH => $path, json => $plate->('p'))->{status}, 200,
    '[S-131] PATCH with the same value of an immutable sub-attribute is answered with 200';

# Immutability compares the resource before and after the whole PATCH (RFC 7643 2.2, RFC 7644 3.5.2).
my $patch = sub { $c->request(PATCH => $path, json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations => [map { { op => $_->[0], path => "$urn:$_->[1]", @$_ > 2 ? (value => $_->[2]) : () } } @_] }) };
my $etag = $c->request(GET => $path)->{headers}{etag};
is_error $patch->(['remove', 'serial'], ['add', 'serial', 'other']), 400, 'mutability', qr/^Operations\[1\]: .*serial is immutable/,
    'PATCH that removes an immutable attribute and adds another value is refused with 400';
is_error $patch->(['remove', 'desk'], ['add', 'desk', { floor => '1', plate => 'q' }]), 400, 'mutability',
    qr/^Operations\[1\]: .*desk\.plate is immutable/,
        'PATCH that removes a complex attribute and adds it with another immutable sub-attribute is refused with 400';
is_error $patch->(['remove', $_]), 400, 'mutability', qr/^Operations\[0\]: .*\Q$_\E is immutable/,
    "PATCH that removes the immutable $_ is refused with 400" for qw(serial desk.plate);
is_error $patch->(['replace', 'serial', undef]), 400, 'mutability', qr/serial is immutable/,
    'PATCH that replaces an immutable attribute with null is refused with 400';
$r = $patch->(['remove', 'serial'], ['add', 'serial', 's'], ['remove', 'desk'], ['add', 'desk', { plate => 'p', floor => '1' }]);
is $r->{status}, 200, 'PATCH that removes immutable values and adds them again is answered with 200';
is $r->{headers}{etag}, $etag, 'PATCH that removes immutable values and adds them again does not change the ETag';

is $patch->(['add', 'hired', '2026-05-06T00:00:00Z'])->{json}{$urn}{hired}, '2026-05-06T00:00:00Z',
    'PATCH of an attribute with "returned": "request" returns it';
ok !exists $patch->(['add', 'level', 4])->{json}{$urn}{hired},
    'PATCH of another attribute does not return one with "returned": "request"';
$r = $c->request(PUT => $path, json => { %$body, $urn => { desk => { floor => '2' } } });
is_deeply $r->{json}{$urn}{desk}, { floor => '2', plate => 'p' }, 'PUT without an immutable sub-attribute keeps it';
$r = $c->request(PUT => $path, json => $body);
$r = $c->request(PUT => $path, json => { schemas => [$user], userName => 'ada' });
is_deeply $r->{json}{$urn}, { serial => 's', desk => { plate => 'p' } },
    'PUT without the extension keeps immutable values and clears the others';
my ($published) = grep $_->{id} eq $urn, @{ $c->request(GET => '/scim/v2/Schemas')->{json}{Resources} };
is_deeply { map { $_ => $published->{attributes}[0]{$_} } qw(name type uniqueness caseExact) }, {@badge},
    '/Schemas has the extension with the characteristics of the file';
is_deeply [map $_->{schema}, @{ $c->request(GET => '/scim/v2/ResourceTypes/User')->{json}{schemaExtensions} }],
    [$Scim::Check::enterprise_urn, $urn], '/ResourceTypes/User lists the extension';

# --- reloads: a second, required extension; no extension

$t->write_file('team.json', $json->encode({ id => 'urn:acme:team', attributes => [{ name => 'team', required => JSON::PP::true }] }));
$t->write_file('user.json', $json->encode({ name => 'User', endpoint => '/Users', schema => $user,
    schemaExtensions => [{ schema => 'urn:acme:team', required => JSON::PP::true }] }));
$t->conf(undef, http => "$store scim_schema %%DIR%%/team.json; scim_schema %%DIR%%/user.json;");
ok $t->reload(gone => 1), 'a reload with more schemas succeeds';
ok $t->wait_for(sub { $c->request(GET => '/scim/v2/Schemas/urn:acme:team')->{status} == 200 }),
    'the new schemas are published';
is $c->request(GET => $path)->{json}{$urn}{serial}, 's', 'stored values are returned after the reload';
is_error $c->request(POST => $base, json => { schemas => [$user], userName => 'bob' }), 400, 'invalidValue',
    qr/urn:acme:team/, 'POST without the required extension is refused with 400';
is_user $c->request(POST => $base, json => { schemas => [$user, 'urn:acme:team'], userName => 'bob',
    'urn:acme:team' => { team => 'x' } }), 201, 'POST with the required extension is answered with 201';

$t->conf(undef, http => 'scim_store main %%DIR%%/store;');
ok $t->reload(gone => 1), 'a reload without schemas succeeds';
ok $t->wait_for(sub { $c->request(GET => "/scim/v2/Schemas/$urn")->{status} == 404 }),
    'the removed schemas are not published';
ok !exists $c->request(GET => $path)->{json}{$urn}, 'values of a removed schema are not returned';
$t->conf(undef, http => $store);
ok $t->reload(gone => 1), 'a reload with the first schema again succeeds';
ok $t->wait_for(sub { ($c->request(GET => $path)->{json}{$urn} || {})->{serial} }),
    'values of a schema that is added again are returned';

# --- schemas that were declared while the clock was a day ahead

my $seen = length $t->log;
is +($t->poke('ahead', 86400))[0], 0, 'poke moves the time of the last declaration one day ahead';
for my $with (0, 1) {
    $t->conf(undef, http => $with ? $store : 'scim_store main %%DIR%%/store;');
    my $reload = $with ? 'a reload with the schema' : 'a reload without the schema';
    ok $t->reload(gone => 1), "$reload over a declaration of the future replaces the workers";
    ok $t->wait_for(sub { $c->request(GET => "/scim/v2/Schemas/$urn")->{status} == ($with ? 200 : 404) }),
        "$reload over a declaration of the future is applied";
}
my $set_back = qr/\[warn\].*was declared at .*, which is in the future: the clock was set back/;
ok $t->wait_for(sub { 2 == (() = substr($t->log, $seen) =~ /$set_back/g) }),
    'both reloads log that the clock was set back';
$t->kill_worker($t->workers);
ok $t->wait_for(sub { $c->request(GET => $path)->{status} == 200 }), 'a worker that replaces a killed one serves the store';
is $c->request(GET => "/scim/v2/Schemas/$urn")->{status}, 200,
    'the schema is still declared after a worker was replaced';

$t->finish;
