#!/usr/bin/perl
# Two tenants share a store and see nothing of each other: whatever one asks, at any endpoint, with any verb, filter or
# body, answers and its part of the log are the same as if the other did not exist; and no address and token of different
# tenants go together, whether one URL serves all or each has its own.

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

# --- the same names in both, and secrets in the second, which everything below looks for

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
    is $r->{status}, 201, "made in $path" or diag $r->{body};
    return $r->{json}{id} // 'none';
}

my %secret;    # what of globex must never be seen by acme
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

# What acme is answered; nothing in it may be globex's, but for ids that acme itself has just sent.
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
        fail "$method $path leaks";
        diag $seen;
    }
    return $r;
}

sub ops { return { schemas => [$patch], Operations => [@_] } }

# --- by id: every verb, every endpoint, every version

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
            # Just what an id that nobody has is answered.
            my $none = ask($method, "/$type/01930000-0000-7000-8000-00000000dead", @how);
            my ($got, $expected) = map { join ' ', $_->{status}, ($_->{body} // '') =~ s/\(request .*?\)|[0-9a-f-]{36}//gr } $r, $none;
            is $got, $expected, "$method /$type of another tenant is $none->{status}, as nobody's" . join ' ', '', %$headers;
            is $r->{status}, 404, 'not found' if !%$headers;
        }
    }
    ask(GET => "/$type/$id?attributes=userName,displayName");
    ask(GET => "/$type/$id?excludedAttributes=members");
}

# --- by name: no conflict, no trace

my $same = ask(POST => '/Users', json => person('globex-only@secret.example', externalId => 'globex-external'));
is $same->{status}, 201, 'a userName that the other tenant has is free';
is ask(DELETE => "/Users/$same->{json}{id}")->{status}, 204, 'and deleted';
$same = ask(POST => '/Groups', json => { schemas => [$group], displayName => 'GlobexOnly' });
is $same->{status}, 201, 'so is a displayName';
is ask(PATCH => "/Groups/$same->{json}{id}", json => ops({ op => 'replace', path => 'displayName', value => 'globexonly' }))->{status}, 204,
    'and by renaming';
is ask(DELETE => "/Groups/$same->{json}{id}")->{status}, 204, 'and deleted';
my $conflict = ask(POST => '/Users', json => person('ADA@example.com'));
is_error $conflict, 409, 'uniqueness', qr/is taken by the User $mine/, 'a conflict of its own names its own';
is_error ask(POST => '/Groups', json => { schemas => [$group], displayName => 'STAFF' }), 409, 'uniqueness', qr/by the Group $my_group/,
    'and so does a group\'s';

# --- members and managers

for my $how ([POST => '/Groups', { schemas => [$group], displayName => 'Mixed', members => [{ value => $mine }, { value => $theirs }] }],
    [PUT => "/Groups/$my_group", { schemas => [$group], displayName => 'Staff', members => [{ value => $theirs }] }],
    [PUT => "/Groups/$my_group", { schemas => [$group], displayName => 'Staff', members => [{ value => $only, type => 'Group' }] }],
    [PATCH => "/Groups/$my_group", ops({ op => 'add', path => 'members', value => [{ value => $theirs }] })],
    [PATCH => "/Groups/$my_group", ops({ op => 'replace', path => 'members', value => [{ value => $other }] })],
    [PATCH => "/Groups/$my_group", ops({ op => 'add', value => { members => [{ value => $their_group }] } })]) {
    my ($method, $path, $json) = @$how;
    is_error ask($method, $path, json => $json), 400, 'invalidValue', qr/there is no User or Group with the id "(?:$sent)"/,
        "$method $path: a member of another tenant is nobody";
}
is ask(PATCH => "/Groups/$my_group", json => ops({ op => 'remove', path => "members[value eq \"$theirs\"]" }))->{status}, 204,
    'nor is anyone to be removed';
is_deeply [map $_->{value}, @{ ask(GET => "/Groups/$my_group")->{json}{members} }], [$mine], 'the group is as it was';
is ask(PUT => "/Users/$mine", json => person('ada@example.com', externalId => 'x-1', emails => [{ value => 'ada@example.com' }],
    $enterprise => { manager => { value => $theirs } }))->{status}, 200, 'a manager may have any id';
my $manager = $a->request(GET => "$base/Users/$mine")->{json}{$enterprise}{manager};
is $manager->{value}, $theirs, 'it is kept';
unlike $Scim::json->encode($manager), qr/Globex/, 'but says nothing of who that is';
ask(PATCH => "/Users/$mine", json => ops({ op => 'remove', path => "$enterprise:manager" }));
unlike $b->request(GET => "$base/Users/$theirs")->{body}, qr/"displayName":"Mine"|\/acme/, 'nor the other way round';

