#!/usr/bin/perl
# scim_schema gives users the attributes of an operator's Schema or ResourceType file, published as they are enforced; a
# file that cannot be enforced is refused by `nginx -t` with a sentence that names file, attribute and what was expected.

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

# --- bad files

sub schema { return { id => $urn, attributes => [{ name => 'badge' }], @_ } }
sub attribute { return schema(attributes => [{ name => 'badge', @_ }]) }

sub refused {
    my ($name, $content, $pattern) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $t->write_file('schema.json', ref $content ? $json->encode($content) : $content);
    return conf_bad $t, $name, qr{"scim_schema".*$pattern}, http => $store, server => $server;
}

conf_bad $t, 'no file', qr{"scim_schema": "[^"]*/schema\.json": it cannot be read: No such file}, http => $store;
conf_bad $t, 'a directory', qr/it cannot be read: Is a directory/, http => "$store scim_schema %%DIR%%;"
    if $t->write_file('schema.json', $json->encode(schema()));
conf_bad $t, 'a device', qr{"scim_schema": "/dev/zero": it is not a regular file in }, http => 'scim_store main store; scim_schema /dev/zero;';
conf_bad $t, 'one file twice',
    qr{for store "main": "[^"]*/schema\.json": the schema "\Q$urn\E" is defined already in [^ ]*nginx\.conf:\d+},
    http => "$store scim_schema %%DIR%%/schema.json;";
conf_bad $t, 'an unknown parameter', qr/unknown parameter "for=main"; expected store=NAME/,
    http => 'scim_store main store; scim_schema %%DIR%%/schema.json for=main;';
conf_bad $t, 'for a store that is not', qr{there is no "scim_store other" in .*nginx\.conf:\d+},
    http => 'scim_store main store; scim_schema %%DIR%%/schema.json store=other;';
conf_bad $t, 'without a store', qr{"scim_schema" needs a "scim_store" in .*nginx\.conf:\d+},
    http => 'scim_schema %%DIR%%/schema.json;';

refused 'an empty file', $_, qr/schema\.json": the file is empty, expected a Schema or a ResourceType in JSON/ for '', " \n\t";
refused 'a misspelt member of an attribute', attribute(mutabilty => 'readOnly'),
    qr/attribute "badge": the member "mutabilty" is unknown; did you mean "mutability"\?/;
refused 'an unknown member of an attribute', attribute(colour => 'red'), qr/attribute "badge": the member "colour" is unknown in /;
refused 'a misspelt member of a schema', schema(attribute => []), qr/the schema: the member "attribute" is unknown; did you mean "attributes"\?/;
refused 'a misspelt member of a resource type', { name => 'Device', endpoint => '/Devices', schma => $user },
    qr/the resource type: the member "schma" is unknown; did you mean "schema"\?/;
refused 'a misspelt member of an extension', { name => 'User', endpoint => '/Users', schema => $user,
    schemaExtensions => [{ schema => 'urn:acme:User', requird => JSON::PP::true }] }, qr/the member "requird" is unknown; did you mean "required"\?/;
