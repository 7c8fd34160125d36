#!/usr/bin/perl
# `nginx -t` and the directives of the access gate: what it refuses, with a sentence that quotes it, and what it warns of.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => 'location /scim/v2/ { scim main; }');
my $store = 'scim_store main %%DIR%%/store;';
my $subject = 'scim_subject $connection tenant=acme;';

sub good { my ($name, $server, $http) = @_; return conf_good $t, $name, http => "$store @{[ $http // '' ]}", server => $server }
sub bad { my ($name, $pattern, $server, $http) = @_; return conf_bad $t, $name, $pattern, http => "$store @{[ $http // '' ]}", server => $server }

# Checks that `nginx -t` accepts a configuration and warns with a matching sentence.
sub warned {
    my ($name, $pattern, $server, $http) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $t->conf(undef, main => '', http => "$store @{[ $http // '' ]}", server => $server);
    my ($exit, $said) = $t->check;
    return ok($exit == 0 && $said =~ /\[warn\][^\n]*$pattern/, $name) || diag "exit $exit, expected $pattern\n$said";
}

# --- scim_subject

good 'scim_subject and scim_require in http', 'location / { }', "$subject scim_require active;";
good 'scim_subject and scim_require in server', "$subject scim_require active;";
good 'scim_subject and scim_require in location', "location / { $subject scim_require active; }";
good 'scim_subject in http, scim_require in a nested location', 'location / { location /a/ { scim_require active; } }', $subject;
good "scim_subject with by=$_", "scim_subject \$connection by=$_ tenant=acme; scim_require active;" for qw(id userName externalId);
good 'scim_subject with store=', 'scim_subject $connection store=main tenant=acme;';
good 'scim_subject with a variable in tenant=', 'scim_subject $connection tenant=$server_name;';
bad 'scim_subject without tenant=', qr/"scim_subject" requires "tenant=", the tenant that the user is in/, 'scim_subject $connection by=id;';
bad 'scim_subject with an empty tenant=', qr/"scim_subject" requires "tenant="/, 'scim_subject $connection tenant=;';
bad 'scim_subject with a value only', qr/invalid number of arguments in "scim_subject" directive/, 'scim_subject $connection;';
bad 'scim_subject with an empty value', qr/empty value in "scim_subject" directive/, 'scim_subject "" tenant=acme;';
bad "scim_subject with by=$_", qr/"by=$_" of "scim_subject" names no attribute of users with an index in \S+nginx\.conf:\d+/,
    "scim_subject \$connection by=$_ tenant=acme;" for qw(nickName title name none);
bad 'scim_subject with an empty by=', qr/"by=" of "scim_subject" names no attribute/, 'scim_subject $connection by= tenant=acme;';
bad 'scim_subject with an unknown store', qr/unknown store "other" in \S+nginx\.conf:\d+/, 'scim_subject $connection store=other tenant=acme;';
bad 'scim_subject with several stores and no store=', qr/"scim_subject" requires "store=", as there are several/, $subject,
    'scim_store other %%DIR%%/other;';
good 'scim_subject with several stores and store=', 'scim_subject $connection store=other tenant=acme;', 'scim_store other %%DIR%%/other;';
conf_bad $t, 'scim_subject without a scim_store', qr/"scim_subject" requires a "scim_store"/, server => $subject;
bad 'scim_subject with an unknown parameter',
    qr/invalid parameter "as=id" in "scim_subject" directive, it must be "by=", "store=", "tenant=" or "trusted"/,
    'scim_subject $connection as=id tenant=acme;';
bad 'scim_subject twice at a level', qr/"scim_subject" directive is duplicate/, "$subject $subject";
bad 'scim_subject with an unknown variable', qr/unknown "nothing" variable/, 'scim_subject $nothing tenant=acme;';
bad 'scim_subject in "if"', qr/"scim_subject" directive is not allowed here/, "location / { if (\$arg_a) { $subject } }";

# --- scim_subject: values that clients choose

my @chosen = qw($http_x_user $cookie_session $arg_user $args $uri $document_uri $request_uri $host $http_host $remote_user $query_string
    $ssl_server_name ${http_x_user} $proxy_add_x_forwarded_for);
