# The error messages that administrators see when provisioning fails. The answer names the operation, the attribute, what is
# expected and the request id, and the error log has the same sentence. No message contains a secret, data of another tenant,
# or more than 64 bytes of the client's text. The messages that docs/entra.md and docs/okta.md quote are those of the server.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my ($user, $enterprise) = ($Scim::Check::user_urn, $Scim::Check::enterprise_urn);
my ($group, $patch) = ('urn:ietf:params:scim:schemas:core:2.0:Group', 'urn:ietf:params:scim:api:messages:2.0:PatchOp');
my $unknown_id = '01930000-0000-7000-8000-00000000dead';
my $t = Scim->new(http => <<'EOC', server => <<'EOS');
    scim_store main %%DIR%%/store;
    limit_req_zone $scim_token_label zone=label:64k rate=1r/m;
EOC
    add_header X-Scim-Dialect $scim_dialect always;
    location /scim/v2/ { scim main; }
    location /of/acme/ { scim main; scim_tenant acme; }
    location /small/ { scim main; client_max_body_size 1k; scim_max_operations 3; scim_max_members 3; scim_max_results 5; }
    location /slow/ { scim main; limit_req zone=label; limit_req_status 429; }
    location /denied/ { scim main; deny all; }
EOS
my $token = $t->seed('acme', label => 'entra');
my $foreign = $t->token($t->tenant('globex'), label => 'theirs');
my $reader = $t->token('acme', label => 'reader', scope => 'read');
my $expired = $t->token('acme', label => 'old', expires => '2s');
my $revoked = $t->token('acme', label => 'lost');
my $elsewhere = Scim->new->seed('acme');
is +($t->scimctl(qw(token revoke --tenant acme lost)))[0], 0, 'scimctl token revoke exits with 0';
$t->start->served('/scim/v2/Users', token => $token);
my $c = $t->client(token => $token);
my $users = '/scim/v2/Users';
my (%said, @bodies);    # every message, and the bodies and headers of every refused request

