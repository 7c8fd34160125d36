#!/usr/bin/perl
# scimctl log prints changes and refused requests in the order of time, up to a limit, and follows new ones; scimctl find
# prints the resources that match a filter, as the server finds them.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use Test::More;
use Time::HiRes ();
use Scim;
use Scim::Check;

my $json = $Scim::json;
my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => <<'EOS');
    location /scim/v2/ { scim main; }
    location /off/ { scim main; scim_auth off; scim_tenant acme; scim_scope write; }
EOS
my $token = $t->seed('acme', label => 'Okta "prod"');
my $others = $t->token($t->tenant('globex'), label => 'entra');
$t->start;
my $c = $t->client(token => $token);
my ($users, $groups) = map "/scim/v2/$_", qw(Users Groups);

# The lines that a command prints; dies if the command fails.
sub said {
    my ($exit, $out, $err) = $t->scimctl(@_);
    $exit == 0 or die "scimctl @_: $exit: $out$err";
    utf8::decode($out);
    return split /\n/, $out;
}
sub entries { return map $json->decode($_), map { my $line = $_; utf8::encode($line); $line } said('log', '--json', @_) }
sub acme { return entries(qw(--tenant acme), @_) }
sub of { my ($entry, @names) = @_; return join ' ', map $entry->{$_} // '-', @names }
sub create {
    my ($path, $body, %o) = @_;
    my $r = $c->request(POST => $path, json => $body, %o);
    $r->{status} == 201 or die "create: $r->{status} $r->{body}";
    return $r->{json}{id};
}
sub group {
    my ($name, @members) = @_;
    return { schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'], displayName => $name,
        members => [map +{ value => $_ }, @members] };
}

# --- an empty log, and invalid arguments

is_deeply [said(qw(log --tenant acme))], [], 'the log of a new tenant is empty';
is_deeply [acme()], [], 'the log of a new tenant is empty with --json';
for (
    [1, qr/there is no tenant "nobody"/, qw(log --tenant nobody)], [2, qr/--tenant is required/, 'log'],
    [2, qr/--since: "soon" is not a time, expected 90m,/, qw(log --tenant acme --since soon)],
    [2, qr/--since: "2026-02-30" is not a time/, qw(log --tenant acme --since 2026-02-30)],
    [2, qr/--limit/, qw(log --tenant acme --limit 0)], [2, qr/--limit/, qw(log --tenant acme --limit many)],
    [1, qr/there is no tenant "nobody"/, qw(find --tenant nobody x)],
    [1, qr/there is no resource type "Robot"/, qw(find --tenant acme --type Robot x)],
) {
    my ($expected, $sentence, @command) = @$_;
    my ($exit, $out, $err) = $t->scimctl(@command);
    ok $exit == $expected && $out eq '' && $err =~ /\Ascimctl: .*$sentence.*\n\z/,
        "scimctl @command exits with $expected and one sentence"
        or diag "$exit $out$err";
}

for (['log', qr/--tenant.*--since.*--failed.*--follow.*--limit/s], ['find', qr/FILTER.*--tenant.*--type.*--count.*--attributes/s]) {
    my ($exit, $out, $err) = $t->scimctl($_->[0], '--help');
    ok $exit == 0 && $err eq '' && $out =~ $_->[1],
        "scimctl $_->[0] --help describes the command and exits with 0" or diag "$exit $out$err";
}

# --- changes

my $start = time;
my $ada = create($users, Scim::user('ada', name => { familyName => 'L' }));
my $bob = create($users, Scim::user("b\"\x{1b}[31m\x{f6}b"));
is $c->request(PUT => "$users/$ada", json => Scim::user('ada2', title => 'x'))->{status}, 200, 'PUT is answered with 200';
my @log = acme();
is_deeply [map of($_, qw(kind position operation resourceType id name tokenNumber token)), @log],
    ["change 1 create User $ada ada2 1 Okta \"prod\"", "change 2 create User $bob b\"\x{1b}[31m\x{f6}b 1 Okta \"prod\"",
        "change 3 replace User $ada ada2 1 Okta \"prod\""],
            '[S-222] log --json prints operation, resource, name and token of each change';
is_deeply [map join(' ', sort @{ $_->{attributes} }), @log], ['active name userName', 'active userName', 'name title userName'],
    'log --json prints the changed attributes of each change';
ok !(grep $_->{requestId} !~ /^[0-9a-f]{32}\z/ || $_->{time} !~ /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/ || exists $_->{emptied}, @log),
    'log --json prints request id and time of each change';
my @lines = said(qw(log --tenant acme));
my $by = qr/  by "Okta "prod""  request [0-9a-f]{32}\z/;
like $lines[0], qr/^\S{24}  create   User  $ada  "ada2"  [a-zA-Z, ]*userName[a-zA-Z, ]*$by/,
    'log prints a line for a change';
like $lines[1], qr/^\S{24}  create   User  $bob  "b[^\x00-\x1f]*"  [a-zA-Z, ]+$by/,
    'control characters of a name are not in the line of a change';
is scalar @lines, 3, 'log prints one line for each change';

# --- members

my @many = map create($users, Scim::user("many$_")), 1 .. 7;
my $staff = create($groups, group('Staff', $ada, $bob));
my ($made) = acme(qw(--limit 1));
is_deeply [map $_->{name}, @{ $made->{added} }], ['ada2', "b\"\x{1b}[31m\x{f6}b"],
    'log --json prints the names of the members of a new group';
is of($made, qw(name membersAdded membersRemoved emptied)), 'Staff 2 0 0', 'log --json prints the number of added members';
is $c->request(PUT => "$groups/$staff", json => group('Staff', $ada, @many))->{status}, 200,
    'PUT with other members is answered with 200';
my ($line) = said(qw(log --tenant acme --limit 1));
like $line, qr/  replace  Group  $staff  "Staff"  members: \+7 -"b[^"]*.*"$by/,
    'the line of a PUT with many added members names few and counts the added ones';
