#!/usr/bin/perl
# What administrators complain of when provisioning fails, complaint by complaint: the answer that their identity provider
# shows them says which operation, which attribute, what was expected and which request, and the log says the same; none
# tells a secret, another tenant, or more of the client's own text than 64 bytes. What docs/entra.md and docs/okta.md quote
# is what is said.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my ($user, $enterprise) = ($Scim::Check::user_urn, $Scim::Check::enterprise_urn);
my ($group, $patch) = ('urn:ietf:params:scim:schemas:core:2.0:Group', 'urn:ietf:params:scim:api:messages:2.0:PatchOp');
my $nobody = '01930000-0000-7000-8000-00000000dead';
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
is +($t->scimctl(qw(token revoke --tenant acme lost)))[0], 0, 'a revoked token';
$t->start->served('/scim/v2/Users', token => $token);
my $c = $t->client(token => $token);
my $users = '/scim/v2/Users';
my (%said, @bodies);    # every sentence that was given, and every refusal as it was sent

# A request that is refused like this, in the answer and in the error log.
sub refused {
    my ($name, $request, $status, $type, $detail, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = $t->request(@$request, exists { @$request[2 .. $#$request] }->{token} ? () : (token => $token));
    is_error $r, $status, $type, $detail, $name;
    push @bodies, $r->{body}, join ' ', %{ $r->{headers} };
    my ($sentence) = ($r->{json}{detail} // '') =~ /^(.*) \(request [0-9a-f]{32}\)\z/;
    $said{ $sentence // '' } = 1;
    my $level = 'error|warn';    # a read that finds nothing, and what repeats, is a warning
    my ($logged) = ($sentence // '?') =~ /^([\x20-\x7e]+)/;    # up to the first character that is not ASCII
    ok $t->wait_log($o{log} // qr/\[(?:$level)\][^\n]*scim: [^\n]*$status[^\n]*\Q$logged\E/), "the error log has the sentence, too";
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
refused 'a wrong value', [PATCH => $path, json => ops($title, $title, { op => 'Replace', path => 'active', value => $long })],
    400, 'invalidValue', qr/^Operations\[2\].*active.*must be true or false/;
refused 'a wrong op', [PATCH => $path, json => ops($title, { op => 'Update', path => 'title', value => 'x' })],
    400, 'invalidSyntax', qr/^Operations\[1\].*must be "add", "replace" or "remove", not "Update"/;
refused 'a value of another type', [PATCH => $path, json => ops({ op => 'Replace', path => 'name', value => 'Ada' })],
    400, 'invalidValue', qr/^Operations\[0\].*"name" must be an object, not a string/;
refused 'in an element', [PATCH => $path, json => ops({ op => 'Add', path => 'emails', value => [{ value => 'a@b' }, { value => 7 }] })],
    400, 'invalidValue', qr/^Operations\[0\].*"emails\[1\]\.value" must be a string, not a number/;
refused 'no value', [PATCH => $path, json => ops($title, { op => 'Add', path => 'nickName' })],
    400, 'invalidValue', qr/^Operations\[1\].*"value" is missing.*nickName/;
refused 'remove without a path', [PATCH => $path, json => ops({ op => 'remove' })], 400, 'noTarget', qr/^Operations\[0\].*"path"/;
refused 'a malformed path', [PATCH => $path, json => ops($title, { op => 'Replace', path => 'emails[type eq', value => 'x' })],
    400, 'invalidPath', qr/^Operations\[1\]\.path: the path "emails\[type eq" is wrong at character \d+: expected/;
refused 'a path that selects nothing', [PATCH => $path, json => ops({ op => 'Replace', path => 'emails[type ne "work"].value', value => 'x' })],
    400, 'noTarget', qr/^Operations\[0\].*emails\[type ne/;
refused 'a read-only attribute', [PATCH => $path, json => ops({ op => 'Replace', path => 'id', value => 'x' })],
    400, 'mutability', qr/^Operations\[0\].*id.*readOnly/;
refused 'a required one', [PATCH => $path, json => ops({ op => 'Remove', path => 'userName' })],
    400, 'mutability', qr/^Operations\[0\].*userName.*required/;
refused 'no userName', [POST => $users, json => { schemas => [$user], displayName => 'x' }], 400, 'invalidValue',
    qr/"userName" is required and has no value/;
refused 'no Operations', [PATCH => $path, json => { schemas => [$patch], active => JSON::PP::false }], 400, 'invalidSyntax',
    qr/a PATCH must have "Operations".*a whole resource is sent with PUT/;
refused 'SCIM 1.1', [POST => $users, json => { schemas => ['urn:scim:schemas:core:1.0'], userName => 'x' }], 400, 'invalidSyntax',
    qr/SCIM 1\.1; this server speaks SCIM 2\.0/;
refused 'a bad filter', [GET => "$users?filter=userName+is+\"x\""], 400, 'invalidFilter', qr/wrong at character \d+.*expected/;
refused 'a filter on what is not there', [GET => "$users?filter=shoeSize+eq+\"x\""], 400, 'invalidFilter', qr/shoeSize/;
my $r = $c->request(GET => $path);
is $r->{json}{title}, undef, 'a PATCH that is refused does nothing at all';

# --- "Invalid credentials", though curl works

for my $case (
    ['no header', undef, qr/the request has no Authorization header; send "Authorization: Bearer <token>"/],
    ['another scheme', 'Basic c2VjcmV0OnNlY3JldA==', qr/uses the scheme "Basic"/],
    ['no token', 'Bearer', qr/carries no token/],
    ['Entra\'s own token', 'Bearer eyJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL3N0cyJ9.c2VjcmV0', qr/the token is unknown here/],
    ['Bearer twice', "Bearer Bearer $token", qr/the token begins with the word Bearer, which the identity provider sends itself/],
    ['in quotes', qq(Bearer "$token"), qr/the token stands in quotes/],
    ['cut off', 'Bearer ' . substr($token, 0, -3), qr/the token is not complete/],
    ['revoked', "Bearer $revoked", qr/the token "lost" was revoked at \d{4}/],
) {
    my ($name, $authorization, $detail) = @$case;
    my $r = refused $name, [GET => $users, token => undef, headers => { defined $authorization ? (Authorization => $authorization) : () }],
        401, '', $detail;
    like $r->{headers}{'www-authenticate'}, qr/^Bearer realm="scim"/, 'WWW-Authenticate';
}
$t->wait_for(sub { $t->request(GET => $users, token => $expired)->{status} == 401 });
refused 'expired', [GET => $users, token => $expired], 401, '', qr/the token "old" expired at \d{4}.*scimctl token create/;
refused 'of another tenant', [GET => '/of/acme/Users', token => $foreign], 403, '', qr/the token is of another tenant than this address/;
unlike pop(@bodies) . pop @bodies, qr/acme/, 'the address\'s tenant is not named';
refused 'may not write', [PATCH => $path, token => $reader, json => ops($title)], 403, '', qr/the token "reader" may not write/;
refused 'a near miss', [GET => "/scim/v2/users"], 404, '', qr/did you mean "\/Users"/;
refused 'a base URL that ends in /Users', [GET => '/scim/v2/Users/Users?filter=userName+eq+"x"'], 404, '', qr/did you mean "\/Users"/;
refused 'the base URL twice', [GET => '/scim/v2/scim/v2/Users'], 404, '', qr/twice: did you mean/;
refused 'SCIM 1.1\'s URL', [GET => '/scim/v2/v1/Users'], 400, 'invalidVers', qr/"v1"/;

# --- "The request never shows up in our logs"

is $t->request(GET => $users, token => $token, headers => { 'User-Agent' => '' })->{status}, 200, 'an empty User-Agent is served';
refused 'a rule of nginx\'s', [GET => '/denied/Users'], 403, '', qr/forbidden by nginx's own rules/,
    log => qr/\[error\][^\n]*access forbidden by rule/;
refused 'a large body', [POST => '/small/Users', json => person('x' x 2000)], 413, '', qr/client_max_body_size allows \(1024 bytes\)/,
    log => qr/\[error\][^\n]*client intended to send too large body/;

# --- "Success, but nothing happened"

$r = $c->request(PATCH => $path, json => ops({ op => 'Add', path => 'shoeSize', value => '43' }, { op => 'Add', path => 'urn:x:2.0:User:badge', value => '7' }));
is $r->{status}, 200, 'unknown attributes are ignored';
like $r->{headers}{'x-scim-dialect'}, qr/ignored|shoeSize/, 'and said so in $scim_dialect';
ok $t->wait_log(qr/\[error\][^\n]*"shoeSize", "urn:x:2\.0:User:badge" were ignored: no schema declares them/), 'and in the error log';
$r = $c->request(POST => $users, json => person('carl', active => 'False', department => 'Sales'));
is $r->{json}{active}, JSON::PP::false, 'active as a string is taken for what it says';
ok $t->wait_log(qr/\[error\][^\n]*"department" was ignored: no schema declares it/), 'and in the error log';
$said{'"department" was ignored: no schema declares it'} = 1;
like $r->{headers}{'x-scim-dialect'}, qr/department/, 'an extension\'s attribute without its URN is named';
$r = $c->request(PATCH => "$users/$r->{json}{id}", json => ops({ op => 'Replace', path => 'active', value => 'True' }));
is $r->{json}{active}, JSON::PP::true, 'the answer to a PATCH is what is stored';
is $c->request(GET => "$users/$r->{json}{id}")->{json}{active}, JSON::PP::true, 'a later GET says the same';

# --- "The same error every 40 minutes": what will not mend itself is 4xx

my $member = sub { return { op => 'Add', path => 'members', value => [map +{ value => $_ }, @_] } };
my $groups = '/scim/v2/Groups';
$r = refused 'a member that is not there', [PATCH => "$groups/$staff", json => ops($member->($ada, $nobody))], 400, 'invalidValue',
    qr/there is no User or Group with the id "$nobody"/;
unlike $r->{json}{detail}, qr/$ada/, 'members that are there are not named';
refused 'a member that is no id', [PATCH => "$groups/$staff", json => ops($member->('x-ada'))], 400, 'invalidValue', qr/"x-ada"/;
refused 'too many operations', [PATCH => "/small/Users/$ada", json => ops(($title) x 4)], 413, '', qr/scim_max_operations \(3\)/;
refused 'too many members', [PATCH => "/small/Groups/$staff", json => ops($member->(($ada) x 4))], 413, '', qr/scim_max_members \(3\)/;
refused 'another type of body', [POST => $users, body => 'x', headers => { 'Content-Type' => 'text/plain' }], 415, '',
    qr/send Content-Type: application\/scim\+json/;
refused 'no JSON', [POST => $users, body => '{"userName":'], 400, 'invalidSyntax', qr/the body ends too early, at line 1/;
refused 'an id that is gone', [PATCH => "$users/$nobody", json => ops($title)], 404, '', qr/there is no User with the id "$nobody"/;
refused 'a group under Users', [GET => "$users/$staff"], 404, '', qr/there is no User with the id/;
refused 'a method', [DELETE => $users], 405, '', qr/DELETE is not possible here/;
refused 'a stale version', [PATCH => $path, json => ops($title), headers => { 'If-Match' => 'W/"1"' }], 412, '', qr/If-Match/;
$t->request(GET => '/slow/Users', token => $token);
$r = refused 'too fast', [GET => '/slow/Users'], 429, '', qr/too many requests/, log => qr/\[error\][^\n]*limiting requests/;
like $r->{headers}{'retry-after'}, qr/^\d+\z/, 'Retry-After in seconds';

# --- "HTTP/404 response received instead of the expected HTTP/200"

for my $query ('userName+eq+%22b3f6a0d2-8f0b-4f6e-9d4e-000000000000%22', 'externalId+eq+"none"', 'id+eq+"none"', "id+eq+\"$nobody\"") {
    is_list $c, "$users?filter=$query", 0, 0, "nobody: filter=$query";
}
is_list $c, "$groups?filter=displayName+eq+\"none\"&excludedAttributes=members", 0, 0, 'no such group';

# --- "The group has lost its members"

sub members { return scalar @{ $c->request(GET => "$groups/$staff")->{json}{members} // [] } }
refused 'a filter that selects members by another part', [PATCH => "$groups/$staff", json => ops({ op => 'remove', path => 'members[display eq "x"]' })],
    400, 'invalidFilter', qr/members are selected by value alone, expected members\[value eq/;
is members(), 2, 'removes nobody';
$c->request(PATCH => "$groups/$staff", json => ops({ op => 'Remove', path => 'members', value => $_ })) for undef, [], [{ value => $nobody }];
is members(), 2, 'nor does the removal of nobody, or of one who is not in';
$c->request(PATCH => "$groups/$staff", json => ops({ op => 'Replace', value => { displayName => 'Staff', externalId => 's' } }));
is members(), 2, 'nor a change of the name';
$c->request(PATCH => $path, json => ops({ op => 'Replace', path => 'active', value => 'False' }));
is members(), 2, 'nor the deactivation of a member';
$c->request(PATCH => $path, json => ops({ op => 'Replace', path => 'active', value => 'True' }));

# --- "Duplicates, and 409 for ever"

refused 'a name that is taken', [POST => $users, json => person('ADA')], 409, 'uniqueness', qr/^userName "ADA" is taken by the User $ada/;
refused 'a rename to it', [PATCH => "$users/$bob", json => ops({ op => 'add', path => 'title', value => 'x' },
    { op => 'replace', path => 'userName', value => 'ADA' })], 409, 'uniqueness', qr/^Operations\[1\]: userName "ADA" is taken by the User $ada/;
refused 'a name that is taken away', [PATCH => "$users/$bob", json => ops({ op => 'add', path => 'title', value => 'x' },
    { op => 'replace', path => 'userName', value => '' })], 400, 'invalidValue', qr/^Operations\[1\]: "userName" is required and has no value/;
refused 'by someone inactive', [POST => $users, json => person('bob')], 409, 'uniqueness', qr/^userName "bob" is taken by the inactive User $bob/;
refused 'on a rename', [PATCH => $path, json => ops($title, { op => 'Replace', path => 'userName', value => 'Bob' })],
    409, 'uniqueness', qr/userName "Bob" is taken by the inactive User $bob/;
refused 'on a PUT', [PUT => $path, json => person('bob')], 409, 'uniqueness', qr/inactive User $bob/;
refused 'a group\'s', [POST => $groups, json => { schemas => [$group], displayName => 'STAFF' }], 409, 'uniqueness',
    qr/displayName "STAFF" is taken by the Group $staff/;
refused 'a long one', [POST => $users, json => person("ada$long")], 409, 'uniqueness', qr/is taken by/
    if $c->request(POST => $users, json => person("ada$long"))->{status} == 201;

# --- "Okta shows a Java parser's message", "reason null"

my $raw = $t->client;
for my $bytes ("POST $users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\nTransfer-Encoding: chunked\r\n\r\nnope\r\n",
    "POST $users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\nContent-Length: 99999999999\r\n\r\n") {
    $raw->connect;
    $raw->write($bytes);
    my $r = $raw->receive;
    is_error $r, $r->{status}, '', qr/./, "what is not HTTP is refused in JSON ($r->{status})";
    cmp_ok $r->{status}, '<', 500, 'as the client\'s fault';
    $raw->close;
}
$r = $c->request(GET => "$users?startIndex=1&count=2");
like $r->{body}, qr/"$_":\d+[,}]/, "$_ is a number" for qw(totalResults startIndex itemsPerPage);

# --- "The validator fails without a reason"

$r = $c->request(GET => '/scim/v2/Schemas');
unlike $r->{body}, qr/:null/, 'schemas without nulls';
my %type;
for my $schema (@{ $r->{json}{Resources} }) {
    for my $attribute (@{ $schema->{attributes} }) {
        for my $part (grep $_->{name} eq 'type', @{ $attribute->{subAttributes} // [] }) {
            $type{ $attribute->{name} } = @{ $part->{canonicalValues} // [] } if $attribute->{name} =~ /^(?:emails|phoneNumbers|addresses)\z/;
        }
    }
}
is_deeply [sort grep $type{$_}, keys %type], [qw(addresses emails phoneNumbers)], 'which say what types there are';

# --- "Raw SQL or a stack trace": no answer tells what it should not

my $all = join "\n", @bodies;
unlike $all, qr/\Q$_\E/, 'no token' for map substr($_, 5, 40), $token, $foreign, $reader, $expired, $revoked;
unlike $all, qr/eyJ0eXAi|c2VjcmV0|secret:/, 'nor what was sent as one';
unlike $all, qr/globex|theirs|their-secret-user/, 'no other tenant';
unlike $all, qr/MDB_|lmdb|\.cc\b|data\.mdb|\Q$t->{dir}\E|std::/i, 'no insides';
unlike $all, qr/y{60}/, 'no more than 64 bytes of what was sent';
unlike $t->log, qr/\Q$_\E/, 'no token in the log' for map substr($_, 5, 40), $token, $foreign, $reader, $expired, $revoked;

# --- and scimctl log, which the documentation points to, tells the tenant's administrator the same, and nothing of another's

$c->request(POST => $users, json => person('one more'));    # which stores the refusals before it
my ($exit, $out, $err) = $t->scimctl(qw(log --tenant acme --failed --limit 1000 --json));
is $exit, 0, 'scimctl log --failed' or diag $err;
my %logged = map { $_->{requestId} => $_ } map $Scim::json->decode($_), split /\n/, $out;
my %shown = map { /"scimType":"(?:uniqueness|noTarget|invalidValue|invalidPath|mutability)","detail":"(.*) \(request (\w+)\)"/s ? ($2 => $1) : () } @bodies;
cmp_ok scalar keys %shown, '>', 15, 'of the writes that were refused';
is join("\n", map $shown{$_}, grep !$logged{$_}, sort keys %shown), '', 'each is in it, by the request id of its answer';
unlike $out, qr/globex|theirs|their-secret-user/, 'and no other tenant';
unlike $out, qr/\Q$_\E/, 'nor a token' for map substr($_, 5, 40), $token, $foreign, $reader;
unlike $out, qr/y{60}/, 'nor more than 64 bytes of what was sent';

# A password is not echoed, whatever is wrong with it or beside it.
for my $body (person('pw', password => { a => 'hunter2hunter2' }), person('', password => 'hunter2hunter2'),
    person('pw', password => ['hunter2hunter2'])) {
    my $r = $t->request(POST => $users, token => $token, json => $body);
    unlike $r->{body}, qr/hunter2/, "a body with a password is answered ($r->{status}) without it";
}
$r = $c->request(PATCH => $path, json => ops({ op => 'Replace', path => 'password', value => { x => 'hunter2hunter2' } }));
unlike $r->{body}, qr/hunter2/, 'nor does a PATCH';
unlike $t->log, qr/hunter2/, 'nor the log';

# --- the documentation quotes what is said: `…` stands for what varies

for my $page (qw(entra okta)) {
    open my $f, '<:raw', "$FindBin::Bin/../docs/$page.md" or do { fail "docs/$page.md"; next };
    my $text = do { local $/; <$f> };
    my @quotes = $text =~ /^## When it fails\n(.*)/ms ? $1 =~ /^\|[^|\n]*\| *`([^`]+)`/gm : ();
    cmp_ok scalar @quotes, '>', 5, "docs/$page.md quotes answers";
    for my $quote (@quotes) {
        my $pattern = join '.*', map quotemeta, split /\xe2\x80\xa6/, $quote, -1;
        ok +(grep /$pattern/s, keys %said), "docs/$page.md: $quote";
    }
}

$t->finish;
