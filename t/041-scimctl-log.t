#!/usr/bin/perl
# scimctl log tells what was changed and what was refused, in order of time and no more than is wanted, and follows what
# comes; scimctl find lists what a filter matches as the server would.

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

# What a command prints, by lines; dies if it fails.
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

# --- an empty log, and what is not there

is_deeply [said(qw(log --tenant acme))], [], 'nothing has happened';
is_deeply [acme()], [], 'in JSON, too';
for (
    [1, qr/there is no tenant "nobody"/, qw(log --tenant nobody)], [2, qr/--tenant is required/, 'log'],
    [2, qr/--since: "soon" is no time; write 90m,/, qw(log --tenant acme --since soon)],
    [2, qr/--since: "2026-02-30" is no time/, qw(log --tenant acme --since 2026-02-30)],
    [2, qr/--limit/, qw(log --tenant acme --limit 0)], [2, qr/--limit/, qw(log --tenant acme --limit many)],
    [1, qr/there is no tenant "nobody"/, qw(find --tenant nobody x)], [2, qr/FILTER is required/, qw(find --tenant acme)],
    [1, qr/there is no resource type "Robot"/, qw(find --tenant acme --type Robot x)],
) {
    my ($expected, $sentence, @command) = @$_;
    my ($exit, $out, $err) = $t->scimctl(@command);
    ok $exit == $expected && $out eq '' && $err =~ /\Ascimctl: .*$sentence.*\n\z/, "scimctl @command: $expected"
        or diag "$exit $out$err";
}

for (['log', qr/--tenant.*--since.*--failed.*--follow.*--limit/s], ['find', qr/FILTER.*--tenant.*--type.*--count.*--attributes/s]) {
    my ($exit, $out, $err) = $t->scimctl($_->[0], '--help');
    ok $exit == 0 && $err eq '' && $out =~ $_->[1], "scimctl $_->[0] --help" or diag "$exit $out$err";
}

# --- changes

my $start = time;
my $ada = create($users, Scim::user('ada', name => { familyName => 'L' }));
my $bob = create($users, Scim::user("b\"\x{1b}[31m\x{f6}b"));
is $c->request(PUT => "$users/$ada", json => Scim::user('ada2', title => 'x'))->{status}, 200, 'a replace';
my @log = acme();
is_deeply [map of($_, qw(kind position operation resourceType id name tokenNumber token)), @log],
    ["change 1 create User $ada ada2 1 Okta \"prod\"", "change 2 create User $bob b\"\x{1b}[31m\x{f6}b 1 Okta \"prod\"",
        "change 3 replace User $ada ada2 1 Okta \"prod\""], 'what, of whom, by whom';
is_deeply [map join(' ', sort @{ $_->{attributes} }), @log], ['active name userName', 'active userName', 'name title userName'],
    'and which attributes';
ok !(grep $_->{requestId} !~ /^[0-9a-f]{32}\z/ || $_->{time} !~ /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/ || exists $_->{emptied}, @log),
    'with request and time';
my @lines = said(qw(log --tenant acme));
my $by = qr/  by "Okta "prod""  request [0-9a-f]{32}\z/;
like $lines[0], qr/^\S{24}  create   User  $ada  "ada2"  [a-zA-Z, ]*userName[a-zA-Z, ]*$by/, 'a line for humans';
like $lines[1], qr/^\S{24}  create   User  $bob  "b[^\x00-\x1f]*"  [a-zA-Z, ]+$by/, 'in which nothing can move the cursor';
is scalar @lines, 3, 'one each';

# --- members

