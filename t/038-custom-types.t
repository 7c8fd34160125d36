#!/usr/bin/perl
# The resource types of conf-examples/schemas/: devices and their applications (RFC 9944), roles and entitlements
# (draft-ietf-scim-roles-entitlements). They are created, read, filtered, patched, deleted and published like users, may be
# members of groups where the schema says so, and outlive a configuration without them.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;
use Scim::Examples;

my ($core, $extension) = ('urn:ietf:params:scim:schemas:core:2.0:', 'urn:ietf:params:scim:schemas:extension:');
my $http = Scim::Examples::slurp('custom-types.conf') . "\nadd_header X-Pid \$pid always;\n";
my $server = 'location /scim/v2/ { scim main; client_body_in_file_only clean; }';
my ($t) = Scim::Examples::start($http, workers => 2, server => $server);
my $token = $t->token($t->tenant('acme'));
my $base = '/scim/v2';
$t->served("$base/Users", token => $token);
my $c = $t->client(token => $token);

sub ops { return { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => [@_] } }

sub escaped { return $_[0] =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger }

# Creates, reads, filters, patches and deletes a resource; returns a second one that stays.
sub uses {
    my ($type, $body, $filter, $operation, $path, $after) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $plural = "${type}s";
    my $r = $c->request(POST => "$base/$plural", json => $body);
    is $r->{status}, 201, "POST of a $type is answered with 201" or diag $r->{body};
    my $made = $r->{json};
    is $made->{meta}{resourceType}, $type, "$type: meta.resourceType is the name of the type";
    like $r->{headers}{location}, qr{/scim/v2/$plural/\Q$made->{id}\E$}, "$type: Location is below the endpoint of the type";
    is_deeply $c->request(GET => "$base/$plural/$made->{id}")->{json}, $made, "$type: GET returns what POST has returned";
    $r = $c->request(GET => "$base/$plural?filter=" . escaped($filter));
    is_deeply [map $_->{id}, @{ $r->{json}{Resources} // [] }], [$made->{id}], "$type: the filter $filter finds it" or diag $r->{body};
    $r = $c->request(PATCH => "$base/$plural/$made->{id}", json => ops($operation));
    is $r->{status}, 200, "$type: PATCH is answered with 200" or diag $r->{body};
    my $value = $r->{json};
    $value = ref $value eq 'ARRAY' ? $value->[$_] : $value->{$_} for @$path;
    is_deeply $value, $after, "$type: PATCH has changed the value";
    is $c->request(DELETE => "$base/$plural/$made->{id}")->{status}, 204, "$type: DELETE is answered with 204";
    is $c->request(GET => "$base/$plural/$made->{id}")->{status}, 404, "$type: a deleted one is not found";
    return $c->request(POST => "$base/$plural", json => $body)->{json};
}

# --- each type

my ($mab, $dpp, $zigbee, $ble, $fdo, $apps) = map "$extension$_:2.0:Device", qw(ethernet-mab dpp zigbee ble fido-device-onboard endpointAppsExt);
my $app = uses('EndpointApp', { schemas => ["${core}EndpointApp"], applicationType => 'telemetry', applicationName => 'Dashboard',
        certificateInfo => { rootCA => 'aGVsbG8=', subjectName => 'CN=app' } },
    'applicationName eq "dashboard" and applicationType eq "telemetry"',
    { op => 'replace', path => 'certificateInfo.subjectName', value => 'CN=other' }, [qw(certificateInfo subjectName)], 'CN=other');
is_error $c->request(PATCH => "$base/EndpointApps/$app->{id}", json => ops({ op => 'replace', path => 'applicationType', value => 'deviceControl' })),
    400, 'mutability', qr/applicationType is immutable/, '[S-198] PATCH of applicationType, which is immutable, is refused with 400';

my $mac = '2C:54:91:88:C9:E2';
my $device = { schemas => ["${core}Device", $mab, $dpp, $zigbee, $ble, $fdo, $apps], displayName => 'Heart monitor', active => JSON::PP::true,
    mudUrl => 'https://example.com/mud.json', $mab => { deviceMacAddress => $mac },
    $dpp => { dppVersion => 2, bootstrappingMethod => ['QR'], bootstrapKey => 'MDkwEw==', classChannel => ['81/1', '115/36'], serialNumber => '4774LH2b4044' },
    $zigbee => { versionSupport => ['3.0'], deviceEui64Address => '50:32:5F:FF:FE:E7:67:28' },
    $ble => { versionSupport => ['5.3'], deviceMacAddress => $mac, irk => 'secret-key', pairingMethods => ["${extension}pairingNull:2.0:Device"] },
    $fdo => { fdoVoucher => 'secret-voucher' },
    $apps => { applications => [{ value => $app->{id}, '$ref' => "../EndpointApps/$app->{id}" }], telemetryEnterpriseEndpoint => 'https://example.com/t' } };
my $kept = uses('Device', $device, qq($mab:deviceMacAddress eq "2c:54:91:88:c9:e2" and active eq true),
    { op => 'add', path => "$dpp:classChannel", value => ['1/1'] }, [$dpp, 'classChannel'], ['81/1', '115/36', '1/1']);
unlike $Scim::json->encode($kept), qr/secret/, '[S-199] a Device is returned without the keys that are never returned';
is_deeply [@$kept{qw(displayName active mudUrl)}], [@$device{qw(displayName active mudUrl)}],
    '[S-197] a Device is returned with displayName, active and mudUrl';
my $url = $c->request(GET => "$base/EndpointApps/$app->{id}")->{json}{meta}{location};
is_deeply $kept->{$apps}, { %{ $device->{$apps} }, applications => [{ value => $app->{id}, '$ref' => $url }] },
    '[S-199] a Device refers to an EndpointApp; a $ref that was sent is returned as the URL of the resource';
my $linked = $c->request(POST => "$base/Devices", json => { schemas => ["${core}Device", $apps], active => JSON::PP::true,
    $apps => { applications => [{ value => $app->{id} }, { value => '01930000-0000-7000-8000-000000000000', '$ref' => 'https://old.example.com/EndpointApps/1' },
        { value => 'x' }] } })->{json};
my $links = [{ value => $app->{id}, '$ref' => $url }, { value => '01930000-0000-7000-8000-000000000000' }, { value => 'x' }];
is_deeply $linked->{$apps}{applications}, $links, '[S-199] a reference to an EndpointApp without $ref is returned with the URL, one to nothing without the $ref that was sent';
is_deeply $c->request(GET => "$base/Devices/$linked->{id}")->{json}, $linked, '[S-199] GET returns $ref, too';
is_deeply $c->request(GET => "$base/Devices/$linked->{id}?attributes=$apps:applications.value")->{json}{$apps}{applications}, [map { { value => $_->{value} } } @$links],
    'attributes with applications.value returns no $ref';
$c->request(DELETE => "$base/Devices/$linked->{id}");
my $pairing = "${extension}pairingPassKey:2.0:Device";
my $paired = { schemas => ["${core}Device", $ble], active => JSON::PP::true,
    $ble => { versionSupport => ['5.3'], deviceMacAddress => '2C:54:91:88:C9:E3', pairingMethods => [$pairing], $pairing => { key => 123456 } } };
my $answer = $c->request(POST => "$base/Devices", json => $paired);
is $answer->{status}, 201, '[S-199] a Device with the object of a pairing method is created';
ok !exists $answer->{json}{$ble}{$pairing}, '[S-199] the object of a pairing method, whose name is a URN, is not stored';
ok $t->wait_for(sub { $t->log =~ /deviates from RFC 7644: .*unknown-attribute:\Q$ble:$pairing\E/ }), '[S-199] the error log names it';
$c->request(DELETE => "$base/Devices/$answer->{json}{id}");
is_error $c->request(POST => "$base/Devices", json => { %$device, $apps => { applications => [{ '$ref' => 'https://example.com/x' }] } }), 400, 'invalidValue', qr/applications/,
    'a Device whose reference has no value is refused with 400';
is_error $c->request(POST => "$base/Devices", json => { schemas => ["${core}Device", $mab], active => JSON::PP::true, $mab => { deviceMacAddress => lc $mac } }),
    409, 'uniqueness', qr/\Q$mab\E:deviceMacAddress "2c:54:91:88:c9:e2" is taken by the Device \Q$kept->{id}\E/,
    'a second Device with the address, in another case, is refused with 409';

for my $type (qw(Role Entitlement)) {
    my $one = uses($type, { schemas => ["$core$type"], value => 'admin', display => 'Administrator', supported => JSON::PP::true,
            limitedAssignmentsPermitted => JSON::PP::true, totalAssignmentsPermitted => 5, contains => ['reader'] },
        'value eq "ADMIN" and supported eq true and totalAssignmentsPermitted gt 4',
        { op => 'replace', path => 'totalAssignmentsUsed', value => 3 }, ['totalAssignmentsUsed'], 3);
    is_error $c->request(POST => "$base/${type}s", json => { schemas => ["$core$type"], value => 'Admin', supported => JSON::PP::false }), 409,
        'uniqueness', qr/value "Admin" is taken by the $type \Q$one->{id}\E/, "a second $type with the value is refused with 409";
}
is $c->request(GET => "$base/Entitlements?filter=" . escaped('value eq "admin"'))->{json}{totalResults}, 1,
    'a Role and an Entitlement may have the same value: uniqueness is per type';
my $other = $t->client(token => $t->token($t->tenant('globex')));
is $other->request(POST => "$base/Roles", json => { schemas => ["${core}Role"], value => 'admin', supported => JSON::PP::true })->{status}, 201,
    'another tenant may have a Role with the same value';
is $c->request(GET => "$base/Roles", headers => {})->{json}{totalResults}, 1, '[S-223] the list of a type has the resources of the tenant';
is $c->request(GET => "$base/?count=0")->{json}{totalResults}, 4, 'a query of the base URL covers all types';

# --- what is published

sub published {
    my ($urn, @path) = @_;
    my $list = $c->request(GET => "$base/Schemas/$urn")->{json}{attributes};
    my $found;
    for my $name (@path) {
        ($found) = grep $_->{name} eq $name, @$list;
        $list = $found->{subAttributes};
    }
    return $found;
}
is published($mab, 'deviceMacAddress')->{uniqueness}, 'server', 'an enforced attribute is published as unique';
is published("${core}Role", 'value')->{uniqueness}, 'server', 'Role.value is published as unique';
sub has_attributes {
    my ($urn, $expected, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $list = $c->request(GET => "$base/Schemas/$urn")->{json}{attributes} // [];
    return is join(' ', map { $_->{name} . ($_->{required} ? '!' : '') } @$list), $expected, $name;    # "!": required
}
has_attributes("${core}Device", 'displayName active! mudUrl groups', '[S-197] the schema Device has the attributes of the RFC');
has_attributes("${core}EndpointApp", 'applicationType! applicationName! certificateInfo clientToken groups',
    '[S-198] the schema EndpointApp has the attributes of the RFC');
has_attributes(@$_, '[S-199] the schema of each extension of Device has the attributes of the RFC')
    for [$mab, 'deviceMacAddress!'], [$zigbee, 'versionSupport! deviceEui64Address!'], [$fdo, 'fdoVoucher!'],
    [$dpp, 'dppVersion! bootstrappingMethod bootstrapKey! deviceMacAddress classChannel serialNumber'],
    [$ble, 'versionSupport! deviceMacAddress! isRandom separateBroadcastAddress irk mobility pairingMethods!'],
    [$apps, 'applications! deviceControlEnterpriseEndpoint telemetryEnterpriseEndpoint'];
has_attributes("$core$_->[0]", "value! display type primary supported$_->[1] limitedAssignmentsPermitted totalAssignmentsPermitted "
        . 'totalAssignmentsUsed containedBy contains', "[S-223] the schema $_->[0] has the attributes of the draft")
    for ['Role', '!'], ['Entitlement', ''];
is_deeply published($apps, 'applications', '$ref')->{referenceTypes}, ['EndpointApp'], 'a reference to a type of a file is published';
is_deeply published("${core}Group", 'members', '$ref')->{referenceTypes}, [qw(User Group Device EndpointApp)],
    'Group.members is published with the types that may be members';
is_deeply published("${core}Group", 'members', 'type')->{canonicalValues}, [qw(User Group Device EndpointApp)],
    'the canonicalValues of members.type are the types that may be members';

# --- members

my $user = $c->request(POST => "$base/Users", json => Scim::user('ada'))->{json}{id};
my $group = $c->request(POST => "$base/Groups", json => { schemas => ["${core}Group"], displayName => 'Ward 7',
    members => [map { { value => $_ } } $user, $kept->{id}, $app->{id}] })->{json};
my %member = map { $_->{value} => $_ } @{ $group->{members} };
is_deeply [map $member{$_}{type}, $user, $kept->{id}, $app->{id}], [qw(User Device EndpointApp)], '[S-201] members have the name of their type';
like $member{ $kept->{id} }{'$ref'}, qr{/scim/v2/Devices/\Q$kept->{id}\E$}, '[S-201] $ref of a member is the URL of the Device';
is $member{ $kept->{id} }{display}, 'Heart monitor', 'display of a member is the name of the Device';
my $groups = $c->request(GET => "$base/Devices/$kept->{id}")->{json}{groups};
is_deeply [map "$_->{value} $_->{display} $_->{type}", @$groups], ["$group->{id} Ward 7 direct"], '[S-201] groups of a Device shows the group';
is $c->request(GET => "$base/Devices?filter=" . escaped(qq(groups.value eq "$group->{id}")))->{json}{totalResults}, 1,
    'a filter on the groups of a Device finds it';
my $role = $c->request(GET => "$base/Roles")->{json}{Resources}[0]{id};
is_error $c->request(PATCH => "$base/Groups/$group->{id}", json => ops({ op => 'add', path => 'members', value => [{ value => $role }] })), 400,
    'invalidValue', qr/\Q$role\E/, 'a Role, whose schema has no groups, cannot be a member of a Group';

# --- a configuration without the types, written by old and new workers

my $without = "scim_store main $t->{dir}/store; add_header X-Pid \$pid always;";
sub workers_say {    # reads until both workers have answered with the status
    my ($name, $path, $status) = @_;
    my %served;
    return ok $t->wait_for(sub {
        my $r = $t->request(GET => $path, token => $token);
        $served{ $r->{headers}{'x-pid'} } = 1 if $r->{status} == $status;
        return keys %served == 2;
    }), $name;
}
my $old = $t->client(token => $token);    # a connection that an old worker keeps
$old->request(GET => "$base/Users");
my $lock = $t->hold_lock;
my @waiting = map { my $w = $t->client(token => $token); $w->send(POST => "$base/Roles", json => { schemas => ["${core}Role"], value => $_, supported => JSON::PP::true }); $w } qw(waiting1 waiting2);
ok $t->wait_for(sub { $t->bodies >= 2 }), 'two writes of a Role wait in the old workers';
$t->conf(undef, http => $without, server => $server);
$t->reload(gone => 0);
$t->release($lock);
my @answers = map $_->receive, @waiting;
is scalar(grep $_->{status} == 201 || $_->{status} == 404, @answers), 2,
    'writes of old workers are answered with 201, or with 404 once the type is removed: ' . join ' ', map $_->{status}, @answers;
my $stored = 1 + grep $_->{status} == 201, @answers;
workers_say('both workers answer 404 for a removed type', "$base/Devices/$kept->{id}", 404);
is $t->request(GET => "$base/Groups/$group->{id}", token => $token)->{json}{members}[0]{value}, $user, 'a Group shows its members of declared types';
my $shown = $t->request(GET => "$base/Groups/$group->{id}", token => $token);
is scalar @{ $shown->{json}{members} }, 1, 'members of a removed type are not shown';
is $t->request(PUT => "$base/Groups/$group->{id}", token => $token, json => { schemas => ["${core}Group"], displayName => 'Ward 7', members => [] })->{status}, 200,
    'PUT removes the members of a Group that are shown';
is $t->request(DELETE => "$base/Users/$user", token => $token)->{status}, 204, 'a User is deleted while types are removed';
is $t->request(GET => "$base/Schemas/${core}Device", token => $token)->{status}, 404, 'a removed schema is not published';
is_deeply [map @{ $_->{referenceTypes} }, grep $_->{name} eq '$ref', map @{ $_->{subAttributes} // [] },
        @{ $t->request(GET => "$base/Schemas/${core}Group", token => $token)->{json}{attributes} }], [qw(User Group)],
    'Group.members is published without the removed types';
is +($t->scimctl('verify'))[0], 0, 'scimctl verify finds no problem while types are removed';

$t->conf(undef, http => $http =~ s{/var/lib/nginx/scim}{$t->{dir}/store}gr =~ s{/etc/nginx/scim}{$t->{dir}}gr, server => $server);
ok $t->reload(gone => 1), 'a reload with the types succeeds';
workers_say('both workers serve the types again', "$base/Devices/$kept->{id}", 200);
$c = $t->client(token => $token);
my $again = $c->request(GET => "$base/Devices/$kept->{id}")->{json};
is_deeply [@$again{ 'displayName', $mab, $dpp }], [@$kept{ 'displayName', $mab, $dpp }], 'a Device has its values again';
is_deeply [sort map $_->{value}, @{ $c->request(GET => "$base/Groups/$group->{id}")->{json}{members} }], [sort $kept->{id}, $app->{id}],
    'members of a removed type are kept by a PUT that could not show them';
is $c->request(GET => "$base/Roles")->{json}{totalResults}, $stored, 'acknowledged writes of old workers are there';
is_error $c->request(POST => "$base/Devices", json => { schemas => ["${core}Device", $mab], active => JSON::PP::true, $mab => { deviceMacAddress => $mac } }),
    409, 'uniqueness', qr/is taken by the Device/, 'uniqueness is enforced again';
is +($t->scimctl('verify'))[0], 0, 'scimctl verify finds no problem when the types are back';

$t->finish;