# --- lists, filters, counts, pages, projections

my %expected = ('' => 1, 'count=0' => 1, 'count=1000' => 1, 'startIndex=2' => 1, 'startIndex=1&count=1' => 1);
is ask(GET => "/Users?$_")->{json}{totalResults}, $expected{$_}, "Users?$_ counts its own" for sort keys %expected;
is ask(GET => "/Groups?$_")->{json}{totalResults}, $expected{$_}, "Groups?$_ counts its own" for sort keys %expected;
my @nobody = ('userName eq "globex-only@secret.example"', 'externalId eq "globex-external"', 'emails.value eq "globex@secret.example"',
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
counts Users => $_, 0 for @nobody;
counts Users => $_, 1 for @one;
counts Groups => $_, 0 for 'displayName eq "GlobexOnly"', "members.value eq \"$theirs\"", "members eq \"$other\"", 'displayName sw "Globex"',
    "id eq \"$their_group\"", 'displayName ne "Staff"';
counts Groups => $_, 1 for 'displayName eq "staff"', 'externalId eq "g-1"', "members.value eq \"$mine\"", 'displayName pr';
my $search = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest';
for my $case (['/Users', $nobody[0], 0], ['/Users', 'userName pr', 1], ['/Groups', 'displayName pr', 1], ['', 'meta.created pr', 2],
    ['', "id eq \"$theirs\" or id eq \"$only\"", 0], ['', "id eq \"$mine\" or id eq \"$their_group\"", 1]) {
    my ($path, $filter, $expected) = @$case;
    my $r = ask(POST => "$path/.search", json => { schemas => [$search], filter => $filter, sortBy => 'meta.created' });
    is $r->{json}{totalResults}, $expected, "$path/.search: $filter finds $expected" or diag $r->{body};
    is ask(GET => "$path/?filter=" . encoded($filter))->{json}{totalResults}, $expected, 'by GET, too' if $path eq '';
}
ask(GET => '/Users?filter=' . encoded($_)) for 'globex eq', 'userName eq "globex', 'globexAttribute eq "x"', "urn:globex:User:a eq 1";

# --- what has no tenant, and what is not there

ask($_->[0] => $_->[1], $_->[2] ? (json => $_->[2]) : ()) for
    ['GET', '/'], ['GET', '/Me'], ['PATCH', '/Me', ops()], ['POST', '/Bulk', { Operations => [] }], ['POST', '/.search', { filter => 'title pr' }],
    ['POST', '/Users/.search', { filter => 'userName pr' }], ['GET', '/Tenants'], ['GET', "/globex.example/Users"], ['GET', '/ServiceProviderConfig'],
    ['GET', '/Schemas'], ['GET', '/ResourceTypes'], ['GET', '/ResourceTypes/Globex'], ['GET', '/Users/../../t/globex.example/scim/v2/Users'],
    ['GET', "/Users/$theirs/$other"], ['GET', "/Groups/$their_group/members"], ['OPTIONS', '/Users'];
is $count{leaks} // 0, 0, "$count{tries} answers leak nothing";

# --- addresses: host, prefix in a regular expression, header, a fixed name

my %at = (host => sub { return ('/scim/v2/Users', port => 1, headers => { Host => $_[0] }) },
    prefix => sub { return ("/t/$_[0]/scim/v2/Users") }, header => sub { return ('/header/Users', headers => { 'X-Tenant' => $_[0] }) });
for my $way (sort keys %at) {
    for my $address (sort keys %token) {
        for my $owner (sort keys %token) {
            my ($path, %o) = $at{$way}->($address);
            my $r = $t->request(GET => $path, %o, token => $token{$owner});
            if ($owner eq $address) {
                is $r->{status}, 200, "$way $address with its own token";
                my $url = $r->{json}{Resources}[0]{meta}{location} // '';
                like $url, qr{^https://id\.example\.com/t/\Q$address\E/scim/v2/Users/}, 'addresses are its own' if $way eq 'prefix';
                is $r->{json}{totalResults}, $address =~ /acme/ ? 1 : 2, 'and what it has';
                next;
            }
            is_error $r, 403, '', qr/the token is of another tenant than this address/, "$way $address with the other's token";
            unlike $r->{body} . join(' ', %{ $r->{headers} }), qr/\Q$address\E|label/, 'the other is not named';
            for my $how ([POST => person('intruder')], ['DELETE'], [PATCH => ops()]) {
                my ($method, $json) = @$how;
                is $t->request($method, $path . ($method eq 'POST' ? '' : "/$mine"), %o, token => $token{$owner}, $json ? (json => $json) : ())->{status},
                    403, "nor to $method";
            }
        }
    }
    my ($path, %o) = $at{$way}->('nobody.example');
    my ($acme, $stranger) = map $t->request(GET => $path, %o, token => $_), $token{'acme.example'}, 'x' x 20;
    is "$acme->{status} $stranger->{status}", '403 401', "$way of a tenant that is not there: 403 with a token, 401 without";
    ($path, %o) = $at{$way}->('globex.example');
    my $known = $t->request(GET => $path, %o, token => $token{'acme.example'});
    my ($one, $two) = map $_->{body} =~ s/\(request .*//r, $acme, $known;
    is $one, $two, 'and the answer does not tell whether it is there';
}
is $t->request(GET => '/named/Users', token => $token{'acme.example'})->{status}, 200, 'a fixed name';
is_error $t->request(GET => '/named/Users', token => $token{'globex.example'}), 403, '', qr/another tenant/, 'is one tenant\'s';
is $t->request(GET => '/app/Users')->{json}{totalResults}, 1, 'without authentication the named tenant is served';
is $t->request(GET => "/app/Users/$theirs")->{status}, 404, 'and no other';
is_error $t->request(GET => '/header/Users', token => $token{'acme.example'}), 403, '', qr/./, 'a header that is missing names no tenant';

# --- one connection, tokens in turn: nothing stays behind

my @turns = map { my $who = $_; map [GET => $_, token => $token{$who}], "$base/Users", "$base/Users/$theirs", "$base/Groups?count=0" }
    (qw(acme.example globex.example)) x 3;
my @statuses = map { $_->{status} . (defined $_->{json}{totalResults} ? "/$_->{json}{totalResults}" : '') } $t->client->pipeline(@turns);
is "@statuses", join(' ', ('200/1 404 200/1', '200/2 200 200/2') x 3), 'tokens in turn on one connection';
my $etag = $b->request(GET => "$base/Users/$theirs")->{headers}{etag};
is $a->request(GET => "$base/Users/$theirs", headers => { 'If-None-Match' => $etag })->{status}, 404, 'a version of theirs is no 304';

# --- the log: lines of acme's requests say nothing of globex, lines of globex's carry its name

open my $f, '<', "$t->{dir}/scim.log" or die $!;
my @lines = map $Scim::json->decode($_), <$f>;
my @acme = grep $_->{tenant} eq 'acme.example', @lines;
cmp_ok scalar @acme, '>', 300, 'acme has its lines';
my @wrong = grep { "$_->{detail} $_->{dialect}" =~ s/$sent|globex\w*|\w*@?secret\.example//gri =~ $secret } @acme;
is scalar @wrong, 0, 'none names what is globex\'s' or diag explain \@wrong;

$a->request(PATCH => "$base/Users/$mine", json => ops({ op => 'replace', path => 'title', value => 'Last' }));
my ($exit, $out, $err) = $t->scimctl(qw(log --tenant acme.example --limit 10000 --json));
is $exit, 0, 'scimctl log' or diag $err;
@wrong = grep { s/$sent|globex-only\@secret\.example|globexonly|urn:globex\S*//gri =~ $secret } split /\n/, $out;
is "@wrong", '', 'says nothing of globex but what acme sent itself';
($exit, $out) = $t->scimctl(qw(log --tenant globex.example --limit 10000 --json));
unlike $out, qr/$mine|$my_group|acme/, 'nor globex\'s of acme';

# --- a tenant that goes takes nothing of the other's with it, and leaves nothing behind

is +($t->scimctl(qw(tenant remove globex.example --yes)))[0], 0, 'globex is removed';
is $b->request(GET => "$base/Users")->{status}, 401, 'its token is nobody\'s';
is $a->request(GET => "$base/Users")->{json}{totalResults}, 1, 'acme has what it had';
my $again = $t->token($t->tenant('globex.example'));
is $t->request(GET => "$base/$_", token => $again)->{json}{totalResults}, 0, "a new tenant of that name has no $_" for qw(Users Groups);
is $t->request(GET => "$base/Users/$theirs", token => $again)->{status}, 404, 'and not what the old one had';
is +($t->scimctl('verify'))[0], 0, 'the store is whole';

$t->finish;