# Checks that a request is refused with this error, in the answer and in the error log.
sub refused {
    my ($name, $request, $status, $type, $detail, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = $t->request(@$request, exists { @$request[2 .. $#$request] }->{token} ? () : (token => $token));
    is_error $r, $status, $type, $detail, "$name is refused with $status";
    push @bodies, $r->{body}, join ' ', %{ $r->{headers} };
    my ($sentence) = ($r->{json}{detail} // '') =~ /^(.*) \(request [0-9a-f]{32}\)\z/;
    $said{ $sentence // '' } = 1;
    my $level = 'error|warn';    # reads that find nothing and repeated messages are warnings
    my ($logged) = ($sentence // '?') =~ /^([\x20-\x7e]+)/;    # up to the first character that is not ASCII
    ok $t->wait_log($o{log} // qr/\[(?:$level)\][^\n]*scim: [^\n]*$status[^\n]*\Q$logged\E/),
        "$name: the error log has the message";
    return $r;
}

sub ops { return { schemas => [$patch], Operations => [@_] } }
sub person { my ($name, %more) = @_; return { schemas => [$user], userName => $name, %more } }

my $ada = $c->request(POST => $users, json => person('ada', externalId => 'x-ada', active => JSON::PP::true))->{json}{id};
my $bob = $c->request(POST => $users, json => person('bob', active => JSON::PP::false))->{json}{id};
my $staff = $c->request(POST => '/scim/v2/Groups', json => { schemas => [$group], displayName => 'Staff',
    members => [{ value => $ada }, { value => $bob }] })->{json}{id};
$t->request(POST => $users, token => $foreign, json => person('their-secret-user'));
my $path = "$users/$ada";

# --- "It only says: not fully compatible, BadRequest"

my $long = 'disabled-' . 'y' x 200;
my $title = { op => 'Replace', path => 'title', value => 'x' };
refused 'a PATCH with an invalid value',
    [PATCH => $path, json => ops($title, $title, { op => 'Replace', path => 'active', value => $long })],
    400, 'invalidValue', qr/^Operations\[2\].*active.*must be true or false/;
refused 'a PATCH with an unknown op',
    [PATCH => $path, json => ops($title, { op => 'Update', path => 'title', value => 'x' })],
    400, 'invalidSyntax', qr/^Operations\[1\].*must be "add", "replace" or "remove", not "Update"/;
refused 'a PATCH with a value of another type',
    [PATCH => $path, json => ops({ op => 'Replace', path => 'name', value => 'Ada' })],
    400, 'invalidValue', qr/^Operations\[0\].*"name" must be an object, not a string/;
refused 'a PATCH with an element of another type',
    [PATCH => $path, json => ops({ op => 'Add', path => 'emails', value => [{ value => 'a@b' }, { value => 7 }] })],
    400, 'invalidValue', qr/^Operations\[0\].*"emails\[1\]\.value" must be a string, not a number/;
refused 'a PATCH add without a value', [PATCH => $path, json => ops($title, { op => 'Add', path => 'nickName' })],
    400, 'invalidValue', qr/^Operations\[1\].*"value" is missing.*nickName/;
refused 'a PATCH remove without a path', [PATCH => $path, json => ops({ op => 'remove' })], 400,
    'noTarget', qr/^Operations\[0\].*"path"/;
refused 'a PATCH with a malformed path',
    [PATCH => $path, json => ops($title, { op => 'Replace', path => 'emails[type eq', value => 'x' })],
    400, 'invalidPath', qr/^Operations\[1\]\.path: the path "emails\[type eq" is wrong at character \d+: expected/;
refused 'a PATCH with a path that selects nothing',
    [PATCH => $path, json => ops({ op => 'Replace', path => 'emails[type ne "work"].value', value => 'x' })],
    400, 'noTarget', qr/^Operations\[0\].*emails\[type ne/;
refused 'a PATCH of a read-only attribute', [PATCH => $path, json => ops({ op => 'Replace', path => 'id', value => 'x' })],
    400, 'mutability', qr/^Operations\[0\].*id.*readOnly/;
refused 'a PATCH remove of a required attribute', [PATCH => $path, json => ops({ op => 'Remove', path => 'userName' })],
    400, 'mutability', qr/^Operations\[0\].*userName.*required/;
refused 'a POST without userName', [POST => $users, json => { schemas => [$user], displayName => 'x' }], 400, 'invalidValue',
    qr/"userName" is required and has no value/;
refused 'a PATCH without Operations', [PATCH => $path, json => { schemas => [$patch], active => JSON::PP::false }], 400,
    'invalidSyntax',
    qr/a PATCH must have "Operations".*a whole resource is sent with PUT/;
refused 'a POST of SCIM 1.1', [POST => $users, json => { schemas => ['urn:scim:schemas:core:1.0'], userName => 'x' }], 400,
    'invalidSyntax',
    qr/SCIM 1\.1; this server speaks SCIM 2\.0/;
refused 'a malformed filter', [GET => "$users?filter=userName+is+\"x\""], 400,
    'invalidFilter', qr/wrong at character \d+.*expected/;
refused 'a filter on an unknown attribute', [GET => "$users?filter=shoeSize+eq+\"x\""], 400, 'invalidFilter', qr/shoeSize/;
my $r = $c->request(GET => $path);
is $r->{json}{title}, undef, 'a refused PATCH applies none of its operations';

# --- "Invalid credentials", though curl works

for my $case (
    ['a request without Authorization', undef, qr/the request has no Authorization header; send "Authorization: Bearer <token>"/],
    ['a request with the scheme Basic', 'Basic c2VjcmV0OnNlY3JldA==', qr/uses the scheme "Basic"/],
    ['a request with Bearer and no token', 'Bearer', qr/has the scheme Bearer but no token/],
    ['a request with a JWT of Entra',
        'Bearer eyJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL3N0cyJ9.c2VjcmV0', qr/the token is unknown here: it does not begin with "scim_"/],
    ['a token of another store', "Bearer $elsewhere", qr/the token is unknown here: it was created for another server or store/],
    ['a request with Bearer twice',
        "Bearer Bearer $token", qr/the token begins with the word Bearer, which the identity provider adds itself/],
    ['a token in quotes', qq(Bearer "$token"), qr/the token is in quotes/],
    ['a truncated token', 'Bearer ' . substr($token, 0, -3), qr/the token is not complete/],
    ['a revoked token', "Bearer $revoked", qr/the token "lost" was revoked at \d{4}/],
) {
    my ($name, $authorization, $detail) = @$case;
    my $r = refused $name, [GET => $users, token => undef, headers => { defined $authorization ? (Authorization => $authorization) : () }],
        401, '', $detail;
    like $r->{headers}{'www-authenticate'}, qr/^Bearer realm="scim"/, "the 401 of $name has WWW-Authenticate";
}
$t->wait_for(sub { $t->request(GET => $users, token => $expired)->{status} == 401 });
refused 'an expired token', [GET => $users, token => $expired], 401,
    '', qr/the token "old" expired at \d{4}.*scimctl token create/;
refused 'a token of another tenant', [GET => '/of/acme/Users', token => $foreign], 403,
    '', qr/the token belongs to another tenant than this URL/;
unlike pop(@bodies) . pop @bodies, qr/acme/, 'the 403 does not name the tenant of the address';
refused 'a PATCH with a token of scope read', [PATCH => $path, token => $reader, json => ops($title)], 403,
    '', qr/the token "reader" may not write/;
refused 'a misspelt endpoint', [GET => "/scim/v2/users"], 404, '', qr/did you mean "\/Users"/;
refused 'a base URL that ends in /Users', [GET => '/scim/v2/Users/Users?filter=userName+eq+"x"'], 404, '', qr/did you mean "\/Users"/;
refused 'a URL with the base URL twice', [GET => '/scim/v2/scim/v2/Users'], 404, '', qr/twice: did you mean/;
refused 'a URL of SCIM 1.1', [GET => '/scim/v2/v1/Users'], 400, 'invalidVers', qr/"v1"/;

# --- "The request never shows up in our logs"

is $t->request(GET => $users, token => $token, headers => { 'User-Agent' => '' })->{status}, 200,
    'a request with an empty User-Agent is answered with 200';
refused 'a request to a location with "deny all"', [GET => '/denied/Users'], 403, '',
    qr/nginx \(allow or deny\) forbids access/,
    log => qr/\[error\][^\n]*access forbidden by rule/;
refused 'a body larger than client_max_body_size', [POST => '/small/Users', json => person('x' x 2000)], 413,
    '', qr/client_max_body_size allows \(1024 bytes\)/,
    log => qr/\[error\][^\n]*client intended to send too large body/;

# --- "Success, but nothing happened"

$r = $c->request(PATCH => $path, json => ops({ op => 'Add', path => 'shoeSize', value => '43' }, { op => 'Add', path => 'urn:x:2.0:User:badge', value => '7' }));
is $r->{status}, 200, 'PATCH with unknown attributes is answered with 200';
like $r->{headers}{'x-scim-dialect'}, qr/ignored|shoeSize/, '$scim_dialect names the ignored attributes';
ok $t->wait_log(qr/\[error\][^\n]*"shoeSize", "urn:x:2\.0:User:badge" were ignored: no schema declares them/),
    'the error log names the ignored attributes of a PATCH';
$r = $c->request(POST => $users, json => person('carl', active => 'False', department => 'Sales'));
is $r->{json}{active}, JSON::PP::false, 'POST with active "False" stores false';
ok $t->wait_log(qr/\[error\][^\n]*"department" was ignored: no schema declares it/),
    'the error log names the ignored attribute of a POST';
$said{'"department" was ignored: no schema declares it'} = 1;
like $r->{headers}{'x-scim-dialect'}, qr/department/, '$scim_dialect names an extension attribute without its URN';
$r = $c->request(PATCH => "$users/$r->{json}{id}", json => ops({ op => 'Replace', path => 'active', value => 'True' }));
is $r->{json}{active}, JSON::PP::true, 'the answer to PATCH with active "True" has true';
is $c->request(GET => "$users/$r->{json}{id}")->{json}{active}, JSON::PP::true,
    'GET after PATCH with active "True" has true';

# --- "The same error every 40 minutes": errors that a retry cannot solve are 4xx

my $member = sub { return { op => 'Add', path => 'members', value => [map +{ value => $_ }, @_] } };
my $groups = '/scim/v2/Groups';
$r = refused 'a PATCH that adds an unknown member', [PATCH => "$groups/$staff", json => ops($member->($ada, $unknown_id))],
    400,
    'invalidValue',
    qr/there is no User or Group with the id "$unknown_id"/;
unlike $r->{json}{detail}, qr/$ada/, 'the 400 does not name members that exist';
refused 'a PATCH that adds a member with an invalid id', [PATCH => "$groups/$staff", json => ops($member->('x-ada'))], 400,
    'invalidValue', qr/"x-ada"/;
refused 'a PATCH with more than scim_max_operations operations', [PATCH => "/small/Users/$ada", json => ops(($title) x 4)],
    413, '', qr/scim_max_operations \(3\)/;
refused 'a PATCH with more than scim_max_members members',
    [PATCH => "/small/Groups/$staff", json => ops($member->(($ada) x 4))], 413, '', qr/scim_max_members \(3\)/;
refused 'a POST of text/plain', [POST => $users, body => 'x', headers => { 'Content-Type' => 'text/plain' }], 415, '',
    qr/send Content-Type: application\/scim\+json/;
refused 'a POST with incomplete JSON', [POST => $users, body => '{"userName":'], 400,
    'invalidSyntax', qr/the body ends too early, at line 1/;
refused 'a PATCH of an unknown user', [PATCH => "$users/$unknown_id", json => ops($title)], 404,
    '', qr/there is no User with the id "$unknown_id"/;
refused 'a GET of a group under /Users', [GET => "$users/$staff"], 404, '', qr/there is no User with the id/;
refused 'a DELETE of /Users', [DELETE => $users], 405, '', qr/DELETE is not allowed; this endpoint supports/,
    log => qr/\[error\][^\n]* scim: request answered with 405 \[method-not-allowed\]: DELETE is not allowed; this endpoint supports GET, HEAD, POST/;
refused 'a PATCH with a stale If-Match', [PATCH => $path, json => ops($title), headers => { 'If-Match' => 'W/"1"' }], 412,
    '', qr/If-Match/;
$t->request(GET => '/slow/Users', token => $token);
$r = refused 'a request beyond limit_req', [GET => '/slow/Users'], 429,
    '', qr/too many requests/, log => qr/\[error\][^\n]*limiting requests/;
like $r->{headers}{'retry-after'}, qr/^\d+\z/, 'the 429 has Retry-After in seconds';

# --- "HTTP/404 response received instead of the expected HTTP/200"

for my $query ('userName+eq+%22b3f6a0d2-8f0b-4f6e-9d4e-000000000000%22', 'externalId+eq+"none"', 'id+eq+"none"',
    "id+eq+\"$unknown_id\"") {
    is_list $c, "$users?filter=$query", 0, 0, "a filter without a match is answered with an empty list: filter=$query";
}
is_list $c, "$groups?filter=displayName+eq+\"none\"&excludedAttributes=members", 0, 0,
    'a filter on groups without a match is answered with an empty list';

# --- "The group has lost its members"

sub members { return scalar @{ $c->request(GET => "$groups/$staff")->{json}{members} // [] } }
refused 'a PATCH remove of members by display',
    [PATCH => "$groups/$staff", json => ops({ op => 'remove', path => 'members[display eq "x"]' })],
    400, 'invalidFilter', qr/members can only be selected by value, expected members\[value eq/;
is members(), 2, 'the refused PATCH removes no member';
$c->request(PATCH => "$groups/$staff", json => ops({ op => 'Remove', path => 'members', value => $_ })) for undef, [],
    [{ value => $unknown_id }];
is members(), 2, 'PATCH remove of members with null, [] or an unknown member removes no member';
$c->request(PATCH => "$groups/$staff", json => ops({ op => 'Replace', value => { displayName => 'Staff', externalId => 's' } }));
is members(), 2, 'PATCH of the displayName of a group removes no member';
$c->request(PATCH => $path, json => ops({ op => 'Replace', path => 'active', value => 'False' }));
is members(), 2, 'PATCH of active of a member does not remove it from its group';
$c->request(PATCH => $path, json => ops({ op => 'Replace', path => 'active', value => 'True' }));

# --- "Duplicates, and 409 for ever"

refused 'a POST with a userName that is taken', [POST => $users, json => person('ADA')], 409,
    'uniqueness', qr/^userName "ADA" is taken by the User $ada/;
refused 'a PATCH with a userName that is taken',
    [PATCH => "$users/$bob", json => ops({ op => 'add', path => 'title', value => 'x' },
    { op => 'replace', path => 'userName', value => 'ADA' })], 409, 'uniqueness', qr/^Operations\[1\]: userName "ADA" is taken by the User $ada/;
refused 'a PATCH with an empty userName',
    [PATCH => "$users/$bob", json => ops({ op => 'add', path => 'title', value => 'x' },
    { op => 'replace', path => 'userName', value => '' })], 400, 'invalidValue', qr/^Operations\[1\]: "userName" is required and has no value/;
refused 'a POST with the userName of an inactive user', [POST => $users, json => person('bob')], 409,
    'uniqueness', qr/^userName "bob" is taken by the inactive User $bob/;
refused 'a PATCH with the userName of an inactive user',
    [PATCH => $path, json => ops($title, { op => 'Replace', path => 'userName', value => 'Bob' })],
    409, 'uniqueness', qr/userName "Bob" is taken by the inactive User $bob/;
refused 'a PUT with the userName of an inactive user', [PUT => $path, json => person('bob')], 409,
    'uniqueness', qr/inactive User $bob/;
refused 'a POST with a displayName that is taken', [POST => $groups, json => { schemas => [$group],
    displayName => 'STAFF' }], 409, 'uniqueness',
    qr/displayName "STAFF" is taken by the Group $staff/;
refused 'a POST with a long userName that is taken', [POST => $users, json => person("ada$long")], 409,
    'uniqueness', qr/is taken by/
    if $c->request(POST => $users, json => person("ada$long"))->{status} == 201;

# --- "Okta shows a Java parser's message", "reason null"

my $raw = $t->client;
for my $bytes ("POST $users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\nTransfer-Encoding: chunked\r\n\r\nnope\r\n",
    "POST $users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\nContent-Length: 99999999999\r\n\r\n") {
    $raw->connect;
    $raw->write($bytes);
    my $r = $raw->receive;
    is_error $r, $r->{status}, '', qr/./, "an invalid HTTP request is refused with a SCIM Error ($r->{status})";
    cmp_ok $r->{status}, '<', 500, 'the status of an invalid HTTP request is below 500';
    $raw->close;
}
$r = $c->request(GET => "$users?startIndex=1&count=2");
like $r->{body}, qr/"$_":\d+[,}]/, "$_ of a list is a JSON number" for qw(totalResults startIndex itemsPerPage);

# --- "The validator fails without a reason"

$r = $c->request(GET => '/scim/v2/Schemas');
unlike $r->{body}, qr/:null/, 'schemas contain no null';
my %type;
for my $schema (@{ $r->{json}{Resources} }) {
    for my $attribute (@{ $schema->{attributes} }) {
        for my $part (grep $_->{name} eq 'type', @{ $attribute->{subAttributes} // [] }) {
            $type{ $attribute->{name} } = @{ $part->{canonicalValues} // [] } if $attribute->{name} =~ /^(?:emails|phoneNumbers|addresses)\z/;
        }
    }
}
is_deeply [sort grep $type{$_}, keys %type], [qw(addresses emails phoneNumbers)],
    'addresses, emails and phoneNumbers have canonical types';

# --- "Raw SQL or a stack trace": no answer contains secrets, data of another tenant or internal details

my $all = join "\n", @bodies;
unlike $all, qr/\Q$_\E/, 'no answer contains a token'
    for map substr($_, 5, 40), $token, $foreign, $reader, $expired, $revoked, $elsewhere;
unlike $all, qr/eyJ0eXAi|c2VjcmV0|secret:/, 'no answer contains the credentials of a refused request';
unlike $all, qr/globex|theirs|their-secret-user/, 'no answer contains data of another tenant';
unlike $all, qr/MDB_|lmdb|\.cc\b|data\.mdb|\Q$t->{dir}\E|std::/i, 'no answer contains internal names or paths';
unlike $all, qr/y{60}/, "no answer contains more than 64 bytes of a client's text";
unlike $t->log, qr/\Q$_\E/, 'the error log contains no token'
    for map substr($_, 5, 40), $token, $foreign, $reader, $expired, $revoked, $elsewhere;

# --- scimctl log, to which the documentation refers, prints the same messages to the tenant's administrator

$c->request(POST => $users, json => person('one more'));    # stores the refused writes before it
my ($exit, $out, $err) = $t->scimctl(qw(log --tenant acme --failed --limit 1000 --json));
is $exit, 0, 'scimctl log --failed exits with 0' or diag $err;
my %logged = map { $_->{requestId} => $_ } map $Scim::json->decode($_), split /\n/, $out;
my %shown = map { /"scimType":"(?:uniqueness|noTarget|invalidValue|invalidPath|mutability)","detail":"(.*) \(request (\w+)\)"/s ? ($2 => $1) : () } @bodies;
cmp_ok scalar keys %shown, '>', 15, 'more than 15 writes were refused';
is join("\n", map $shown{$_}, grep !$logged{$_}, sort keys %shown), '',
    'scimctl log --failed prints every refused write with its request id';
unlike $out, qr/globex|theirs|their-secret-user/, 'scimctl log --failed prints nothing of another tenant';
unlike $out, qr/\Q$_\E/, 'scimctl log --failed prints no token' for map substr($_, 5, 40), $token, $foreign, $reader;
unlike $out, qr/y{60}/, "scimctl log --failed prints no more than 64 bytes of a client's text";

# A password is never repeated, whatever is wrong with it or with the rest of the body.
for my $body (person('pw', password => { a => 'hunter2hunter2' }), person('', password => 'hunter2hunter2'),
    person('pw', password => ['hunter2hunter2'])) {
    my $r = $t->request(POST => $users, token => $token, json => $body);
    unlike $r->{body}, qr/hunter2/, "the answer ($r->{status}) to a POST with a password does not contain it";
}
$r = $c->request(PATCH => $path, json => ops({ op => 'Replace', path => 'password', value => { x => 'hunter2hunter2' } }));
unlike $r->{body}, qr/hunter2/, 'the answer to a PATCH of a password does not contain it';
unlike $t->log, qr/hunter2/, 'the error log contains no password';

# --- the messages that the documentation quotes; `…` stands for any text

for my $page (qw(entra okta)) {
    open my $f, '<:raw', "$FindBin::Bin/../docs/$page.md" or do { fail "docs/$page.md can be opened"; next };
    my $text = do { local $/; <$f> };
    my @quotes = $text =~ /^## When it fails\n(.*)/ms ? $1 =~ /^\|[^|\n]*\| *`([^`]+)`/gm : ();
    cmp_ok scalar @quotes, '>', 5, "docs/$page.md quotes more than five messages";
    for my $quote (@quotes) {
        my $pattern = join '.*', map quotemeta, split /\xe2\x80\xa6/, $quote, -1;
        ok +(grep /$pattern/s, keys %said), "docs/$page.md quotes a message of the server: $quote";
    }
}

$t->finish;