is scalar @{ +(acme(qw(--limit 1)))[0]{added} }, 7, 'log --json names seven added members';
is $c->request(DELETE => "$users/$ada")->{status}, 204, 'DELETE of a member is answered with 204';
@log = acme(qw(--limit 2));
is_deeply [map of($_, qw(position operation resourceType id membersRemoved)), @log],
    ["13 delete User $ada -", "13 patch Group $staff 1"],
        'the log has the deletion of a user and, with the same position, the change of its group';
is_deeply $log[1]{removed}, [{ id => $ada, name => 'ada2' }], 'a deleted member has its last name in the log';
is $log[0]{name}, 'ada2', 'a deleted user has its last name in the log';
is_deeply [map of($_, qw(operation name)), grep +($_->{id} // '') eq $ada, acme()], ['create ada2', 'replace ada2', 'delete ada2'],
    'so has each change of a user that was deleted later';
like +(said(qw(log --tenant acme --limit 1)))[0], qr/members: -"ada2"$by/,
    'the line of a group names a deleted member';

is $c->request(PATCH => "$groups/$staff", json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => [
    { op => 'add', path => 'members', value => [{ value => $bob }] }, { op => 'replace', path => 'displayName', value => 'Crew' },
    { op => 'remove', path => qq(members[value eq "$many[0]"]) }] })->{status}, 204,
        'PATCH of members and displayName is answered with 204';
like +(said(qw(log --tenant acme --limit 1)))[0], qr/  patch    Group  $staff  "Crew"  displayName  members: \+"b[^+]*" -"many1"$by/,
    'the line of a PATCH has its attributes, its members and the new name';

# --- the values of active, and names of deleted resources

my $eve = create($users, Scim::user('eve'));
my $patch = sub { $c->request(PATCH => "$users/$eve", json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => [@_] })->{status} };
is $patch->({ op => 'replace', path => 'active', value => JSON::PP::false }, { op => 'add', path => 'title', value => 't' }), 200, 'a user is deactivated';
my ($last) = acme(qw(--limit 1));
is of($last, qw(activeBefore activeAfter)), '1 0', 'log --json has both values of active';
like +(said(qw(log --tenant acme --limit 1)))[0], qr/  "eve"  (?:title, )?active: true -> false(?:, title)?$by/, 'the line of a change of active has both values';
is $patch->({ op => 'replace', path => 'title', value => 'u' }), 200, 'another attribute is changed';
($last) = acme(qw(--limit 1));
is of($last, qw(activeBefore activeAfter)), '- -', 'a change of another attribute has no values of active';
is $c->request(PUT => "$users/$eve", json => Scim::user('eve', active => JSON::PP::true))->{status}, 200, 'a PUT activates the user';
like +(said(qw(log --tenant acme --limit 1)))[0], qr/  active: false -> true, title$by|  title, active: false -> true$by/, 'the line of a PUT has them, too';
is $patch->({ op => 'replace', path => 'userName', value => "e\x{e9}" . 'v' x 1200 }), 200, 'a user gets a long name';
is $c->request(DELETE => "$users/$eve")->{status}, 204, 'it is deleted';
($last) = acme(qw(--limit 1));
is $last->{name}, "e\x{e9}" . 'v' x 997, 'a name of more than 1000 bytes is cut';
my $gone = create($groups, group('Gone'));
is $c->request(DELETE => "$groups/$gone")->{status}, 204, 'a group is deleted';
like +(said(qw(log --tenant acme --limit 1)))[0], qr/  delete   Group  $gone  "Gone"$by/, 'the log has the name of a deleted group';