my @many = map create($users, Scim::user("many$_")), 1 .. 7;
my $staff = create($groups, group('Staff', $ada, $bob));
my ($made) = acme(qw(--limit 1));
is_deeply [map $_->{name}, @{ $made->{added} }], ['ada2', "b\"\x{1b}[31m\x{f6}b"], 'who came, by name';
is of($made, qw(name membersAdded membersRemoved emptied)), 'Staff 2 0 0', 'and how many';
is $c->request(PUT => "$groups/$staff", json => group('Staff', $ada, @many))->{status}, 200, 'members that change';
my ($line) = said(qw(log --tenant acme --limit 1));
like $line, qr/  replace  Group  $staff  "Staff"  members: \+7 -"b[^"]*.*"$by/, 'few are named, many counted';
is scalar @{ +(acme(qw(--limit 1)))[0]{added} }, 7, 'JSON names more';
is $c->request(DELETE => "$users/$ada")->{status}, 204, 'a member is deleted';
@log = acme(qw(--limit 2));
is_deeply [map of($_, qw(position operation resourceType id membersRemoved)), @log],
    ["13 delete User $ada -", "13 patch Group $staff 1"], 'which is a change of its group, too';
is_deeply $log[1]{removed}, [{ id => $ada }], 'whose member has no name any more';
ok !exists $log[0]{name}, 'nor has what is gone';
like +(said(qw(log --tenant acme --limit 1)))[0], qr/members: -$ada$by/, 'but its id in a line';

is $c->request(PATCH => "$groups/$staff", json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => [
    { op => 'add', path => 'members', value => [{ value => $bob }] }, { op => 'replace', path => 'displayName', value => 'Crew' },
    { op => 'remove', path => qq(members[value eq "$many[0]"]) }] })->{status}, 204, 'a PATCH';
like +(said(qw(log --tenant acme --limit 1)))[0], qr/  patch    Group  $staff  "Crew"  displayName  members: \+"b[^+]*" -"many1"$by/,
    'says which attributes and members, with the new name';

my @crowd = map $_->{json}{id}, $t->concurrently(4, 1100, sub {
    my ($i, $client) = @_;
    return $client->request(POST => $users, token => $token, json => Scim::user("crowd$i"));
});
my $crowd = create($groups, group('Crowd', @crowd));
is_deeply [map of($_, qw(operation id membersAdded)), acme(qw(--limit 1))], ["create $crowd 1100"], 'parts are one entry';
is scalar @{ +(acme(qw(--limit 1)))[0]{added} }, 100, 'which names a hundred';
is $c->request(PUT => "$groups/$crowd", json => group('Crowd'))->{status}, 200, 'a large group is emptied';
like +(said(qw(log --tenant acme --limit 1)))[0], qr/  replace  Group  $crowd  "Crowd"  members: emptied$by/, 'and says so';

# --- refusals, which are stored with the next change, or soon

my $off = $t->client;
is $off->request(POST => '/off/Users', json => Scim::user("taken"))->{status}, 201, 'without a token';
is_error $c->request(POST => $users, json => Scim::user('taken')), 409, 'uniqueness', qr/taken/, 'a refusal';
is_error $c->request(PUT => "$users/$bob", json => Scim::user(7)), 400, 'invalidValue', qr/must be a string/, 'another';
is_error $c->request(PUT => "$users/no%1bid", json => Scim::user('x')), 404, '', qr/no User/, 'a third';
create($users, Scim::user('last'));
my @failed = acme('--failed');
is_deeply [map of($_, qw(kind operation resourceType id status scimType token)), @failed],
    ['refusal create User - 409 uniqueness Okta "prod"', "refusal replace User $bob 400 invalidValue Okta \"prod\"",
        "refusal replace User no\x1bid 404 - Okta \"prod\""], '--failed' or diag explain \@failed;
