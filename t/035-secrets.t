# A token or a password in the wrong place of a request is in no answer, no header, no variable and no log message of the
# module. (nginx itself appends the request line to each line of the error log and has it in $request.)
# module. (nginx appends the request line to each line of the error log, and $request has it: that is nginx's own.)

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my ($user, $patch) = ($Scim::Check::user_urn, 'urn:ietf:params:scim:api:messages:2.0:PatchOp');
my $t = Scim->new(http => <<'EOC', server => <<'EOS');
    scim_store main %%DIR%%/store;
    log_format facts '[$scim_operation][$scim_resource_type][$scim_resource_id][$scim_error_type][$scim_detail][$scim_dialect]'
        '[$scim_tenant][$scim_token_label]';
EOC
    access_log %%DIR%%/facts.log facts;
    location /scim/v2/ { scim main; }
    location /rfc/ { scim main; scim_profile rfc; }
    location ~ ^/of/(?<name>[^/]+)/ { scim main; scim_tenant $name; scim_base_url http://localhost/of/$name; }
EOS
my $token = $t->seed('acme');
my $password = 'hunter2-correct-horse';
$t->start;
my $c = $t->client(token => $token);
my ($base, $rfc) = qw(/scim/v2/Users /rfc/Users);
my $id = $c->request(POST => $base, json => { schemas => [$user], userName => 'ada' })->{json}{id};
my $sent = 1;
my @answers;

# Sends requests with a secret in them and returns their statuses; keeps the answers for the check at the end.
sub send_all { my ($name, @requests) = @_;
    my @status;
    for (@requests) {
        my $r = $c->request(@$_);
        push @answers, ["$name: $_->[0]", "$r->{head}\n$r->{body}"];
        push @status, $r->{status};
        $sent++;
    }
    return join ' ', @status;
}

# --- a token

for my $value ("$token Bearer", "Bearer:$token x", "Token $token", "$token $token", "Bearer\t$token", "Basic $token", "x=$token y") {
    is send_all($value =~ s/\Q$token/TOKEN/gr, [GET => $base, headers => { Authorization => $value }]), 401,
        'refused with 401: Authorization: ' . $value =~ s/\Q$token/TOKEN/gr =~ s/\t/<TAB>/r;
}
my $part = substr $token, 0, 40;
for my $secret ($token, $part) {
    send_all('token in a path', map [GET => "/scim/v2/$_"], $secret, "Users/$secret", "Users/x/$secret", "Schemas/$secret",
        "ResourceTypes/$secret",
        "v2$secret", "$secret/Users", "Users/$secret.search", "Users/a%20$secret", "Users/%73cim_" . substr $secret, 5);
    send_all('token in a path of a write', map { ([PUT => $_, json => {}], [DELETE => $_]) } "/scim/v2/Users/$secret",
        "/scim/v2/$secret");
    send_all('token in a tenant', [GET => "/of/$secret/Users"], [GET => "/of/$secret/x"]);
    send_all('token in a query', map [GET => "$base?$_"], "access_token=$secret", "count=$secret", "startIndex=$secret",
        "sortBy=$secret",
        "sortOrder=$secret", "attributes=$secret", "filter=$secret", "filter=$secret+eq+1", "filter=userName+$secret+1", "filter=userName+eq+$secret",
        "filter=active+eq+%22$secret%22", "filter=emails[$secret+eq+1]", "$secret=1", "attributes=%zz$secret");
    for my $at ($base, $rfc) {
        send_all('token in a body', map [POST => $at, @$_], [json => { schemas => [$user], userName => 'x', $secret => 1 }],
            [json => { schemas => [$secret], userName => 'x' }], [json => { schemas => [$user], userName => 'x', active => $secret }],
            [json => { schemas => [$user], userName => 'ada', externalId => $secret }], [body => "{\"a\": $secret}"],
            [body => "{\"$secret\":1,\"$secret\":2}"], [json => {}, headers => { 'Content-Type' => $secret }],
            [json => {}, headers => { 'Content-Encoding' => $secret }]);
        send_all('token in a PATCH', map [PATCH => "$at/$id", json => { schemas => [$patch], Operations => [$_] }],
            { op => $secret }, { op => 'replace', path => $secret, value => 1 }, { op => 'replace', path => "$secret [", value => 1 },
            { op => 'remove', path => "emails[value eq \"$secret\"]" }, { op => 'add', value => { $secret => 1 } },
            { op => 'remove', path => "emails[type eq \"$secret\"].value" });
    }
    send_all('token in a header', map [GET => "$base/$id", headers => $_], { 'If-Match' => "\"$secret\"" },
        { Host => "$secret x" },
        { 'If-None-Match' => "\"$secret\" x" }, { Accept => $secret });
    send_all('token in If-Match of a write', [PUT => "$base/$id", headers => { 'If-Match' => "\"$secret\"" },
        json => { schemas => [$user], userName => 'ada' }]);
}

# --- a password

for my $at ($base, $rfc) {
    send_all('password in a filter', map [GET => "$at?filter=" . s/ /+/gr =~ s/"/%22/gr], "password eq \"$password\"",
        "password[value eq \"$password\"]",
        "password eq \"$password", "password.$password eq 1", "not (password co \"$password\")");
    send_all('password in a path', map [PATCH => "$at/$id", json => { schemas => [$patch], Operations => [$_] }],
        map({ op => 'replace', path => $_, value => 'x' }, "password[value eq \"$password\"]", "password[value eq \"$password\"", "PASSWORD = $password",
            "password eq \"$password\"", "password[value eq \"$password\"].value", "${user}:password[value eq \"$password\"]", "[password eq \"$password\"]"),
        { op => 'remove', path => "password[value eq \"$password\"]" }, { op => 'add', path => "password[value eq \"$password\"]" },
        { op => 'add', value => { "password[value eq \"$password\"]" => 1 } },
        { op => 'replace', path => 'password', value => { value => $password } }, { op => 'replace', path => 'password', value => [$password] });
    send_all('password in a body', map [POST => $at, %$_],
        map({ body => qq({"schemas":["$user"],"userName":"x","password":$_}) }, $password, "$password\"",
            "\"$password\\q\"", "\"$password\n\"", "\"$password\" \"$password\"", "{\"value\":\"$password\"}", "[\"$password\"]"),
        { json => { schemas => [$user], userName => 'ada', password => $password } });
}

is join("\n", map $_->[0], grep $_->[1] =~ /\Q$password\E|scim_[A-Za-z0-9]{16}/, @answers), '',
    '[S-150 S-164 S-167] no answer and no header contains a token or a password'
    or diag explain [grep $_->[1] =~ /\Q$password\E|scim_[A-Za-z0-9]{16}/, @answers];
my $facts;
ok $t->wait_for(sub { $facts = Scim::_slurp("$t->{dir}/facts.log"); ($facts =~ tr/\n//) == $sent }),
    'every request is in the access log';
is join("\n", grep /\Q$password\E|scim_[A-Za-z0-9]{16}/, split /\n/, $facts), '',
    'no variable of the module contains a token or a password';
my @messages = map { /(scim: .*?)(?:, client: |$)/ ? $1 : () } split /\n/, $t->log;
cmp_ok scalar @messages, '>', 100, 'the error log has a message for each of more than 100 refused requests';
is join("\n", grep /\Q$password\E|scim_[A-Za-z0-9]{16}/, @messages), '',
    '[S-167] no message of the module contains a token or a password';
my (undef, $log) = $t->scimctl(qw(log --tenant acme --refused));
(undef, $log) = $t->scimctl(qw(log --tenant acme)) if $log eq '';
unlike $log, qr/\Q$password\E|scim_[A-Za-z0-9]{16}/, 'the change log contains no token and no password';
like $c->request(PATCH => "$base/$id", json => { schemas => [$patch], Operations => [{ op => 'replace', path => 'emails[type eq ', value => 1 }] })->{json}{detail},
    qr/the path "emails\[type eq "/, 'a path without a secret is quoted in the error';

$t->finish;