my @crowd = map $_->{json}{id}, $t->concurrently(4, 1100, sub {
    my ($i, $client) = @_;
    return $client->request(POST => $users, token => $token, json => Scim::user("crowd$i"));
});
my $crowd = create($groups, group('Crowd', @crowd));
is_deeply [map of($_, qw(operation id membersAdded)), acme(qw(--limit 1))], ["create $crowd 1100"],
    'log --json prints a group of 1100 members as one entry';
is scalar @{ +(acme(qw(--limit 1)))[0]{added} }, 100, 'log --json names 100 of 1100 added members';
is $c->request(PUT => "$groups/$crowd", json => group('Crowd'))->{status}, 200,
    'PUT that empties a large group is answered with 200';
like +(said(qw(log --tenant acme --limit 1)))[0], qr/  replace  Group  $crowd  "Crowd"  members: emptied$by/,
    'the line of a PUT that empties a large group says "emptied"';

# --- refused writes, which are stored with the next change or after a short time

my $off = $t->client;
is $off->request(POST => '/off/Users', json => Scim::user("taken"))->{status}, 201,
    'POST without a token is answered with 201 where scim_auth is off';
is_error $c->request(POST => $users, json => Scim::user('taken')), 409, 'uniqueness', qr/taken/,
    'POST with a userName that is taken is refused with 409';
is_error $c->request(PUT => "$users/$bob", json => Scim::user(7)), 400, 'invalidValue', qr/must be a string/,
    'PUT with an invalid userName is refused with 400';
is_error $c->request(PUT => "$users/no%1bid", json => Scim::user('x')), 404, '', qr/no User/,
    'PUT to an unknown id is refused with 404';
create($users, Scim::user('last'));
my @failed = acme('--failed');
is_deeply [map of($_, qw(kind operation resourceType id status scimType token)), @failed],
    ['refusal create User - 409 uniqueness Okta "prod"', "refusal replace User $bob 400 invalidValue Okta \"prod\"",
        "refusal replace User no\x1bid 404 - Okta \"prod\""],
            'log --failed prints operation, resource, status and token of each refused write' or diag explain \@failed;
