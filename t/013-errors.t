#!/usr/bin/perl
# Each refusal of the catalogue (src/scim/text/refusals.cc) is made somewhere in the source, and is provoked by a test: by a
# request or a command here, or, if it needs a fault, a race or a very large input, by the test that %elsewhere names. The id
# is in the answer, except under scim_profile rfc, in the error log, in $scim_error_id and in scimctl log. docs/errors.md is
# what scimctl explain-error --markdown prints.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $root = "$FindBin::Bin/..";
my ($user, $group) = ($Scim::Check::user_urn, 'urn:ietf:params:scim:schemas:core:2.0:Group');
my $messages = 'urn:ietf:params:scim:api:messages:2.0';
my ($yes, $no) = (JSON::PP::true, JSON::PP::false);

# The tests that provoke what no request here can. Each contains the id, or the name of the row in C++.
my %elsewhere = (
    'bulk-too-costly'         => 't/unit/bulk_job.cc',
    'bulk-too-large'          => 't/037-bulk.t',
    'catalog-damaged'         => 't/unit/store_open.cc',
    'catalog-unreadable'      => 't/unit/store_open.cc',
    'client-gone'             => 't/unit/read_budget.cc',
    'configuration-invalid'   => 't/unit/catalog.cc',
    'cursor-expired'          => 't/023-cursors.t',
    'cursor-outdated'         => 't/unit/cursor.cc',
    'body-not-kept'           => 't/067-limits-of-the-worker.t',
    'body-too-costly'         => 't/unit/json.cc',
    'import-errors-file'      => 't/unit/import.cc',
    'import-running'          => 't/unit/import.cc',
    'import-tenant-removed'   => 't/unit/import.cc',
    'indexed-text-too-costly' => 't/054-large-bodies.t',
    'host-invalid'            => 't/025-errors.t',
    'import-other-input'      => 't/unit/import.cc',
    'internal-error'          => 't/unit/result.cc',
    'json-too-many-values'    => 't/unit/json.cc',
    'out-of-memory'           => 't/unit/out_of_memory.cc',
    'output-failed'           => 't/unit/import.cc',
    'patch-too-costly'        => 't/unit/patch_bounds.cc',
    'queue-full'              => 't/053-fairness.t',
    'queue-timeout'           => 't/066-write-lock.t',
    'read-interrupted'        => 't/unit/lmdb.cc',
    'read-too-slow'           => 't/unit/read_budget.cc',
    'resource-too-large'      => 't/unit/patch_bounds.cc',
    'response-not-kept'       => 't/034-long-answers.t',
    'scope-read-missing'      => 't/unit/batch.cc',
    'store-full'              => 't/064-map-full.t',
    'store-newer'             => 't/060-store-faults.t',
    'store-unreadable'        => 't/072-damage.t',
    'store-unwritable'        => 't/072-damage.t',
    'token-limit'             => 't/unit/admin.cc',
    'user-ambiguous'          => 't/unit/block_user.cc',
);

my %returned = (400 => 'invalid', 401 => 'unauthorized', 404 => 'not-found', 405 => 'method', 411 => 'length-missing',
    414 => 'uri-too-long', 421 => 'wrong-host', 429 => 'rate-limited', 500 => 'failed', 501 => 'not-implemented',
    503 => 'limited', 505 => 'version');
my $returns = join ' ', map "if (\$arg_return = $_) { return $_; }", 418, sort keys %returned;
my $t = Scim->new(http => <<'EOC', server => <<'EOS' =~ s/%%RETURNS%%/$returns/r);
    scim_store main %%DIR%%/store;
    scim_store broken %%DIR%%/broken;
    scim_schema %%DIR%%/a.json;
    scim_schema %%DIR%%/b.json;
    scim_schema %%DIR%%/thing-schema.json;
    scim_schema %%DIR%%/thing.json;
    scim_status_zone status 1m;
    log_format id $scim_error_id;