refused 'no JSON', "{\n  \"id\": x }", qr/the file is not JSON at line 2, column 9/;
refused 'an array', '[]', qr/the file must be a JSON object/;
refused 'too large', '{"id":"' . 'x' x (1 << 20) . '"}', qr/it is larger than 1 MiB/;
refused 'neither', {}, qr/neither a Schema nor a ResourceType, expected an object with "attributes" or with "endpoint"/;
refused 'no id', { attributes => [{ name => 'badge' }] }, qr/the schema: "id" is missing, expected the URN of the schema/;
refused 'no URN', schema(id => 'acme'), qr/the schema: "id" is "acme", expected the URN/;
refused 'no attributes', schema(attributes => []), qr/"attributes" is missing or empty, expected at least one/;
refused 'attributes of no array', schema(attributes => {}), qr/"attributes" is an object, expected an array of objects/;
refused 'an attribute of no object', schema(attributes => [1]), qr/Element 0 of "attributes": expected an object, found a number/;
refused 'no name', schema(attributes => [{}]), qr/Element 0 of "attributes": "name" is missing/;
refused 'a bad name', attribute(name => 'my badge'), qr/attribute "my badge": this cannot be a name/;
refused 'a name twice', schema(attributes => [{ name => 'a' }, { name => 'A' }]), qr/attribute "A": the name occurs twice/;
refused "a bad $_->[0]", attribute(@$_[0, 1]), qr/attribute "badge": "$_->[0]" is $_->[2]/ for (
    [type => 'text', qr/"text", expected one of string, boolean, decimal,/],
    [mutability => 'rw', qr/"rw", expected one of readOnly, readWrite, immutable, writeOnly/],
    [returned => 'no', qr/"no", expected one of always, never, default, request/],
    [uniqueness => 'yes', qr/"yes", expected one of none, server, global/],
    [required => 'true', qr/a string, expected true or false/],
    [canonicalValues => 'a', qr/a string, expected an array of strings/]);
refused 'a complex one without parts', attribute(type => 'complex'), qr/"subAttributes" is missing or empty/;
refused 'parts of a simple one', attribute(subAttributes => [{ name => 'x' }]), qr/"subAttributes" belong to a complex attribute/;
refused 'a complex part', attribute(type => 'complex', subAttributes => [{ name => 'x', type => 'complex' }]),
    qr/attribute "badge\.x": a sub-attribute cannot be complex/;
refused 'a unique boolean', attribute(type => 'boolean', uniqueness => 'server'), qr/a boolean is never unique/;
refused 'a unique attribute', attribute(uniqueness => 'server'), qr/"badge" of ".*" has "uniqueness": "server", which is not supported/;
refused 'a secret that is returned', attribute(mutability => 'writeOnly', returned => 'default'),
    qr/a writeOnly attribute is never returned/;
refused 'a schema that is built in', schema(id => $user), qr/the schema "\Q$user\E" is defined already/;
refused 'a schema of nothing', schema(id => 'urn:acme:Thing'), qr/"urn:acme:Thing" extends no resource type/;
my $type = { name => 'Device', endpoint => '/Devices', schema => 'urn:acme:Device' };
refused 'a type of no schema', $type, qr/the resource type "Device" uses the schema "urn:acme:Device", which is not defined/;
refused "a type with the endpoint $_", { %$type, endpoint => $_ }, qr/"endpoint" is "\Q$_\E", / for qw(Devices /a/b /Schemas /v2);
refused 'a taken endpoint', { %$type, endpoint => '/users', schema => $user }, qr{the endpoint "/users" .* is taken};
refused 'another User', { name => 'User', endpoint => '/People', schema => $user },
    qr{the resource type "User" has the endpoint "/Users"};

# --- a good one

my @badge = (name => 'badge', type => 'string', uniqueness => 'none', caseExact => JSON::PP::true);
$t->write_file('schema.json', $json->encode(schema(attributes => [
    {@badge}, { name => 'level', type => 'integer' }, { name => 'key', mutability => 'writeOnly' },
    { name => 'serial', mutability => 'immutable' }, { name => 'desk', type => 'complex',
        subAttributes => [{ name => 'floor' }, { name => 'plate', mutability => 'immutable' }] }, { name => 'hired', type => 'dateTime', returned => 'request' },
    { name => 'sites', type => 'complex', multiValued => JSON::PP::true,
        subAttributes => [{ name => 'value' }, { name => 'since', type => 'dateTime' }] },
])));
conf_good $t, 'a good schema', http => $store, server => $server;
$t->start;
my $c = $t->client(token => $t->token($t->tenant('acme')));
my $base = '/scim/v2/Users';
ok $t->wait_for(sub { $c->request(GET => $base)->{status} == 200 }), 'is served';