for my $variable (@chosen) {
    my $name = $variable =~ s/[\${}]//gr;
    warned "-t warns of $variable in the value of scim_subject",
        qr/the value of "scim_subject" contains \$$name, whose value a client can choose: any client can be any user; add "trusted"/,
        "scim_subject \"$variable\" tenant=acme;";
    warned "-t warns of $variable in tenant=", qr/"tenant=" of "scim_subject" contains \$$name, whose value a client can choose/,
        "scim_subject \$connection \"tenant=$variable\";";
    warned "-t warns of $variable in the value of scim_session",
        qr/the value of "scim_session" contains \$$name, whose value a client can choose: a revoked session stays valid; add "trusted"/,
        "scim_session \"$variable\";";
    good "with trusted -t does not warn of $variable in scim_session", "scim_session \"$variable\" trusted;";
    good "with trusted -t does not warn of $variable", "scim_subject \"$variable\" \"tenant=$variable\" trusted;";
}
warned '-t warns of a variable within a text', qr/contains \$arg_a,/, 'scim_subject "user-$arg_a-x" tenant=acme;';
warned '-t warns of a variable in upper case', qr/contains \$http_x_user,/, 'scim_subject $HTTP_X_User tenant=acme;';
warned '-t warns of a capture', qr/contains \$1,/, 'location ~ ^/(.+)/x$ { scim_subject $1 tenant=acme; }';
good "-t does not warn of $_", "scim_subject $_ tenant=acme;" for qw($ssl_client_s_dn $ssl_client_fingerprint $remote_addr $server_name constant);
good '-t cannot see through map and set', 'location / { set $a $arg_a; scim_subject $a tenant=$m; }', 'map $arg_b $m { default $arg_b; }';
my $any = 'scim_subject $remote_user tenant=acme trusted; satisfy any; auth_basic a; auth_basic_user_file b;';
warned '-t warns of $remote_user with satisfy any',
    qr/"scim_subject" in \S+nginx\.conf:\d+ is \$remote_user, which nginx does not check where "satisfy any" lets an address pass/,
    "location / { allow 127.0.0.1; $any }";
good '-t does not warn of another subject with satisfy any', "location / { satisfy any; $subject }";

# --- scim_require

for (
    ['active'], ['off'], ['group=Admins'], ["'group=A B'"], ['group=Admins', 'role=auditor', 'entitlement=x'], ['group=Admins', 'error=404'],
    ['error=599', 'role=a'], ['role=a', 'error=400'], ['group_id=01a21cd4-3885-7e17-a04d-1052572e194d'],
    [q('filter=title eq "boss" and (active eq true or roles[value eq "x"])')], [q('filter=title pr')], [q('filter=userName sw "a"'), 'error=500'],
) {
    good "scim_require @$_", "$subject scim_require @$_;";
}
good 'several scim_require', "$subject scim_require group=a; scim_require role=b error=404; scim_require active;";
good 'scim_require in limit_except', "$subject location / { scim_require active; limit_except GET { scim_require group=a; deny all; } }";
good 'scim_require off in limit_except', "$subject location / { scim_require active; limit_except GET { scim_require off; } }";
good 'scim_require off below others', "$subject scim_require active; location / { scim_require off; }";
bad 'scim_require without a scim_subject', qr/"scim_require" without a "scim_subject" at its level or above in \S+nginx\.conf:\d+/,
    'location / { scim_require active; }';
bad 'scim_require with a scim_subject beside it only', qr/"scim_require" without a "scim_subject" at its level or above/,
    "location /a/ { $subject } location /b/ { scim_require active; }";
bad 'scim_require with a scim_subject below only', qr/"scim_require" without a "scim_subject" at its level or above/,
    "scim_require active; location / { $subject }";
bad 'scim_require in limit_except without a scim_subject', qr/"scim_require" without a "scim_subject"/,
    'location / { limit_except GET { scim_require active; } }';
