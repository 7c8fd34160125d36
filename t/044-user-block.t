#!/usr/bin/perl
# scimctl user blocks, unblocks and shows users beside a running nginx: a block is in the change log, leaves the resource as it
# is, and outlives renaming, DELETE and a new user of the same name. scimctl gate pauses the gate of a tenant for a time.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my $json = $Scim::json;
my $t = Scim->new(workers => 2, http => 'scim_store main %%DIR%%/store;', server => 'location /scim/v2/ { scim main; }');
my $token = $t->seed('acme');
$t->start->served('/scim/v2/Users', token => $token);
my $c = $t->client(token => $token);
my ($users, $groups) = map "/scim/v2/$_", qw(Users Groups);
my $time = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;

sub patch { return { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => [@_] } }
sub create {
    my ($path, $body) = @_;
    my $r = $c->request(POST => $path, json => $body);
    $r->{status} == 201 or die "create: $r->{status} $r->{body}";
    return $r->{json}{id};
}
# A command with --json that must succeed: its object.
sub object {
    my ($exit, $out, $err) = $t->scimctl('--json', @_);
    $exit == 0 or die "scimctl @_: $exit: $out$err";
    return $json->decode($out);
}
sub log_lines { return split /\n/, +($t->scimctl(qw(log --tenant acme), @_))[1] }
sub last_change { return $json->decode((log_lines('--json'))[-1]) }
sub is_said {
    my ($command, $exit, $out, $err, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($got_exit, $got_out, $got_err) = $t->scimctl(@$command);
    is $got_exit, $exit, "$name: exit code";
    like $got_out, $out, "$name: output";
    like $got_err, $err, "$name: errors";
    return;
}
sub is_sound {
    my ($name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($exit, $out) = $t->scimctl('verify');
    is $exit, 0, "verify finds no problem $name" or diag $out;
    return;
}
sub blocked { return object(qw(user show --tenant acme), @_)->{blocked} ? 1 : 0 }

# --- block and unblock

my $ada = create($users, Scim::user('ada', externalId => 'e-1', displayName => 'Ada L', active => JSON::PP::true));
my $admins = create($groups, { schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'], displayName => 'Admins',
    members => [{ value => $ada }] });
my $etag = $c->request(GET => "$users/$ada")->{headers}{etag};

is_said([qw(user block --tenant acme ADA)], 0, qr/\AUser "ADA" is blocked\.\n\z/, qr/\A\z/, 'block');
my $line = (log_lines())[-1];
like $line, qr/\A$time  block    User  $ada  "ada"\z/, 'log shows the block with its user';
my $change = last_change();
is $change->{operation}, 'block', 'log --json shows the operation block';
ok !exists $change->{requestId} && !exists $change->{token}, 'log --json shows no request and no token of a block';
is_said([qw(user block --tenant acme ada)], 0, qr/\AUser "ada" is blocked already, since $time\.\n\z/, qr/\A\z/, 'block again');
is last_change()->{position}, $change->{position}, 'to block a blocked user again writes nothing';

my $r = $c->request(GET => "$users/$ada", headers => { 'If-None-Match' => $etag });
is $r->{status}, 304, 'a block does not change the ETag of the user';
is $c->request(GET => "$users/$ada")->{json}{active}, JSON::PP::true, 'a block does not change the user that clients see';
is $c->request(PATCH => "$users/$ada", headers => { 'If-Match' => $etag },
    json => patch({ op => 'replace', path => 'title', value => 'Countess' }))->{status}, 200,
    'a conditional PATCH with the ETag from before the block succeeds';
is_sound('with a blocked user');

is_said(
    [qw(user show --tenant acme ada)], 0,
    qr/\Aid            $ada\ntype          User\nuserName      "ada"\nexternalId    "e-1"\ndisplayName   "Ada L"\nactive        true
blocked       since $time\nnotBefore     $time\nlastModified  $time\ngroups        1\n              $admins  "Admins"\n\z/, qr/\A\z/, 'show',
);
my $shown = object(qw(user show --tenant acme), $ada);
like delete $shown->{$_}, qr/\A$time\z/, "show --json has $_" for qw(blockedSince notBefore lastModified);
is_deeply $shown, {
    id => $ada, type => 'User', userName => 'ada', externalId => 'e-1', displayName => 'Ada L', active => JSON::PP::true,
    blocked => JSON::PP::true, groupCount => 1, groups => [{ id => $admins, name => 'Admins' }],
}, 'show --json has the state of the user';

# --- DELETE and a new user

is $c->request(DELETE => "$users/$ada")->{status}, 204, 'a blocked user is deleted';
is_sound('with the tombstones of a deleted user');
is_said(
    [qw(user show --tenant acme ada)], 1, qr/\A\z/,
    qr/\Ascimctl: tenant "acme" has no user "ada"; a deleted user with this userName, externalId or id is blocked since $time, and so is a new one\n\z/,
    'show of a deleted user',
);
$ada = create($users, Scim::user('Ada', externalId => 'e-1'));
is blocked('ada'), 1, 'a user created again is blocked';
$c->request(DELETE => "$users/$ada");
my $eve = create($users, Scim::user('eve'));
is blocked('eve'), 0, 'a user with other names is not blocked';
$c->request(PATCH => "$users/$eve", json => patch({ op => 'add', path => 'externalId', value => 'e-1' }));
is blocked('eve'), 1, 'a user that gets the externalId of a deleted blocked user is blocked';
is_said([qw(user unblock --tenant acme eve)], 0, qr/\AUser "eve" is unblocked\.\n\z/, qr/\A\z/, 'unblock');
is blocked('eve'), 0, 'an unblocked user is not blocked';
is blocked(create($users, Scim::user('ada'))), 1, 'the other name of the deleted user is still blocked';
is_said([qw(user unblock --tenant acme ada)], 0, qr/\AUser "ada" is unblocked\.\n\z/, qr/\A\z/, 'unblock of who has got the other name');
is blocked('ada'), 0, 'that user is not blocked any more';
is_said([qw(user unblock --tenant acme eve)], 0, qr/\AUser "eve" is not blocked\.\n\z/, qr/\A\z/, 'unblock again');

my $bob = create($users, Scim::user('bob', externalId => 'e-2'));
object(qw(user block --tenant acme bob));
$c->request(DELETE => "$users/$bob");
is_said(
    [qw(user unblock --tenant acme bob)], 0,
    qr/\ANo user is called "bob"; the block of a deleted user with this userName, externalId or id is removed\.\n\z/, qr/\A\z/,
    'unblock of a deleted user',
);
like +(log_lines())[-1], qr/\A$time  unblock  a deleted user\z/, 'log shows the unblock of a deleted user';
is blocked(create($users, Scim::user('bob', externalId => 'e-2'))), 0, 'a deleted user that was unblocked is not blocked again';
is_sound('after the tombstones were removed');

# --- refusals

for my $command (qw(block unblock revoke show)) {
    is_said(['user', $command, qw(--tenant acme nobody)], 1, qr/\A\z/, qr/\Ascimctl: tenant "acme" has no user "nobody"\n\z/,
        "$command of an unknown user");
    is_said(['user', $command, qw(--tenant globex ada)], 1, qr/\A\z/, qr/\Ascimctl: there is no tenant "globex"/,
        "$command in an unknown tenant");
    is_said(['user', $command, qw(--tenant acme)], 2, qr/\A\z/, qr/\Ascimctl: USER is required/, "$command without a user");
}
my $twin = create($users, Scim::user($eve));
is_said([qw(user block --tenant acme), $eve], 1, qr/\A\z/,
    qr/\Ascimctl: 2 users are called "$eve"; give the id of one of them: User $eve, User $twin\n\z/, 'block of an ambiguous name');

# --- log --follow

my $follow = "$t->{dir}/follow";
my $pid = fork // die "fork: $!";
if (!$pid) {
    open STDOUT, '>', $follow or POSIX::_exit(126);
    exec $ENV{TEST_SCIMCTL}, '--store', $t->{store}, qw(log --tenant acme --limit 1 --follow) or POSIX::_exit(127);
}
sub followed { open my $f, '<', $follow or return ''; local $/; return <$f> // '' }
ok $t->wait_for(sub { followed() =~ /\n/ }), 'log --follow prints the last entry';
object(qw(user block --tenant acme eve));
ok $t->wait_for(sub { followed() =~ /  block    User  $eve/ }), 'log --follow prints a block';
kill TERM => $pid;
waitpid $pid, 0;

# --- gate pause

is_said([qw(gate pause --tenant acme --for), $_], 1, qr/\A\z/,
    qr/\Ascimctl: a pause of the gate must last between 1 minute and 24 hours\n\z/, "gate pause --for $_") for qw(59s 25h);
is_said([qw(gate pause --tenant acme --for soon)], 2, qr/\A\z/,
    qr/\Ascimctl: --for: "soon" is not a duration, expected 30m or 2h\n\z/, 'gate pause --for soon');
is_said([qw(gate pause --tenant acme)], 2, qr/\A\z/, qr/\Ascimctl: --for is required/, 'gate pause without --for');
is_said([qw(gate pause --tenant globex --for 1h)], 1, qr/\A\z/, qr/there is no tenant "globex"/, 'gate pause of an unknown tenant');
unlike +($t->scimctl(qw(tenant list)))[1], qr/paused/, 'tenant list does not mention a pause that was not begun';
is_said([qw(gate pause --tenant acme --for 1h)], 0,
    qr/\AThe gate of tenant acme is paused until $time: active users pass whatever their groups\.\n\z/, qr/\A\z/, 'gate pause');
like +(log_lines())[-1], qr/\A$time  pause    gate\z/, 'log shows the pause';
like +($t->scimctl(qw(tenant list)))[1], qr/^acme +active .*  paused until $time$/m, 'tenant list mentions the pause';
like object(qw(tenant list))->{tenants}[0]{gatePausedUntil}, qr/\A$time\z/, 'tenant list --json has the end of the pause';
like +($t->scimctl(qw(user show --tenant acme eve)))[1], qr/^gate          paused for this tenant until $time$/m,
    'user show mentions the pause';
like object(qw(user show --tenant acme eve))->{gatePausedUntil}, qr/\A$time\z/, 'user show --json has the end of the pause';
is_sound('while the gate is paused');
is_said([qw(gate resume --tenant acme)], 0, qr/\AThe gate of tenant acme is resumed\.\n\z/, qr/\A\z/, 'gate resume');
is last_change()->{operation}, 'resume', 'log --json shows the operation resume';
is_said([qw(gate resume --tenant acme)], 0, qr/\AThe gate of tenant acme is not paused\.\n\z/, qr/\A\z/, 'gate resume again');
unlike +($t->scimctl(qw(tenant list)))[1], qr/paused/, 'tenant list does not mention a pause that was ended';

# --- removal of the tenant

is +($t->scimctl(qw(tenant remove acme --yes)))[0], 0, 'a tenant with a blocked user is removed';
is_sound('after the tenant of a blocked user was removed');

$t->finish;