EOC
    large_client_header_buffers 4 24k;
    location /scim/v2/ {
        scim main;
        access_log %%DIR%%/id.log id;
        %%RETURNS%%
    }
    location /rfc/ { scim main; scim_profile rfc; }
    location /small/ {
        scim main; client_max_body_size 1k; scim_max_scan 1; scim_max_filter_depth 1; scim_max_json_depth 5;
        scim_max_operations 1; scim_max_members 1; scim_bulk_max_operations 1;
    }
    location /atomic/ { scim main; scim_bulk_atomic on; }
    location /read/ { scim main; scim_scope read; }
    location /beta/ { scim main; scim_tenant beta; }
    location /open/ { scim main; scim_auth off; scim_tenant acme; }
    location /nobody/ { scim main; scim_auth off; scim_tenant nobody; }
    location /hosted/ { scim main; scim_base_url http://$http_x_host/hosted; }
    location ~ ^/re/ { scim main; scim_base_url https://id.example.com/re/scim; }
    location /broken/ { scim broken; }
    location /denied/ { scim main; deny all; }
    location = /status { scim_status; }
EOS
for (['a', 'A', { name => 'serial', mutability => 'immutable' }, { name => 'photo', type => 'binary' }], ['b', 'B']) {
    my ($file, $name, @more) = @$_;
    $t->write_file("$file.json", $Scim::json->encode(
        { id => "urn:example:$name:User", attributes => [{ name => 'badge' }, @more] }));
}
$t->write_file('thing-schema.json', $Scim::json->encode({ id => 'urn:example:Thing', attributes => [{ name => 'displayName' }] }));
$t->write_file('thing.json', $Scim::json->encode({ id => 'Thing', name => 'Thing', endpoint => '/Things', schema => 'urn:example:Thing' }));
mkdir "$t->{dir}/broken";
$t->write_file('broken/data.mdb', 'x' x 100_000);

my $token = $t->seed('acme');
my $beta = $t->token($t->tenant('beta'));
my %token = (read => $t->token('acme', label => 'reader', scope => 'read'), write => $t->token('acme', label => 'writer'));
$token{later} = $t->token('acme', label => 'later', 'not-before' => '1d');
$token{revoked} = $t->token('acme', label => 'gone');
$t->scimctl(qw(token revoke --tenant acme gone));
$token{expired} = $t->token('acme', label => 'short', expires => '1s');
{
    local $t->{store} = "$t->{dir}/other";
    $token{elsewhere} = $t->seed('acme');
}
$t->start;
my $c = $t->client(token => $token);
my $users = '/scim/v2/Users';
my $nobody = '01930000-0000-7000-8000-000000000000';

# --- the catalogue

my ($exit, $out, $err) = $t->scimctl(qw(--json explain-error));
my $catalogue = eval { $Scim::json->decode($out)->{errors} } || [];
my %row = map +($_->{id} => $_), @$catalogue;
cmp_ok scalar keys %row, '>', 100, 'scimctl --json explain-error lists the catalogue' or diag $exit, $out, $err;
is join(' ', grep { my $r = $row{$_}; grep !length($r->{$_} // ''), qw(sentence cause remedy documentation) } sort keys %row), '',
    'each row has a sentence, a cause and a remedy';

# The rows that the source names, but for the catalogue itself.
my $source = join '', map { open my $f, '<', $_ or die "$_: $!"; local $/; <$f> }
    grep !m{/text/refusals\.}, split /\n/, `find $root/src -name '*.cc' -o -name '*.h'`;
my %made = map { tr/_/-/r => 1 } $source =~ /\bRefusal::(\w+)/g;
is join(' ', grep !$made{$_}, sort keys %row), '', 'each row is made in the source';
is join(' ', grep !$row{$_}, sort keys %made), '', 'the id of each row has "-" for each "_" of its enumerator';
unlike $source, qr/\bError\s*\{\s*\d/, 'no error is made from a number';

open my $f, '<', "$root/docs/errors.md" or die $!;
is scalar `$ENV{TEST_SCIMCTL} explain-error --markdown`, join('', <$f>), 'docs/errors.md is up to date (make errors-page)';
{
    open my $page, '<', "$root/docs/troubleshooting.md" or die $!;
    my %named = map { $_ => 1 } map { (split /\|/)[-2] =~ /`([a-z]+(?:-[a-z0-9]+)+)`/g } grep /^\| \S/, <$page>;
    cmp_ok scalar keys %named, '>', 20, 'docs/troubleshooting.md names more than 20 refusals';
    is join(' ', grep !$row{$_}, sort keys %named), '', 'each of them is in the catalogue';
}

# --- answers

my (%seen, @wrong);

# The answer has the id, and the status and the scimType of its row.
sub provokes {
    my ($id, $r, $status) = @_;
    my ($json, $row) = ($r->{json}, $row{$id} // {});
    $json = {} if ref $json ne 'HASH';
    my $got = join ' ', map $_ // '-', $json->{errorId}, $json->{status}, $json->{scimType};
    my $wanted = join ' ', map $_ // '-', $id, $status // $row->{status}, $row->{scimType};
    push @wrong, "$wanted: $got: " . ($r->{body} // $r->{error}) if $got ne $wanted;
    $seen{$id} = 1 if ($json->{errorId} // '') eq $id;
    return $r;
}
sub get { my ($id, $path, @o) = @_; return provokes($id, $c->request(GET => $path, @o)) }
sub with { my ($id, $token) = @_; return provokes($id, $t->request(GET => $users, headers => { Authorization => $token })) }
sub post { my ($id, $json, @o) = @_; return provokes($id, $c->request(POST => $users, json => $json, @o)) }
sub text { my ($id, $body, @o) = @_; return provokes($id, $c->request(POST => $users, body => $body, @o)) }
sub ops { return { schemas => ["$messages:PatchOp"], Operations => [@_] } }
sub escaped { return $_[0] =~ s/([^\w.:~-])/sprintf '%%%02X', ord $1/ger }
sub filter { my ($id, $filter, $base) = @_; return get($id, ($base // '/scim/v2') . '/Users?filter=' . escaped($filter)) }

my $ada = $c->request(POST => $users, json => Scim::user('ada', "urn:example:A:User" => { serial => '1' },
    emails => [{ type => 'work', value => 'ada@example.com' }]))->{json}{id} // die 'no user';
my $eve = $c->request(POST => $users, json => Scim::user('eve'))->{json}{id};
my $admins = $c->request(POST => '/scim/v2/Groups', json => { schemas => [$group], displayName => 'Admins' })->{json}{id};
sub patch { my ($id, $ops, $base) = @_; return provokes($id, $c->request(PATCH => ($base // '/scim/v2') . "/Users/$ada", json => ops(@$ops))) }
sub members { my ($id, $ops, $base) = @_; return provokes($id, $c->request(PATCH => ($base // '/scim/v2') . "/Groups/$admins", json => ops(@$ops))) }
sub path { my ($id, $path, $base) = @_; return patch($id, [{ op => 'replace', path => $path, value => 'x' }], $base) }

# Authentication and rights
provokes 'token-missing', $t->request(GET => $users);
with 'token-empty', 'Bearer';
with 'authorization-form', 'Basic YTpi';
with 'token-pasted-text', 'Bearer Bearer x';
with 'token-foreign', 'Bearer hello';
with 'token-damaged', 'Bearer ' . substr $token, 0, -1;
with 'token-unknown', "Bearer $token{elsewhere}";
with 'token-revoked', "Bearer $token{revoked}";
with 'token-not-yet-valid', "Bearer $token{later}";
ok $t->wait_for(sub { $t->request(GET => $users, token => $token{expired})->{status} == 401 }), 'a token expires';
with 'token-expired', "Bearer $token{expired}";
$token{eve} = $t->token('acme', label => 'eve', subject => 'eve');
$c->request(PATCH => "$users/$eve", json => ops({ op => 'replace', path => 'active', value => $no }));
with 'token-user-refused', "Bearer $token{eve}";
provokes 'tenant-mismatch', $c->request(GET => '/beta/Users');
$t->scimctl(qw(tenant disable beta));
provokes 'tenant-disabled', $t->request(GET => '/beta/Users', token => $beta);
$t->scimctl(qw(tenant enable beta));
provokes 'tenant-not-configured', $t->request(GET => '/nobody/Users');
provokes 'scope-write-missing', $t->request(POST => $users, token => $token{read}, json => Scim::user('no'));
provokes 'location-read-only', $c->request(POST => '/read/Users', json => Scim::user('no'));

# URLs
get 'path-outside-base-url', '/re/Users';
my $raw = $t->client;
$raw->connect;
$raw->write("GET $users HTTP/1.0\r\nAuthorization: Bearer $token\r\n\r\n");
provokes 'host-missing', $raw->receive;
get 'base-url-invalid', '/hosted/Users', headers => { 'X-Host' => 'x#y' };
get 'slash-missing', "$users.search";
get 'base-url-has-endpoint', "$users/Groups";
get 'base-url-twice', "/scim/v2/x/Users";
get 'endpoint-unknown', '/scim/v2/Userz';
get 'path-too-deep', "$users/a/b";
get 'version-unsupported', '/scim/v2/v1/Users';
provokes 'method-not-allowed', $c->request(PUT => $users);
get 'resource-unknown', "$users/$nobody";
get 'discovery-unknown', '/scim/v2/Schemas/nope';
get 'discovery-filter', '/scim/v2/Schemas?filter=id+pr';
get 'me-unbound', '/scim/v2/Me';

# Query parameters and filters
get 'parameter-encoding', "$users?attributes=%zz";
get 'parameter-type', "$users?count=x";
get 'paging-conflict', "$users?startIndex=1&cursor=";
provokes 'search-schemas', $c->request(POST => "$users/.search", json => { schemas => ['x'], filter => 'id pr' });
get 'projection-conflict', "$users?attributes=id&excludedAttributes=name";
get 'projection-ambiguous', "$users?attributes=badge";
get 'sort-attribute', "$users?sortBy=nope";
get 'sort-order', "$users?sortBy=userName&sortOrder=x";
get 'filter-empty', "$users?filter=";
get 'filter-encoding', "$users?filter=%zz";
filter 'filter-syntax', 'userName eq';
filter 'filter-too-long', 'userName eq "' . 'x' x 9000 . '"';
filter 'filter-too-deep', '((userName pr))', '/small';
filter 'filter-unknown-attribute', 'nope eq "x"';
filter 'filter-hidden-attribute', 'password eq "x"';
filter 'filter-ambiguous', 'badge eq "x"';
filter 'filter-complex-attribute', 'name eq "x"';
filter 'filter-brackets', 'userName[value eq "x"]';
filter 'filter-operator', 'active co "x"';
filter 'filter-value', 'active eq 7';
filter 'scan-too-large', 'displayName co "x"', '/small';
get 'cursor-invalid', "$users?cursor=abc";
my $cursor = $c->request(GET => "$users?cursor=&count=1")->{json}{nextCursor} // die 'no cursor';
get 'cursor-of-other-query', "$users?count=1&cursor=$cursor&filter=id+pr";
get 'cursor-count', "$users?count=2&cursor=$cursor";

# Bodies
text 'content-type', '{}', headers => { 'Content-Type' => 'text/plain' };
text 'content-encoding', '{}', headers => { 'Content-Encoding' => 'gzip' };
text 'body-missing', '';
text 'json-syntax', '[]';
text 'json-truncated', '{"a":1';
text 'json-encoding', '{"a":"\u0000"}';
text 'json-duplicate-name', '{"a":1,"A":2}';
provokes 'json-too-deep', $c->request(POST => '/small/Users', body => '{"a":[[[[[1]]]]]}');
text 'json-number', '{"a":1e999}';
text 'schemas-form', '{"schemas":[7],"userName":"x"}';
text 'scim-1', '{"schemas":["urn:scim:schemas:core:1.0"],"userName":"x"}';
post 'value-type', Scim::user('x', active => 'maybe');
post 'value-format', Scim::user('x', 'urn:example:A:User' => { photo => '*' });
post 'value-too-long', Scim::user('x', displayName => 'x' x 70_000);
post 'too-many-elements', Scim::user('x', emails => [map { { value => "$_\@x" } } 1 .. 10_001]);
post 'primary-twice', Scim::user('x', emails => [map { { value => "$_\@x", primary => $yes } } 1, 2]);
post 'required-missing', { schemas => [$user] };
post 'uniqueness-conflict', Scim::user('ada');
path 'attribute-read-only', 'id';
path 'attribute-immutable', 'urn:example:A:User:serial';
patch 'required-removed', [{ op => 'remove', path => 'userName' }];

# Groups
members 'member-unknown', [{ op => 'add', path => 'members', value => [{ value => $nobody }] }];
members 'member-form', [{ op => 'add', path => 'members', value => [{ value => 7 }] }];
members 'member-of-itself', [{ op => 'add', path => 'members', value => [{ value => $admins }] }];
members 'member-immutable', [{ op => 'replace', path => "members[value eq \"$ada\"].display", value => 'x' }];
members 'member-filter', [{ op => 'remove', path => 'members[display eq "x"]' }];
members 'too-many-members', [{ op => 'add', path => 'members', value => [{ value => $ada }, { value => $eve }] }], '/small';

# PATCH
provokes 'patch-form', $c->request(PATCH => "$users/$ada", json => { schemas => ["$messages:PatchOp"], active => $no });
patch 'patch-op', [{ op => 'move', path => 'title', value => 'x' }];
patch 'patch-too-many-operations', [map { { op => 'replace', path => 'title', value => $_ } } 'a', 'b'], '/small';
patch 'patch-value-missing', [{ op => 'add', path => 'title' }];
patch 'patch-remove-without-path', [{ op => 'remove' }];
patch 'patch-no-target', [{ op => 'replace', path => 'emails[type ne "work"].value', value => 'x' }];
patch 'patch-extension-value', [{ op => 'remove', path => 'urn:example:A:User', value => 'x' }];
patch 'schemas-computed', [{ op => 'remove', path => 'schemas' }];
path 'path-syntax', 'emails[type eq "work"';
path 'path-too-long', 'x' x 2000;
path 'path-ambiguous', 'badge';
path 'path-brackets', 'userName[value eq "x"]';

# Versions
provokes 'etag-form', $c->request(PUT => "$users/$ada", json => Scim::user('ada'), headers => { 'If-Match' => 'W/"1' });
get 'etag-unavailable', $users, headers => { 'If-Match' => 'W/"1"' };
provokes 'version-mismatch', $c->request(PUT => "$users/$ada", json => Scim::user('ada'), headers => { 'If-Match' => 'W/"0"' });
provokes 'version-excluded', $c->request(PUT => "$users/$ada", json => Scim::user('ada'), headers => { 'If-None-Match' => '*' });

# Bulk requests
sub bulk {
    my ($base, $operations, @more) = @_;
    return $c->request(POST => "$base/Bulk", json => { schemas => ["$messages:BulkRequest"], Operations => $operations, @more });
}
# The operation at the index is refused.
sub operation {
    my ($id, $index, @operations) = @_;
    my $r = bulk($row{$id}{status} == 424 ? '/atomic' : '/scim/v2', \@operations);
    return provokes($id, { json => $r->{json}{Operations}[$index]{response}, body => $r->{body} });
}
provokes 'bulk-form', bulk('/scim/v2', 7);
provokes 'bulk-fail-on-errors', bulk('/scim/v2', [], failOnErrors => -1);
provokes 'bulk-id-twice', bulk('/scim/v2', [map { { method => 'POST', path => '/Users', bulkId => 'a', data => Scim::user("twice$_") } } 1, 2]);
provokes 'bulk-too-many-operations', bulk('/small', [map { { method => 'DELETE', path => "/Users/$nobody" } } 1, 2]);
operation 'bulk-path', 0, { method => 'DELETE', path => '/Bulk' };
operation 'bulk-data', 0, { method => 'POST', path => '/Users', bulkId => 'a', data => 7 };
my $wrong = { method => 'POST', path => '/Users', bulkId => 'wrong', data => Scim::user('ada') };
sub group_of { my ($id, $name, $member) = @_;
    return { method => 'POST', path => '/Groups', bulkId => $id, data => { schemas => [$group], displayName => $name, members => [{ value => "bulkId:$member" }] } } }
operation 'bulk-id-unknown', 0, group_of('g', 'G', 'nope');
operation 'bulk-needed-failed', 1, $wrong, group_of('g', 'G', 'wrong');
operation 'bulk-circle-failed', 0, group_of('g', 'G', 'h'), { %{ group_of('h', 'H', 'g') }, data => { schemas => [$group], members => [{ value => 'bulkId:g' }] } };
operation 'bulk-all-failed', 0, { method => 'POST', path => '/Users', bulkId => 'ok', data => Scim::user('fine') }, $wrong;

# nginx itself
get "http-$returned{$_}", "$users?return=$_" for sort keys %returned;
provokes 'http-refused', $c->request(GET => "$users?return=418"), 418;
get 'http-forbidden', '/denied/Users';
provokes 'http-body-too-large', $c->request(POST => '/small/Users', body => 'x' x 2000);
get 'store-unavailable', '/broken/Users';
is "@wrong", '', 'each of these requests is refused with its id' or diag join "\n", @wrong;

# --- where the id is

sub ids { open my $log, '<', "$t->{dir}/id.log" or die $!; return map { chomp; $_ } <$log> }
ok $t->wait_for(sub { grep $_ eq 'token-expired', ids() }), '$scim_error_id is the id of a refusal';
ok scalar(grep($_ eq '', ids()) || grep $_ eq '-', ids()), '$scim_error_id of a request that is not refused is empty';
like $t->log, qr/scim: \w+ answered with 400 invalidFilter \[filter-syntax\]: the filter is wrong at/, 'the id is in the error log';
like $t->log, qr/answered with 401 \[token-expired\]: the token "short" expired/, 'the error log has the id of a refusal without scimType';
like $t->log, qr/answered with 409 uniqueness \[uniqueness-conflict\]: userName "ada" is taken/, 'the error log has the ids of bulk operations';
is $c->request(POST => $users, json => Scim::user('flush'))->{status}, 201, 'refusals are written with the next commit';
($exit, $out) = $t->scimctl(qw(log --tenant acme --failed));
like $out, qr/ 409 uniqueness \[uniqueness-conflict\]: userName "ada" is taken/, 'scimctl log has the id';
like $out, qr/ 401 \[token-expired\]: the token "short" expired/, 'scimctl log has the id of a refused token';
($exit, $out) = $t->scimctl(qw(--json log --tenant acme --failed));
like $out, qr/"scimType":"uniqueness","errorId":"uniqueness-conflict"/, 'scimctl --json log has errorId';

# Under scim_profile rfc the id is in the log only.
my @rfc;
sub strictly {
    my ($id, $r) = @_;
    my $json = ref $r->{json} eq 'HASH' ? $r->{json} : {};
    my $got = join ' ', $json->{status} // '-', $json->{scimType} // '-', exists $json->{errorId} ? 'with id' : 'without id';
    my $wanted = join ' ', $row{$id}{status}, $row{$id}{scimType} // '-', 'without id';
    push @rfc, "$id: $got: " . ($r->{body} // '') if $got ne $wanted;
    my $detail = $json->{detail} =~ s/ \(request .*//r;
    return $seen{$id} = 1 if $t->log =~ /\[$id\]: \Q$detail\E/ || $id =~ /^http-/;    # nginx logs its own refusals
    return push @rfc, "$id: not in the log";
}
sub strict_patch { my ($id, @ops) = @_; return strictly($id, $c->request(PATCH => "/rfc/Users/$ada", json => ops(@ops))) }
strictly 'syntax-deviation', $c->request(POST => '/rfc/Users', json => { userName => 'x' });
strictly 'attribute-unknown', $c->request(POST => '/rfc/Users', json => Scim::user('x', nope => 1));
strictly 'filter-deviation', $c->request(GET => '/rfc/Users?filter=serial+eq+"1"');
strictly 'value-deviation', $c->request(GET => '/rfc/Users?attributes=emails%5Btype%20eq%20%22work%22%5D');
strict_patch 'patch-active-removed', { op => 'remove', path => 'active' };
strict_patch 'path-deviation', { op => 'replace', path => 'serial', value => '1' };
strict_patch 'path-unknown-attribute', { op => 'replace', path => 'nope', value => '1' };
strictly 'uniqueness-conflict', $c->request(POST => '/rfc/Users', json => Scim::user('ada'));
strictly 'http-body-too-large', $c->request(POST => '/rfc/Users', body => 'x' x (2 << 20));
is "@rfc", '', 'under scim_profile rfc, the id is in the log and not in the answer' or diag join "\n", @rfc;
unlike $c->request(POST => '/rfc/Bulk', json => { schemas => ["$messages:BulkRequest"], Operations => [{ method => 'DELETE', path => "/Users/$nobody" }] })->{body},
    qr/errorId/, 'under scim_profile rfc, the answers of bulk operations have no id';

# --- counters

my $status = $t->request(GET => '/status')->{body};
like $status, qr/^nginx_scim_refused_tokens_total\{store="main",tenant="acme",reason="$_"\} [1-9]/m, "scim_status counts $_ by tenant"
    for qw(token-expired token-revoked token-not-yet-valid token-user-refused);
unlike $status, qr/reason="token-unknown"/, 'tokens of no tenant are not counted for one';

($exit, $out) = $t->scimctl(qw(token show --tenant acme short));
like $out, qr/^  refused:    \d{4}-\S+ \[token-expired\]$/m, 'scimctl token show says when a token was last refused, and why';
$out = join '', ($t->scimctl(qw(--json token show --tenant acme short)))[1];
like $out, qr/"lastRefused":"\d{4}-[^"]+","lastRefusal":"token-expired"/, 'scimctl --json token show has lastRefused and lastRefusal';

# --- scimctl

my @scimctl;
my $errors_page = Scim::_slurp("$FindBin::Bin/../docs/errors.md");
sub refuses {
    my ($id, $code, @arguments) = @_;
    my ($exit, $out, $err) = $t->scimctl('--json', @arguments);
    my $got = eval { $Scim::json->decode($err)->{errorId} } // 'no id';
    push @scimctl, "$id: $exit $got: $out$err" if "$exit $got" ne "$code $id";
    push @scimctl, "$id: docs/errors.md says that scimctl exits with $1, not $code"
        if $errors_page =~ /^### `$id`\n\nscimctl exits with (\d):/m && $1 ne $code;
    $seen{$id} = 1 if $got eq $id;
    return;
}
my @acme = (qw(--tenant acme));
refuses 'tenant-unknown', 1, qw(token list --tenant nope);
refuses 'tenant-name', 1, qw(tenant add), 'a b';
refuses 'token-unnamed', 1, qw(token revoke), @acme, 'nope';
refuses 'token-label', 1, qw(token create), @acme, '--label', '7';
refuses 'token-label-taken', 1, qw(token create), @acme, qw(--label reader);
refuses 'token-digest', 2, qw(token create), @acme, qw(--label d --sha256 xyz);
$t->scimctl(qw(token create), @acme, qw(--label d1 --sha256), 'a' x 64);
refuses 'token-exists', 1, qw(token create), @acme, qw(--label d2 --sha256), 'a' x 64;
refuses 'token-times', 1, qw(token create), @acme, qw(--label e --not-before 2d --expires 1d);
refuses 'token-unusable', 1, qw(token rotate), @acme, 'gone';
refuses 'user-unknown', 1, qw(user block), @acme, 'nobody';
refuses 'user-exists', 1, qw(forget), @acme, 'ada';
refuses 'user-name-empty', 1, qw(forget), @acme, '';
refuses 'pause-length', 1, qw(gate pause), @acme, qw(--for 1s);
refuses 'type-unknown', 1, qw(find), @acme, qw(--type Nope);
refuses 'index-unknown', 1, 'reindex', 'User nope';
refuses 'index-not-added', 1, 'reindex', 'User userName';
refuses 'name-unknown', 1, qw(get), @acme, qw(User nobody);
$c->request(POST => '/scim/v2/Things', json => { schemas => ['urn:example:Thing'], displayName => 'Twice' }) for 1, 2;
refuses 'name-ambiguous', 1, qw(get), @acme, qw(Thing Twice);

# Records of an import are refused in the file of --errors.
sub imports {
    my ($id, $name, @lines) = @_;
    $t->write_file("$name.ndjson", join '', map "$_\n", @lines);
    my ($exit, $out, $err) = $t->scimctl('import', @acme, '--errors', "$t->{dir}/$name.errors", "$t->{dir}/$name.ndjson");
    open my $f, '<', "$t->{dir}/$name.errors" or return push @scimctl, "$id: $exit $out$err";
    my ($got) = join('', <$f>) =~ /"errorId":"([^"]*)"/;
    push @scimctl, "$id: " . ($got // 'nothing') . ": $out$err" if ($got // '') ne $id;
    $seen{$id} = 1 if ($got // '') eq $id;
    return;
}
my $meta = '"meta":{"resourceType":"User"}';
imports 'import-record', 'record', '{"meta":{"resourceType":"Nope"}}';
imports 'import-exists', 'exists', map qq({"id":"same","schemas":["$user"],"userName":"same$_",$meta}), 1, 2;
imports 'import-reference', 'reference',
    qq({"id":"g","schemas":["$group"],"displayName":"R","members":[{"value":"nope"}],"meta":{"resourceType":"Group"}});
refuses 'import-input', 1, 'import', @acme, $t->{dir};
is "@scimctl", '', 'scimctl refuses each of these commands with its id' or diag join "\n", @scimctl;

# --- scimctl explain-error

($exit, $out) = $t->scimctl(qw(explain-error token-expired));
like $out, qr/^token-expired: The token has expired\.\nAnswer: 401\nCause: .+\nRemedy: .+\nRule: RFC 6750 3\.1\nSee: docs\/errors\.md#token-expired\n\z/,
    'scimctl explain-error says cause and remedy';
is $exit, 0, 'scimctl explain-error of an id exits with 0';
($exit, $out) = $t->scimctl(qw(--json explain-error filter-syntax));
is_deeply [@{ $Scim::json->decode($out) }{qw(id status scimType refusedBy rfc)}], ['filter-syntax', 400, 'invalidFilter', 'server', 'RFC 7644 3.4.2.2'],
    'scimctl --json explain-error prints the row';
($exit, $out) = $t->scimctl(qw(explain-error));
is scalar(split /\n/, $out), 1 + keys %row, 'scimctl explain-error without an id prints a line for each, and a heading';
for (['token-expird', qr/there is no error "token-expird"; did you mean "token-expired"\?/],
    ['cursor', qr/similar ids: cursor-invalid, cursor-of-other-query/], ['zzz', qr/scimctl explain-error lists all ids/]) {
    ($exit, $out, $err) = $t->scimctl('explain-error', $_->[0]);
    like "$exit $err", qr/^1 .*$_->[1]/, "scimctl explain-error $_->[0] is refused";
}

# --- a store without a format, which nginx completes once it has the write lock

{
    my $new = Scim->new(http => 'scim_store main %%DIR%%/bare;', server => 'location / { scim main; }');
    my $key = $new->seed('acme');
    my ($code, $dump) = $new->run('', 'mdb_dump', '-a', $new->{store});
    $dump =~ s/(database=meta\n.*?HEADER=END\n).*?(?=DATA=END\n)/$1/s or die 'no database meta';
    $new->{store} = "$new->{dir}/bare";
    mkdir $new->{store}, 0700 or die $!;
    is +($new->run($dump, 'mdb_load', $new->{store}))[0], 0, 'a copy of a store without its format is made';
    my $lock = $new->hold_lock;
    $new->start;
    my $r = $new->request(GET => '/Users', token => $key);
    is "$r->{status} $r->{json}{errorId}", '503 store-starting', 'a request is refused while the store is prepared';
    $seen{'store-starting'} = 1;
    $new->release($lock);
    ok $new->wait_for(sub { $new->request(GET => '/Users', token => $key)->{status} != 503 }), 'the store is served once the write lock is free';
    $new->stop;
}

# --- coverage

for my $id (sort keys %elsewhere) {
    my $row = $id =~ tr/-/_/r;
    open my $f, '<', "$root/$elsewhere{$id}" or do { fail "$elsewhere{$id}: $!"; next };
    my $text = do { local $/; <$f> };
    ok $text =~ /['"\[]\Q$id\E['"\]]|Refusal::$row\b/, "$elsewhere{$id} provokes $id";
}
is join(' ', grep $seen{$_}, sort keys %elsewhere), '', 'what is provoked here is not in %elsewhere';
is join(' ', grep !$row{$_}, sort keys %elsewhere), '', '%elsewhere names rows of the catalogue';
is join(' ', grep !$seen{$_} && !$elsewhere{$_}, sort keys %row), '', 'each row is provoked by a test';

$t->finish;
