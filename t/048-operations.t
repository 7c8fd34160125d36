#!/usr/bin/perl
# scimctl stats and check show how a store does, compact copies it into a directory of the same content, forget deletes the
# names of a deleted user, all beside a running nginx.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my $json = $Scim::json;
my $t = Scim->new(http => 'scim_store main %%DIR%%/store size=64m;', server => 'location /scim/v2/ { scim main; }');
my $token = $t->start->token($t->tenant('acme'));
$t->served('/scim/v2/Users', token => $token);
my $c = $t->client(token => $token);
my $users = '/scim/v2/Users';

sub object {
    my ($exit, $out, $err) = $t->scimctl('--json', @_);
    $out =~ /\A\{/ or die "scimctl @_: $exit: $out$err";
    return { %{ $json->decode($out) }, exit => $exit };
}
sub create { return $c->request(POST => $users, json => $_[0])->{json}{id} // die 'not created' }

# --- stats

create(Scim::user("user$_")) for 1 .. 200;
my $stats = object('stats');
is_deeply [map [$_->{tenant}, $_->{resources}{User}], @{ $stats->{tenants} }], [['acme', 200]], 'stats counts the users of a tenant';
is_deeply [@$stats{qw(exit mapSize changes)}], [0, 64 << 20, 200], 'stats has the size of the map and the number of changes';
is_deeply [map "$_->{attribute} $_->{state}", grep $_->{type} eq 'User' && $_->{unique}, @{ $stats->{indexes} }],
    ['userName ready'], 'stats has the state of an index';
my ($exit, $out, $err) = $t->scimctl('stats');
like $out, qr/^Map: .* in use of 64\.0 MiB \(\d+ %\);.*^Log: +200 changes,.*^Readers: .*^Jobs: +none\nliblmdb: +0\.9\.\d+\nTenant acme: +200 User  0 Group\n.*^Index User userName: ready, unique$/ms,
    'stats prints it as lines';
my $pid = open my $watch, '-|', $ENV{TEST_SCIMCTL}, '--store', $t->{store}, qw(--json stats --watch) or die $!;
my @seen = map { scalar <$watch> } 1 .. 2;
kill TERM => $pid;
close $watch;
is_deeply [map $json->decode($_)->{changes}, @seen], [200, 200], 'stats --watch prints again and again';

# --- check

($exit, $out, $err) = $t->scimctl('check');
is "$exit $err", '0 ', 'check of a sound store exits with 0';
like $out, qr/^No problem found\./m, 'check says that there is no problem';
is_deeply object('check')->{problems}, [], 'check --json has no problem';
{
    my $reader = IPC::Open2::open2(my $from, my $to, $ENV{TEST_POKE}, $t->{store}, 'read');
    is scalar <$from>, "reading\n", 'a process reads a snapshot';
    create(Scim::user('later'));
    my $check = object('check');
    is $check->{oldestReader}, $reader, 'check names the process with the oldest snapshot';
    cmp_ok $check->{oldestReaderLag}, '>=', 1, 'and how many transactions it is old';
    close $to;
    waitpid $reader, 0;
}

# --- compact

my $copy = "$t->{dir}/copy";
my ($before) = ($t->scimctl(qw(export --tenant acme)))[1];
my $compact = object('compact', $copy);
is $compact->{exit}, 0, 'compact makes a copy';
cmp_ok $compact->{sizeAfter}, '<', $compact->{sizeBefore}, 'which is smaller';
{
    local $t->{store} = $copy;
    is +($t->scimctl(qw(export --tenant acme)))[1], $before, 'the copy has the same resources';
    is +($t->scimctl('verify'))[0], 0, 'verify finds no problem in the copy';
    my $rows = sub { join ' ', map $_ // '', @{ object('stats') }{qw(changes refusals)} };
    is $rows->(), '201 0', 'and the same log';
}
($exit, $out, $err) = $t->scimctl('compact', $copy);
ok $exit == 1 && $err =~ /is not an empty directory/, 'compact refuses a directory with files' or diag "$exit $err";
($exit, $out, $err) = $t->scimctl('compact', "$t->{dir}/no/such");
ok $exit == 1 && $err =~ /cannot create/, 'compact says why it cannot create the directory' or diag "$exit $err";

# --- forget

my $ada = create(Scim::user('ada.lovelace', externalId => 'e-1'));
$c->request(POST => $users, json => Scim::user('ADA.Lovelace'));
$c->request(POST => $users, json => Scim::user('user1'));
$c->request(PATCH => "$users/$ada", json => { Operations => [{ op => 'replace', path => 'active', value => 'x' }] });
create(Scim::user('flush'));    # refusals are written with the next commit
is +($t->scimctl(qw(user block --tenant acme ada.lovelace)))[0], 0, 'a user is blocked';
($exit, $out, $err) = $t->scimctl(qw(forget --tenant acme ada.lovelace));
ok $exit == 1 && $err =~ /exists: delete it first/, 'forget refuses a user that exists' or diag "$exit $err";
is $c->request(DELETE => "$users/$ada")->{status}, 204, 'the user is deleted';
my $log = sub { ($t->scimctl(qw(log --tenant acme --json)))[1] };
like $log->(), qr/lovelace/i, 'the log contains its name';
is_deeply object(qw(forget --tenant acme lovelace)), { blockedNames => 0, loggedNames => 0, refusals => 0, exit => 0 }, 'forget of a part of a name deletes nothing';
is_deeply object(qw(forget --tenant acme Ada.Lovelace)), { blockedNames => 1, loggedNames => 1, refusals => 1, exit => 0 },
    'forget deletes the blocked name, the name in the log and the refusal that contains it, whatever its case';
is_deeply object(qw(forget --tenant acme), $ada), { blockedNames => 1, loggedNames => 0, refusals => 1, exit => 0 },
    'forget by the id deletes the blocked id and a refusal';
is_deeply object(qw(forget --tenant acme e-1)), { blockedNames => 1, loggedNames => 0, refusals => 0, exit => 0 }, 'forget deletes the externalId';
is_deeply object(qw(forget --tenant acme nobody)), { blockedNames => 0, loggedNames => 0, refusals => 0, exit => 0 }, 'forget of an unknown name succeeds';
unlike $log->(), qr/lovelace/i, 'the log no longer contains the name';
like $log->(), qr/user1\\" is taken/, 'refusals of others stay';
my $gone = create(Scim::user('grace'));
is $c->request(DELETE => "$users/$gone")->{status}, 204, 'another user is deleted';
like $log->(), qr/"grace"/, 'the log has its name';
is object(qw(forget --tenant acme), $gone)->{loggedNames}, 1, 'forget deletes a name in the log by the id';
unlike $log->(), qr/"grace"/, 'the log no longer has it';
my @forgotten = grep $_->{operation} eq 'forget', map $json->decode($_), split /\n/, $log->();
is_deeply [map $_->{id} // $_->{name} // '', @forgotten], ['', '', '', ''], 'the log says that something was forgotten, and not what';
is +($t->scimctl('verify'))[0], 0, 'verify finds no problem afterwards';
my $again = create(Scim::user('ada.lovelace'));
ok !object(qw(user show --tenant acme), $again)->{blocked}, 'a new user of the name is not blocked';

for ([2, qr/DIR is required/, 'compact'], [2, qr/USER is required/, qw(forget --tenant acme)],
    [1, qr/the name is empty/, qw(forget --tenant acme), ''], [1, qr/there is no tenant "amce"/, qw(forget --tenant amce x)])
{
    my ($code, $pattern, @command) = @$_;
    ($exit, $out, $err) = $t->scimctl(@command);
    ok $exit == $code && $out eq '' && $err =~ $pattern, "scimctl @command exits with $code" or diag "$exit $out$err";
}
# --- a map that is almost full

is +($t->poke(qw(log acme 3880 1)))[0], 0, 'the log fills the map';
my $check = object('check');
is $check->{exit}, 1, 'check exits with 1';
like $check->{problems}[0], qr/^the map is almost full, and creates are refused: raise size= of scim_store/, 'and says what to do';
($exit, $out, $err) = $t->scimctl({ stdin => $json->encode({ %{ Scim::user('more') }, meta => { resourceType => 'User' } }) },
    qw(import --tenant acme -));
ok $exit == 3 && $err =~ /the directory is full/, 'import stops' or diag "$exit $out$err";
$t->finish;
