#!/usr/bin/perl
# A bulk request is answered with a result for each operation; what is answered with success is done, and nothing else.
# Bulk requests of many clients at once leave turns to other requests. scim_bulk_atomic makes one all or nothing.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $t = Scim->new(http => <<'EOC', server => <<'EOS');
    scim_store main %%DIR%%/store size=1g;
    log_format test '$status $scim_operation $scim_detail';
EOC
    client_max_body_size 2m;
    keepalive_requests 10000;
    access_log %%DIR%%/access.log test;
    location /scim/v2/ { scim main; }
    location /small/ { scim main; client_max_body_size 1k; }
    location /few/ { scim main; scim_bulk_max_operations 3; client_max_body_size 0; }
    location /atomic/ { scim main; scim_bulk_atomic on; }
    location /rfc/ { scim main; scim_profile rfc; }
    location /read/ { scim main; scim_scope read; }
EOS
my ($token, $reader, $other) = ($t->seed('acme'), $t->token('acme', label => 'reader', scope => 'read'), $t->seed('globex'));
my $base = '/scim/v2';
$t->start->served("$base/Users", token => $token);
my $c = $t->client(token => $token);

my $urn = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest';
sub bulk { my ($operations, %more) = @_; return { schemas => [$urn], Operations => $operations, %more } }
sub post { my ($path, $bulk_id, $data) = @_; return { method => 'POST', path => $path, bulkId => $bulk_id, data => $data } }
sub statuses { my ($r) = @_; return join ' ', $r->{status}, map $_->{status}, @{ ($r->{json} // {})->{Operations} // [] } }
sub total { my ($filter, $client) = @_; return ($client // $c)->request(GET => "$base/$filter")->{json}{totalResults} }
sub group { my ($name, @members) = @_; return { displayName => $name, members => [map +{ value => $_ }, @members] } }

# --- the examples of RFC 7644 3.7.2 and 3.7.3

my $r = $c->request(POST => "$base/Bulk", json => bulk([
    post('/Users', 'qwerty', Scim::user('Alice')),
    post('/Groups', 'ytrewq', { schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'], displayName => 'Tour Guides',
        members => [{ type => 'User', value => 'bulkId:qwerty' }] })]));
is statuses($r), '200 201 201', '[S-137 S-140] a user, and a group with that user, are created by one request';
is $r->{headers}{'content-type'}, 'application/scim+json', 'the response has the Content-Type of SCIM';
is_deeply $r->{json}{schemas}, ['urn:ietf:params:scim:api:messages:2.0:BulkResponse'], '[S-138] the response is a BulkResponse';
my ($alice, $guides) = map $_->{location} =~ m{([^/]+)\z}, @{ $r->{json}{Operations} };
is_deeply $r->{json}{Operations}[0], { method => 'POST', bulkId => 'qwerty', status => '201',
    version => $r->{json}{Operations}[0]{version}, location => $r->{json}{Operations}[0]{location} },
    '[S-138] a result has method, bulkId, status, version and location';
like $r->{body}, qr/"status":"201"/, '[E-7898] the status of an operation is a string';
like $r->{json}{Operations}[0]{location}, qr{^http://[^/]+/scim/v2/Users/\Q$alice\E\z}, '[S-138] the location is the URL of the resource';
my $group = $c->request(GET => "$base/Groups/$guides");
is $group->{json}{members}[0]{value}, $alice, '[S-140] the group has the user as a member';
is $r->{json}{Operations}[1]{version}, $group->{headers}{etag}, '[S-138] the version is the ETag';

my $patch = { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => [{ op => 'add', path => 'nickName', value => 'Al' }] };
my $etag = $c->request(GET => "$base/Users/$alice")->{headers}{etag};
$r = $c->request(POST => "$base/Bulk", json => bulk([
    post('/Users', 'bob', Scim::user('bob')),
    { method => 'PUT', path => "/Users/$alice", version => 'W/"1"', data => Scim::user('Alice') },
    { method => 'PUT', path => "/Users/$alice", version => $etag, data => Scim::user('Alice', title => 'T') },
    { method => 'PATCH', path => "/Users/$alice", data => $patch },
    { method => 'DELETE', path => "/Groups/$guides" },
    post('/Users', 'taken', Scim::user('alice')),
    { method => 'GET', path => "/Users/$alice" }, { method => 'GET', path => '/Users' }], failOnErrors => 9));
is statuses($r), '200 201 412 200 200 204 409 400 400', '[S-137 S-138 S-139 S-145 S-154] operations of all methods are answered each with its status';
my $failed = $r->{json}{Operations}[5];
is_deeply [@{ $failed->{response} }{qw(schemas status scimType)}], [['urn:ietf:params:scim:api:messages:2.0:Error'], '409', 'uniqueness'],
    '[S-138] the response of a failed operation is a SCIM Error';
like $failed->{response}{detail}, qr/^userName "alice" is taken by the User \Q$alice\E \(request [0-9a-f]{32}\)\z/,
    'its detail is that of a single request';
ok !exists $failed->{location}, '[S-138] a POST that failed has no location';
like $r->{json}{Operations}[1]{location}, qr{/Users/\Q$alice\E\z}, '[S-138] a PUT that failed has one';
ok !exists $r->{json}{Operations}[7]{location}, 'a refused operation on /Users has no location';
is_deeply [@{ $c->request(GET => "$base/Users/$alice")->{json} }{qw(title nickName)}], ['T', 'Al'], '[E-5050] PUT and PATCH are done';
is $c->request(GET => "$base/Groups/$guides")->{status}, 404, 'DELETE is done';

# --- what is refused as a whole

is_error $c->request(POST => "$base/Bulk", json => { schemas => [$urn] }), 400, 'invalidSyntax', qr/"Operations" of a BulkRequest/,
    'a BulkRequest without Operations is refused with 400';
is_error $c->request(POST => "$base/Bulk", body => '{'), 400, 'invalidSyntax', qr/./, 'a body that is not JSON is refused with 400';
for my $method (qw(GET PUT PATCH DELETE)) {
    $r = $c->request($method => "$base/Bulk", $method eq 'GET' ? () : (json => bulk([])));
    is_error $r, 405, '', qr/supports POST\b/, "$method /Bulk is refused with 405";
    is $r->{headers}{allow}, 'POST', "the 405 of $method has Allow: POST";
}
is_error $c->request(POST => "$base/Bulk", json => bulk([]), token => $reader), 403, '', qr/lacks the scope write/,
    'a token without the scope write is refused with 403';
is_error $c->request(POST => '/read/Bulk', json => bulk([])), 403, '', qr/read-only/, 'a read-only location refuses with 403';
is $t->request(POST => "$base/Bulk", json => bulk([]))->{status}, 401, 'without a token it is refused with 401';
my @four = map { { method => 'DELETE', path => "/Users/$_" } } 1 .. 4;
is_error $c->request(POST => '/few/Bulk', json => bulk(\@four)), 413, '', qr/4 operations, at most 3 .*scim_bulk_max_operations/,
    '[S-143] more operations than scim_bulk_max_operations are refused with 413';
is statuses($c->request(POST => '/few/Bulk', json => bulk([@four[0 .. 2]]))), '200 404 404 404', 'as many are accepted';
is_error $c->request(POST => '/small/Bulk', json => bulk([], pad => 'x' x 1024)), 413, '', qr/client_max_body_size/,
    '[S-143] a body beyond client_max_body_size is refused with 413';
my $large = $c->request(POST => '/few/Bulk', body => '{"Operations":[]' . ' ' x (16 << 20) . '}');
is_error $large, 413, '', qr/bulk\.maxPayloadSize/,
    '[S-143] a body beyond 16 MiB is refused with 413 if client_max_body_size is larger';
is $large->{json}{errorId}, 'bulk-too-large', 'the refusal of a body beyond 16 MiB is bulk-too-large';
my %limits = ($base => [1000, 2 << 20], '/small' => [1000, 1024], '/few' => [3, 16 << 20]);
is_deeply $c->request(GET => "$_/ServiceProviderConfig")->{json}{bulk},
    { supported => JSON::PP::true, maxOperations => $limits{$_}[0], maxPayloadSize => $limits{$_}[1] },
    "[S-143] $_/ServiceProviderConfig has the limits that are enforced" for sort keys %limits;
is_error $c->request(POST => '/rfc/Bulk', json => { Operations => [] }), 400, 'invalidSyntax', qr/"schemas" must/,
    'under scim_profile rfc "schemas" is required';
my $no_patch = { method => 'PATCH', path => "/Users/$alice", data => { title => 'no' } };
my $refused_patch = $c->request(POST => "$base/Bulk", json => bulk([$no_patch]))->{json}{Operations}[0];
is "$refused_patch->{status} $refused_patch->{response}{scimType}", '400 invalidSyntax', '[E-5050] the data of a PATCH that is not a PatchOp is refused with 400';

# --- the logs

ok $t->wait_log(qr/bulk answered with 200: 8 operations, 4 failed \(request/), 'the error log counts failed operations';
ok $t->wait_log(qr/bulk Operations\[5\] "POST \/Users" answered with 409 uniqueness \[uniqueness-conflict\]: userName "alice" is taken/),
    'the error log has the sentence of a failed operation';
unlike $t->log, qr/2 operations/, 'a request without errors is not in the error log';
ok $t->wait_for(sub { Scim::_slurp("$t->{dir}/access.log") =~ /^200 bulk 2 operations$/m }), 'the variables of the access log have the operation and the count';
ok $t->wait_for(sub { ($t->scimctl(qw(log --tenant acme --failed)))[1] =~ /Operations\[5\]: userName "alice" is taken/ }),
    'scimctl log --failed has the failed operation';

# --- circles, all or nothing

$r = $c->request(POST => "$base/Bulk", json => bulk([post('/Groups', 'a', group('A', 'bulkId:b')), post('/Groups', 'b', group('B', 'bulkId:a'))]));
is statuses($r), '200 201 201', '[S-141] two groups that contain each other are created (RFC 7644 3.7.1)';
$r = $c->request(POST => "$base/Bulk", json => bulk([post('/Groups', 'c', group('C', 'bulkId:d')), post('/Groups', 'd', group('A', 'bulkId:c'))]));
is statuses($r), '200 409 409', '[S-141] if one of a circle is refused, the other is, too';
is total('Groups?filter=displayName+eq+"C"'), 0, 'and is not there';
$r = $c->request(POST => '/atomic/Bulk', json => bulk([post('/Users', 'x', Scim::user('atom')), post('/Users', 'y', Scim::user('alice')), post('/Users', 'z', Scim::user('zeta'))]));
is statuses($r), '200 424 409 424', 'scim_bulk_atomic: if one operation is refused, the others are answered with 424';
is total('Users?filter=userName+eq+"atom"+or+userName+eq+"zeta"'), 0, 'nothing is left of an atomic request that was refused';
$r = $c->request(POST => '/atomic/Bulk', json => bulk([post('/Users', 'x', Scim::user('atom')), post('/Groups', 'g', group('atoms', 'bulkId:x'))]));
is statuses($r), '200 201 201', 'scim_bulk_atomic: a request without errors is done';

# --- 50 clients with 1,000 operations each: groups in a circle, users, and some that are refused

my ($clients, $count) = (50, 1000);
sub large {
    my ($i) = @_;
    my @all = (post('/Groups', 'g1', group("one$i", 'bulkId:g2', 'bulkId:u0')), post('/Groups', 'g2', group("two$i", 'bulkId:g1')));
    push @all, post('/Users', "u$_", Scim::user($_ % 10 == 9 ? "many$i-0" : "many$i-$_")) for 0 .. $count - 3;
    return $Scim::json->encode(bulk(\@all));
}
my $globex = $t->client(token => $other);
my $leaver = $globex->request(POST => "$base/Users", json => Scim::user('leaver'))->{json};
my @bodies = map large($_), 1 .. $clients;
my @flood = map { my $one = $t->client(token => $token, raw => 1, timeout => 300); $one->send(POST => "$base/Bulk", body => $_); $one } @bodies;
sub answered { return scalar grep { $_->{buffer} || IO::Select->new($_->{socket})->can_read(0) } @flood }
my $off = $globex->request(PATCH => "$base/Users/$leaver->{id}", json => { %$patch, Operations => [{ op => 'replace', path => 'active', value => JSON::PP::false }] });
my $before = answered();
is $off->{status}, 200, 'a PATCH of another tenant is answered while 50 bulk requests wait';
cmp_ok $before, '<=', 5, "it overtakes most of them ($before were answered before it)";
my %seen;
for my $one (@flood) {
    my $answer = $one->receive;
    $seen{ join ' ', $answer->{status}, map { my $s = $_; "$s:" . (() = $answer->{body} =~ /"status":"$s"\}|"status":"$s","response"/g) } 201, 409 }++;
}
my $refused = grep $_ % 10 == 9, 0 .. $count - 3;
is_deeply \%seen, { "200 201:" . ($count - $refused) . " 409:$refused" => $clients }, '50 requests of 1,000 operations are answered, each with 201 and 409 where they belong';
is total('Users?count=0&filter=userName+sw+"many"'), $clients * ($count - 2 - $refused), 'exactly the users that were answered with 201 are there';
is total('Groups?count=0&filter=displayName+sw+"two"'), $clients, 'the groups are there';
my $sample = $c->request(GET => "$base/Groups?filter=displayName+eq+\"one17\"")->{json}{Resources}[0];
is scalar(@{ $sample->{members} }), 2, 'a group of a circle has the other group and the user as members';
my ($exit, $out, $err) = $t->scimctl('verify');
is $exit, 0, 'scimctl verify finds no problem' or diag $out, $err;

$t->finish;
