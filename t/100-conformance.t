#!/usr/bin/perl
# Rules of RFC 7643 and RFC 7644 that no other test has as its subject. t/conformance/rules.tsv lists all rules; a name in
# brackets is the rule that a test proves (HACKING.md).

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my ($user, $enterprise) = ($Scim::Check::user_urn, $Scim::Check::enterprise_urn);
my $core = 'urn:ietf:params:scim:schemas:core:2.0';
my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => <<'EOS');
    location /scim/v2/ { scim main; }
    location /rfc/ { scim main; scim_profile rfc; }
EOS
my $c = $t->client(token => $t->seed('acme'));
$t->start;
my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my $base = '/scim/v2/Users';

# --- the schemas (RFC 7643 8.7.1, with the errata)

# The characteristics of an attribute that are not the defaults of RFC 7643 2.2, as words.
sub words {
    my ($a) = @_;
    my @words = ($a->{type}, ($a->{multiValued} ? 'multiValued' : ()), grep $a->{$_}, qw(required caseExact));
    push @words, grep !/^(?:readWrite|default|none)?\z/, map $_ // '', @$a{qw(mutability returned uniqueness)};
    push @words, map { $a->{$_} ? "$_=" . join ',', @{ $a->{$_} } : () } qw(referenceTypes canonicalValues);
    return "@words";
}

sub is_schema {
    my ($urn, $expected, $name) = @_;
    my %got;
    for my $a (@{ $c->request(GET => "/scim/v2/Schemas/$urn")->{json}{attributes} }) {
        $got{ $a->{name} } = words($a);
        $got{"$a->{name}.$_->{name}"} = words($_) for @{ $a->{subAttributes} // [] };
    }
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply \%got, $expected, $name;
}

# A multi-valued attribute with the sub-attributes of RFC 7643 2.4.
sub plural {
    my ($name, $value, @types) = @_;
    return ($name => 'complex multiValued', "$name.value" => $value, "$name.display" => 'string',
        "$name.primary" => 'boolean', "$name.type" => @types ? 'string canonicalValues=' . join(',', @types) : 'string');
}
my %plural = (
    plural('emails', 'string', qw(work home other)),
    plural('phoneNumbers', 'string', qw(work home mobile fax pager other)),
    plural('ims', 'string', qw(aim gtalk icq xmpp msn skype qq yahoo other)),
    plural('photos', 'reference caseExact referenceTypes=external', qw(photo thumbnail)),
    plural('entitlements', 'string'), plural('roles', 'string'), plural('x509Certificates', 'binary caseExact'));
is_schema $user, {
    userName => 'string required server', name => 'complex',
    (map { ("name.$_" => 'string') } qw(formatted familyName givenName middleName honorificPrefix honorificSuffix)),
    (map { ($_ => 'string') } qw(displayName nickName title userType preferredLanguage locale timezone)),
    profileUrl => 'reference caseExact referenceTypes=external', active => 'boolean',
    password => 'string caseExact writeOnly never', %plural, addresses => 'complex multiValued',
    (map { ("addresses.$_" => 'string') } qw(formatted streetAddress locality region postalCode country)),
    'addresses.type' => 'string canonicalValues=work,home,other', 'addresses.primary' => 'boolean',
    groups => 'complex multiValued readOnly', 'groups.value' => 'string caseExact readOnly',
    'groups.$ref' => 'reference caseExact readOnly referenceTypes=Group', 'groups.display' => 'string readOnly',
    'groups.type' => 'string readOnly canonicalValues=direct,indirect',
}, '[S-10 S-230] the User schema has the attributes and characteristics of the RFC';
is_schema "$core:Group", {
    displayName => 'string required server', members => 'complex multiValued',
    'members.value' => 'string caseExact immutable',
    'members.$ref' => 'reference caseExact immutable referenceTypes=User,Group',
    'members.type' => 'string immutable canonicalValues=User,Group', 'members.display' => 'string readOnly',
}, '[S-231 E-6011] the Group schema has the attributes and characteristics of the RFC';
is_schema $enterprise, {
    (map { ($_ => 'string') } qw(employeeNumber costCenter organization division department)), manager => 'complex',
    'manager.value' => 'string caseExact', 'manager.$ref' => 'reference caseExact referenceTypes=User',
    'manager.displayName' => 'string readOnly',
}, '[S-232] the enterprise extension has the attributes and characteristics of the RFC';
ok !exists $c->request(GET => '/scim/v2/ServiceProviderConfig')->{json}{securityEvents},
    '[S-194] ServiceProviderConfig announces no security events';

# --- schemas in a body (RFC 7643 3)

my $n = 0;
sub rfc { my (%body) = @_; return $c->request(POST => '/rfc/Users', json => { userName => 'u' . $n++, %body }) }
is rfc(schemas => [$user])->{status}, 201, '[S-29] with scim_profile rfc a body with the schema of the type is accepted';
is rfc(schemas => [$enterprise, $user], $enterprise => { department => 'D' })->{status}, 201,
    '[S-29] with scim_profile rfc a body with the schema of an extension before that of the type is accepted';
is_error rfc(@$_[0 .. $#$_ - 1]), 400, 'invalidSyntax', qr/schemas/, "[S-29] with scim_profile rfc $_->[-1] is refused" for (
    ['a body without schemas'], [schemas => [], 'an empty schemas'],
    [schemas => [$enterprise], 'schemas without that of the type'],
    [schemas => [$user, 'urn:x:y'], 'schemas with another one']);
my @twice = (schemas => [$user, $user]);
is_error rfc(@twice), 400, 'invalidSyntax', qr/twice/,
    '[S-29 L-duplicate-schema] with scim_profile rfc a URN twice in schemas is refused';
my $r = $c->request(POST => $base, json => { @twice, userName => 'twice' });
is "$r->{status} @{ $r->{json}{schemas} }", "201 $user", '[L-duplicate-schema] a URN twice in schemas counts once';

# --- values

is_error rfc(schemas => [$user, $enterprise], $enterprise => { manager => 'm' }), 400, 'invalidValue', qr/must be an object/,
    '[S-39] with scim_profile rfc a string for manager is refused';
my $sent = { userName => 'AdA', displayName => "e\x{301} \x{ff21}", locale => 'de_DE',
    emails => [{ value => 'Ada@EXAMPLE.com', type => 'holiday' }],
    phoneNumbers => [{ value => '+49 (30) 1', type => 'Work' }] };
$r = $c->request(POST => $base, json => { schemas => [$user], %$sent });
is_deeply { map { $_ => $r->{json}{$_} } keys %$sent }, $sent,
    '[S-22 S-159] values are returned as they were sent, whatever their type';
my $path = "$base/$r->{json}{id}";

sub enable {
    my ($active) = @_;
    return $c->request(PATCH => $path, json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
        Operations => [{ op => 'replace', path => 'active', value => $active }] })->{json}{active};
}
is enable($false), $false, '[S-221] a PATCH disables a user';
is $c->request(GET => $path)->{json}{active}, $false, '[S-221] a disabled user can be read';
is enable($true), $true, '[S-221] a PATCH enables the user again';

$t->finish;
