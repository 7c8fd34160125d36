#!/usr/bin/perl
# ServiceProviderConfig, ResourceTypes and Schemas say what this server does, no more and no less (RFC 7644 4): what they
# announce works, what they do not announce is refused.

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
    is "$r->{status} $r->{headers}{'content-type'}", '200 application/scim+json', $path;
    return $r->{json};
}

# --- ServiceProviderConfig

my $config = get '/ServiceProviderConfig';
is_deeply $config->{schemas}, ["$core:ServiceProviderConfig"], 'its schema';
is_deeply $config->{meta}, { resourceType => 'ServiceProviderConfig',
    location => 'https://id.example.com/scim/v2/ServiceProviderConfig' }, 'its meta';
my $scheme = $config->{authenticationSchemes}[0];
is "$scheme->{type} " . @{ $config->{authenticationSchemes} }, 'oauthbearertoken 1', 'bearer tokens';
ok $scheme->{name} && $scheme->{description}, 'with name and description';
is_deeply $c->request(GET => '/open/ServiceProviderConfig')->{json}{authenticationSchemes}, [], 'none where there is none';

my $users = '/scim/v2/Users';
$c->request(POST => $users, json => { schemas => [$user], userName => "u$_" }) for 1 .. 160;
my $one = $c->request(GET => "$users?count=1")->{json}{Resources}[0]{id};
my $list = $c->request(GET => "$users?count=1000")->{json};
is $config->{filter}{supported}, $true, 'filters are announced';
is $config->{filter}{maxResults}, scalar @{ $list->{Resources} }, 'and maxResults is what a list has';
is $config->{pagination}{maxPageSize}, scalar @{ $list->{Resources} }, 'and maxPageSize';
is $config->{pagination}{defaultPageSize}, $c->request(GET => $users)->{json}{itemsPerPage}, 'and defaultPageSize';
is_deeply [@{ $config->{pagination} }{qw(index cursor defaultPaginationMethod)}], [$true, $false, 'index'], 'paging by index';
is $config->{etag}{supported}, $true, 'ETags are announced';
ok exists $c->request(GET => "$users/$one")->{headers}{etag}, 'and sent';
for my $feature ([patch => PATCH => "$users/$one"], [bulk => POST => '/scim/v2/Bulk']) {
    my ($name, $method, $path) = @$feature;
    my $status = $c->request($method => $path, json => {})->{status};
    is $config->{$name}{supported}, $status == 501 ? $false : $true, "$name is announced if it is not 501";
}
is_deeply $config->{$_}, { supported => $false }, "no $_" for qw(changePassword);
is_deeply $config->{sort}, { supported => $true }, 'lists can be sorted';
is join(' ', sort grep defined && !/\D/, @{ $config->{bulk} }{qw(maxOperations maxPayloadSize)}), '0 0', 'limits of bulk';

# --- ResourceTypes

my $types = get '/ResourceTypes';
is_deeply [@$types{qw(schemas totalResults startIndex itemsPerPage)}],
    [['urn:ietf:params:scim:api:messages:2.0:ListResponse'], 2, 1, 2], 'a list';
my $type = get '/ResourceTypes/User';
is_deeply $types->{Resources}, [$type, get '/ResourceTypes/Group'], 'of what can be read alone';
is_deeply $type, {
    schemas => ["$core:ResourceType"], id => 'User', name => 'User', description => $type->{description}, endpoint => '/Users',
    schema => $user, schemaExtensions => [{ schema => $enterprise, required => $false }],
    meta => { resourceType => 'ResourceType', location => 'https://id.example.com/scim/v2/ResourceTypes/User' } }, 'User';
is $c->request(GET => "/scim/v2$_->{endpoint}")->{status}, 200, "$_->{endpoint} is there" for @{ $types->{Resources} };

# --- Schemas

my $schemas = get '/Schemas';
my %schema = map { $_->{id} => $_ } @{ $schemas->{Resources} };
is_deeply [sort keys %schema], [sort $user, $enterprise, map "$core:$_", qw(Group ResourceType Schema ServiceProviderConfig)],
    'every schema there is, and no message';
