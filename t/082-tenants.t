#!/usr/bin/perl
# Two tenants share a store and have no access to each other: at any endpoint, with any method, filter or body, the answers
# and the log of one are the same as if the other did not exist. A token of one tenant is refused at an address of the other,
# with one URL for all tenants and with a URL for each.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my ($user, $enterprise) = ($Scim::Check::user_urn, $Scim::Check::enterprise_urn);
my ($group, $patch) = ('urn:ietf:params:scim:schemas:core:2.0:Group', 'urn:ietf:params:scim:api:messages:2.0:PatchOp');
my $t = Scim->new(workers => 2, http => <<'EOC', server => <<'EOS');
    scim_store main %%DIR%%/store;
    log_format scim escape=json '{"tenant":"$scim_tenant","detail":"$scim_detail","id":"$scim_resource_id","dialect":"$scim_dialect"}';
    server {
        listen 127.0.0.1:%%PORT1%%;
        location /scim/v2/ { scim main; scim_tenant $host; }
    }
EOC
    access_log %%DIR%%/scim.log scim;
    location /scim/v2/ { scim main; }
    location ~ ^/t/(?<who>[a-z.]+)/scim/v2(/|$) { scim main; scim_tenant $who; scim_base_url https://id.example.com/t/$who/scim/v2; }
    location /header/ { scim main; scim_tenant $http_x_tenant; }
    location /named/ { scim main; scim_tenant acme.example; }
    location /app/ { scim main; scim_auth off; scim_tenant acme.example; }
EOS

# --- the same names in both tenants, and values of the second one that must not appear in answers to the first

my %token = ('acme.example' => $t->seed('acme.example'));
$token{'globex.example'} = $t->token($t->tenant('globex.example'), label => 'globex-secret-label');
$t->start->served('/scim/v2/Users', token => $token{'acme.example'});
my ($a, $b) = map $t->client(token => $token{$_}), qw(acme.example globex.example);
my $base = '/scim/v2';

sub person { my ($name, %more) = @_; return { schemas => [$user, $enterprise], userName => $name, %more } }
sub made {
    my ($client, $path, $body) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = $client->request(POST => "$base$path", json => $body);
    is $r->{status}, 201, "POST to $path is answered with 201" or diag $r->{body};
    return $r->{json}{id} // 'none';
}

my %secret;    # values of globex that acme must never see
my $mine = made($a, '/Users', person('ada@example.com', externalId => 'x-1', title => 'Mine', emails => [{ value => 'ada@example.com' }]));
my $my_group = made($a, '/Groups', { schemas => [$group], displayName => 'Staff', externalId => 'g-1', members => [{ value => $mine }] });
my $theirs = made($b, '/Users', person('ada@example.com', externalId => 'x-1', title => 'GlobexTitle', displayName => 'GlobexName',
    emails => [{ value => 'ada@example.com' }, { value => 'globex@secret.example' }], phoneNumbers => [{ value => 'globex-phone' }],
    $enterprise => { department => 'GlobexDepartment', manager => { value => $mine } }));
my $other = made($b, '/Users', person('globex-only@secret.example', externalId => 'globex-external'));
my $their_group = made($b, '/Groups', { schemas => [$group], displayName => 'Staff', externalId => 'g-1',
    members => [{ value => $theirs }, { value => $other }] });
my $only = made($b, '/Groups', { schemas => [$group], displayName => 'GlobexOnly', members => [{ value => $theirs }] });
my $secret = qr/globex|secret\.example|$theirs|$other|$their_group|$only/i;
my $sent = qr/$theirs|$other|$their_group|$only/;

# A request of acme; the answer must have no value of globex other than those in the request.
my %count;
sub ask {
    my ($method, $path, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = $a->request($method, "$base$path", %o);
    my $seen = join ' ', $r->{status}, $r->{body} // '', %{ $r->{headers} };
    my $said = $path . (exists $o{json} ? $Scim::json->encode($o{json}) : '');
    $said =~ s/%(..)/chr hex $1/ge;
    for my $word ($said =~ /($sent|globex[\w@.-]*|[\w.-]*secret\.example)/gi) { $seen =~ s/\Q$word\E//g }
    $count{tries}++;
    if ($seen =~ $secret) {
        $count{leaks}++;
        fail "the answer to $method $path has no value of globex";
        diag $seen;
    }
    return $r;
}

sub ops { return { schemas => [$patch], Operations => [@_] } }

# --- by id: every method, endpoint and condition

for my $case (['Users', $theirs], ['Users', $other], ['Groups', $their_group], ['Groups', $only], ['Groups', $theirs], ['Users', $their_group]) {
    my ($type, $id) = @$case;
    my $body = $type eq 'Users' ? person('new@example.com') : { schemas => [$group], displayName => 'New' };
    (my $one = $type) =~ s/s\z//;
    for my $how (['GET'], ['HEAD'], [PUT => $body], [PATCH => ops({ op => 'replace', path => 'externalId', value => 'stolen' })],
        ['DELETE'], [PATCH => ops()]) {
        my ($method, $json) = @$how;
        for my $headers ({}, { 'If-Match' => '*' }, { 'If-None-Match' => '*' }, { 'If-Match' => 'W/"1"' }) {
            my @how = ($json ? (json => $json) : (), headers => $headers);
            my $r = ask($method, "/$type/$id", @how);
            # The same request with an id that no resource has.
            my $none = ask($method, "/$type/01930000-0000-7000-8000-00000000dead", @how);
            my ($got, $expected) = map { join ' ', $_->{status}, ($_->{body} // '') =~ s/\(request .*?\)|[0-9a-f-]{36}//gr } $r, $none;
            is $got, $expected,
                "$method /$type of another tenant has the same answer as an unknown id ($none->{status})" . join ' ',
                    '', %$headers;
            is $r->{status}, 404, "$method /$type of another tenant is refused with 404" if !%$headers;
        }
    }
    ask(GET => "/$type/$id?attributes=userName,displayName");
    ask(GET => "/$type/$id?excludedAttributes=members");
}

# --- by name: no conflict with the other tenant

my $same = ask(POST => '/Users', json => person('globex-only@secret.example', externalId => 'globex-external'));
is $same->{status}, 201, 'POST with a userName of the other tenant is answered with 201';
is ask(DELETE => "/Users/$same->{json}{id}")->{status}, 204, 'DELETE of that user is answered with 204';
$same = ask(POST => '/Groups', json => { schemas => [$group], displayName => 'GlobexOnly' });
is $same->{status}, 201, 'POST with a displayName of the other tenant is answered with 201';
is ask(PATCH => "/Groups/$same->{json}{id}", json => ops({ op => 'replace', path => 'displayName', value => 'globexonly' }))->{status}, 204,
    'PATCH to a displayName of the other tenant is answered with 204';
is ask(DELETE => "/Groups/$same->{json}{id}")->{status}, 204, 'DELETE of that group is answered with 204';
my $conflict = ask(POST => '/Users', json => person('ADA@example.com'));
is_error $conflict, 409, 'uniqueness', qr/is taken by the User $mine/,
    'a userName that is taken names the user of the own tenant';
is_error ask(POST => '/Groups', json => { schemas => [$group], displayName => 'STAFF' }), 409, 'uniqueness', qr/by the Group $my_group/,
    'a displayName that is taken names the group of the own tenant';

# --- members and managers

for my $how ([POST => '/Groups', { schemas => [$group], displayName => 'Mixed', members => [{ value => $mine }, { value => $theirs }] }],
    [PUT => "/Groups/$my_group", { schemas => [$group], displayName => 'Staff', members => [{ value => $theirs }] }],
    [PUT => "/Groups/$my_group", { schemas => [$group], displayName => 'Staff', members => [{ value => $only, type => 'Group' }] }],
    [PATCH => "/Groups/$my_group", ops({ op => 'add', path => 'members', value => [{ value => $theirs }] })],
    [PATCH => "/Groups/$my_group", ops({ op => 'replace', path => 'members', value => [{ value => $other }] })],
    [PATCH => "/Groups/$my_group", ops({ op => 'add', value => { members => [{ value => $their_group }] } })]) {
    my ($method, $path, $json) = @$how;
    is_error ask($method, $path, json => $json), 400, 'invalidValue', qr/there is no User or Group with the id "(?:$sent)"/,
        "$method $path with a member of another tenant is refused with 400";
}
is ask(PATCH => "/Groups/$my_group", json => ops({ op => 'remove', path => "members[value eq \"$theirs\"]" }))->{status}, 204,
    'PATCH remove of a member of another tenant is answered with 204';
is_deeply [map $_->{value}, @{ ask(GET => "/Groups/$my_group")->{json}{members} }], [$mine],
    'the members of the group are unchanged';
is ask(PUT => "/Users/$mine", json => person('ada@example.com', externalId => 'x-1', emails => [{ value => 'ada@example.com' }],
    $enterprise => { manager => { value => $theirs } }))->{status}, 200,
        "PUT with the id of another tenant's user as manager is answered with 200";
my $manager = $a->request(GET => "$base/Users/$mine")->{json}{$enterprise}{manager};
is $manager->{value}, $theirs, 'the id of the manager is stored';
unlike $Scim::json->encode($manager), qr/Globex/, 'a manager of another tenant is returned without displayName';
ask(PATCH => "/Users/$mine", json => ops({ op => 'remove', path => "$enterprise:manager" }));
unlike $b->request(GET => "$base/Users/$theirs")->{body}, qr/"displayName":"Mine"|\/acme/,
    'a manager of another tenant is returned without displayName to the other tenant too';

# --- lists, filters, counts, pages, projections

my %expected = ('' => 1, 'count=0' => 1, 'count=1000' => 1, 'startIndex=2' => 1, 'startIndex=1&count=1' => 1);
is ask(GET => "/Users?$_")->{json}{totalResults}, $expected{$_},
    "Users?$_ counts the users of the own tenant" for sort keys %expected;
is ask(GET => "/Groups?$_")->{json}{totalResults}, $expected{$_},
    "Groups?$_ counts the groups of the own tenant" for sort keys %expected;
my @no_match = ('userName eq "globex-only@secret.example"', 'externalId eq "globex-external"',
    'emails.value eq "globex@secret.example"',
    'emails eq "globex@secret.example"', "id eq \"$theirs\"", "id eq \"$other\"", 'userName sw "globex"', 'userName co "only"',
    'title eq "GlobexTitle"', 'displayName pr', 'phoneNumbers pr', 'emails[value ew "secret.example"]', 'emails[type pr].value co "globex"',
    "$enterprise:department eq \"GlobexDepartment\"", "$enterprise:manager.value eq \"$mine\"", "groups.value eq \"$their_group\"",
    "userName eq \"ada\@example.com\" and title eq \"GlobexTitle\"", 'not (userName eq "ada@example.com")', 'userName ne "ada@example.com"',
    "id eq \"$theirs\" or id eq \"$other\"", 'userName gt "g"', 'meta.lastModified lt "2001-01-01T00:00:00Z" or title eq "GlobexTitle"');
my @one = ('userName eq "ada@example.com"', 'externalId eq "x-1"', 'emails.value eq "ada@example.com"', 'userName pr',
    'meta.created gt "2001-01-01T00:00:00Z"', "id eq \"$mine\" or id eq \"$theirs\"", "groups.value eq \"$my_group\"");
sub encoded { return $_[0] =~ s/([^\w.~-])/sprintf '%%%02X', ord $1/ger }
sub counts {
    my ($type, $filter, $expected) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    for my $more ('', '&count=0', '&attributes=id', '&startIndex=2', '&sortBy=id') {
        my $r = ask(GET => "/$type?filter=" . encoded($filter) . $more);
        is $r->{json}{totalResults}, $expected, "$type: $filter$more finds $expected" or diag $r->{body};
    }
}
counts Users => $_, 0 for @no_match;
counts Users => $_, 1 for @one;
counts Groups => $_, 0 for 'displayName eq "GlobexOnly"', "members.value eq \"$theirs\"", "members eq \"$other\"", 'displayName sw "Globex"',
    "id eq \"$their_group\"", 'displayName ne "Staff"';
counts Groups => $_, 1 for 'displayName eq "staff"', 'externalId eq "g-1"', "members.value eq \"$mine\"", 'displayName pr';
my $search = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest';
for my $case (['/Users', $no_match[0], 0], ['/Users', 'userName pr', 1], ['/Groups', 'displayName pr', 1], ['',
    'meta.created pr', 2],
    ['', "id eq \"$theirs\" or id eq \"$only\"", 0], ['', "id eq \"$mine\" or id eq \"$their_group\"", 1]) {
    my ($path, $filter, $expected) = @$case;
    my $r = ask(POST => "$path/.search", json => { schemas => [$search], filter => $filter, sortBy => 'meta.created' });
    is $r->{json}{totalResults}, $expected, "$path/.search: $filter finds $expected" or diag $r->{body};
    is ask(GET => "$path/?filter=" . encoded($filter))->{json}{totalResults}, $expected,
        "GET of the root: $filter finds $expected" if $path eq '';
}
ask(GET => '/Users?filter=' . encoded($_)) for 'globex eq', 'userName eq "globex', 'globexAttribute eq "x"', "urn:globex:User:a eq 1";

# --- endpoints without a tenant, and unknown endpoints

ask($_->[0] => $_->[1], $_->[2] ? (json => $_->[2]) : ()) for
    ['GET', '/'], ['GET', '/Me'], ['PATCH', '/Me', ops()], ['POST', '/Bulk', { Operations => [] }], ['POST', '/.search', { filter => 'title pr' }],
    ['POST', '/Users/.search', { filter => 'userName pr' }], ['GET', '/Tenants'], ['GET', "/globex.example/Users"], ['GET', '/ServiceProviderConfig'],
    ['GET', '/Schemas'], ['GET', '/ResourceTypes'], ['GET', '/ResourceTypes/Globex'], ['GET', '/Users/../../t/globex.example/scim/v2/Users'],
    ['GET', "/Users/$theirs/$other"], ['GET', "/Groups/$their_group/members"], ['OPTIONS', '/Users'];
is $count{leaks} // 0, 0, "$count{tries} answers to acme have no value of globex";

# --- addresses: host, prefix in a regular expression, header, a fixed name

my %at = (host => sub { return ('/scim/v2/Users', port => 1, headers => { Host => $_[0] }) },
    prefix => sub { return ("/t/$_[0]/scim/v2/Users") }, header => sub { return ('/header/Users', headers => { 'X-Tenant' => $_[0] }) });
for my $way (sort keys %at) {
    for my $address (sort keys %token) {
        for my $owner (sort keys %token) {
            my ($path, %o) = $at{$way}->($address);
            my $r = $t->request(GET => $path, %o, token => $token{$owner});
            if ($owner eq $address) {
                is $r->{status}, 200, "$way $address with a token of that tenant is answered with 200";
                my $url = $r->{json}{Resources}[0]{meta}{location} // '';
                like $url, qr{^https://id\.example\.com/t/\Q$address\E/scim/v2/Users/},
                    "$way $address: meta.location has the address of the tenant" if $way eq 'prefix';
                is $r->{json}{totalResults}, $address =~ /acme/ ? 1 : 2,
                    "$way $address: the list has the users of the tenant";
                next;
            }
            is_error $r, 403, '', qr/the token belongs to another tenant than this URL/,
                "$way $address with a token of another tenant";
            unlike $r->{body} . join(' ', %{ $r->{headers} }), qr/\Q$address\E|label/,
                "$way $address: the 403 does not name the other tenant";
            for my $how ([POST => person('intruder')], ['DELETE'], [PATCH => ops()]) {
                my ($method, $json) = @$how;
                is $t->request($method, $path . ($method eq 'POST' ? '' : "/$mine"), %o, token => $token{$owner}, $json ? (json => $json) : ())->{status},
                    403, "$way $address: $method with a token of another tenant is refused with 403";
            }
        }
    }
    my ($path, %o) = $at{$way}->('nobody.example');
    my ($acme, $unauthenticated) = map $t->request(GET => $path, %o, token => $_), $token{'acme.example'}, 'x' x 20;
    is "$acme->{status} $unauthenticated->{status}", '403 401',
        "$way of an unknown tenant is refused with 403 with a valid token and with 401 with an unknown one";
    ($path, %o) = $at{$way}->('globex.example');
    my $known = $t->request(GET => $path, %o, token => $token{'acme.example'});
    my ($one, $two) = map $_->{body} =~ s/\(request .*//r, $acme, $known;
    is $one, $two, "$way: the 403 of an unknown tenant is the same as that of another tenant";
}
is $t->request(GET => '/named/Users', token => $token{'acme.example'})->{status}, 200,
    'a location with a fixed tenant serves a token of that tenant';
is_error $t->request(GET => '/named/Users', token => $token{'globex.example'}), 403, '', qr/another tenant/,
    'a location with a fixed tenant refuses a token of another one with 403';
is $t->request(GET => '/app/Users')->{json}{totalResults}, 1, 'a location with scim_auth off serves its tenant';
is $t->request(GET => "/app/Users/$theirs")->{status}, 404, 'a location with scim_auth off does not serve another tenant';
is_error $t->request(GET => '/header/Users', token => $token{'acme.example'}), 403, '', qr/./,
    'a missing header in scim_tenant is refused with 403';

# --- tokens of both tenants in turn on one connection

my @turns = map { my $who = $_; map [GET => $_, token => $token{$who}], "$base/Users", "$base/Users/$theirs", "$base/Groups?count=0" }
    (qw(acme.example globex.example)) x 3;
my @statuses = map { $_->{status} . (defined $_->{json}{totalResults} ? "/$_->{json}{totalResults}" : '') } $t->client->pipeline(@turns);
is "@statuses", join(' ', ('200/1 404 200/1', '200/2 200 200/2') x 3),
    'requests with tokens of both tenants in turn on one connection are answered for the tenant of each token';
my $etag = $b->request(GET => "$base/Users/$theirs")->{headers}{etag};
is $a->request(GET => "$base/Users/$theirs", headers => { 'If-None-Match' => $etag })->{status}, 404,
    'If-None-Match with an ETag of another tenant is answered with 404';

# --- the access log: lines of acme's requests have no value of globex

open my $f, '<', "$t->{dir}/scim.log" or die $!;
my @lines = map $Scim::json->decode($_), <$f>;
my @acme = grep $_->{tenant} eq 'acme.example', @lines;
cmp_ok scalar @acme, '>', 300, 'the access log has more than 300 lines of acme';
my @wrong = grep { "$_->{detail} $_->{dialect}" =~ s/$sent|globex\w*|\w*@?secret\.example//gri =~ $secret } @acme;
is scalar @wrong, 0, 'no line of acme has a value of globex' or diag explain \@wrong;

$a->request(PATCH => "$base/Users/$mine", json => ops({ op => 'replace', path => 'title', value => 'Last' }));
my ($exit, $out, $err) = $t->scimctl(qw(log --tenant acme.example --limit 10000 --json));
is $exit, 0, 'scimctl log of acme exits with 0' or diag $err;
@wrong = grep { s/$sent|globex-only\@secret\.example|globexonly|urn:globex\S*//gri =~ $secret } split /\n/, $out;
is "@wrong", '', 'scimctl log of acme prints no value of globex that acme did not send';
($exit, $out) = $t->scimctl(qw(log --tenant globex.example --limit 10000 --json));
unlike $out, qr/$mine|$my_group|acme/, 'scimctl log of globex prints no value of acme';

# --- the removal of one tenant removes nothing of the other, and everything of itself

is +($t->scimctl(qw(tenant remove globex.example --yes)))[0], 0, 'scimctl tenant remove exits with 0';
is $b->request(GET => "$base/Users")->{status}, 401, 'a token of the removed tenant is refused with 401';
is $a->request(GET => "$base/Users")->{json}{totalResults}, 1, 'the other tenant has its users';
my $again = $t->token($t->tenant('globex.example'));
is $t->request(GET => "$base/$_", token => $again)->{json}{totalResults}, 0,
    "a new tenant with the name of the removed one has no $_" for qw(Users Groups);
is $t->request(GET => "$base/Users/$theirs", token => $again)->{status}, 404,
    'a user of the removed tenant is not in the new one';
is +($t->scimctl('verify'))[0], 0, 'scimctl verify finds no problem';

$t->finish;
