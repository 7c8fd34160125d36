#!/usr/bin/perl
# ServiceProviderConfig, ResourceTypes and Schemas describe exactly what this server does (RFC 7644 4): what they announce
# works, what they do not announce is refused.

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
    location /scim/v2/ { scim main; scim_base_url https://id.example.com/scim/v2; scim_max_results 150; }
    location /open/ { scim main; scim_auth off; scim_tenant acme; }
EOS
my $c = $t->client(token => $t->seed('acme'));
$t->start;
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

sub get {
    my ($path) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = $c->request(GET => "/scim/v2$path");
    is "$r->{status} $r->{headers}{'content-type'}", '200 application/scim+json', "GET $path is answered with 200";
    return $r->{json};
}

# --- ServiceProviderConfig

my $config = get '/ServiceProviderConfig';
is_deeply $config->{schemas}, ["$core:ServiceProviderConfig"], '[S-40] ServiceProviderConfig has its schema URN';
is_deeply $config->{meta}, { resourceType => 'ServiceProviderConfig',
    location => 'https://id.example.com/scim/v2/ServiceProviderConfig' }, '[S-33] ServiceProviderConfig has its meta';
my $scheme = $config->{authenticationSchemes}[0];
is "$scheme->{type} " . @{ $config->{authenticationSchemes} }, 'oauthbearertoken 1',
    '[S-40 E-8011] ServiceProviderConfig announces one authentication scheme, oauthbearertoken';
ok $scheme->{name} && $scheme->{description}, '[S-40] the authentication scheme has a name and a description';
is_deeply $c->request(GET => '/open/ServiceProviderConfig')->{json}{authenticationSchemes}, [],
    'with scim_auth off ServiceProviderConfig announces no authentication scheme';

my $users = '/scim/v2/Users';
$c->request(POST => $users, json => { schemas => [$user], userName => "u$_" }) for 1 .. 160;
my $one = $c->request(GET => "$users?count=1")->{json}{Resources}[0]{id};
my $list = $c->request(GET => "$users?count=1000")->{json};
is $config->{filter}{supported}, $true, 'ServiceProviderConfig announces filters';
is $config->{filter}{maxResults}, scalar @{ $list->{Resources} },
    'filter.maxResults is the number of resources in the longest list';
is $config->{pagination}{maxPageSize}, scalar @{ $list->{Resources} },
    '[S-181] pagination.maxPageSize is the number of resources in the longest list';
is $config->{pagination}{defaultPageSize}, $c->request(GET => $users)->{json}{itemsPerPage},
    '[S-181] pagination.defaultPageSize is the number of resources in a list without count';
is_deeply [@{ $config->{pagination} }{qw(index cursor defaultPaginationMethod)}], [$true, $true, 'index'],
    '[S-181] ServiceProviderConfig announces pagination by index, which is the default, and by cursor';
is $config->{pagination}{cursorTimeout}, 24 * 60 * 60, '[S-181] pagination.cursorTimeout is 24 hours by default';
is $config->{etag}{supported}, $true, 'ServiceProviderConfig announces ETags';
ok exists $c->request(GET => "$users/$one")->{headers}{etag}, 'a user is returned with an ETag';
for my $feature ([patch => PATCH => "$users/$one"], [bulk => POST => '/scim/v2/Bulk']) {
    my ($name, $method, $path) = @$feature;
    my $status = $c->request($method => $path, json => {})->{status};
    is $config->{$name}{supported}, $status == 501 ? $false : $true,
        "[S-203] ServiceProviderConfig announces $name exactly if $method $path is not answered with 501";
}
is_deeply $config->{$_}, { supported => $false }, "ServiceProviderConfig does not announce $_" for qw(changePassword);
is_deeply $config->{sort}, { supported => $true }, 'ServiceProviderConfig announces sorting';
is join(' ', map $_ // 'none', @{ $config->{bulk} }{qw(maxOperations maxPayloadSize)}), '1000 1048576',
    'the limits of bulk are those of scim_bulk_max_operations and client_max_body_size';

# --- ResourceTypes

my $types = get '/ResourceTypes';
is_deeply [@$types{qw(schemas totalResults startIndex itemsPerPage)}],
    [['urn:ietf:params:scim:api:messages:2.0:ListResponse'], 2, 1, 2], '/ResourceTypes is a ListResponse with two resources';
my $type = get '/ResourceTypes/User';
is_deeply $types->{Resources}, [$type, get '/ResourceTypes/Group'],
    '[S-168] /ResourceTypes has the resources of /ResourceTypes/User and /ResourceTypes/Group';
is_deeply $type, {
    schemas => ["$core:ResourceType"], id => 'User', name => 'User', description => $type->{description}, endpoint => '/Users',
    schema => $user, schemaExtensions => [{ schema => $enterprise, required => $false }],
    meta => { resourceType => 'ResourceType', location => 'https://id.example.com/scim/v2/ResourceTypes/User' } },
        '[S-203] /ResourceTypes/User describes the type User';
is $c->request(GET => "/scim/v2$_->{endpoint}")->{status}, 200,
    "[S-54] GET of $_->{endpoint}, an endpoint in /ResourceTypes, is answered with 200" for @{ $types->{Resources} };

# --- Schemas

my $schemas = get '/Schemas';
my %schema = map { $_->{id} => $_ } @{ $schemas->{Resources} };
is_deeply [sort keys %schema], [sort $user, $enterprise, map "$core:$_", qw(Group ResourceType Schema ServiceProviderConfig)],
    '[S-43] /Schemas lists the schemas of resources and of discovery, and no message schemas';
for my $urn (sort keys %schema) {
    is_deeply get("/Schemas/$urn"), $schema{$urn}, "[S-168] GET /Schemas/$urn returns the same schema as /Schemas";
    is_deeply [@{ $schema{$urn} }{qw(schemas meta)}], [["$core:Schema"], { resourceType => 'Schema',
        location => "https://id.example.com/scim/v2/Schemas/$urn" }], "[S-33 E-8417] the schema $urn has schemas and meta";
}
is get("/Schemas/" . lc $user)->{id}, $user, '[S-5] /Schemas finds a URN in another case';

my %all = (name => 1, type => 1, multiValued => 1, description => 1, required => 1, mutability => 1, returned => 1);
sub attributes { my ($list) = @_; return { map { $_->{name} => $_ } @$list } }
for my $urn ($user, $enterprise) {
    for my $attribute (map { ($_, @{ $_->{subAttributes} // [] }) } @{ $schema{$urn}{attributes} }) {
        my @missing = grep !exists $attribute->{$_}, keys %all;
        push @missing, grep !exists $attribute->{$_}, qw(caseExact uniqueness) if $attribute->{type} eq 'string';
        push @missing, 'referenceTypes' if $attribute->{type} eq 'reference' && !@{ $attribute->{referenceTypes} // [] };
        push @missing, 'subAttributes' if ($attribute->{type} eq 'complex') != exists $attribute->{subAttributes};
        is "@missing", '', "[S-27 S-28] $urn describes $attribute->{name} with all characteristics";
    }
}
my $of_user = attributes $schema{$user}{attributes};
is_deeply [sort keys %$of_user], [sort qw(userName name displayName nickName profileUrl title userType preferredLanguage locale
    timezone active password emails phoneNumbers ims photos addresses groups entitlements roles x509Certificates)],
        'the User schema has all attributes of RFC 7643 4.1';
is_deeply [@{ $of_user->{userName} }{qw(required uniqueness caseExact)}], [$true, 'server', $false],
    'userName is required, unique on the server and not caseExact';
is_deeply [@{ $of_user->{password} }{qw(mutability returned)}], [qw(writeOnly never)],
    'password is writeOnly and never returned';
is $of_user->{groups}{mutability}, 'readOnly', 'groups is readOnly';
my $emails = attributes $of_user->{emails}{subAttributes};
is_deeply [sort keys %$emails], [qw(display primary type value)], 'emails has its sub-attributes';
is_deeply $emails->{type}{canonicalValues}, [qw(work home other)],
    '[S-206] emails.type has the canonical values work, home and other';
ok exists attributes($of_user->{addresses}{subAttributes})->{primary}, 'addresses has the sub-attribute primary';
is_deeply [sort keys %{ attributes $schema{$enterprise}{attributes} }],
    [sort qw(employeeNumber costCenter organization division department manager)],
        'the enterprise extension has all attributes of RFC 7643 4.3';

# --- what the discovery endpoints refuse

for my $path ('/ServiceProviderConfig', '/ResourceTypes', '/ResourceTypes/User', '/Schemas', "/Schemas/$user") {
    is_error $c->request(GET => "/scim/v2$path?filter=id+eq+%22a%22"), 403, '', qr/filters are not supported on this endpoint/,
        "[S-169] GET $path with a filter is refused with 403";
    is $c->request(GET => "/scim/v2$path?count=0&sortBy=id&attributes=name&x=y")->{status}, 200,
        "[S-169] GET $path ignores other parameters";
    for my $method (qw(POST PUT PATCH DELETE)) {
        my $r = $c->request($method => "/scim/v2$path", $method eq 'DELETE' ? () : (json => {}));
        is_error $r, 405, '', qr/$method is not allowed; this endpoint supports/, "[S-42 S-46] $method $path is refused with 405";
        is $r->{headers}{allow}, 'GET, HEAD', "the 405 to $method $path has an Allow header";
    }
}
is_error $c->request(GET => '/scim/v2/ResourceTypes/user'), 404, '', qr/no resource type "user"; \/ResourceTypes lists/,
    '[S-168] an unknown resource type is refused with 404';
is_error $c->request(GET => '/scim/v2/Schemas/urn:x:y'), 404, '', qr/no schema "urn:x:y"; \/Schemas lists/,
    '[S-168] an unknown schema is refused with 404';
is_error $t->request(GET => '/scim/v2/Schemas'), 401, '', qr/no Authorization header/,
    'GET /Schemas without a token is refused with 401';

$t->finish;