bad 'scim_require without a parameter', qr/invalid number of arguments in "scim_require"/, "$subject scim_require;";
bad 'scim_require in "if"', qr/"scim_require" directive is not allowed here/, "$subject location / { if (\$arg_a) { scim_require active; } }";
for my $condition (qw(admins Active users=x grouP=x =x filter), "''") {
    my $shown = $condition eq "''" ? '' : $condition;
    bad "scim_require $condition", qr/"\Q$shown\E" is not a condition, it must be "active", "group=", .* in "scim_require" directive/,
        "$subject scim_require $condition;";
}
bad "scim_require $_", qr/"$_" has no value in "scim_require" directive/, "$subject scim_require $_;"
    for qw(group= role= entitlement= filter=);
bad "scim_require group_id=$_", qr/"group_id=$_" must name the id of a group, as "scimctl find" lists it/, "$subject scim_require group_id=$_;"
    for '', qw(Admins 01a21cd4 01a21cd4-3885-7e17-a04d-1052572e194g);
bad "scim_require with $_", qr/"$_" must be between 400 and 599 in "scim_require" directive/, "$subject scim_require group=a $_;"
    for qw(error= error=x error=399 error=600 error=200 error=302 error=-403 error=70000 error=403x);
bad 'scim_require with error= only', qr/there is no condition beside "error=" in "scim_require" directive/, "$subject scim_require error=404;";
bad "scim_require $_", qr/"(?:active|off)" must be the only condition/, "$subject scim_require $_;"
    for 'active group=a', 'group=a active', 'off group=a', 'role=a off', 'active error=404', 'off off';
bad "scim_require off beside another: $_", qr/"scim_require off" must be the only "scim_require" of its level/, "$subject $_"
    for 'scim_require off; scim_require group=a;', 'scim_require group=a; scim_require off;', 'scim_require off; scim_require off;',
    'scim_require active; scim_require off;', 'scim_require off; scim_require active;';
for (
    ['title eq', qr/"filter=title eq": /], ['color eq \"red\"', qr/"filter=color eq \S+": .*color/], ['title xx \"a\"', qr/"filter=title xx .*": /],
    ['(title pr', qr/"filter=\(title pr": /], ['password eq \"x\"', qr/"filter=password eq /], ['x' x 10, qr/"filter=xxxxxxxxxx": /],
) {
    my ($filter, $pattern) = @$_;
    bad "scim_require filter=$filter", qr/$pattern.* in "scim_require" directive in \S+nginx\.conf:\d+/,
        qq($subject scim_require "filter=$filter";);
}

# --- scim_header

good 'scim_header at every level', 'scim_header X-A a; location / { scim_header X-B b; scim_header X-A ""; }', 'scim_header X-A $request_id;';
good "scim_header $_", "scim_header $_ x;" for qw(X-User x_user Remote-User Authorization Cookie User-Agent X.Y X~Z);
bad "scim_header $_", qr/invalid name "[^"]*" in "scim_header" directive/, "scim_header $_ x;" for "''", "'X User'", "X:User", "X-Us\xc3\xa9r", "X/Y", 'X(Y)';
bad "scim_header $_", qr/"scim_header" cannot set "$_", which nginx itself evaluates/, "scim_header $_ x;"
    for qw(Host host Content-Length content_length Transfer-Encoding Connection Upgrade TE Trailer Expect Keep-Alive);
bad "scim_header $_->[0] and $_->[1] at a level",
    qr/duplicate name "$_->[1]" in "scim_header" directive, "$_->[0]" is the same header for applications/,
    "scim_header $_->[0] x; scim_header $_->[1] y;" for [qw(X-User X-User)], [qw(X-User X_User)], [qw(x_user X-USER)], [qw(X.User X-User)];
bad 'scim_header without a value', qr/invalid number of arguments in "scim_header"/, 'scim_header X-User;';
bad 'scim_header with an unknown variable', qr/unknown "nothing" variable/, 'scim_header X-User $nothing;';

# --- scim_set

good "scim_set \$a $_", $subject, "scim_set \$a $_;" for 'title sep=|', 'emails.value sep=, match=*@example.com', 'groups.display match=required',
    'title max=16', 'title max=64k', 'title encode=percent', 'title encode=base64url', 'title encode=none', 'title sep=||||||||';