like $failed[0]{detail}, qr/^userName "taken" is taken by the User/, 'log --failed prints the error message of the answer';
is of($failed[1], 'name'), "b\"\x{1b}[31m\x{f6}b", 'log --failed prints the name of an existing resource';
@lines = said(qw(log --tenant acme --failed));
like $lines[0],
    qr/^\S{24}  refused  create  User  by "Okta "prod""  request [0-9a-f]{32}  409 uniqueness \[uniqueness-conflict\]: userName "taken" is taken/,
    'log --failed prints a line for a refused write';
unlike $lines[2], qr/[\x00-\x1f]/, 'control characters of an id are not in the line of a refused write';
@log = acme();
is_deeply [sort map $_->{kind}, @log[-5 .. -1]], [qw(change change refusal refusal refusal)],
    'log prints changes and refused writes';
my ($anonymous) = grep +($_->{name} // '') eq 'taken', @log;
ok !exists $anonymous->{token} && !exists $anonymous->{tokenNumber}, 'a change without a token has no token in the log';
is_deeply [map $_->{time}, @log], [sort map $_->{time}, @log], 'log prints entries in the order of time';

my $late = $t->client(token => $t->token($t->tenant('late')));
is_error $late->request(POST => $users, json => Scim::user(7)), 400, 'invalidValue', qr/userName/,
    'PUT by the only client of a tenant is refused with 400';
ok $t->wait_for(sub { my @lines = said(qw(log --tenant late --failed)); @lines == 1 }),
    'a refused write is stored without a later change';

# --- --limit and --since

is scalar @log, 100, 'log prints 100 entries by default';
is scalar(acme(qw(--limit 3))), 3, '--limit 3 prints three entries';
is_deeply [acme(qw(--limit 3))], [@log[-3 .. -1]], '--limit 3 prints the last three entries';
is_deeply [acme(qw(--failed --limit 1))], [$failed[-1]], '--failed --limit 1 prints the last refused write';
is scalar(my @all = acme(qw(--limit 100000))), 3 + 7 + 2 + 2 + 1 + 8 + 1100 + 2 + 1 + 3 + 1, '--limit 100000 prints all entries';
is_deeply [acme(qw(--limit 100000 --since), $_)], \@all, "--since $_ prints all entries of the test"
    for '1d', '90m', POSIX::strftime('%Y-%m-%d', gmtime $start);
is_deeply [acme(qw(--limit 100000 --since), $log[-5]{time})], [grep $_->{time} ge $log[-5]{time}, @all],
    '--since with a dateTime prints the entries from then on';
is_deeply [acme(qw(--since 2100-01-01))], [], '--since with a time in the future prints nothing';
is_deeply [acme(qw(--since 2100-01-01 --failed))], [], '--since with a time in the future prints nothing with --failed';
my ($exit, $out, $err) = $t->scimctl(qw(log --tenant acme --since 1d --limit 5));
is $err, "scimctl: only the last 5 are shown; --limit shows more\n",
    '--since says that more entries match than --limit shows';
is_deeply [said(qw(log --tenant globex))], [], 'the log of another tenant is empty';

# --- --follow

# Starts scimctl log --follow; returns its pid, its output and a function that waits for lines.
sub follow {
    my (@options) = @_;
    pipe my $from, my $to or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDOUT, '>&', $to;
        close $from;
        exec $ENV{TEST_SCIMCTL}, '--store', $t->{store}, qw(log --tenant acme --follow --json), @options or POSIX::_exit(127);
    }
    close $to;
    $from->blocking(0);
    my $text = '';
    return { pid => $pid, from => $from, lines => sub {
        my ($count) = @_;
        $t->wait_for(sub {
            1 while sysread $from, $text, 65536, length $text;
            return ($text =~ tr/\n//) >= $count;
        });
        return map $json->decode($_), split /\n/, $text;
    } };
}
sub ended {
    my ($follow) = @_;
    $t->wait_for(sub { waitpid($follow->{pid}, POSIX::WNOHANG) == $follow->{pid} }) and return $?;
    kill KILL => $follow->{pid};
    waitpid $follow->{pid}, 0;
    return 'late';
}

my $follow = follow(qw(--limit 2));
my $failing = follow(qw(--limit 1 --failed));
is_deeply [$follow->{lines}->(2)], [@log[-2, -1]], '--follow begins with the last entries';
is_deeply [$failing->{lines}->(1)], [$failed[-1]], '--follow --failed begins with the last refused write';
my $new = create($users, Scim::user('new'));
is of(($follow->{lines}->(3))[2], qw(operation id name)), "create $new new", '--follow prints a new change';
$c->request(POST => $users, json => Scim::user('new'));
create($users, Scim::user('newer'));
my @seen = $follow->{lines}->(5);
is_deeply [sort map of($_, qw(kind operation status)), @seen[3, 4]], ['change create -', 'refusal create 409'],
    '--follow prints a new refused write';
is_deeply [map $_->{status}, $failing->{lines}->(2)], [404, 409], '--follow --failed prints refused writes only';
$t->concurrently(4, 30, sub {
    my ($i, $client) = @_;
    return $client->request(POST => $users, token => $token, json => Scim::user("later$i"));
});
@seen = $follow->{lines}->(35);
is_deeply [map $_->{position} // (), @seen[2 .. 34]], [$seen[2]{position} .. $seen[2]{position} + 31],
    '--follow prints 30 concurrent changes once each, in the order of positions';
kill TERM => $follow->{pid};
is ended($follow), 0, 'SIGTERM ends --follow with exit code 0';
kill INT => $failing->{pid};
is ended($failing), 0, 'SIGINT ends --follow with exit code 0';
$follow = follow();
$follow->{lines}->(100);
close $follow->{from};
is ended($follow), 0, '--follow ends with exit code 0 when its reader has closed the pipe';
$follow = follow();
$follow->{lines}->(100);

# --- find

my $filter = 'userName eq "last"';
($exit, $out, $err) = $t->scimctl(qw(find --tenant acme), $filter);
like "$exit $out$err", qr/\A0 ID {36}NAME  ACTIVE\n[-0-9a-f]{36}  last  true\n\z/, 'find prints id, userName and active';
($exit, $out, $err) = $t->scimctl(qw(find --tenant acme --json --base-url http://localhost/scim/v2), $filter);
(my $query = $filter) =~ s/([^A-Za-z])/sprintf '%%%02X', ord $1/ge;
is $out, $c->request(GET => "$users?filter=$query", headers => { Host => 'localhost' })->{body} . "\n",
    'find --json prints the body that the server sends';
($exit, $out, $err) = $t->scimctl(qw(find --tenant acme --type Group), 'displayName eq "crew"');
like "$exit $out$err", qr/\A0 ID {36}NAME  ACTIVE\n$staff  Crew  -\n\z/, 'find --type Group prints id and displayName';
create($groups, group("red\e[31m"));
($exit, $out, $err) = $t->scimctl(qw(find --tenant acme --type Group), 'displayName sw "red"');
like "$exit $out$err", qr/\A0 ID .*\n\S+  "red\?\[31m"  -\n\z/, 'find prints no control character of a name';
($exit, $out, $err) = $t->scimctl(qw(find --tenant acme --attributes userName), $filter);
is_deeply [sort keys %{ $json->decode($out) }], [qw(id schemas userName)],
    'find --attributes prints the selected attributes';
($exit, $out, $err) = $t->scimctl(qw(find --tenant acme), 'userName eq "nobody & co + 100%"');
is "$exit $out$err", "0 No resource matches.\n", 'find without a match says so and exits with 0';
($exit, $out, $err) = $t->scimctl(qw(find --tenant acme --count 2));
like "$exit $out$err", qr/\A0 ID .*\n\S{36} .*\n\S{36} .*\nscimctl: 2 of \d+ are shown/, 'find without a filter lists all resources';
my $odd = "a&b + 100% #?\x{f6}";
create($users, Scim::user("$_", externalId => $odd)) for 'one', 'two', 'three';
utf8::encode($odd);
($exit, $out, $err) = $t->scimctl(qw(find --tenant acme --count 2), qq(externalId eq "$odd"));
is scalar(() = $out =~ / (?:one|two|three) /g), 2,
    'find passes every character of the filter on and prints up to --count resources';
is "$exit $err", "0 scimctl: 2 of 3 are shown; --count shows more\n",
    'find says that more resources match than --count shows';
($exit, $out, $err) = $t->scimctl(qw(find --tenant acme), 'userName eq');
ok $exit == 1 && $out eq '' && $err =~ /^scimctl: /, 'find with an invalid filter exits with 1' or diag "$exit $out$err";
for (['', qr/FILTER is empty, expected a filter such as/], ["\xff", qr/FILTER is not valid UTF-8/],
    ['(' x 33 . 'title pr' . ')' x 33, qr/nested deeper than the limit \(32\) allows/]) {
    ($exit, $out, $err) = $t->scimctl(qw(find --tenant acme), $_->[0]);
    like "$exit $out$err", qr/\A1 scimctl: .*$_->[1]/, 'an error of find names the argument FILTER';
}
($exit, $out, $err) = $t->scimctl(qw(find --tenant acme), '--attributes', "\xff", $filter);
like $err, qr/\Ascimctl: --attributes is not/, 'an error of find names the option --attributes';
($exit, $out, $err) = $t->scimctl(qw(find --tenant globex), $filter);
is "$exit $out$err", "0 No resource matches.\n", 'find does not print users of another tenant';

# --- ignored attributes, and refused tokens

{
    my $old = $t->token('acme', label => 'old');
    said(qw(token revoke --tenant acme old));
    is $t->request(GET => $users, token => $old)->{status}, 401, 'GET with a revoked token is refused with 401' for 1 .. 3;
    is $t->request(GET => $users, token => 'of nobody')->{status}, 401, 'GET with an unknown token is refused with 401';
    my $urn = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
    my $r;
    for my $name (qw(ida ivo)) {
        $r = $c->request(POST => $users, json => Scim::user($name, shoeSize => 9, $urn => { costcentre => '7' }));
        is $r->{status}, 201, "POST of $name with undeclared attributes is answered with 201";
    }
    my @kept;
    ok $t->wait_for(sub { @kept = grep $_->{kind} ne 'change', acme('--failed'); grep $_->{kind} eq 'ignored', @kept }),
        'the log has an entry for ignored attributes';
    my @ignored = grep $_->{kind} eq 'ignored', @kept;
    is scalar(@ignored), 1, 'the log has the same ignored attributes once a minute';
    is of($ignored[0], qw(operation resourceType name status token detail)),
        qq(create User ida 201 Okta "prod" "shoeSize", "$urn:costcentre" were ignored: no schema declares them; correct the names, or declare them with scim_schema),
        'the entry names the ignored attributes and the write';
    my @refused = grep +($_->{operation} // '') eq 'authenticate', @kept;
    is scalar(@refused), 1, 'the log has a revoked token once a minute and an unknown token never';
    like of($refused[0], qw(kind status token detail)), qr/^refusal 401 old the token "old" was revoked at/,
        'the entry of a refused token says which token and why';
    is scalar(grep / ignored  create  User /, said(qw(log --tenant acme))), 1, 'log prints a line for ignored attributes';
}

# --- a removed tenant

said(qw(tenant remove acme --yes));
is ended($follow), 1 << 8, '--follow ends with exit code 1 when the tenant is removed';
is +($t->scimctl(qw(log --tenant acme)))[0], 1, 'log of a removed tenant exits with 1';
is $json->decode(($t->scimctl(qw(verify --json)))[1])->{problemCount}, 0, 'verify finds no problem after the removal';

$t->finish;