my $mine = { badge => 'B-1', level => 3, serial => 's', sites => [{ value => 'Rome', since => '2026-01-01T00:00:00Z' }] };
my $body = { schemas => [$user, $urn], userName => 'ada', $urn => { %$mine, key => 'k', hired => '2026-02-03T04:05:06Z' } };
my $r = $c->request(POST => $base, json => $body);
is_user $r, 201, 'create with the extension';
my $path = "$base/$r->{json}{id}";
is_deeply $r->{json}{$urn}, { %$mine, hired => '2026-02-03T04:05:06Z' }, 'it comes back, what is secret does not';
is_deeply $c->request(GET => $path)->{json}{$urn}, $mine, 'nor, later, what is returned on request';
is_deeply $r->{json}{schemas}, [$user, $urn], 'schemas say so';
is $c->request(GET => "$path?attributes=$urn:hired")->{json}{$urn}{hired}, '2026-02-03T04:05:06Z', 'asked for';
ok !exists $c->request(GET => "$path?attributes=$urn:key")->{json}{$urn}, 'a secret, asked for';
is_error $c->request(POST => $base, json => { %$body, userName => 'bob', $urn => { level => 'three' } }), 400, 'invalidValue',
    qr/"\Q$urn\E:level" must be a number without fraction/, 'a value of the wrong type';
is_error $c->request(PUT => $path, json => { %$body, $urn => { serial => 'other' } }), 400, 'mutability',
    qr/serial is immutable/, 'an immutable value';
$r = $c->request(PUT => $path, json => { %$body, $urn => { %$mine, desk => { floor => '1', plate => 'p' } } });
is_deeply $r->{json}{$urn}{desk}, { floor => '1', plate => 'p' }, 'a part that is immutable is set once';
is_error $c->request(PUT => $path, json => { %$body, $urn => { desk => { floor => '1', plate => 'q' } } }), 400, 'mutability',
    qr/desk\.plate is immutable/, 'and not changed';
my $plate = sub { { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => [{ op => 'replace', path => "$urn:desk.plate", value => $_[0] }] } };
is_error $c->request(PATCH => $path, json => $plate->('q')), 400, 'mutability', qr/desk\.plate is immutable/, 'by PATCH neither';
is $c->request(PATCH => $path, json => $plate->('p'))->{status}, 200, 'but the same may be sent';

# RFC 7643 2.2, S-24: what counts is the resource before and after the whole PATCH.
my $patch = sub { $c->request(PATCH => $path, json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations => [map { { op => $_->[0], path => "$urn:$_->[1]", @$_ > 2 ? (value => $_->[2]) : () } } @_] }) };
my $etag = $c->request(GET => $path)->{headers}{etag};
is_error $patch->(['remove', 'serial'], ['add', 'serial', 'other']), 400, 'mutability', qr/^Operations\[1\]: .*serial is immutable/,
    'nor does a remove make room for another value';
is_error $patch->(['remove', 'desk'], ['add', 'desk', { floor => '1', plate => 'q' }]), 400, 'mutability',
    qr/^Operations\[1\]: .*desk\.plate is immutable/, 'of a part neither';
is_error $patch->(['remove', $_]), 400, 'mutability', qr/^Operations\[0\]: .*\Q$_\E is immutable/, "$_ stays" for qw(serial desk.plate);
is_error $patch->(['replace', 'serial', undef]), 400, 'mutability', qr/serial is immutable/, 'under a null, too';
$r = $patch->(['remove', 'serial'], ['add', 'serial', 's'], ['remove', 'desk'], ['add', 'desk', { plate => 'p', floor => '1' }]);
is $r->{status}, 200, 'what comes back as it was is no change';
is $r->{headers}{etag}, $etag, 'so that not even the version moves';

is $patch->(['add', 'hired', '2026-05-06T00:00:00Z'])->{json}{$urn}{hired}, '2026-05-06T00:00:00Z',
    'who sets what is returned on request sees it';