for (
    [q(title sep=), qr/"sep=" must be 1 to 8 ASCII characters that are no letters, digits or "%"/], ['title sep=%', qr/"sep="/], ['title sep=|||||||||', qr/"sep="/], ['title sep=a', qr/"sep="/], ['title sep=1', qr/"sep="/],
    ["title 'sep=\xc3\xa9'", qr/"sep="/], ["'title' match=", qr/"match=" must be a pattern or "required"/],
    (map ["title max=$_", qr/"max=" must be between 16 and 64k/], '', qw(0 15 65k 1m x -1)),
    (map ["title encode=$_", qr/"encode=" must be "percent", "base64url" or "none"/], '', qw(utf8 Percent)),
    ['title x', qr/it must be "sep=", "match=", "max=" or "encode="/],
) {
    my ($line, $pattern) = @$_;
    my $parameter = ($line =~ / '?([^']*)/)[0];
    bad "scim_set \$a $line", qr/invalid parameter "\Q$parameter\E" in "scim_set" directive, $pattern/, $subject, "scim_set \$a $line;";
}
bad 'scim_set with a name without $', qr/invalid variable name "a" in "scim_set" directive, it must begin with "\$"/, '', 'scim_set a title;';
bad 'scim_set of a variable of nginx', qr/the duplicate "host" variable/, '', 'scim_set $host title;';
bad 'scim_set in server', qr/"scim_set" directive is not allowed here/, 'scim_set $a title;';

# --- the other directives

good "$_->[0] $_->[1]", "$_->[0] $_->[1];" for map { my $d = $_; map [$d, $_], qw(on off) } qw(scim_nested_groups scim_require_dry_run);
good "scim_on_error $_", "scim_on_error $_;" for qw(deny allow);
bad "$_ with another value", qr/invalid value "x" in "$_" directive/, "$_ x;" for qw(scim_nested_groups scim_require_dry_run scim_on_error);
bad "$_->[0] twice", qr/"$_->[0]" directive is duplicate/, "$_->[0] $_->[1]; $_->[0] $_->[1];"
    for [qw(scim_nested_groups on)], [qw(scim_require_dry_run on)], [qw(scim_on_error deny)];
good "scim_recheck $_", "scim_recheck $_;" for qw(off 1s 1000ms 24h 1d);
bad "scim_recheck $_", qr/invalid value "$_" in "scim_recheck" directive, it must be "off" or a time between 1s and 24h/, "scim_recheck $_;"
    for qw(999ms 0 86401s 2d x -1s on);
bad 'scim_recheck twice', qr/"scim_recheck" directive is duplicate/, 'scim_recheck 1s; scim_recheck off;';

# --- scim_session

good "scim_session $_", "$subject scim_session $_;" for '$upstream_http_x_auth_time', '$upstream_http_x optional', '$remote_user optional trusted', 'off', '$http_x trusted';
bad 'scim_session twice', qr/"scim_session" directive is duplicate/, 'scim_session $upstream_http_a; scim_session off;';
bad 'scim_session with an unknown parameter', qr/invalid parameter "off" in "scim_session" directive, it must be "optional" or "trusted"/, 'scim_session $upstream_http_a off;';
bad 'an empty scim_session', qr/empty value in "scim_session" directive/, 'scim_session "" optional;';
bad 'scim_session with an unknown variable', qr/unknown "nothing" variable/, 'scim_session $nothing;';

good 'scim_decide', "location /d { $subject scim_require active; scim_decide; }";
good 'scim_decide 200', "location /d { $subject scim_require active; scim_decide 200; }";
bad 'scim_decide with another status', qr/invalid status "201" in "scim_decide" directive, it must be 200 or 204/,
    "location /d { $subject scim_require active; scim_decide 201; }";
bad 'scim_decide without scim_require', qr/"scim_decide" without "scim_require" at its level or above in \S+nginx\.conf:\d+/,
    "location /d { $subject scim_decide; }";
bad 'scim_decide with scim_require off', qr/"scim_decide" without "scim_require"/, "$subject scim_require active; location /d { scim_require off; scim_decide; }";
bad 'scim_decide with another content handler', qr/"scim_decide" directive cannot be used in a location with another content handler/,
    "location /d { $subject scim_require active; proxy_pass http://127.0.0.1; scim_decide; }";
bad 'scim_decide in server', qr/"scim_decide" directive is not allowed here/, 'scim_decide;';
ok !-e "$t->{dir}/store", '-t creates no store';
done_testing;
