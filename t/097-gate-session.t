#!/usr/bin/perl
# scim_session refuses sessions that are not younger than the user's creation, last deactivation and last `scimctl user
# revoke`, and values that are no time. What refuses them survives reactivation, and DELETE and a new user of the same name.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Gate;

my $app = Scim::Gate::application('http');
my $t = Scim->new(http => <<'EOH', server => <<"EOS");
    scim_store main %%DIR%%/store size=64m;
    underscores_in_headers on;
    log_format gate '$request_uri $status $scim_decision $scim_denied_reason $scim_user_name';
EOH
    scim_subject \$http_x_remote_user tenant=acme trusted;
    scim_session \$http_x_auth_time trusted;
    access_log %%DIR%%/gate.log gate;
    location /scim/v2/ { scim main; }
    location / { scim_require active; try_files /none =204; }
    location /optional { scim_require active; scim_session \$http_x_auth_time optional trusted; try_files /none =204; }
    location /off { scim_require active; scim_session off; try_files /none =204; }
    location /admins { scim_require group=Admins error=404; try_files /none =204; }
    location /dry { scim_require active; scim_require_dry_run on; try_files /none =204; }
    location /error-allow { scim_require active; scim_on_error allow; try_files /none =204; }
    location /echo { scim_header X-User \$scim_user_name; scim_header X-Auth-Time ''; proxy_pass http://127.0.0.1:$app->{port}/echo; }
    location /moved { scim_header X-Auth-Time ''; scim_subject nobody tenant=acme trusted; try_files /none /optional; }
    location /twice { scim_header X-Auth-Time ''; try_files /none /optional; }
    location /renamed { scim_subject \$http_x_remote_user by=externalId tenant=acme trusted; scim_header X-Remote-User ''; try_files /none /off; }
    location /external { scim_require active; scim_subject \$http_x_remote_user by=externalId tenant=acme trusted; try_files /none =204; }
    location /id { scim_require active; scim_subject \$http_x_remote_user by=id tenant=acme trusted; try_files /none =204; }
    location /page { scim_require active; error_page 401 /login; try_files /none =204; }
    location = /login { scim_require off; return 200 "reason=\$scim_denied_reason decision=\$scim_decision"; }
EOS
my $gate = Scim::Gate->new($t);
my $patch = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
sub change {
    my ($id, $path, $value) = @_;
    my $r = $gate->{scim}->request(PATCH => "/scim/v2/Users/$id", json => { schemas => [$patch],
        Operations => [{ op => 'replace', path => $path, value => $value }] });
    $r->{status} == 200 or die "PATCH: $r->{status} $r->{body}";
    return;
}
# The status of a request in a session that began at $time (undef: without the header).
sub ask {
    my ($path, $user, $time, @more) = @_;
    return $gate->ask($path, $user, defined $time ? ('X-Auth-Time' => $time) : (), @more)->{status};
}
sub show { return $Scim::json->decode(($t->scimctl(qw(--json user show --tenant acme), @_))[1]) }
# The second of a user's not-before.
sub not_before {
    my ($user) = @_;
    my ($y, $m, $d, $h, $min, $s) = show($user)->{notBefore} =~ /\A(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)\.\d{3}Z\z/ or die 'no notBefore';
    require Time::Local;
    return Time::Local::timegm($s, $min, $h, $d, $m - 1, $y);
}

# --- values

my $created = not_before('ada');
is ask('/', 'ada', $created + 1), 204, 'a session that is younger than the user passes';
is ask('/', 'ada', ($created + 1) . '.250'), 204, 'so does one with a fraction';
is ask('/', 'ada', $created), 401, 'a session of the second in which the user was created is refused with 401';
is ask('/', 'ada', $created - 1), 401, 'so is an older one';
is ask('/', 'ada', undef), 401, 'a request without a time of authentication is refused with 401';
is ask('/', 'ada', 'yesterday'), 401, 'so is one whose time is not a number';
is ask('/', 'ada', $created + 5000), 401, 'so is one from the future';
is ask('/', 'ada', $created + 1, 'X-Auth-Time' => $created + 1), 401, 'so is one whose header arrives twice';
is ask('/', 'ada', $created + 1, X_Auth_Time => 1), 401, 'so is one whose header arrives in another spelling';
is ask('/', undef, $created + 1), 401, 'a session without a subject is refused';
is ask('/', 'eve', $created - 1), 403, 'an inactive user gets 403 whatever the session';
is ask('/admins', 'bob', not_before('bob') + 1), 404, 'error= replaces the 403 of its line';
is ask('/admins', 'ada', $created), 401, 'it does not replace the 401 of a session';
is ask('/error-allow', 'ada', $created), 401, 'scim_on_error allow does not let an old session pass';

is ask('/optional', 'ada', undef), 204, 'optional: a request without a time passes';
is ask('/optional', 'ada', ''), 204, 'optional: so does one with an empty time';
is ask('/optional', 'ada', $created), 401, 'optional: an old session is refused';
is ask('/optional', 'ada', 'x'), 401, 'optional: a time that is not a number is refused';
is ask('/off', 'ada', $created), 204, 'scim_session off: no session is looked at';

# --- what others see

is ask('/dry', 'ada', $created), 204, 'dry run: an old session passes';
like $t->log, qr/access would be denied: the session of user "ada" of tenant "acme" is not valid: it began before the user was created, deactivated or revoked/,
    'the error log has the decision of the dry run';
my $r = $gate->ask('/page', 'ada', 'X-Auth-Time' => $created);
is "$r->{status} $r->{body}", '401 reason=session_revoked decision=deny', '$scim_denied_reason is session_revoked';
unlike $gate->ask('/echo', 'ada', 'X-Auth-Time' => $created)->{body}, qr/^X-User=/m, 'an old session has no identity where nothing is required';
my $echo = $gate->ask('/echo', 'ada', 'X-Auth-Time' => $created + 1)->{body};
like $echo, qr/^X-User=ada$/m, 'a valid session has';
unlike $echo, qr/Auth.Time/i, 'scim_header can remove the header of the session';
is ask('/moved', 'ada', $created), 401, 'a session is judged by its first value after scim_header has removed its header';
is ask('/twice', 'ada', $created + 1), 204, 'a location that the request is led to judges by the first value, too';
is ask('/twice', 'ada', $created + 1, X_Auth_Time => 1), 401, 'a header that arrived in another spelling counts there, too, although scim_header has removed it';
is ask('/renamed', 'ada', $created + 1, X_Remote_User => 'bob'), 403, 'so does the header of the subject for another scim_subject';
for (
    [undef, 'the value of "scim_session" is empty'], ['x', 'the value of "scim_session" is not a number of seconds since 1970'],
    [9_999_999_999, 'the value of "scim_session" is more than 300 seconds in the future'],
) {
    ask('/', 'bob', $_->[0]);
    like $t->log, qr/access denied: the session of user "bob" of tenant "acme" is not valid: \Q$_->[1]\E/, "the error log says that $_->[1]";
    ask('/off', 'bob', undef);
}

# --- revoke

# Revokes or deactivates; returns the second of the new not-before. Sessions begin in the seconds after it, which clocks 300 s
# ahead may do.
sub revoke {
    my ($user) = @_;
    my ($exit, $out, $err) = $t->scimctl(qw(user revoke --tenant acme), $user);
    is $exit, 0, "scimctl user revoke $user" or diag $err;
    like $out, qr/\AUser "\Q$user\E" must log in again: sessions that began before \S+Z are refused where scim_session is\.\n\z/,
        'it says which sessions are refused';
    return not_before($user);
}
my $first = $created + 1;
my $revoked = revoke('ada');
cmp_ok $revoked, '>=', $created, 'revoke moves not-before';
is ask('/', 'ada', $revoked), 401, 'a session that began before revoke is refused';
is ask('/', 'ada', $revoked + 1), 204, 'one that begins afterwards passes';
is ask('/', 'bob', not_before('bob') + 1), 204, 'another user\'s session is not touched';
my ($exit, $out, $err) = $t->scimctl(qw(log --tenant acme));
like +(split /\n/, $out)[-1], qr/  revoke   User  $gate->{id}{ada}  "ada"\z/, 'log shows revoke';
is $Scim::json->decode((split /\n/, +($t->scimctl(qw(log --tenant acme --json)))[1])[-1])->{operation}, 'revoke', 'so does log --json';
($exit, $out) = $t->scimctl(qw(gate explain --tenant acme ada));
like $out, qr/^Where scim_session is, sessions that began before \S+Z are refused\.$/m, 'gate explain shows not-before';
like +($t->scimctl(qw(user show --tenant acme ada)))[1], qr/^notBefore     \S+Z$/m, 'so does user show';
is $Scim::json->decode(($t->scimctl(qw(--json gate explain --tenant acme ada)))[1])->{notBefore}, show('ada')->{notBefore},
    'both have the same time in JSON';
is $Scim::json->decode(($t->scimctl(qw(--json user revoke --tenant acme bob)))[1])->{notBefore}, show('bob')->{notBefore},
    'revoke --json has it, too';
for my $case ([[qw(--tenant acme nobody)], 1, qr/has no user "nobody"/], [[qw(--tenant globex ada)], 1, qr/there is no tenant "globex"/],
    [[qw(--tenant acme)], 2, qr/USER is required/]) {
    my ($args, $code, $text) = @$case;
    ($exit, $out, $err) = $t->scimctl(qw(user revoke), @$args);
    is $exit, $code, "user revoke @$args fails";
    like $err, $text, 'with a sentence';
}

# --- deactivation

change($gate->{id}{ada}, active => JSON::PP::false);
my $deactivated = not_before('ada');
is ask('/', 'ada', $deactivated + 1), 403, 'a deactivated user is refused';
change($gate->{id}{ada}, active => JSON::PP::true);
is not_before('ada'), $deactivated, 'a reactivation does not move not-before';
is ask('/', 'ada', $deactivated), 401, 'after reactivation a session from before the deactivation stays refused';
is ask('/', 'ada', $deactivated + 1), 204, 'a new one passes';

# --- DELETE and a new user

$gate->{scim}->request(DELETE => "/scim/v2/Users/$gate->{id}{ada}")->{status} == 204 or die 'DELETE';
is +($t->scimctl('verify'))[0], 0, 'verify finds no problem with the tombstone';
my $before = show('bob')->{notBefore};
change($gate->{id}{bob}, userName => 'Ada');
cmp_ok show('ada')->{notBefore}, 'gt', $before, 'a user who gets the name of a deleted one inherits its not-before';
is ask('/', 'ada', $deactivated), 401, 'a session of the deleted user is refused';
change($gate->{id}{bob}, userName => 'bob');
my $new = $gate->create(Users => Scim::user('ada', active => JSON::PP::true));
is ask('/', 'ada', $deactivated), 401, 'after a new creation, a session from before the DELETE stays refused';
is ask('/', 'ada', not_before('ada') + 1), 204, 'a new session of the new user passes';
is +($t->scimctl('verify'))[0], 0, 'verify finds no problem';

# --- DELETE of an active user. The users exist since 2020, so that their creation refuses nothing.

my ($kim, $old1, $old2, $session) = ((map "0$_-0000-7000-8000-000000000000", qw(0000001 0000002 0000003)), 1_600_000_000);
sub import_old {
    my @users = map +{ %{ Scim::user($_->[1], active => JSON::PP::true, externalId => "$_->[1]-x") }, id => $_->[0],
        meta => { resourceType => 'User', created => '2020-01-01T00:00:00Z' } }, @_;
    my ($exit, $out, $err) = $t->scimctl(qw(import --tenant acme --keep-ids), $t->write_file('old.ndjson', join '', map $Scim::json->encode($_) . "\n", @users));
    $exit == 0 or die "import: $out$err";
    return;
}
import_old([$kim, 'kim'], [$old1, 'old1'], [$old2, 'old2']);
is ask('/', 'kim', $session), 204, 'a session of an active user passes';
is ask(@$_, $session), 204, 'so does one of a user who gets the same subject later' for ['/', 'old1'], ['/external', 'old2-x'];
$gate->{scim}->request(DELETE => "/scim/v2/Users/$kim")->{status} == 204 or die 'DELETE';
is +($t->scimctl('verify'))[0], 0, 'verify finds no problem with the tombstones of an active user';
is ask('/', 'kim', $session), 403, 'a deleted user is unknown';
change($old1, userName => 'KIM');
change($old2, externalId => 'kim-x');
import_old([$kim, 'kim2']);
my %subject = (userName => ['/', 'KIM'], externalId => ['/external', 'kim-x'], id => ['/id', $kim]);
for my $by (sort keys %subject) {
    my $deleted = not_before({ userName => 'kim', externalId => $old2, id => $kim }->{$by});
    is ask(@{ $subject{$by} }, $session), 401, "by=$by: a session from before the DELETE of an active user stays refused";
    is ask(@{ $subject{$by} }, $deleted), 401, "by=$by: so does one of the second of the DELETE";
    is ask(@{ $subject{$by} }, $deleted + 1), 204, "by=$by: a later one passes";
}
is +($t->scimctl('verify'))[0], 0, 'verify finds no problem after they are inherited';

# --- A name that another user gets while the first one lives.

my ($lee, $old3, $old4) = map "0$_-0000-7000-8000-000000000000", qw(0000004 0000005 0000006);
import_old([$lee, 'lee'], [$old3, 'old3'], [$old4, 'old4']);
change($lee, userName => 'lee2');
change($lee, externalId => 'lee2-x');
is ask(@$_, $session), 204, 'a user who gets other names stays logged in' for ['/', 'lee2'], ['/external', 'lee2-x'], ['/id', $lee];
change($old3, userName => 'LEE');
change($old4, externalId => 'lee-x');
for (['userName', '/', 'lee', 'lee'], ['externalId', '/external', 'lee-x', $old4]) {
    my ($by, $path, $subject, $user) = @$_;
    is ask($path, $subject, $session), 401, "by=$by: a session of the user who had the name before is refused";
    is ask($path, $subject, not_before($user) + 1), 204, "by=$by: a later one passes";
}
is +($t->scimctl('verify'))[0], 0, 'verify finds no problem after names have changed hands';

$t->quit;
like Scim::_slurp("$t->{dir}/gate.log"), qr{^/renamed 403 deny ambiguous -$}m, 'the access log has the reason of a subject whose header arrived twice';
like Scim::_slurp("$t->{dir}/gate.log"), qr{^/ 401 deny session_revoked -$}m, 'the access log names nobody for a refused session';
is join('', $t->complaints), '', 'no alert, no crash, no sanitizer report';
done_testing;