ok !exists $patch->(['add', 'level', 4])->{json}{$urn}{hired}, 'who does not, does not';
$r = $c->request(PUT => $path, json => { %$body, $urn => { desk => { floor => '2' } } });
is_deeply $r->{json}{$urn}{desk}, { floor => '2', plate => 'p' }, 'and a replace without it keeps it';
$r = $c->request(PUT => $path, json => $body);
$r = $c->request(PUT => $path, json => { schemas => [$user], userName => 'ada' });
is_deeply $r->{json}{$urn}, { serial => 's', desk => { plate => 'p' } }, 'a replace clears the rest';
my ($published) = grep $_->{id} eq $urn, @{ $c->request(GET => '/scim/v2/Schemas')->{json}{Resources} };
is_deeply { map { $_ => $published->{attributes}[0]{$_} } qw(name type uniqueness caseExact) }, {@badge}, 'it is published';
is_deeply [map $_->{schema}, @{ $c->request(GET => '/scim/v2/ResourceTypes/User')->{json}{schemaExtensions} }],
    [$Scim::Check::enterprise_urn, $urn], 'as an extension of User';

# --- a second schema by a reload, one that is required; then none

$t->write_file('team.json', $json->encode({ id => 'urn:acme:team', attributes => [{ name => 'team', required => JSON::PP::true }] }));
$t->write_file('user.json', $json->encode({ name => 'User', endpoint => '/Users', schema => $user,
    schemaExtensions => [{ schema => 'urn:acme:team', required => JSON::PP::true }] }));
$t->conf(undef, http => "$store scim_schema %%DIR%%/team.json; scim_schema %%DIR%%/user.json;");
ok $t->reload(gone => 1), 'a reload with more schemas';
ok $t->wait_for(sub { $c->request(GET => '/scim/v2/Schemas/urn:acme:team')->{status} == 200 }), 'which are declared';
is $c->request(GET => $path)->{json}{$urn}{serial}, 's', 'what was stored is there';
is_error $c->request(POST => $base, json => { schemas => [$user], userName => 'bob' }), 400, 'invalidValue',
    qr/urn:acme:team/, 'the new extension is required';
is_user $c->request(POST => $base, json => { schemas => [$user, 'urn:acme:team'], userName => 'bob',
    'urn:acme:team' => { team => 'x' } }), 201, 'and accepted';

$t->conf(undef, http => 'scim_store main %%DIR%%/store;');
ok $t->reload(gone => 1), 'a reload without any';
ok $t->wait_for(sub { $c->request(GET => "/scim/v2/Schemas/$urn")->{status} == 404 }), 'they are not declared any more';
ok !exists $c->request(GET => $path)->{json}{$urn}, 'their values are hidden';
$t->conf(undef, http => $store);
ok $t->reload(gone => 1), 'a reload with the first again';
ok $t->wait_for(sub { ($c->request(GET => $path)->{json}{$urn} || {})->{serial} }), 'and they are back';

# --- schemas that were declared while the clock was a day ahead

my $seen = length $t->log;
is +($t->poke('ahead', 86400))[0], 0, 'the last declaration is one of tomorrow';
for my $with (0, 1) {
    $t->conf(undef, http => $with ? $store : 'scim_store main %%DIR%%/store;');
    ok $t->reload(gone => 1), 'a reload ' . ($with ? 'with the schema again' : 'without the schema');
    ok $t->wait_for(sub { $c->request(GET => "/scim/v2/Schemas/$urn")->{status} == ($with ? 200 : 404) }), 'is applied';
}
ok $t->wait_for(sub { 2 == (() = substr($t->log, $seen) =~ /\[warn\].*was declared at .*, which is in the future: the clock was set back/g) }),
    'each says that the clock was set back';
$t->kill_worker($t->workers);
ok $t->wait_for(sub { $c->request(GET => $path)->{status} == 200 }), 'a worker that is started again serves';
is $c->request(GET => "/scim/v2/Schemas/$urn")->{status}, 200, 'what its configuration has declared';

$t->finish;