for my $urn (sort keys %schema) {
    is_deeply get("/Schemas/$urn"), $schema{$urn}, 'read alone';
    is_deeply [@{ $schema{$urn} }{qw(schemas meta)}], [["$core:Schema"], { resourceType => 'Schema',
        location => "https://id.example.com/scim/v2/Schemas/$urn" }], 'schemas and meta';
}
is get("/Schemas/" . lc $user)->{id}, $user, 'a URN in another case';

my %all = (name => 1, type => 1, multiValued => 1, description => 1, required => 1, mutability => 1, returned => 1);
sub attributes { my ($list) = @_; return { map { $_->{name} => $_ } @$list } }
for my $urn ($user, $enterprise) {
    for my $attribute (map { ($_, @{ $_->{subAttributes} // [] }) } @{ $schema{$urn}{attributes} }) {
        my @missing = grep !exists $attribute->{$_}, keys %all;
        push @missing, grep !exists $attribute->{$_}, qw(caseExact uniqueness) if $attribute->{type} eq 'string';
        push @missing, 'referenceTypes' if $attribute->{type} eq 'reference' && !@{ $attribute->{referenceTypes} // [] };
        push @missing, 'subAttributes' if ($attribute->{type} eq 'complex') != exists $attribute->{subAttributes};
        is "@missing", '', "$attribute->{name} is described";
    }
}
my $of_user = attributes $schema{$user}{attributes};
is_deeply [sort keys %$of_user], [sort qw(userName name displayName nickName profileUrl title userType preferredLanguage locale
    timezone active password emails phoneNumbers ims photos addresses groups entitlements roles x509Certificates)], 'of a User';
is_deeply [@{ $of_user->{userName} }{qw(required uniqueness caseExact)}], [$true, 'server', $false], 'userName';
is_deeply [@{ $of_user->{password} }{qw(mutability returned)}], [qw(writeOnly never)], 'password';
is $of_user->{groups}{mutability}, 'readOnly', 'groups';
my $emails = attributes $of_user->{emails}{subAttributes};
is_deeply [sort keys %$emails], [qw(display primary type value)], 'emails';
is_deeply $emails->{type}{canonicalValues}, [qw(work home other)], 'and their types';
ok exists attributes($of_user->{addresses}{subAttributes})->{primary}, 'addresses.primary';
is_deeply [sort keys %{ attributes $schema{$enterprise}{attributes} }],
    [sort qw(employeeNumber costCenter organization division department manager)], 'of an enterprise user';

# --- what is refused here

for my $path ('/ServiceProviderConfig', '/ResourceTypes', '/ResourceTypes/User', '/Schemas', "/Schemas/$user") {
    is_error $c->request(GET => "/scim/v2$path?filter=id+eq+%22a%22"), 403, '', qr/a filter is not possible/, "filter on $path";
    is $c->request(GET => "/scim/v2$path?count=0&sortBy=id&attributes=name&x=y")->{status}, 200, 'other parameters are ignored';
    for my $method (qw(POST PUT PATCH DELETE)) {
        my $r = $c->request($method => "/scim/v2$path", $method eq 'DELETE' ? () : (json => {}));
        is_error $r, 405, '', qr/$method is not possible here/, "$method $path";
        is $r->{headers}{allow}, 'GET, HEAD', 'Allow';
    }
}
is_error $c->request(GET => '/scim/v2/ResourceTypes/user'), 404, '', qr/no resource type "user" here; \/ResourceTypes lists/,
    'a type that is not';
is_error $c->request(GET => '/scim/v2/Schemas/urn:x:y'), 404, '', qr/no schema "urn:x:y" here; \/Schemas lists/,
    'a schema that is not';
is_error $t->request(GET => '/scim/v2/Schemas'), 401, '', qr/no Authorization header/, 'a stranger is told of ServiceProviderConfig only';

$t->finish;