like $failed[0]{detail}, qr/^userName "taken" is taken by the User/, 'with the sentence of the answer';
is of($failed[1], 'name'), "b\"\x{1b}[31m\x{f6}b", 'and the name of what exists';
@lines = said(qw(log --tenant acme --failed));
like $lines[0], qr/^\S{24}  refused  create  User  by "Okta "prod""  request [0-9a-f]{32}  409 uniqueness: userName "taken" is taken/, 'as a line';
unlike $lines[2], qr/[\x00-\x1f]/, 'in which nothing can move the cursor';
@log = acme();
is_deeply [sort map $_->{kind}, @log[-5 .. -1]], [qw(change change refusal refusal refusal)], 'they stand among the changes';
my ($anonymous) = grep +($_->{name} // '') eq 'taken', @log;
ok !exists $anonymous->{token} && !exists $anonymous->{tokenNumber}, 'what was done without a token has none';
is_deeply [map $_->{time}, @log], [sort map $_->{time}, @log], 'in order of time';

my $late = $t->client(token => $t->token($t->tenant('late')));
is_error $late->request(POST => $users, json => Scim::user(7)), 400, 'invalidValue', qr/userName/, 'a refusal that no change follows';
ok $t->wait_for(sub { my @lines = said(qw(log --tenant late --failed)); @lines == 1 }), 'is stored, too';

# --- how much

is scalar @log, 100, 'a hundred';
is scalar(acme(qw(--limit 3))), 3, '--limit';
is_deeply [acme(qw(--limit 3))], [@log[-3 .. -1]], 'means the last';
is_deeply [acme(qw(--failed --limit 1))], [$failed[-1]], 'of the refusals, too';
is scalar(my @all = acme(qw(--limit 100000))), 3 + 7 + 2 + 2 + 1 + 1100 + 2 + 1 + 3 + 1, 'all';
is_deeply [acme(qw(--limit 100000 --since), $_)], \@all, "--since $_" for '1d', '90m', POSIX::strftime('%Y-%m-%d', gmtime $start);
is_deeply [acme(qw(--limit 100000 --since), $log[-5]{time})], [grep $_->{time} ge $log[-5]{time}, @all], '--since a dateTime';
is_deeply [acme(qw(--since 2100-01-01))], [], '--since later';
is_deeply [acme(qw(--since 2100-01-01 --failed))], [], 'for refusals';
my ($exit, $out, $err) = $t->scimctl(qw(log --tenant acme --since 1d --limit 5));
is $err, "scimctl: only the last 5 are shown; --limit shows more\n", '--since with more than is shown says so';
is_deeply [said(qw(log --tenant globex))], [], 'another tenant has a log of its own';

# --- --follow

# Starts scimctl log --follow; its pid, and a function that waits for lines.
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
is_deeply [$follow->{lines}->(2)], [@log[-2, -1]], '--follow begins with the last';
is_deeply [$failing->{lines}->(1)], [$failed[-1]], 'of the refusals, if those are wanted';
my $new = create($users, Scim::user('new'));
is of(($follow->{lines}->(3))[2], qw(operation id name)), "create $new new", 'and sees a change';
$c->request(POST => $users, json => Scim::user('new'));
create($users, Scim::user('newer'));
my @seen = $follow->{lines}->(5);
is_deeply [sort map of($_, qw(kind operation status)), @seen[3, 4]], ['change create -', 'refusal create 409'], 'and a refusal';
is_deeply [map $_->{status}, $failing->{lines}->(2)], [404, 409], 'which is all that --failed sees';
$t->concurrently(4, 30, sub {
    my ($i, $client) = @_;
    return $client->request(POST => $users, token => $token, json => Scim::user("later$i"));
});
@seen = $follow->{lines}->(35);
is_deeply [map $_->{position} // (), @seen[2 .. 34]], [$seen[2]{position} .. $seen[2]{position} + 31], 'each once, in order';
kill TERM => $follow->{pid};
is ended($follow), 0, 'a signal ends it, well';
kill INT => $failing->{pid};
is ended($failing), 0, 'another, too';
$follow = follow();
$follow->{lines}->(100);
close $follow->{from};
is ended($follow), 0, 'so does a reader that has gone';
$follow = follow();
$follow->{lines}->(100);

# --- find

my $filter = 'userName eq "last"';
($exit, $out, $err) = $t->scimctl(qw(find --tenant acme), $filter);
like "$exit $out$err", qr/\A0 [-0-9a-f]{36}  "last"\n\z/, 'find: id and name';
($exit, $out, $err) = $t->scimctl(qw(find --tenant acme --json --base-url http://localhost/scim/v2), $filter);
(my $query = $filter) =~ s/([^A-Za-z])/sprintf '%%%02X', ord $1/ge;
is $out, $c->request(GET => "$users?filter=$query", headers => { Host => 'localhost' })->{body} . "\n", 'JSON is what the server says';
($exit, $out, $err) = $t->scimctl(qw(find --tenant acme --type Group), 'displayName eq "crew"');
is "$exit $out$err", "0 $staff  \"Crew\"\n", 'groups';
($exit, $out, $err) = $t->scimctl(qw(find --tenant acme --attributes userName), $filter);
is_deeply [sort keys %{ $json->decode($out) }], [qw(id schemas userName)], '--attributes';
($exit, $out, $err) = $t->scimctl(qw(find --tenant acme), 'userName eq "nobody & co + 100%"');
is "$exit $out$err", '0 ', 'nothing is found';
my $odd = "a&b + 100% #?\x{f6}";
create($users, Scim::user("$_", externalId => $odd)) for 'one', 'two', 'three';
utf8::encode($odd);
($exit, $out, $err) = $t->scimctl(qw(find --tenant acme --count 2), qq(externalId eq "$odd"));
is scalar(() = $out =~ /"(?:one|two|three)"/g), 2, 'every character of a filter arrives';
is "$exit $err", "0 scimctl: 2 of 3 are shown; --count shows more\n", '--count';
($exit, $out, $err) = $t->scimctl(qw(find --tenant acme), 'userName eq');
ok $exit == 1 && $out eq '' && $err =~ /^scimctl: /, 'a bad filter' or diag "$exit $out$err";
for (['', qr/FILTER is empty, expected a filter such as/], ["\xff", qr/FILTER is not valid UTF-8/],
    ['(' x 33 . 'title pr' . ')' x 33, qr/nested deeper than the limit \(32\) allows/]) {
    ($exit, $out, $err) = $t->scimctl(qw(find --tenant acme), $_->[0]);
    like "$exit $out$err", qr/\A1 scimctl: .*$_->[1]/, 'find: a filter is refused in the words of the command line';
}
($exit, $out, $err) = $t->scimctl(qw(find --tenant acme), '--attributes', "\xff", $filter);
like $err, qr/\Ascimctl: --attributes is not/, 'attributes, too';
($exit, $out, $err) = $t->scimctl(qw(find --tenant globex), $filter);
is "$exit $out$err", '0 ', 'another tenant has others';

# --- what was ignored, and tokens that the store knows

{
    my $old = $t->token('acme', label => 'old');
    said(qw(token revoke --tenant acme old));
    is $t->request(GET => $users, token => $old)->{status}, 401, 'a revoked token is refused' for 1 .. 3;
    is $t->request(GET => $users, token => 'of nobody')->{status}, 401, 'an unknown token is refused';
    my $urn = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
    my $r;
    for my $name (qw(ida ivo)) {
        $r = $c->request(POST => $users, json => Scim::user($name, shoeSize => 9, $urn => { costcentre => '7' }));
        is $r->{status}, 201, "$name is created without what no schema declares";
    }
    my @kept;
    ok $t->wait_for(sub { @kept = grep $_->{kind} ne 'change', acme('--failed'); grep $_->{kind} eq 'ignored', @kept }),
        'the log has what was ignored';
    my @ignored = grep $_->{kind} eq 'ignored', @kept;
    is scalar(@ignored), 1, 'the same sentence is kept once a minute';
    is of($ignored[0], qw(operation resourceType name status token detail)),
        qq(create User ida 201 Okta "prod" "shoeSize", "$urn:costcentre" were ignored: no schema declares them (see scim_schema)),
        'an entry says what was ignored in which write';
    my @refused = grep +($_->{operation} // '') eq 'authenticate', @kept;
    is scalar(@refused), 1, 'a refused token is kept once a minute, an unknown one never';
    like of($refused[0], qw(kind status token detail)), qr/^refusal 401 old the token "old" was revoked at/, 'it says which token and why';
    is scalar(grep / ignored  create  User /, said(qw(log --tenant acme))), 1, 'a line begins with ignored';
}

# --- a tenant that goes

said(qw(tenant remove acme --yes));
is ended($follow), 1 << 8, 'following ends with the tenant';
is +($t->scimctl(qw(log --tenant acme)))[0], 1, 'which has no log any more';
is $json->decode(($t->scimctl(qw(verify --json)))[1])->{problemCount}, 0, 'the store is sound';

$t->finish;
